//! Holds the catalogue of campaigns in memory. Polls the version, and reads the whole catalogue only if the version has
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

use crate::ports::{Catalogues, Clock, Published, Unavailable};

/// A catalogue with an instant at which it was certainly current.
#[derive(Debug, Clone)]
pub struct HeldCatalogue {
    catalogue: Arc<Catalogue>,
    /// The instant before the version was read.
    loaded_at: UnixMillis,
}

impl HeldCatalogue {
    /// Returns the catalogue if it is fresh enough to discard events against. The caller must read `now` after all data
    /// to which it applies the catalogue.
    pub fn fresh(&self, now: UnixMillis, timing: &Timing) -> Option<Fresh<'_>> {
        self.catalogue.fresh(self.loaded_at, now, timing)
    }
}

/// [`Catalogues`] with their last answer in memory.
#[derive(Debug)]
pub struct CurrentCatalogue<C> {
    source: C,
    poll: Duration,
    held: Mutex<Option<HeldCatalogue>>,
}

impl<C: Catalogues> CurrentCatalogue<C> {
    /// Returns an empty holder. It polls this source when the last answer is older than `poll`.
    pub fn new(source: C, poll: Duration) -> Self {
        Self { source, poll, held: Mutex::new(None) }
    }

    /// Returns a catalogue that was current at most one poll ago. While the source is down, returns the last catalogue,
    /// however old it is. [`HeldCatalogue::fresh`] checks the age.
    pub async fn recent(&self, clock: &impl Clock) -> Result<HeldCatalogue, Unavailable> {
        let loaded = self.loaded_since(clock.now().minus(self.poll), clock).await;
        loaded.or_else(|unavailable| self.lock().clone().ok_or(unavailable))
    }

    /// Returns a catalogue that was current at this instant or later.
    pub async fn loaded_since(&self, since: UnixMillis, clock: &impl Clock) -> Result<HeldCatalogue, Unavailable> {
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
        let loaded = HeldCatalogue { catalogue, loaded_at: now };
        let mut held = self.lock();
        // The poll that began later has the newer catalogue, even if it was answered first. A held catalogue from the
        // future means that the clock was set back, so it is replaced.
        if held.as_ref().is_none_or(|held| held.loaded_at <= now || clock.now() < held.loaded_at) {
            *held = Some(loaded.clone());
        }
        Ok(loaded)
    }

    /// Locks, even after a panic, because the guarded value is replaced whole.
    fn lock(&self) -> MutexGuard<'_, Option<HeldCatalogue>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
