//! Lists what a plan can do to a call.

use std::time::Duration;

use serde_json::Value;

use super::{AwsError, Gate};

/// Says what happens to a call.
#[derive(Debug, Clone)]
pub enum Action {
    /// The service processes the call, and the client gets its answer.
    Forward,
    /// The service does not see the call. The client gets this error.
    FailBefore(AwsError),
    /// The service processes the call. The client gets this error.
    ForwardThenFail(AwsError),
    /// The service does not see the call. The client gets the service's own throttling error.
    Throttle,
    /// The service sees the call after this time.
    Delay(Duration),
    /// The service processes the call at once. The client gets the answer after this time.
    DelayAnswer(Duration),
    /// The service does not see the call. The client gets this answer as a success.
    Answer(Value),
    /// The service does not see the call. The client's connection ends.
    CutBefore,
    /// The service processes the call. The client's connection ends without an answer.
    CutAfter,
    /// The service does not see the call. The client waits until it gives up.
    SilenceBefore,
    /// The service processes the call. The client waits until it gives up.
    SilenceAfter,
    /// The call waits at this gate before the service sees it.
    Hold(Gate),
    /// The service processes the call. The client gets the answer once this gate is open.
    HoldAnswer(Gate),
}

/// Says what is done on one side of the service.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Pass,
    Wait(Duration),
    Stand(Gate),
    Refuse(AwsError),
    Answer(Value),
    Throttle,
    Cut,
    Silence,
}

impl Action {
    /// Returns the step before the service sees the call and the step after it has answered.
    pub(super) fn steps(self) -> (Step, Step) {
        match self {
            Self::Forward => (Step::Pass, Step::Pass),
            Self::FailBefore(error) => (Step::Refuse(error), Step::Pass),
            Self::ForwardThenFail(error) => (Step::Pass, Step::Refuse(error)),
            Self::Answer(answer) => (Step::Answer(answer), Step::Pass),
            Self::Throttle => (Step::Throttle, Step::Pass),
            Self::Delay(time) => (Step::Wait(time), Step::Pass),
            Self::DelayAnswer(time) => (Step::Pass, Step::Wait(time)),
            Self::CutBefore => (Step::Cut, Step::Pass),
            Self::CutAfter => (Step::Pass, Step::Cut),
            Self::SilenceBefore => (Step::Silence, Step::Pass),
            Self::SilenceAfter => (Step::Pass, Step::Silence),
            Self::Hold(gate) => (Step::Stand(gate), Step::Pass),
            Self::HoldAnswer(gate) => (Step::Pass, Step::Stand(gate)),
        }
    }
}
