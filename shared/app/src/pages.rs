//! Reads an index that is divided into parts, page after page.

use futures_util::{Stream, stream};

use crate::ports::{PageToken, Unavailable};

/// Streams the pages of all parts of an index, one part after the other. Reads a page only when the caller asks for it.
pub fn of_parts<T, F>(
    parts: u32,
    page: impl Fn(u32, Option<PageToken>) -> F,
) -> impl Stream<Item = Result<T, Unavailable>>
where
    F: Future<Output = Result<(T, Option<PageToken>), Unavailable>>,
{
    stream::try_unfold((0, None), move |(part, from)| {
        let read = (part < parts).then(|| page(part, from));
        async move {
            let Some(read) = read else { return Ok(None) };
            let (items, next) = read.await?;
            let from = if next.is_some() { (part, next) } else { (part + 1, None) };
            Ok(Some((items, from)))
        }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn every_page_of_every_part_is_read_once_and_in_order() {
        // Part 0 has two pages, part 1 is one empty page, part 2 has one page.
        let page = |part: u32, from: Option<PageToken>| async move {
            let next = (part == 0 && from.is_none()).then(|| PageToken("2".to_owned()));
            let items = if part == 1 { vec![] } else { vec![(part, from.map(|token| token.0))] };
            Ok((items, next))
        };
        let pages: Vec<_> = of_parts(3, page).try_collect().await.unwrap();
        assert_eq!(pages.concat(), [(0, None), (0, Some("2".to_owned())), (2, None)]);
    }
}
