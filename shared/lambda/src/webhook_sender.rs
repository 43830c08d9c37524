//! Runs the function `webhook-sender`, which calls partners' servers for `webhooks` and `webhook-retries`.

use std::{path::PathBuf, time::Duration};

use adapters::{
    aws::CallLimits,
    deployed::Deployed,
    dynamodb::{
        deliveries::{DynamoDeliveries, DynamoNewDeliveries},
        endpoints::DynamoEndpoints,
        partners::DynamoRecipients,
    },
    sqs::{SqsDeadLetters, SqsResends},
    webhook::{Limits, Reach, WebhookClient, WebhookSettings},
};
use app::{
    cache::{Cache, CachePolicy},
    deliver_webhooks::{AttemptTime, Attempted, DeliverWebhooks, KnownEndpoints, MessageOutcome, ReceivedMessage},
};
use domain::{
    jiff::SignedDuration,
    outbound::{
        delivery::{DeliveryPace, Message, Status},
        webhook::Development,
    },
    retention::Expiring,
    values::{ids::Provider, time::UnixMillis},
};
use lambda_runtime::LambdaEvent;
use tracing::{error, info, warn};

use crate::{
    batch::BatchResponse,
    environment::{Environment, EnvironmentFaults},
    now,
    queue::{self, Batch},
    system::System,
};

/// Keeps some of the function's time free, after the last operation, for answering Lambda.
const MARGIN: Duration = Duration::from_millis(500);

/// Sets the least time limit that an operation must have.
const LEAST_OPERATION: Duration = Duration::from_millis(500);

/// Handles batches of webhook messages.
pub struct WebhookSenderFunction {
    deliver: DeliverWebhooks<Deployed>,
}

/// Holds time limits that fit together. An attempt ends before its function, a claim lasts as long as its worker can
/// live, and no message reappears while it is being processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    calls: CallLimits,
    attempt: AttemptTime,
    pace: DeliveryPace,
}

impl WebhookSenderFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let aws = env.aws();
        let times = times(&mut env);
        let reach = reach(&mut env, aws.endpoint_url());
        let [partners, secrets, deliveries, attempts, endpoints] =
            ["PARTNERS_TABLE", "SECRETS_TABLE", "DELIVERIES_TABLE", "ATTEMPTS_TABLE", "ENDPOINTS_TABLE"]
                .map(|name| env.required(name));
        let [resends, dead_letters] =
            ["WEBHOOK_RETRIES_QUEUE_URL", "WEBHOOKS_DEAD_LETTERS_QUEUE_URL"].map(|name| env.required(name));
        let policy = recipients_policy(&mut env);
        let retention = env.retention("ATTEMPT_RETENTION_DAYS", Expiring::Attempt);
        let settings = WebhookSettings { reach, limits: Limits::within(times.attempt.request) };
        let client = WebhookClient::new(&settings).map_err(|fault| env.fault(fault.to_string()));
        env.finish()?;
        // Without a client, `finish` has already returned the fault.
        let Ok(client) = client else { return Err(EnvironmentFaults::default()) };
        let (dynamodb, sqs) = (aws.dynamodb(times.calls), aws.sqs(times.calls));
        let recipients = DynamoRecipients::new(dynamodb.clone(), partners, secrets, settings.reach.allowance());
        let deliver = DeliverWebhooks {
            recipients: Cache::new(recipients, policy),
            deliveries: DynamoDeliveries::new(dynamodb.clone(), deliveries.clone(), attempts, retention),
            new_deliveries: DynamoNewDeliveries::new(dynamodb.clone(), deliveries.clone()),
            endpoints: KnownEndpoints::new(DynamoEndpoints::new(dynamodb, endpoints).with_notices(deliveries)),
            resends: SqsResends::new(sqs.clone(), resends),
            partners: client,
            dead_letters: SqsDeadLetters::new(sqs, dead_letters),
            clock: System,
            randomness: System,
            pace: times.pace,
            time: times.attempt,
        };
        Ok(Self { deliver })
    }

    /// Opens the connection to DynamoDB during init by reading the partner `nobody`, which need not exist.
    pub async fn warm(&self) {
        let Ok(nobody) = Provider::new("nobody") else { return };
        if let Err(unavailable) = self.deliver.recipients.get(&nobody, now()).await {
            error!(reason = %unavailable, "warm-up failed; the first batch tries again");
        }
    }

    /// Handles one batch. Failed messages are reported in the response.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        let ends_at = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let deadline = UnixMillis::from_millisecond(ends_at).minus(MARGIN);
        let batch: Vec<ReceivedMessage> = event.payload.messages().map(received).collect();
        let outcomes = self.deliver.handle(&batch, deadline).await;
        batch.iter().zip(&outcomes).for_each(|(received, outcome)| log(received, outcome));
        Ok(respond(batch, &outcomes))
    }
}

