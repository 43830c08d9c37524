//! Runs the function `event-evaluator`, which reads the queue `gg3-events` and stores the deliveries owed.

use std::time::Duration;

use adapters::{
    aws::CallLimits,
    deployed::Deployed,
    dynamodb::{catalogue::DynamoCatalogues, deliveries::DynamoNewDeliveries, participants::DynamoParticipants},
    sqs::{SqsDeadLetters, SqsWebhooks},
};
use app::{
    current_catalogue::CurrentCatalogue,
    evaluate_events::{EvaluateEvents, EventFailure, EventOutcome, ReceivedEvent},
};
use domain::{
    jiff::SignedDuration,
    outbound::{
        event::{SpoiledTracking, UnknownType},
        timing::Timing,
    },
};
use lambda_runtime::LambdaEvent;
use tracing::{error, field::display, info, warn};

use crate::{
    batch::BatchResponse,
    environment::{Environment, EnvironmentFaults},
    queue::{Batch, Message},
    system::System,
};

/// Counts the operations that follow each other at worst, if nobody else writes. These are three reads of the
/// catalogue's pointer, three reads of a chunk, the read of all users, the read of a user that DynamoDB left
/// unprocessed, a put, a send, a write, and a dead letter.
const OPERATIONS_IN_A_ROW: u32 = 12;

/// Handles batches of events.
pub struct EventEvaluatorFunction {
    evaluate: EvaluateEvents<Deployed>,
}

impl EventEvaluatorFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let (aws, timeout) = (env.aws(), env.function_timeout());
        env.queue_visibility(timeout);
        let (poll, timing) = timing(&mut env);
        let [catalogue, participants, deliveries] =
            ["CATALOGUE_TABLE", "PARTICIPANTS_TABLE", "DELIVERIES_TABLE"].map(|name| env.required(name));
        let [webhooks, dead_letters, broken_links, unknown_types] = [
            "WEBHOOKS_QUEUE_URL",
            "GG3_EVENTS_DEAD_LETTERS_QUEUE_URL",
            "GG3_EVENTS_BROKEN_LINKS_QUEUE_URL",
            "GG3_EVENTS_UNKNOWN_TYPES_QUEUE_URL",
        ]
        .map(|name| env.required(name));
        env.finish()?;
        let limits = CallLimits::answering(timeout, OPERATIONS_IN_A_ROW);
        let (dynamodb, sqs) = (aws.dynamodb(limits), aws.sqs(limits));
        let evaluate = EvaluateEvents {
            catalogue: CurrentCatalogue::new(DynamoCatalogues::new(dynamodb.clone(), catalogue), poll),
            participants: DynamoParticipants::new(dynamodb.clone(), participants),
            deliveries: DynamoNewDeliveries::new(dynamodb, deliveries),
            queue: SqsWebhooks::new(sqs.clone(), webhooks),
            clock: System,
            randomness: System,
            dead_letters: SqsDeadLetters::new(sqs.clone(), dead_letters),
            broken_links: SqsDeadLetters::new(sqs.clone(), broken_links),
            unknown_types: SqsDeadLetters::new(sqs, unknown_types),
            timing,
        };
        Ok(Self { evaluate })
    }

    /// Reads the catalogue and opens connections during init. If that fails, the first batch tries again.
    pub async fn warm(&self) {
        if let Err(unavailable) = self.evaluate.catalogue.recent(&System).await {
            error!(reason = %unavailable, "warm-up failed; the first batch tries again");
        }
    }

    /// Handles one batch. Failed messages are reported in the response.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        let batch: Vec<ReceivedEvent> = event.payload.messages().map(received).collect();
        let outcomes = self.evaluate.handle(&batch).await;
        log(&batch, &outcomes);
        Ok(respond(batch, &outcomes))
    }
}

