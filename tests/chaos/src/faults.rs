//! Decides the faults of a process: which of its calls fail, are delayed or cut, and when it is killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tests::proxy::{Action, AwsError, Call};
use tokio::sync::mpsc::UnboundedSender;

use fastrand::Rng;

/// Limits how long a call is delayed. It is less than any function's own limit for a call.
const LONGEST_DELAY_MS: u64 = 120;

/// Counts each kind of fault.
pub(crate) type Tally = Arc<Mutex<BTreeMap<&'static str, u64>>>;

/// Returns the plan of one process. The seed decides the fate of its n-th call.
pub(crate) fn plan(
    mut dice: Rng,
    kills: UnboundedSender<Duration>,
    tally: Tally,
) -> impl FnMut(&Call) -> Action + Send + 'static {
    move |call| {
        let (name, action) = match dice.u64(..1000) {
            // The process dies before the service has seen the call.
            0..12 => {
                let _ = kills.send(Duration::ZERO);
                ("killed before a call", Action::SilenceBefore)
            }
            // The process dies after the service has done the call, and nobody gets the answer.
            12..24 => {
                let _ = kills.send(Duration::ZERO);
                ("killed after a call", Action::SilenceAfter)
            }
            // The process dies a while later, mostly while it waits for a partner's answer.
            24..36 => {
                let _ = kills.send(Duration::from_millis(dice.u64(..LONGEST_DELAY_MS)));
                ("killed a while after a call", Action::Forward)
            }
            36..50 => ("throttled", Action::Throttle),
            50..62 => ("failed, not done", Action::FailBefore(error(call))),
            62..74 => ("failed, but done", Action::ForwardThenFail(error(call))),
            74..84 => ("cut, not done", Action::CutBefore),
            84..94 => ("cut, but done", Action::CutAfter),
            94..114 => ("delayed", Action::Delay(Duration::from_millis(dice.u64(..LONGEST_DELAY_MS)))),
            114..134 => ("answered late", Action::DelayAnswer(Duration::from_millis(dice.u64(..LONGEST_DELAY_MS)))),
            134..137 => ("not answered, not done", Action::SilenceBefore),
            137..140 => ("not answered, but done", Action::SilenceAfter),
            _ => ("left alone", Action::Forward),
        };
        *tally.lock().unwrap().entry(name).or_default() += 1;
        action
    }
}

fn error(call: &Call) -> AwsError {
    if call.nth.is_multiple_of(2) { AwsError::internal_server_error() } else { AwsError::service_unavailable() }
}
