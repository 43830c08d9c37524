//! The lookups, to read.

use domain::{
    jiff::Timestamp,
    lookup::{Place, Subject},
};
use futures_util::Stream;

use super::Unavailable;

/// Which of a subject's entries are listed, and in which order.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// The first instant that counts.
    pub from: Option<Timestamp>,
    /// The first instant that no longer counts.
    pub to: Option<Timestamp>,
    /// Lists the newest first instead of the oldest.
    pub newest_first: bool,
    /// Lists only the places after this one in that order: an earlier list has ended here.
    pub after: Option<Place>,
    /// About how many places the caller will take. It decides how many are read at once, and nothing else.
    pub wanted: usize,
}

impl Range {
    /// Returns the least and the greatest text of a place in this range, or texts somewhat beyond them.
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

/// The lookups, to read: where things are that happened, by partner, user and click id.
pub trait Listings: Send + Sync {
    /// Lists the places of a subject's entries in this range, in the order of the range, each once. MUST leave out entries
    /// that have expired at `now`, and MUST read no further than it is asked for. May be some seconds behind what is stored.
    fn list(
        &self,
        subject: Subject,
        range: Range,
        now: Timestamp,
    ) -> impl Stream<Item = Result<Place, Unavailable>> + Send;

    /// Counts a subject's entries in this range, whatever its `after`. May count entries that have expired.
    fn count(&self, subject: Subject, range: Range) -> impl Future<Output = Result<usize, Unavailable>> + Send;
}
