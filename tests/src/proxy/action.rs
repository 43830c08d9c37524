//! What a plan can do to a call.

use std::time::Duration;

use serde_json::Value;

use super::{AwsError, Gate};

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Action {
    /// The service does it and its client hears so.
    Forward,
    /// The service does not see it; its client gets this error.
    FailBefore(AwsError),
    /// The service does it; its client gets this error.
    ForwardThenFail(AwsError),
    /// The service does not see it; its client gets the service's own throttling error.
    Throttle,
    /// The service sees it this much later.
    Delay(Duration),
    /// The service does it at once; its client hears so this much later.
    DelayAnswer(Duration),
    /// The service does not see it; its client gets this answer, as if all were well.
    Answer(Value),
    /// The service does not see it; its client's connection ends.
    CutBefore,
    /// The service does it; its client's connection ends instead of an answer.
    CutAfter,
    /// The service does not see it; its client waits until it gives up.
    SilenceBefore,
    /// The service does it; its client waits until it gives up.
    SilenceAfter,
    /// It waits at this gate before the service sees it.
    Hold(Gate),
    /// The service does it; its client hears so once this gate is opened.
    HoldAnswer(Gate),
}

/// What is done on one side of the service.
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
    /// What is done before the service sees the call, and after it has answered.
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