/// Returns the time between two polls of the catalogue, and three limits. `CATALOGUE_MAX_AGE_SECONDS` is the greatest
/// age of a catalogue. `EVENT_MAX_AHEAD_SECONDS` says how far ahead events may be dated. `CAMPAIGN_LEAD_SECONDS` says
/// how long before its start a campaign is published.
fn timing(env: &mut Environment) -> (Duration, Timing) {
    let standard = Timing::default();
    let mut seconds = |name: &str, default: Duration| {
        let default = SignedDuration::try_from(default).unwrap_or_default();
        env.seconds(name, default).unsigned_abs()
    };
    let poll = seconds("CATALOGUE_POLL_SECONDS", Duration::from_secs(30));
    let max_age = seconds("CATALOGUE_MAX_AGE_SECONDS", standard.max_age());
    let max_ahead = seconds("EVENT_MAX_AHEAD_SECONDS", standard.max_ahead());
    let lead = seconds("CAMPAIGN_LEAD_SECONDS", standard.lead());
    if poll * 2 > max_age {
        // With a slower poll, a catalogue could become too old between the poll and the use of the catalogue.
        env.fault("CATALOGUE_POLL_SECONDS must be at most half of CATALOGUE_MAX_AGE_SECONDS");
    }
    let timing = Timing::try_new(lead, max_age, max_ahead).unwrap_or_else(|fault| {
        env.fault(format!("CAMPAIGN_LEAD_SECONDS: {fault}"));
        standard
    });
    (poll, timing)
}

fn received(message: Message) -> ReceivedEvent {
    ReceivedEvent { id: message.id, body: message.body, received_at: message.received_at }
}

fn respond(batch: Vec<ReceivedEvent>, outcomes: &[EventOutcome]) -> BatchResponse {
    let failed = batch.into_iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, EventOutcome::Failed(_)));
    BatchResponse::of_queue(failed.map(|(message, _)| message.id))
}

/// Writes one line for each message that an operator should look at, with its SQS id, and one line for all others.
fn log(batch: &[ReceivedEvent], outcomes: &[EventOutcome]) {
    let (mut events_applied, mut events_unchanged, mut events_not_needed, mut webhooks_owed) = (0, 0, 0, 0);
    for (message, outcome) in batch.iter().zip(outcomes) {
        match outcome {
            EventOutcome::Applied { owed } => {
                events_applied += 1;
                webhooks_owed += owed;
            }
            EventOutcome::Unchanged => events_unchanged += 1,
            EventOutcome::NotNeeded => events_not_needed += 1,
            noteworthy => log_alone(&message.id, noteworthy),
        }
    }
    if events_applied + events_unchanged + events_not_needed > 0 {
        info!(events_applied, events_unchanged, events_not_needed, webhooks_owed, "events");
    }
}

fn log_alone(message_id: &str, outcome: &EventOutcome) {
    match outcome {
        EventOutcome::UnknownType(UnknownType { name: unknown_type, meant: None }) => {
            info!(message_id, unknown_type, events_of_unknown_type = 1, "an event of an unknown type was kept");
        }
        EventOutcome::UnknownType(UnknownType { name: unknown_type, meant: Some(meant) }) => {
            let words = "an event of a misspelt type was kept";
            error!(message_id, unknown_type, meant, events_of_unknown_type = 1, events_of_misspelt_type = 1, "{words}");
        }
        EventOutcome::SpoiledTracking(spoiled) => log_spoiled(message_id, spoiled),
        EventOutcome::SetAside(reason) => {
            error!(message_id, reason, events_set_aside = 1, "an event went to the dead-letter queue");
        }
        EventOutcome::Failed(reason @ EventFailure::StaleCatalogue) => {
            error!(message_id, %reason, events_failed = 1, configuration_stale = 1, "an event will be retried");
        }
        EventOutcome::Failed(reason) => {
            warn!(message_id, %reason, events_failed = 1, "an event will be retried");
        }
        EventOutcome::Applied { .. } | EventOutcome::Unchanged | EventOutcome::NotNeeded => {}
    }
}

/// Writes a line for an event with spoiled tracking. The line names the partner only if the partner is known. A visitor
/// can type any other name, and each name would be a metric of its own.
fn log_spoiled(message_id: &str, spoiled: &SpoiledTracking) {
    let faults = spoiled.faults.iter().map(|fault| format!("{}: {:?}", fault.path, fault.code));
    let faults = faults.collect::<Vec<_>>().join(", ");
    let outcome = if spoiled.broken_link_of().is_some() { "macro_not_replaced" } else { "not_usable" };
    let (provider, words) = (spoiled.provider.as_ref().map(display), "an event with a spoiled tracking was kept");
    info!(message_id, provider, outcome, faults, trackings_spoiled = 1, "{words}");
}

#[cfg(test)]
mod tests {
    use app::ports::Unavailable;

    use domain::{
        outbound::event::{EventFault, EventFaultCode},
        values::ids::Provider,
    };

    use super::*;
    use crate::{
        log::tests::{counted, line},
        now,
    };

