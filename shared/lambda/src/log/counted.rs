//! What `CloudWatch` counts: metrics that are fields of the lines themselves, in its embedded metric format.
//!
//! Written here because no crate fits. The `metrics` facade's exporters write a line of their own when an invocation ends;
//! `metrique` would replace the log's lines by its own and brings some fifty crates. All that is needed is one member of
//! a line, the same each time but for its timestamp.
//!
//! Dimensions are few, since each value of one is a metric that is paid for by the month: the outcome where a line has one,
//! and the partner only where the first question is whose it is and somebody is to be told: conflicts, and webhooks that a
//! partner did not take. The stack is the namespace.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tracing::Metadata;

/// The field by which a line says what it is counted as; it is not written.
pub(super) const FIELD: &str = "counted";

/// The metric of a configuration that is used although it could not be read anew.
pub(super) const CONFIGURATION_STALE: &str = "configuration_stale";

/// What a line is counted as: it has the metrics' and the dimensions' fields under these very names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A request to a postback URL.
    Postback,
    /// One that its partner is to be told about.
    PostbackOfPartner,
    /// A tracking link opened.
    Click,
    /// A batch of postbacks for GG3.
    Conversions,
    /// A batch of what is stored, for the lookups.
    Lookups,
    /// The unremarkable events of a batch.
    Events,
    /// An event of an unknown type.
    EventOfUnknownType,
    /// A malformed event.
    EventSetAside,
    /// An event that must come again.
    EventFailed,
    /// One that must because the catalogue of campaigns is too old.
    EventWithoutCatalogue,
    /// An attempt of a webhook.
    Attempt,
    /// One that its partner is to be told about.
    AttemptOfPartner,
    /// A webhook's message that made no attempt.
    Webhook,
    /// A sweep.
    Sweep,
    /// Configuration that is used although it could not be read anew.
    StaleConfiguration,
}

type Dimensions = &'static [&'static [&'static str]];

const NONE: Dimensions = &[&[]];
const BY_OUTCOME: Dimensions = &[&["outcome"]];
const BY_OUTCOME_AND_PARTNER: Dimensions = &[&["outcome"], &["outcome", "provider"]];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: Dimensions,
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Counted {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 15] = [
        Self::Postback,
        Self::PostbackOfPartner,
        Self::Click,
        Self::Conversions,
        Self::Lookups,
        Self::Events,
        Self::EventOfUnknownType,
        Self::EventSetAside,
        Self::EventFailed,
        Self::EventWithoutCatalogue,
        Self::Attempt,
        Self::AttemptOfPartner,
        Self::Webhook,
        Self::Sweep,
        Self::StaleConfiguration,
    ];

    /// As the field `counted` says it.
    pub(crate) const fn id(self) -> u64 {
        self as u64
    }

    fn parts(self) -> (Dimensions, &'static [&'static str]) {
        match self {
            Self::Postback => (BY_OUTCOME, &["postbacks"]),
            Self::PostbackOfPartner => (BY_OUTCOME_AND_PARTNER, &["postbacks"]),
            Self::Click => (BY_OUTCOME, &["clicks"]),
            Self::Conversions => (NONE, &["conversions_sent", "conversions_set_aside", "conversions_failed"]),
            Self::Lookups => (NONE, &["lookups_written", "lookups_set_aside", "lookups_failed"]),
            Self::Events => (NONE, &["events_applied", "events_unchanged", "events_not_needed"]),
            Self::EventOfUnknownType => (NONE, &["events_of_unknown_type"]),
            Self::EventSetAside => (NONE, &["events_set_aside"]),
            Self::EventFailed => (NONE, &["events_failed"]),
            Self::EventWithoutCatalogue => (NONE, &["events_failed", CONFIGURATION_STALE]),
            Self::Attempt => (BY_OUTCOME, &["webhooks", "attempt_ms"]),
            Self::AttemptOfPartner => (BY_OUTCOME_AND_PARTNER, &["webhooks", "attempt_ms"]),
            Self::Webhook => (BY_OUTCOME, &["webhooks"]),
            Self::Sweep => {
                (NONE, &["sweep_looked_at", "sweep_sent", "sweep_sent_before", "sweep_unknown", "sweep_unfinished"])
            }
            Self::StaleConfiguration => (NONE, &[CONFIGURATION_STALE]),
        }
    }

    /// The member `CloudWatchMetrics` of such lines; none only if it could not be serialized.
    pub(super) fn directive(self, namespace: &str) -> Option<Box<RawValue>> {
        let (dimensions, names) = self.parts();
        let unit = |name: &str| if name.ends_with("_ms") { "Milliseconds" } else { "Count" };
        let metrics = names.iter().map(|name| Metric { name, unit: unit(name) }).collect();
        to_raw_value(&[Directive { namespace, dimensions, metrics }]).ok()
    }
}

/// Whether such lines are counted: all of a place in the code are, or none.
pub(super) fn is_counted(line: &Metadata<'_>) -> bool {
    line.fields().field(FIELD).is_some() || is_stale_configuration(line)
}

/// Whether this is the cache's warning. The use cases know no metrics, so what theirs is counted as is said here.
pub(super) fn is_stale_configuration(line: &Metadata<'_>) -> bool {
    line.target() == "app::cache"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_metric_is_on_the_dashboard_and_nothing_is_alarmed_or_shown_that_no_line_counts() {
        let template = include_str!("../../../../template.yaml");
        let ours: BTreeSet<&str> = Counted::ALL.iter().flat_map(|counted| counted.parts().1).copied().collect();
        let after = |mark: &'static str| {
            template.match_indices(mark).map(move |(at, _)| {
                let rest = &template[at + mark.len()..];
                let end = rest.find(|sign: char| !sign.is_ascii_lowercase() && sign != '_').unwrap();
                &rest[..end]
            })
        };
        let shown: BTreeSet<&str> = after("[!Ref AWS::StackName, ").chain(after("MetricName=\\\"")).collect();
        let alarmed: BTreeSet<&str> = after("{ Metric: ").collect();
        assert!(alarmed.is_subset(&ours), "{alarmed:?}");
        // The one that is counted from the API's own log.
        assert_eq!(shown, ours.into_iter().chain(["api_throttled"]).collect());
    }

    #[test]
    fn each_is_found_by_its_own_number() {
        for (index, counted) in Counted::ALL.into_iter().enumerate() {
            assert_eq!(counted.id(), index as u64, "{counted:?}");
        }
    }
}
