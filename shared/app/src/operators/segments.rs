//! Reads whole tables in segments, all segments of a table at the same time.

use futures_util::future::try_join_all;

use crate::ports::{OriginItem, OriginPage, PageToken, Segment, SegmentPlace, Unavailable};

/// Sets the number of segments into which a table is divided.
const SEGMENTS: usize = 8;
/// Limits the number of items of a page.
const PAGE: usize = 250;

/// Returns the places at which the reading of a table begins.
pub(super) fn begin() -> Vec<SegmentPlace> {
    vec![SegmentPlace::Begin; SEGMENTS]
}

/// Returns true if every segment was read to its end.
pub(super) fn is_done(places: &[SegmentPlace]) -> bool {
    places.iter().all(|place| *place == SegmentPlace::End)
}

/// Reads a page of each unfinished segment by `page`, at most this many items in all. Returns the items and the places at which
/// the reading goes on.
pub(super) async fn read(
    page: impl AsyncFn(Segment, Option<PageToken>, usize) -> Result<OriginPage, Unavailable>,
    places: &[SegmentPlace],
    most: usize,
) -> Result<(Vec<OriginItem>, Vec<SegmentPlace>), Unavailable> {
    let most = most.max(1);
    let of = u32::try_from(places.len()).unwrap_or(u32::MAX);
    let mut next = places.to_vec();
    let open = next.iter_mut().zip(0..).filter_map(|(place, number)| {
        let from: Option<PageToken> = match &*place {
            SegmentPlace::Begin => None,
            SegmentPlace::At(token) => Some(token.clone()),
            SegmentPlace::End => return None,
        };
        Some((place, Segment { number, of }, from))
    });
    let open: Vec<_> = open.take(most).collect();
    let limit = (most / open.len().max(1)).clamp(1, PAGE);
    let page = &page;
    let read = open.into_iter().map(async |(place, segment, from)| {
        let page = page(segment, from, limit).await?;
        *place = page.next.map_or(SegmentPlace::End, SegmentPlace::At);
        Ok::<_, Unavailable>(page.items)
    });
    let items = try_join_all(read).await?.into_iter().flatten().collect();
    Ok((items, next))
}