/// Returns all time limits. An attempt gives the partner at most `WEBHOOK_ATTEMPT_SECONDS` (default 10) of
/// `FUNCTION_TIMEOUT_SECONDS`. The other operations share the rest, which must be at least 5 seconds: one second for
/// the answer, and half a second for each operation.
fn times(env: &mut Environment) -> Times {
    let function = env.function_timeout();
    env.queue_visibility(function);
    let request = env.seconds("WEBHOOK_ATTEMPT_SECONDS", SignedDuration::from_secs(10)).unsigned_abs();
    let hop = env.seconds("PAUSED_HOP_SECONDS", SignedDuration::from_mins(5)).as_secs();
    let calls = CallLimits::answering(function.saturating_sub(request), AttemptTime::OPERATIONS);
    if calls.operation_timeout < LEAST_OPERATION {
        env.fault("FUNCTION_TIMEOUT_SECONDS must exceed WEBHOOK_ATTEMPT_SECONDS by at least 5");
    }
    // A claim must not expire while its worker lives. It therefore lasts as long as the function can live.
    let hold = function.max(Duration::from_secs(1));
    let paused_hop = u16::try_from(hop).unwrap_or(u16::MAX);
    let pace = DeliveryPace::try_new(hold, paused_hop).or_else(|fault| {
        env.fault(format!("PAUSED_HOP_SECONDS: {fault}"));
        DeliveryPace::try_new(hold, 1)
    });
    let attempt = AttemptTime { request, operation: calls.operation_timeout };
    Times { calls, attempt, pace: pace.unwrap_or_else(|_| DeliveryPace::default()) }
}

/// Returns the addresses that webhooks may reach. `LOOPBACK_WEBHOOKS` allows this machine too, and the authorities in
/// `LOOPBACK_AUTHORITIES_FILE` are then trusted as well. The switch is a fault if AWS's endpoint is not on this
/// machine.
fn reach(env: &mut Environment, endpoint_url: Option<&str>) -> Reach {
    if !env.switch("LOOPBACK_WEBHOOKS") {
        return Reach::Public;
    }
    match Development::try_new(endpoint_url.unwrap_or_default()) {
        Ok(proof) => {
            let extra_authorities = env.optional("LOOPBACK_AUTHORITIES_FILE").map(PathBuf::from);
            Reach::Development { proof, extra_authorities }
        }
        Err(fault) => {
            env.fault(format!("LOOPBACK_WEBHOOKS: {fault}"));
            Reach::Public
        }
    }
}

/// Returns how long recipients are cached. The limit is a minute, so that every change takes effect within a minute.
fn recipients_policy(env: &mut Environment) -> CachePolicy {
    let fresh = SignedDuration::from_secs(45);
    let policy = CachePolicy { fresh: env.seconds("PARTNER_FRESH_SECONDS", fresh), ..env.cache_policy() };
    if policy.fresh > SignedDuration::from_mins(1) {
        env.fault("PARTNER_FRESH_SECONDS must be at most 60");
    }
    CachePolicy { stale_for: SignedDuration::ZERO, ..policy }
}

fn received(message: queue::Message) -> ReceivedMessage {
    // serde's message may quote values, so only its kind and place are kept.
    let read = serde_json::from_str::<Message>(&message.body).map_err(|fault| {
        format!("the body is not a delivery message: {:?} error at column {}", fault.classify(), fault.column())
    });
    ReceivedMessage { id: message.id, message: read, whole: message.body }
}

fn respond(batch: Vec<ReceivedMessage>, outcomes: &[MessageOutcome]) -> BatchResponse {
    let again = |outcome: &MessageOutcome| matches!(outcome, MessageOutcome::Failed(_) | MessageOutcome::Waits { .. });
    let failed = batch.into_iter().zip(outcomes).filter(|(_, outcome)| again(outcome));
    BatchResponse::of_queue(failed.map(|(received, _)| received.id))
}

