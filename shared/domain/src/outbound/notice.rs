//! Holds notices: webhooks to a partner about its own webhooks, such as that its server is down.
//!
//! A notice is owed like a delivery: it is a [`Delivery`](crate::outbound::delivery::Delivery) of the reserved campaign
//! [`campaign`], with an id that is the same for the same occasion. So it is never lost, never told twice, has six
//! attempts, and can be opened again by hand.

use alloc::{collections::BTreeMap, vec};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::prelude::*;
use crate::values::ids::{CampaignName, UserId};
use crate::values::time::UnixMillis;

/// Names the campaign of all notices. No partner's file can use the name.
pub const NOTICES: &str = "gg3-notices";

/// Returns the name of the campaign of all notices.
pub fn campaign() -> CampaignName {
    CampaignName::new(NOTICES).unwrap_or_else(|_| unreachable!("the name is a slug"))
}

/// Says what a partner is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// Its endpoint has gone down.
    EndpointDown {
        /// Names the host.
        host: String,
        /// Says when the first webhook failed.
        since: UnixMillis,
        /// Says in words how a webhook failed.
        fault: String,
        /// Says if webhooks wait while the endpoint is down.
        held: bool,
        /// Numbers the change of the endpoint.
        version: u64,
    },
    /// Its endpoint is up again.
    EndpointUp {
        /// Names the host.
        host: String,
        /// Says when the endpoint took a webhook again.
        since: UnixMillis,
        /// Says when the first webhook had failed.
        down_since: UnixMillis,
        /// Says if webhooks waited while the endpoint was down.
        held: bool,
        /// Numbers the change of the endpoint.
        version: u64,
    },
    /// All attempts of a webhook failed. It is told at most once an hour.
    WebhookExhausted {
        /// Names the webhook's campaign.
        campaign: CampaignName,
        /// Says when the last attempt failed.
        at: UnixMillis,
        /// Says in words how the last attempt failed.
        fault: String,
    },
    /// An operator tries if notices arrive.
    Test {
        /// Distinguishes this trial from others.
        number: String,
    },
}

