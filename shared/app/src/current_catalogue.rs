//! The catalogue of campaigns in memory: its pointer is asked for every so often, and the whole is read only when it has
//! changed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    outbound::{
        catalogue::{Catalogue, Fresh},
        timing::Timing,
    },
    values::time::UnixMillis,
};

use crate::ports::{Catalogues, Published, Surroundings, Unavailable};

/// A catalogue, and when it was certainly still current.
#[derive(Debug, Clone)]
pub struct Held {
    catalogue: Arc<Catalogue>,
    /// Taken before its pointer was read: the older way round.
    loaded_at: UnixMillis,
}

impl Held {
    /// The catalogue as something that may be dropped for, if it is young enough. `now` is taken after everything that is
    /// decided by it was read.
    pub fn fresh(&self, now: UnixMillis, timing: &Timing) -> Option<Fresh<'_>> {
        self.catalogue.fresh(self.loaded_at, now, timing)
    }
}

/// [`Catalogues`] with the last answer in memory.
#[derive(Debug)]
pub struct CurrentCatalogue<C> {
    source: C,
    poll: Duration,
    held: Mutex<Option<Held>>,
}

impl<C: Catalogues> CurrentCatalogue<C> {
    /// Nothing in memory yet, before this source, whose pointer is asked for when the last answer is older than `poll`.
    pub fn new(source: C, poll: Duration) -> Self {
        Self { source, poll, held: Mutex::new(None) }
    }

    /// The catalogue as of at most a poll ago; when its source is down, the last one, however old. Whether that is young
    /// enough is for [`Held::fresh`] to say.
    pub async fn recent(&self, clock: &impl Surroundings) -> Result<Held, Unavailable> {
        let loaded = self.loaded_since(clock.now().minus(self.poll), clock).await;
        loaded.or_else(|unavailable| self.lock().clone().ok_or(unavailable))
    }

    /// A catalogue that was current at this instant or later.
    pub async fn loaded_since(&self, since: UnixMillis, clock: &impl Surroundings) -> Result<Held, Unavailable> {
        let before = self.lock().clone();
        let now = clock.now();
        if let Some(held) = &before
            && (since..=now).contains(&held.loaded_at)
        {
            return Ok(held.clone());
        }
        let version = before.as_ref().map(|held| held.catalogue.version());
        let catalogue = match (self.source.current(version).await?, before) {
            (Published::Other(catalogue), _) => Arc::new(*catalogue),
            (Published::Same, Some(held)) => held.catalogue,
            (Published::Same | Published::Nothing, _) => {
                return Err(Unavailable { service: "catalogue", reason: "none was published".into() });
            }
        };
        let loaded = Held { catalogue, loaded_at: now };
        let mut held = self.lock();
        // Whoever asked later has the newer one, whoever is answered first. A clock that was set back is no such case.
        if held.as_ref().is_none_or(|held| held.loaded_at <= now || clock.now() < held.loaded_at) {
            *held = Some(loaded.clone());
        }
        Ok(loaded)
    }

    /// The lock, poisoned or not: what it guards is replaced whole.
    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