/// Writes one line for the message with its outcome. Attempts are `delivered`, `failed` (another follows), `gone`,
/// `exhausted` or `unsendable`. Other messages are `hopped`, `waits`, `sent_next`, `cancelled`, `none`, `again` or
/// `set_aside`.
fn log(received: &ReceivedMessage, outcome: &MessageOutcome) {
    let message_id = received.id.as_str();
    let Ok(message) = &received.message else {
        let (told, outcome) =
            (outcome, if matches!(outcome, MessageOutcome::SetAside(_)) { "set_aside" } else { "again" });
        error!(message_id, outcome, ?told, webhooks = 1, "a webhook message cannot be read");
        return;
    };
    let Message { delivery_id, provider, campaign, round, n, .. } = message;
    let no_attempt = |outcome: &str, why: Option<String>, delay_seconds: Option<u16>| {
        info!(%delivery_id, %provider, %campaign, round, n, outcome, why, delay_seconds, webhooks = 1, "no attempt");
    };
    match outcome {
        MessageOutcome::Attempted(attempted) => log_attempt(message, attempted),
        MessageOutcome::Failed(reason) => {
            let (outcome, words) = ("again", "a webhook message will be retried");
            warn!(message_id, %delivery_id, %provider, %campaign, round, n, outcome, %reason, webhooks = 1, "{words}");
        }
        MessageOutcome::SetAside(reason) => {
            let (outcome, words) = ("set_aside", "a webhook message went to the dead-letter queue");
            error!(message_id, outcome, reason, webhooks = 1, "{words}");
        }
        MessageOutcome::Hopped { delay_seconds, why } => {
            no_attempt("hopped", Some(why.as_str().to_owned()), Some(*delay_seconds));
        }
        MessageOutcome::Cancelled => no_attempt("cancelled", None, None),
        MessageOutcome::SentNext => no_attempt("sent_next", None, None),
        MessageOutcome::Done(why) => no_attempt("none", Some(format!("{why:?}")), None),
        MessageOutcome::Waits { .. } => no_attempt("waits", None, None),
    }
}

fn log_attempt(message: &Message, attempted: &Attempted) {
    let Message { delivery_id, provider, campaign, round, n, .. } = message;
    let outcome = attempted.ending.map_or("failed", |ending| Status::from(ending).as_str());
    let (answer, attempt_ms) = (&attempted.outcome, attempted.duration_ms);
    info!(%delivery_id, %provider, %campaign, round, n, outcome, %answer, attempt_ms, webhooks = 1, "attempt");
}

#[cfg(test)]
mod tests {
    use app::deliver_webhooks::HopReason;
    use domain::outbound::delivery::{Ending, NoWorkReason};

    use super::*;
    use crate::log::tests::{counted, line};