impl Notice {
    /// Returns the type of the message, as in `gg3.endpoint.down`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EndpointDown { .. } => "gg3.endpoint.down",
            Self::EndpointUp { .. } => "gg3.endpoint.up",
            Self::WebhookExhausted { .. } => "gg3.webhook.exhausted",
            Self::Test { .. } => "gg3.test",
        }
    }

    /// Returns what stands for the participant in the delivery's id. It is the same for the same occasion.
    pub fn occasion(&self) -> UserId {
        let text = match self {
            Self::EndpointDown { host, version, .. } | Self::EndpointUp { host, version, .. } => {
                format!("{}:{version}:{host}", self.kind())
            }
            Self::WebhookExhausted { at, .. } => {
                format!("{}:{}", self.kind(), at.as_millisecond().div_euclid(3_600_000))
            }
            Self::Test { number } => format!("{}:{number}", self.kind()),
        };
        // A host has at most 253 bytes and a port, so the text may be a little too long for an id.
        let short: String = text.chars().take(255).collect();
        UserId::new(short).unwrap_or_else(|_| unreachable!("a kind and a host are an id"))
    }

    /// Returns what happened, what we do now, and what the partner can do.
    pub fn words(&self) -> [String; 3] {
        match self {
            Self::EndpointDown { host, since, fault, held, .. } => [
                format!(
                    "Webhooks to {host} have failed since {:.0}. The last one looked at: {fault}.",
                    since.timestamp()
                ),
                if *held {
                    "Webhooks wait and spend no attempt, except one at a time, which is tried.".to_owned()
                } else {
                    "Each webhook is sent up to six times, as agreed.".to_owned()
                },
                "Please look at your server. Nothing else is needed: the first webhook that it takes ends this."
                    .to_owned(),
            ],
            Self::EndpointUp { host, since, down_since, held, .. } => [
                format!(
                    "{host} takes webhooks again since {:.0}. It was down since {:.0}.",
                    since.timestamp(),
                    down_since.timestamp()
                ),
                if *held {
                    "What waited goes out at a rising rate: 10 a second, doubled each minute.".to_owned()
                } else {
                    "Webhooks that still have attempts are sent when these are due.".to_owned()
                },
                if *held {
                    "Nothing is needed.".to_owned()
                } else {
                    "Webhooks whose six attempts have failed are sent again from the portal, or ask us.".to_owned()
                },
            ],
            Self::WebhookExhausted { campaign, at, fault } => [
                format!(
                    "All attempts of a webhook of {campaign} have failed, the last at {:.0}: {fault}. There may be more: you \
                     are told at most once an hour.",
                    at.timestamp()
                ),
                "It is kept, and not sent again by itself.".to_owned(),
                "Mend your server, then send it again from the portal, or ask us.".to_owned(),
            ],
            Self::Test { .. } => [
                "This is a test of your notices.".to_owned(),
                "Nothing has happened.".to_owned(),
                "Answer 2xx. Nothing else is needed.".to_owned(),
            ],
        }
    }

    /// Returns the body of the webhook: Standard Webhooks' form, with the words for people and the facts for programs.
    pub fn body(&self, occurred_at: UnixMillis) -> String {
        let [what, we, you] = self.words();
        let words = [("what_happened", what), ("what_we_do", we), ("what_you_can_do", you)];
        let facts = match self {
            Self::EndpointDown { host, since, fault, .. } => {
                vec![("endpoint", host.clone()), ("since", since.to_string()), ("fault", fault.clone())]
            }
            Self::EndpointUp { host, since, down_since, .. } => {
                vec![("endpoint", host.clone()), ("since", since.to_string()), ("down_since", down_since.to_string())]
            }
            Self::WebhookExhausted { campaign, at, fault } => {
                vec![("campaign", campaign.to_string()), ("at", at.to_string()), ("fault", fault.clone())]
            }
            Self::Test { .. } => Vec::new(),
        };
        let data: BTreeMap<&str, String> = words.into_iter().chain(facts).collect();
        json!({"type": self.kind(), "timestamp": occurred_at.to_string(), "data": data}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(second: i64) -> UnixMillis {
        UnixMillis::from_millisecond(1_795_435_200_000 + second * 1000)
    }

    fn all() -> [Notice; 4] {
        let host = || "hooks.acme.example".to_owned();
        let fault = || "answered 503".to_owned();
        [
            Notice::EndpointDown { host: host(), since: at(0), fault: fault(), held: true, version: 4 },
            Notice::EndpointUp { host: host(), since: at(9), down_since: at(0), held: false, version: 5 },
            Notice::WebhookExhausted { campaign: CampaignName::new("welcome").unwrap(), at: at(7), fault: fault() },
            Notice::Test { number: "abc".into() },
        ]
    }

    #[test]
    fn a_notice_says_what_happened_what_we_do_and_what_to_do() {
        for notice in all() {
            let body: serde_json::Value = serde_json::from_str(&notice.body(at(1))).unwrap();
            assert_eq!((&body["type"], &body["timestamp"]), (&notice.kind().into(), &"2026-11-23T12:00:01Z".into()));
            for words in ["what_happened", "what_we_do", "what_you_can_do"] {
                assert!(body["data"][words].as_str().is_some_and(|words| words.ends_with('.')), "{body}");
            }
            let stored = serde_json::to_value(&notice).unwrap();
            assert_eq!(serde_json::from_value::<Notice>(stored).unwrap(), notice);
        }
        let [down, ..] = all();
        let body: serde_json::Value = serde_json::from_str(&down.body(at(1))).unwrap();
        assert_eq!(body["data"]["endpoint"], "hooks.acme.example");
        assert_eq!(body["data"]["since"], "2026-11-23T12:00:00Z");
    }

    #[test]
    fn the_same_occasion_is_one_notice() {
        let [down, up, exhausted, test] = all();
        let occasions: BTreeSet<_> = [&down, &up, &exhausted, &test].map(Notice::occasion).into();
        assert_eq!(occasions.len(), 4);
        let later = |at| Notice::WebhookExhausted { campaign: campaign(), at, fault: String::new() };
        assert_eq!(later(at(8)).occasion(), exhausted.occasion(), "whatever the webhook is, once an hour");
        assert_ne!(later(at(3600)).occasion(), exhausted.occasion());
    }
}
