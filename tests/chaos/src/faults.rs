//! What befalls a process: which of its calls fail, are delayed or cut, and at which it is killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tests::proxy::{Action, AwsError, Call};
use tokio::sync::mpsc::UnboundedSender;

use fastrand::Rng;

/// The longest that a call is delayed: less than any function gives one.
const LONGEST_DELAY_MS: u64 = 120;

/// What befell, and how often.
pub(crate) type Tally = Arc<Mutex<BTreeMap<&'static str, u64>>>;

/// The plan of one process: the fate of its n-th call is the seed's to say.
pub(crate) fn plan(
    mut dice: Rng,
    kills: UnboundedSender<Duration>,
    tally: Tally,
) -> impl FnMut(&Call) -> Action + Send + 'static {
    move |call| {
        let (name, action) = match dice.u64(..1000) {
            // The process is gone before the service has seen the call, …
            0..12 => {
                let _ = kills.send(Duration::ZERO);
                ("killed before a call", Action::SilenceBefore)
            }
            // … or while the service does it and nobody hears the answer, …
            12..24 => {
                let _ = kills.send(Duration::ZERO);
                ("killed after a call", Action::SilenceAfter)
            }
            // … or somewhere later: in a partner's answer, mostly.
            24..36 => {
                let _ = kills.send(Duration::from_millis(dice.u64(..LONGEST_DELAY_MS)));
                ("killed a while after a call", Action::Forward)
            }
            36..50 => ("throttled", Action::Throttle),
            50..62 => ("failed, not done", Action::FailBefore(error(call))),
            62..74 => ("failed, yet done", Action::ForwardThenFail(error(call))),
            74..84 => ("cut, not done", Action::CutBefore),
            84..94 => ("cut, yet done", Action::CutAfter),
            94..114 => ("delayed", Action::Delay(Duration::from_millis(dice.u64(..LONGEST_DELAY_MS)))),
            114..134 => ("answered late", Action::DelayAnswer(Duration::from_millis(dice.u64(..LONGEST_DELAY_MS)))),
            134..137 => ("not answered, not done", Action::SilenceBefore),
            137..140 => ("not answered, yet done", Action::SilenceAfter),
            _ => ("left alone", Action::Forward),
        };
        *tally.lock().unwrap().entry(name).or_default() += 1;
        action
    }
}

fn error(call: &Call) -> AwsError {
    if call.nth.is_multiple_of(2) { AwsError::internal_server_error() } else { AwsError::service_unavailable() }
}
