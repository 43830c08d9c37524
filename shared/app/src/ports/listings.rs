//! The lookups, to read.

use domain::{
    jiff::Timestamp,
    lookup::{Place, Subject},
};
use futures_util::Stream;

use super::{Coverage, Unavailable};

/// The selection and order of a subject's entries.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The first instant after the range.
    pub to: Option<Timestamp>,
    /// Lists the newest first instead of the oldest.
    pub newest_first: bool,
    /// Lists only the places after this one, at which an earlier list ended.
    pub after: Option<Place>,
    /// About how many places the caller will take. It only decides how many are read at once.
    pub wanted: usize,
}

impl Range {
    /// Returns a lower and an upper bound of the texts of places in this range.
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

/// The lookups, to read. They tell where stored items are, by partner, user and click id.
pub trait Listings: Coverage {
    /// Lists the places of a subject's entries in this range, in its order, each once. MUST leave out entries that have
    /// expired at `now`, and MUST read only as far as the caller takes. MAY be some seconds behind the latest writes.
    fn list(
        &self,
        subject: Subject,
        range: Range,
        now: Timestamp,
    ) -> impl Stream<Item = Result<Place, Unavailable>> + Send;

    /// Counts a subject's entries in this range, whatever its `after`. May count entries that have expired.
    fn count(&self, subject: Subject, range: Range) -> impl Future<Output = Result<usize, Unavailable>> + Send;
}