    fn message(id: &str) -> ReceivedEvent {
        ReceivedEvent { id: id.into(), body: String::new(), received_at: now().into() }
    }

    #[test]
    fn every_outcome_of_an_event_is_counted_once() {
        let unavailable = Unavailable { service: "SQS", reason: "down".into() };
        let unknown = |meant| EventOutcome::UnknownType(UnknownType { name: "x".into(), meant });
        for (outcome, metrics) in [
            (unknown(None), ["events_of_unknown_type"].as_slice()),
            (unknown(Some("user.registered")), &["events_of_misspelt_type", "events_of_unknown_type"]),
            (EventOutcome::SetAside("NotJson".into()), &["events_set_aside"]),
            (EventOutcome::Failed(EventFailure::Unavailable(unavailable)), &["events_failed"]),
            (EventOutcome::Failed(EventFailure::StaleCatalogue), &["configuration_stale", "events_failed"]),
        ] {
            let line = line(|| log(&[message("m")], &[outcome]));
            assert_eq!(counted(&line), metrics);
            assert!(metrics.iter().all(|metric| line[metric] == 1) && line["message_id"] == "m", "{line}");
        }
        let batch = ["a", "b", "c", "d"].map(message);
        let outcomes = [
            EventOutcome::Applied { owed: 2 },
            EventOutcome::Unchanged,
            EventOutcome::NotNeeded,
            EventOutcome::Applied { owed: 1 },
        ];
        let line = line(|| log(&batch, &outcomes));
        let numbers = ["events_applied", "events_unchanged", "events_not_needed", "webhooks_owed"];
        assert_eq!(numbers.map(|name| line[name].as_u64().unwrap()), [2, 1, 1, 3]);
        assert_eq!(counted(&line), ["events_applied", "events_not_needed", "events_unchanged"]);
    }

    #[test]
    fn a_spoiled_tracking_counts_for_its_partner_only_if_a_macro_was_sent() {
        let acme = || Some(Provider::new("acme").unwrap());
        for (provider, code, word, by_partner) in [
            (acme(), EventFaultCode::MacroNotReplaced, "macro_not_replaced", true),
            (acme(), EventFaultCode::TooLong, "not_usable", false),
            (None, EventFaultCode::MacroNotReplaced, "not_usable", false),
            (None, EventFaultCode::UnknownProvider, "not_usable", false),
        ] {
            let (path, expected) = ("tracking.click_id".to_owned(), "the secret words of a visitor".to_owned());
            let spoiled = SpoiledTracking { provider, faults: vec![EventFault { path, code, expected }] };
            let line = line(|| log(&[message("m")], &[EventOutcome::SpoiledTracking(spoiled)]));
            assert_eq!(
                (&line["outcome"], &line["trackings_spoiled"], &line["level"]),
                (&word.into(), &1.into(), &"INFO".into())
            );
            let expected: &[&str] = if by_partner {
                &["trackings_spoiled by outcome", "trackings_spoiled by outcome, provider"]
            } else {
                &["trackings_spoiled by outcome"]
            };
            assert_eq!(counted(&line), expected);
            assert!(!line.to_string().contains("secret"), "{line}");
        }
    }

    #[test]
    fn only_failed_messages_are_reported() {
        let failed = EventOutcome::Failed(EventFailure::StaleCatalogue);
        let outcomes = [EventOutcome::Unchanged, failed, EventOutcome::SetAside(String::new())];
        let response = respond(["a", "b", "c"].map(message).into(), &outcomes);
        let json = serde_json::to_string(&response).unwrap();
        assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#);
    }

    #[test]
    fn ages_and_leads_that_contradict_each_other_are_faults() {
        let faults = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let mut env = Environment::of(variables);
            timing(&mut env);
            env.finish().err().map(|faults| faults.to_string()).unwrap_or_default()
        };
        assert_eq!(faults(&[]), "");
        assert!(faults(&[("CATALOGUE_POLL_SECONDS", "61")]).contains("CATALOGUE_POLL_SECONDS"));
        assert!(faults(&[("CAMPAIGN_LEAD_SECONDS", "149")]).contains("CAMPAIGN_LEAD_SECONDS"));
        let local = [("CATALOGUE_POLL_SECONDS", "1"), ("CATALOGUE_MAX_AGE_SECONDS", "2")];
        assert_eq!(faults(&local), "");
    }
}
