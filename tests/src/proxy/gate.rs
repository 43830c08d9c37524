//! Holds calls at a gate while a test acts.

use tokio::sync::watch;

use super::Call;
use crate::within_patience;

/// Holds calls until it is opened. Clones are the same gate. A gate starts closed and, once open, stays open.
#[derive(Debug, Clone, Default)]
pub struct Gate(watch::Sender<State>);

#[derive(Debug, Clone, Default)]
struct State {
    came: Vec<Call>,
    verdict: Option<Verdict>,
}

/// Says what happens to the waiting calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    Cut,
}

impl Gate {
    /// Makes a closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until a call arrives at the gate, and returns the first one.
    pub async fn hit(&self) -> Call {
        self.hits(1).await.remove(0)
    }

    /// Waits until this many calls have arrived at the gate, and returns all of them in the order of arrival.
    pub async fn hits(&self, count: usize) -> Vec<Call> {
        let mut changes = self.0.subscribe();
        let came = changes.wait_for(|state| state.came.len() >= count);
        let state = within_patience("the awaited calls come to the gate", came).await;
        state.expect("the sender lives as long as self").came.clone()
    }

    /// Returns true if any call has arrived at the gate.
    pub fn is_hit(&self) -> bool {
        !self.0.borrow().came.is_empty()
    }

    /// Lets all calls pass, now and later.
    pub fn open(&self) {
        self.decide(Verdict::Open);
    }

    /// Ends the connections of all calls at this gate, now and later. A call that is held on its way to
    /// the service never reaches the service.
    pub fn cut(&self) {
        self.decide(Verdict::Cut);
    }

    /// Decides, unless a decision was made before.
    fn decide(&self, verdict: Verdict) {
        self.0.send_modify(|state| {
            state.verdict.get_or_insert(verdict);
        });
    }

    pub(super) async fn stand(&self, call: Call) -> Verdict {
        let mut changes = self.0.subscribe();
        self.0.send_modify(|state| state.came.push(call));
        let state = changes.wait_for(|state| state.verdict.is_some()).await;
        state.expect("the sender lives as long as self").verdict.expect("the wait above ends with a verdict")
    }
}
