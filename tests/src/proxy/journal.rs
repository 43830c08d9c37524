//! Records the calls of a proxy and decides what happens to them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use hyper::{body::Bytes, http::request::Parts};
use tokio::sync::watch;

use super::{Action, Call, CallEnding, CallFilter, Gate, Service};

pub(super) type Plan = Box<dyn FnMut(&Call) -> Action + Send>;

/// Names a side of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// Holds the calls of a proxy and its plan.
#[derive(Debug, Default)]
pub(super) struct Journal {
    state: Mutex<State>,
    under_way: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    arrived: usize,
    nth: HashMap<(Service, String), usize>,
    plan: Option<Plan>,
    pauses: Vec<Pause>,
}

struct Pause {
    side: Side,
    calls: Box<dyn CallFilter>,
    gate: Gate,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Journal {
    pub(super) fn plan(&self, plan: Plan) {
        let mut state = self.state();
        state.nth.clear();
        state.plan = Some(plan);
    }

    pub(super) fn pause(&self, side: Side, calls: impl CallFilter) -> Gate {
        let gate = Gate::new();
        self.state().pauses.push(Pause { side, calls: Box::new(calls), gate: gate.clone() });
        gate
    }

    /// Records a call and decides what happens to it in one step, so that plans see the calls in numerical order.
    pub(super) fn arrived(&self, parts: &Parts, body: &Bytes, at: Instant) -> (Call, Action) {
        let mut call = Call::read(parts, body, at);
        let mut state = self.state();
        state.arrived += 1;
        call.number = state.arrived;
        let nth = state.nth.entry((call.service, call.operation.clone())).or_default();
        *nth += 1;
        call.nth = *nth;
        let action = state.plan.as_mut().map_or(Action::Forward, |plan| plan(&call));
        state.calls.push(call.clone());
        self.under_way.send_modify(|count| *count += 1);
        (call, action)
    }

    /// Takes the gate that the test set for a matching call.
    pub(super) fn gate_for(&self, side: Side, call: &Call) -> Option<Gate> {
        let mut state = self.state();
        let place = state.pauses.iter().position(|pause| pause.side == side && pause.calls.takes(call))?;
        Some(state.pauses.remove(place).gate)
    }

    pub(super) fn reached_service(&self, call: &Call) {
        self.change(call, |call| call.reached_service = true);
    }

    pub(super) fn ended(&self, call: &Call, outcome: CallEnding) {
        self.change(call, |call| call.outcome = outcome);
        self.under_way.send_modify(|count| *count -= 1);
    }

    pub(super) async fn settled(&self) {
        let mut under_way = self.under_way.subscribe();
        under_way.wait_for(|count| *count == 0).await.expect("the sender lives as long as self");
    }

    pub(super) async fn until(&self, satisfied: impl Fn(&[Call]) -> bool) {
        // Every change of a call is followed by a change of this count.
        let mut changes = self.under_way.subscribe();
        changes.wait_for(|_| satisfied(&self.state().calls)).await.expect("the sender lives as long as self");
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    pub(super) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// Changes a recorded call. If the test has already taken the call, does nothing.
    fn change(&self, call: &Call, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.state().calls.iter_mut().rev().find(|kept| kept.number == call.number) {
            change(call);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no plan has panicked")
    }
}
