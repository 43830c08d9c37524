//! Runs the function `delivery-sweep`, which a schedule invokes. The function sends messages again for attempts that
//! are overdue.

use std::time::Duration;

use adapters::{
    aws::CallLimits,
    deployed::Deployed,
    dynamodb::{endpoints::DynamoEndpoints, partners::DynamoPartners, under_way::DynamoUnderWay},
    sqs::{SqsResends, SqsWebhooks},
};
use app::{
    cache::Cache,
    ports::EndpointsOfPartner,
    sweep_deliveries::{Lateness, SweepDeliveries, Swept},
};
use domain::{jiff::SignedDuration, values::time::UnixMillis};
use lambda_runtime::LambdaEvent;
use serde::de::IgnoredAny;
use tracing::{error, info};

use crate::{
    environment::{Environment, EnvironmentFaults},
    system::System,
};

/// Sets how long before the end of the function's time the sweep stops beginning pages.
const LAST_PAGE: Duration = Duration::from_secs(20);

/// Sweeps deliveries.
pub struct DeliverySweepFunction {
    sweep: SweepDeliveries<Deployed>,
}

impl DeliverySweepFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let aws = env.aws();
        let lateness = lateness(&mut env);
        let [partners, deliveries, endpoints] =
            ["PARTNERS_TABLE", "DELIVERIES_TABLE", "ENDPOINTS_TABLE"].map(|name| env.required(name));
        let [webhooks, resends] = ["WEBHOOKS_QUEUE_URL", "WEBHOOK_RETRIES_QUEUE_URL"].map(|name| env.required(name));
        let policy = env.cache_policy();
        env.finish()?;
        let (dynamodb, sqs) = (aws.dynamodb(CallLimits::BACKGROUND), aws.sqs(CallLimits::BACKGROUND));
        let sweep = SweepDeliveries {
            partners: Cache::new(DynamoPartners::new(dynamodb.clone(), partners), policy),
            endpoints: Cache::new(EndpointsOfPartner(DynamoEndpoints::new(dynamodb.clone(), endpoints)), policy),
            under_way: DynamoUnderWay::new(dynamodb, deliveries),
            webhooks: SqsWebhooks::new(sqs.clone(), webhooks),
            resends: SqsResends::new(sqs, resends),
            clock: System,
            randomness: System,
            lateness,
        };
        Ok(Self { sweep })
    }

    /// Sweeps once. The next sweep continues with the deliveries that this one leaves over.
    pub async fn handle(&self, event: LambdaEvent<IgnoredAny>) -> Result<(), std::convert::Infallible> {
        let ends_at = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let swept = self.sweep.sweep(UnixMillis::from_millisecond(ends_at).minus(LAST_PAGE)).await;
        log(&swept);
        Ok(())
    }
}

/// Writes one line for the sweep.
fn log(swept: &Swept) {
    let Swept { looked_at: sweep_looked_at, sent: sweep_sent, sent_before: sweep_sent_before, .. } = swept;
    let Swept { waiting: sweep_waiting, unknown: sweep_unknown, unread: sweep_unread, .. } = swept;
    let Swept { unreadable, unfinished, fault, .. } = swept;
    let sweep_unfinished = u64::from(*unfinished);
    match fault {
        None => {
            info!(
                sweep_looked_at,
                sweep_sent, sweep_sent_before, sweep_waiting, sweep_unknown, sweep_unread, sweep_unfinished, "sweep"
            );
        }
        Some(reason) => error!(
            sweep_looked_at,
            sweep_sent,
            sweep_sent_before,
            sweep_waiting,
            sweep_unknown,
            sweep_unread,
            sweep_unfinished,
            unreadable,
            %reason,
            "a sweep was not finished"
        ),
    }
}

/// Returns the limits of the sweep. An attempt is overdue `SWEEP_GRACE_SECONDS` after it was due. This grace must be
/// longer than the time for which a queue may hide the attempt's message. `SWEEP_AGAIN_SECONDS` must pass before the
/// same delivery is swept again.
fn lateness(env: &mut Environment) -> Lateness {
    let default = Lateness::default();
    let mut seconds = |name: &str, default: Duration| {
        env.seconds(name, SignedDuration::try_from(default).unwrap_or_default()).unsigned_abs()
    };
    let grace = seconds("SWEEP_GRACE_SECONDS", default.grace);
    let again_after = seconds("SWEEP_AGAIN_SECONDS", default.again_after);
    let visibility = env.queue_visibility(Duration::ZERO);
    if grace <= visibility {
        // A message that is only hidden will reappear by itself.
        env.fault("SWEEP_GRACE_SECONDS must be more than QUEUE_VISIBILITY_SECONDS");
    }
    Lateness { grace, again_after }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::{counted, line};

    #[test]
    fn no_attempt_is_late_while_its_message_may_be_hidden() {
        let late = |grace: &str, visibility: &str| {
            let variables = [("SWEEP_GRACE_SECONDS", grace), ("QUEUE_VISIBILITY_SECONDS", visibility)];
            let mut env = Environment::of(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
            lateness(&mut env);
            env.finish().is_ok()
        };
        assert!(late("900", "360") && late("", "360"));
        assert!(!late("360", "360") && !late("900", "900"));
    }

    #[test]
    fn a_sweep_writes_one_line_finished_or_not() {
        for fault in [None, Some(app::ports::Unavailable { service: "SQS", reason: "down".into() })] {
            let swept = Swept {
                looked_at: 5,
                sent: 4,
                sent_before: 3,
                waiting: 1,
                unknown: 2,
                unread: 1,
                unreadable: 0,
                unfinished: 1,
                fault: fault.clone(),
            };
            let line = line(|| log(&swept));
            let names = ["sweep_looked_at", "sweep_sent", "sweep_sent_before", "sweep_unfinished", "sweep_unknown"];
            assert_eq!(counted(&line), names);
            assert_eq!(names.map(|name| line[name].as_u64().unwrap()), [5, 4, 3, 1, 2]);
            assert_eq!(line["level"], if fault.is_some() { "ERROR" } else { "INFO" });
        }
    }
}
