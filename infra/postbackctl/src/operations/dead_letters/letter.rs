//! A dead letter as it is shown to people and programs.

use std::{collections::BTreeMap, fmt};

use app::ports::{AttributeValue, DeadLetter};
use domain::jiff::Timestamp;
use serde::Serialize;

use crate::{output::counted, terminal::printable};

/// Limits the characters of a text that are shown.
const SHOWN_CHARS: usize = 300;

/// A dead letter as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Letter {
    message_id: String,
    #[serde(serialize_with = "domain::values::time::three_decimals::option::serialize")]
    sent_at: Option<Timestamp>,
    received: Option<u32>,
    reason: Option<String>,
    group: Option<String>,
    /// Its other attributes that are texts or numbers.
    attributes: BTreeMap<String, String>,
    body: String,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { message_id, sent_at, received, group, attributes, body } = letter;
        let text = |(name, attribute): (String, app::ports::Attribute)| match attribute.value {
            AttributeValue::Text(text) => Some((name, text)),
            AttributeValue::Bytes(_) => None,
        };
        let mut attributes: BTreeMap<String, String> = attributes.into_iter().filter_map(text).collect();
        let reason = attributes.remove(DeadLetter::REASON);
        Self { message_id, sent_at, received, reason, group, attributes, body }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sent_at {
            Some(at) => write!(f, "  {at:.3}  ")?,
            None => f.write_str("  some time ago  ")?,
        }
        match (&self.reason, self.received) {
            (Some(reason), _) => write!(f, "{}", beginning(reason))?,
            (None, Some(times)) => write!(f, "no reason given; received {}", counted(times, "time"))?,
            (None, None) => f.write_str("no reason given")?,
        }
        if let Some(group) = &self.group {
            write!(f, "  [{}]", beginning(group))?;
        }
        write!(f, "\n    {}", beginning(&self.body))
    }
}

/// Returns how a text begins, as a terminal shows it.
fn beginning(text: &str) -> String {
    let mut shown = printable(&text.chars().take(SHOWN_CHARS).collect::<String>());
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use app::ports::Attribute;

    use super::*;

    fn letter(body: &str) -> DeadLetter {
        DeadLetter {
            message_id: "m".to_owned(),
            sent_at: Timestamp::from_millisecond(1500).ok(),
            received: None,
            group: None,
            attributes: BTreeMap::new(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_letter_tells_its_reason_or_how_often_it_was_received() {
        let reason = Attribute { data_type: "String".to_owned(), value: AttributeValue::Text("no type".to_owned()) };
        let attributes = BTreeMap::from([("reason".to_owned(), reason)]);
        let with = Letter::from(DeadLetter { attributes, ..letter("{\"id\":1}") });
        assert_eq!(with.to_string(), "  1970-01-01T00:00:01.500Z  no type\n    {\"id\":1}");
        let counted = DeadLetter { received: Some(21), group: Some("acme".to_owned()), ..letter("") };
        let without = Letter::from(counted).to_string();
        assert!(without.contains("no reason given; received 21 times  [acme]"), "{without}");
    }

    #[test]
    fn a_shown_body_cannot_drive_a_terminal_and_has_an_end() {
        let body = format!("\u{1b}[2J{}", "é".repeat(1000));
        let shown = Letter::from(letter(&body)).to_string();
        assert!(!shown.contains('\u{1b}') && shown.ends_with("é…") && shown.chars().count() < 400, "{shown}");
    }
}
