//! A gate that calls wait at while a test acts.

use tokio::sync::watch;

use super::Call;
use crate::within_patience;

/// A gate that calls wait at until it is opened; its clones are the same gate. It is closed at first, and once opened
/// stays open.
#[derive(Debug, Clone, Default)]
pub struct Gate(watch::Sender<State>);

#[derive(Debug, Clone, Default)]
struct State {
    came: Vec<Call>,
    verdict: Option<Verdict>,
}

/// What becomes of those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    Cut,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until a call stands here, or has passed: the first one.
    pub async fn hit(&self) -> Call {
        self.hits(1).await.remove(0)
    }

    /// Waits until so many calls have come here: all of them, in the order of their coming.
    pub async fn hits(&self, count: usize) -> Vec<Call> {
        let mut changes = self.0.subscribe();
        let came = changes.wait_for(|state| state.came.len() >= count);
        let state = within_patience("the awaited calls come to the gate", came).await;
        state.expect("its sender lives as long as self").came.clone()
    }

    /// Whether any call has come here.
    pub fn is_hit(&self) -> bool {
        !self.0.borrow().came.is_empty()
    }

    /// Lets all pass, now and later.
    pub fn open(&self) {
        self.decide(Verdict::Open);
    }

    /// Ends the connections of all, now and later: what stands before the service never gets there.
    pub fn cut(&self) {
        self.decide(Verdict::Cut);
    }

    /// The first decision holds.
    fn decide(&self, verdict: Verdict) {
        self.0.send_modify(|state| {
            state.verdict.get_or_insert(verdict);
        });
    }

    pub(super) async fn stand(&self, call: Call) -> Verdict {
        let mut changes = self.0.subscribe();
        self.0.send_modify(|state| state.came.push(call));
        let state = changes.wait_for(|state| state.verdict.is_some()).await;
        state.expect("its sender lives as long as self").verdict.expect("just waited for")
    }
}
