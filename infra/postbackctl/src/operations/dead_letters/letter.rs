//! A message that was set aside, for people.

use std::{collections::BTreeMap, fmt};

use adapters::sqs::REASON;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as SystemAttribute};
use domain::jiff::Timestamp;
use serde::Serialize;

use crate::terminal::printable;

/// How much of a body is shown.
const SHOWN_CHARS: usize = 300;

/// A dead letter.
#[derive(Debug, Serialize)]
pub(crate) struct Letter {
    message_id: String,
    sent_at: Option<String>,
    /// How often it was received, looking at it included.
    received: Option<u32>,
    /// Why it was set aside, if whoever did it said so.
    reason: Option<String>,
    group: Option<String>,
    /// Its other attributes, those that are text.
    attributes: BTreeMap<String, String>,
    body: String,
}

impl Letter {
    pub(crate) fn of(message: &Message) -> Self {
        let system = |name: SystemAttribute| message.attributes.as_ref()?.get(&name).cloned();
        let texts = message.message_attributes.iter().flatten();
        let texts = texts.filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)));
        let mut attributes: BTreeMap<String, String> = texts.collect();
        let sent = system(SystemAttribute::SentTimestamp).and_then(|text| text.parse().ok());
        Self {
            message_id: message.message_id.clone().unwrap_or_default(),
            sent_at: sent.and_then(|at| Timestamp::from_millisecond(at).ok()).map(|at| at.to_string()),
            received: system(SystemAttribute::ApproximateReceiveCount).and_then(|text| text.parse().ok()),
            reason: attributes.remove(REASON),
            group: system(SystemAttribute::MessageGroupId),
            attributes,
            body: message.body.clone().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}  ", self.sent_at.as_deref().unwrap_or("some time ago"))?;
        match (&self.reason, self.received) {
            (Some(reason), _) => write!(f, "{}", beginning(reason))?,
            (None, Some(times)) => write!(f, "no reason given; received {times} times")?,
            (None, None) => f.write_str("no reason given")?,
        }
        if let Some(group) = &self.group {
            write!(f, "  [{}]", beginning(group))?;
        }
        write!(f, "\n    {}", beginning(&self.body))
    }
}

/// How a text begins.
fn beginning(text: &str) -> String {
    let mut shown = printable(&text.chars().take(SHOWN_CHARS).collect::<String>());
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;

    use super::*;

    fn message() -> aws_sdk_sqs::types::builders::MessageBuilder {
        Message::builder().message_id("m").body("{\"id\":1}").attributes(SystemAttribute::SentTimestamp, "1500")
    }

    #[test]
    fn a_letter_tells_its_reason_and_without_one_how_often_it_was_received() {
        let reason = MessageAttributeValue::builder().data_type("String").string_value("no type").build().unwrap();
        let with = Letter::of(&message().message_attributes(REASON, reason).build());
        assert_eq!(with.to_string(), "  1970-01-01T00:00:01.5Z  no type\n    {\"id\":1}");
        let counted = message().attributes(SystemAttribute::ApproximateReceiveCount, "21");
        let without = Letter::of(&counted.attributes(SystemAttribute::MessageGroupId, "acme").build());
        assert!(without.to_string().contains("no reason given; received 21 times  [acme]"), "{without}");
    }

    #[test]
    fn what_is_shown_of_a_body_cannot_drive_a_terminal_and_has_an_end() {
        let body = format!("\u{1b}[2J{}", "é".repeat(1000));
        let shown = Letter::of(&message().body(body).build()).to_string();
        assert!(!shown.contains('\u{1b}') && shown.ends_with("é…") && shown.chars().count() < 400, "{shown}");
    }
}