    fn faults(variables: &[(&str, &str)]) -> (Times, String) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut env = Environment::of(variables);
        let times = times(&mut env);
        (times, env.finish().err().map(|faults| faults.to_string()).unwrap_or_default())
    }

    #[test]
    fn attempts_fit_every_timeout_and_no_claim_outlives_its_worker() {
        for function in [13_u64, 14, 15, 20, 60, 120, 900] {
            for request in [1_u64, 5, 10] {
                let [timeout, seconds, visibility] = [function, request, function * 6].map(|number| number.to_string());
                let (times, faults) = faults(&[
                    ("FUNCTION_TIMEOUT_SECONDS", &timeout),
                    ("WEBHOOK_ATTEMPT_SECONDS", &seconds),
                    ("QUEUE_VISIBILITY_SECONDS", &visibility),
                ]);
                assert_eq!(faults.is_empty(), function >= request + 5, "{function} {request} {faults}");
                if faults.is_empty() {
                    let function = Duration::from_secs(function);
                    assert!(times.attempt.whole() <= function.saturating_sub(MARGIN), "{times:?}");
                    assert!(times.calls.operation_timeout >= LEAST_OPERATION);
                }
            }
        }
    }

    #[test]
    fn limits_that_contradict_each_other_are_faults() {
        let good = [("FUNCTION_TIMEOUT_SECONDS", "60"), ("QUEUE_VISIBILITY_SECONDS", "360")];
        assert_eq!(faults(&good).1, "");
        for (name, value) in
            [("WEBHOOK_ATTEMPT_SECONDS", "57"), ("QUEUE_VISIBILITY_SECONDS", "300"), ("PAUSED_HOP_SECONDS", "901")]
        {
            let variables = [good.as_slice(), &[(name, value)]].concat();
            assert!(faults(&variables).1.contains(name), "{name}");
        }
    }

    #[test]
    fn webhooks_reach_this_machine_only_if_aws_is_on_it_too() {
        for (endpoint, allowed) in
            [(Some("http://127.0.0.1:4570"), true), (Some("https://x.example"), false), (None, false)]
        {
            let mut env = Environment::of([("LOOPBACK_WEBHOOKS".to_owned(), "true".to_owned())]);
            let reach = reach(&mut env, endpoint);
            assert_eq!((env.finish().is_ok(), reach == Reach::Public), (allowed, !allowed), "{endpoint:?}");
        }
    }

    #[test]
    fn an_unreadable_message_is_reported_without_quoting_it() {
        let message = |body: &str| queue::Message { id: "m".into(), body: body.into(), received_at: now().into() };
        for body in ["", "{}", "[1]", r#"{"delivery_id":"secret-value"}"#] {
            let reason = received(message(body)).message.unwrap_err();
            assert!(reason.contains("not a delivery message") && !reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn every_outcome_of_a_message_writes_one_counted_line() {
        let message: Message = serde_json::from_value(serde_json::json!({
            "delivery_id": "d-1", "provider": "acme", "campaign": "welcome", "round": 1, "n": 2, "ticket": "t-1",
            "due_at": 7, "revision": 3,
        }))
        .unwrap();
        let attempted = |ending| {
            let outcome = domain::outbound::attempt::AttemptOutcome::Status(503);
            MessageOutcome::Attempted(Attempted { outcome, ended_at: now().into(), duration_ms: 42, ending })
        };
        for (outcome, word, by_partner) in [
            (attempted(None), "failed", false),
            (attempted(Some(Ending::Delivered)), "delivered", false),
            (attempted(Some(Ending::Gone)), "gone", true),
            (attempted(Some(Ending::Exhausted)), "exhausted", true),
            (attempted(Some(Ending::Unsendable)), "unsendable", true),
            (MessageOutcome::Hopped { delay_seconds: 9, why: HopReason::Paused }, "hopped", false),
            (MessageOutcome::Waits { until: now().into() }, "waits", false),
            (MessageOutcome::SentNext, "sent_next", false),
            (MessageOutcome::Cancelled, "cancelled", false),
            (MessageOutcome::Done(NoWorkReason::OlderRound), "none", false),
            (MessageOutcome::Failed(app::deliver_webhooks::MessageFailure::OutOfTime), "again", false),
        ] {
            let received = ReceivedMessage { id: "m".into(), message: Ok(message.clone()), whole: String::new() };
            let line = line(|| log(&received, &outcome));
            assert_eq!((line["outcome"].as_str(), line["delivery_id"].as_str()), (Some(word), Some("d-1")));
            let expected: &[&str] = match outcome {
                MessageOutcome::Attempted(_) if by_partner => {
                    &["attempt_ms by outcome", "webhooks by outcome", "webhooks by outcome, provider"]
                }
                MessageOutcome::Attempted(_) => &["attempt_ms by outcome", "webhooks by outcome"],
                _ => &["webhooks by outcome"],
            };
            assert_eq!(counted(&line), expected, "{line}");
            assert_eq!(line["webhooks"], 1);
        }
        let not_set_aside = MessageOutcome::Failed(app::deliver_webhooks::MessageFailure::OutOfTime);
        for (outcome, word) in [(MessageOutcome::SetAside("no message".into()), "set_aside"), (not_set_aside, "again")]
        {
            let unread = ReceivedMessage { id: "m".into(), message: Err("no message".into()), whole: String::new() };
            let line = line(|| log(&unread, &outcome));
            assert_eq!((line["outcome"].as_str(), line["webhooks"].as_u64()), (Some(word), Some(1)));
            assert_eq!(counted(&line), ["webhooks by outcome"]);
        }
    }
}
