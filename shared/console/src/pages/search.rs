//! Finds everything that is stored about a transaction, a user, a click or a delivery.

use std::sync::Arc;

use app::operators::{
    refusals::UnreadTransaction,
    trace::{Query, Timeline},
};
use axum::{body::Body, extract::State, response::Response};
use domain::values::ids::{ClickId, DeliveryId, PartnerUserId, Provider, TransactionId, UserId};
use maud::{Markup, html};

use super::timeline::{Reader, timeline};
use crate::{
    layout::{self, gaps, value},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Limits the newest entries of each id that are shown.
const MOST: usize = 100;

/// Reads the subject from the text in the search box. Returns `None` if nothing can have this name.
///
/// `acme/T-1` is a transaction of acme, and also acme's own id of a user. Any other text may be a GG3 user, a click or a
/// delivery; all of them are looked up.
fn query(text: &str) -> Option<Query> {
    let mut query = Query { most: MOST, ..Query::default() };
    let pair = text.split_once('/').and_then(|(name, rest)| Some((Provider::new(name.trim()).ok()?, rest.trim())));
    if let Some((provider, rest)) = pair {
        query.transaction = TransactionId::new(rest).ok().map(|id| (provider.clone(), id));
        query.partner_user = PartnerUserId::new(rest).ok().map(|id| (provider, id));
        return query.transaction.is_some().then_some(query);
    }
    query.user = UserId::new(text).ok();
    query.click = ClickId::new(text).ok();
    query.delivery = is_delivery(text).then(|| DeliveryId::new(text).ok()).flatten();
    query.user.is_some().then_some(query)
}

/// Returns true for 32 characters of lower-case base 32.
fn is_delivery(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte))
}

/// Shows the timeline of the subject in the field `q`.
pub(crate) async fn find<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let text = visit.query.get("q");
    if text.is_empty() {
        let body = html! { h1 { "Search" } (help()) };
        return Ok(layout::page(&console.site, &visit, "Search", &body));
    }
    let query = query(text).ok_or_else(|| {
        Trouble::Malformed(
            "An id has 1 to 255 bytes and no control characters. Write a transaction as acme/T-1.".into(),
        )
    })?;
    let found = Box::pin(console.trace.run(query, (console.now)())).await?;
    let body = html! {
        h1 { "History of " (value(text)) }
        (warnings(&found))
        @if found.events.is_empty() {
            section.card.empty { p { "Nothing is recorded under this. Entries of the last seconds may not be found yet." } }
            (help())
        } @else {
            (timeline(Reader::Operator(Some(&console.site)), &found.events))
        }
    };
    Ok(layout::page(&console.site, &visit, text, &body))
}

fn warnings(
    Timeline { unread_transactions, unreadable, unread_partners, cut, gaps: missing, .. }: &Timeline,
) -> Markup {
    html! {
        (gaps(missing))
        @for UnreadTransaction { provider, transaction_id, .. } in unread_transactions {
            p.warning role="note" { (provider) ", transaction " (value(transaction_id.as_str())) " cannot be read now, so its current state is unknown." }
        }
        @for key in unreadable { p.warning role="note" { "The stored item " (value(key)) " cannot be read." } }
        @for provider in unread_partners.keys() {
            p.warning role="note" { (provider) " cannot be read now, so it is unknown if its campaigns are paused." }
        }
        @if *cut > 0 { p.warning role="note" { "Only the newest " (MOST) " entries are shown. " code { "postbackctl trace --limit" } " shows more." } }
    }
}

fn help() -> Markup {
    html! {
        section.card.narrow {
            h2 { "What can be searched" }
            dl.facts {
                div { dt { code { "acme/T-1" } } dd { "a transaction of the partner acme, or acme's own id of a user" } }
                div { dt { code { "12345" } } dd { "a GG3 user" } }
                div { dt { code { "click id" } } dd { "a click, ours or a partner's" } }
                div { dt { code { "webhook-id" } } dd { "a delivery, by the id that its webhooks have" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_partner_is_a_transaction() {
        let query = query("acme/T/1").unwrap();
        assert_eq!(query.transaction.unwrap().1.as_str(), "T/1");
        assert_eq!(query.partner_user.unwrap().1.as_str(), "T/1");
        assert!(query.user.is_none() && query.click.is_none());
    }

    #[test]
    fn any_other_text_is_a_user_or_a_click_or_a_delivery() {
        let found = query("Not a partner/1").unwrap();
        assert!(
            found.transaction.is_none() && found.user.is_some() && found.click.is_some() && found.delivery.is_none()
        );
        assert!(query(&"a".repeat(32)).unwrap().delivery.is_some());
        for bad in ["", "\u{1}", &"x".repeat(256), "acme/", "acme/\u{1}"] {
            assert!(query(bad).is_none(), "{bad}");
        }
    }
}
