//! Runs one sandbox: a function's process behind its own proxy, started again whenever it is killed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tests::{
    proxy::Proxy,
    runtime_api::{Function, InvocationEnding, Settings},
};
use tokio::sync::mpsc;

use crate::{
    dice,
    faults::{self, Tally},
};

/// Holds a sandbox.
pub(crate) struct Worker {
    settings: Settings,
    current: Arc<Mutex<Option<Arc<Function>>>>,
    pub(crate) killed: Arc<AtomicU64>,
    _proxy: Proxy,
}

/// Holds the result of an event.
pub(crate) enum Came {
    /// The function answered.
    Answer(Value),
    /// The process was killed or ran out of time with the event in its hands.
    Died,
    /// The function failed as a whole, which no function of ours should do.
    Failed(Value),
}

impl Worker {
    /// Starts a sandbox with this name. `settings` makes the function's settings for the endpoint of a proxy.
    pub(crate) async fn start(
        endpoint_url: &str,
        seed: u64,
        name: &str,
        tally: &Tally,
        settings: impl Fn(&str) -> Settings,
    ) -> Self {
        let proxy = Proxy::start(endpoint_url).await;
        let (kills, mut to_kill) = mpsc::unbounded_channel::<Duration>();
        proxy.on(faults::plan(dice::of(seed, name), kills, Arc::clone(tally)));
        let current: Arc<Mutex<Option<Arc<Function>>>> = Arc::default();
        let killed = Arc::new(AtomicU64::new(0));
        let (victim, count) = (Arc::clone(&current), Arc::clone(&killed));
        tokio::spawn(async move {
            while let Some(after) = to_kill.recv().await {
                tokio::time::sleep(after).await;
                let function = victim.lock().unwrap().take();
                if let Some(function) = function {
                    function.kill().await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { settings: settings(&proxy.endpoint_url()), current, killed, _proxy: proxy }
    }

    /// Hands this event to a live process.
    pub(crate) async fn invoke(&self, event: &Value) -> Came {
        loop {
            let function = self.standing().await;
            let invocation = function.invoke(event).await;
            match invocation.outcome {
                InvocationEnding::Response(answer) => return Came::Answer(answer),
                InvocationEnding::FunctionError(error) => return Came::Failed(error),
                // The process died before it got the event. Lambda would give the event to another sandbox.
                InvocationEnding::Died(_) if invocation.took.is_zero() => self.bury(&function),
                InvocationEnding::Died(_) | InvocationEnding::TimedOut => {
                    self.bury(&function);
                    return Came::Died;
                }
            }
        }
    }

    async fn standing(&self) -> Arc<Function> {
        let standing = self.current.lock().unwrap().clone();
        if let Some(function) = standing {
            return function;
        }
        let started = Arc::new(self.settings.spawn().await);
        let mut current = self.current.lock().unwrap();
        Arc::clone(current.get_or_insert(started))
    }

    /// Forgets a process that has ended, unless another has taken its place.
    fn bury(&self, ended: &Arc<Function>) {
        let mut current = self.current.lock().unwrap();
        if current.as_ref().is_some_and(|function| Arc::ptr_eq(function, ended)) {
            *current = None;
        }
    }
}
