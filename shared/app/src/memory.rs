//! Every port in memory: for tests that decide when what fails, never for production.
//!
//! Each keeps its port's promises exactly, atomicity included, so that what holds over these holds over the real ones.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    click::Click,
    conversion::{Conversion, Receipt, RecordedPostback},
    ids::{Provider, TransactionId},
    refusal::{Conflict, KeptConflict, Refusal},
};

use crate::ports::{Clicks, ConversionQueue, DeadLetters, Postbacks, Recorded, Refusals, Source, Unavailable};

/// What a port's next call does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Fails, and has done nothing.
    Before,
    /// Does its work, and fails to say so.
    After,
}

/// The world in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<Mutex<State>>);

/// What the world holds.
#[derive(Debug, Default)]
pub struct State {
    /// The postbacks, by provider and transaction.
    pub postbacks: BTreeMap<(Provider, TransactionId), RecordedPostback>,
    /// The refusals by content, and how often each was seen.
    pub refusals: HashMap<String, (Refusal, u32)>,
    /// The conflicts by content, and what was made of them.
    pub conflicts: HashMap<String, (Conflict, u32, Option<Receipt>)>,
    /// The clicks.
    pub clicks: Vec<Click>,
    /// What the queue of conversions took.
    pub conversions: Vec<Conversion>,
    /// What was set aside, with the reasons.
    pub dead_letters: Vec<(String, String)>,
    /// Every call of a port, in order.
    pub calls: Vec<&'static str>,
    /// Calls, counted from 0, that go wrong.
    pub trouble: BTreeMap<usize, Trouble>,
}

impl World {
    /// The state, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one port's work, unless this call is one that goes wrong.
    fn call<T>(&self, name: &'static str, work: impl FnOnce(&mut State) -> T) -> Result<T, Unavailable> {
        let mut state = self.state();
        let trouble = state.trouble.get(&state.calls.len()).copied();
        state.calls.push(name);
        let failed = || Unavailable { service: name, reason: "told to fail".into() };
        match trouble {
            None => Ok(work(&mut state)),
            Some(Trouble::Before) => Err(failed()),
            Some(Trouble::After) => {
                work(&mut state);
                Err(failed())
            }
        }
    }
}

/// A source that holds its values, and fails like any port.
#[derive(Debug, Clone)]
pub struct Held<K, V> {
    world: World,
    values: HashMap<K, V>,
}

impl<K: Eq + std::hash::Hash, V> Held<K, V> {
    /// A source of these values.
    pub fn new(world: &World, values: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { world: world.clone(), values: values.into_iter().collect() }
    }
}

impl<K, V> Source for Held<K, V>
where
    K: Clone + Eq + std::hash::Hash + Send + Sync,
    V: Clone + Send + Sync,
{
    type Key = K;
    type Value = V;

    async fn load(&self, key: &K) -> Result<Option<V>, Unavailable> {
        self.world.call("load", |_| self.values.get(key).cloned())
    }
}

impl Postbacks for World {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.call("record postback", |state| {
            let key = (postback.postback.provider.clone(), postback.receipt.transaction_id.clone());
            if let Some(original) = state.postbacks.get(&key) {
                Recorded::Existing(Box::new(original.clone()))
            } else {
                state.postbacks.insert(key, postback.clone());
                Recorded::Fresh
            }
        })
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        self.call("find postback", |state| state.postbacks.get(&(provider.clone(), transaction_id.clone())).cloned())
    }
}

impl Refusals for World {
    async fn keep_refusal(&self, refusal: &Refusal) -> Result<(), Unavailable> {
        self.call("keep refusal", |state| {
            let key = refusal.key().as_str().to_owned();
            state.refusals.entry(key).or_insert_with(|| (refusal.clone(), 0)).1 += 1;
        })
    }

    async fn keep_conflict(&self, conflict: &Conflict) -> Result<KeptConflict, Unavailable> {
        self.call("keep conflict", |state| {
            let key = conflict.key().as_str().to_owned();
            let kept = state.conflicts.entry(key).or_insert_with(|| (conflict.clone(), 0, None));
            kept.1 += 1;
            kept.2.clone().map_or(KeptConflict::Standing, KeptConflict::AcceptedAs)
        })
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        self.call("find correction", |state| {
            state.conflicts.get(conflict.key().as_str()).and_then(|kept| kept.2.clone())
        })
    }
}

impl Clicks for World {
    async fn record(&self, click: &Click) -> Result<(), Unavailable> {
        self.call("record click", |state| state.clicks.push(click.clone()))
    }
}

impl ConversionQueue for World {
    /// Each entry of a batch is a call of its own here, so that any of them can go wrong by itself.
    async fn send(&self, conversions: &[Conversion]) -> Vec<Result<(), Unavailable>> {
        let send =
            |conversion: &Conversion| self.call("send conversion", |state| state.conversions.push(conversion.clone()));
        conversions.iter().map(send).collect()
    }
}

impl DeadLetters for World {
    async fn set_aside(&self, whole: &str, reason: &str) -> Result<(), Unavailable> {
        self.call("set aside", |state| state.dead_letters.push((whole.to_owned(), reason.to_owned())))
    }
}
