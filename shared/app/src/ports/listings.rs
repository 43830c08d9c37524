//! Reads the lookups.

use domain::{
    jiff::Timestamp,
    lookup::{Place, Subject},
};
use futures_util::Stream;

use super::{Coverage, Unavailable};

/// Selects entries of a subject, and their order.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The first instant after the range.
    pub to: Option<Timestamp>,
    /// Lists the newest entries first instead of the oldest.
    pub newest_first: bool,
    /// The place at which an earlier list ended. Only places that follow it in the order of the list are listed.
    pub after: Option<Place>,
    /// The approximate number of places that the caller will take. It only decides how many are read at once.
    pub wanted: usize,
}

impl Range {
    /// Returns the lower and the upper bound of this range's places, as the texts of the places.
    pub fn bounds(&self) -> (String, String) {
        let mut least = Place::bound(self.from.unwrap_or(Timestamp::UNIX_EPOCH));
        let mut greatest = Place::bound(self.to.unwrap_or(Timestamp::MAX));
        if let Some(after) = &self.after {
            let after = after.to_string();
            if self.newest_first {
                greatest = greatest.min(after);
            } else {
                least = least.max(after);
            }
        }
        (least, greatest)
    }
}

/// Reads the lookups, which tell where the stored items of a partner, a user or a click id are.
pub trait Listings: Coverage {
    /// Lists the places of a subject's entries in this range and its order, each once. MUST leave out entries that have
    /// expired at `now`, and MUST NOT read much further than the caller takes places. MAY be some seconds behind the
    /// latest writes.
    fn list(
        &self,
        subject: Subject,
        range: Range,
        now: Timestamp,
    ) -> impl Stream<Item = Result<Place, Unavailable>> + Send;

    /// Counts a subject's entries in this range. `range.after` is ignored. MAY count entries that have expired.
    fn count(&self, subject: Subject, range: Range) -> impl Future<Output = Result<usize, Unavailable>> + Send;
}
