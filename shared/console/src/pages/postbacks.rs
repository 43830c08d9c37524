//! Lists accepted transactions as they are now.

use std::sync::Arc;

use app::operators::postbacks::{self, Transaction, Wanted};
use axum::{body::Body, extract::State, response::Response};
use domain::inbound::status::State as TransactionState;
use maud::{Markup, html};

use super::listed::{chosen, filter, next_partners, older};
use crate::{
    layout::{self, gaps, time, value},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

const LIST: &str = "/postbacks";
const STATES: [TransactionState; 3] =
    [TransactionState::Pending, TransactionState::Approved, TransactionState::Rejected];

/// Lists transactions by partner, the newest first.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let chosen = chosen(&console, &visit).await?;
    let named = visit.query.get("state");
    let state = STATES.into_iter().find(|state| state.as_str() == named);
    let ports = (&console.trace.listings, &console.trace.inbound);
    let wanted = Wanted { state, before: None, page: chosen.page };
    let listed = postbacks::list(ports, &chosen.providers, &wanted, (console.now)()).await?;
    let states = html! {
        label { "State" select name="state" {
            option value="" { "all" }
            @for one in STATES { option value=(one.as_str()) selected[Some(one) == state] { (one.as_str()) } }
        } }
    };
    let body = html! {
        h1 { "Postbacks" }
        (filter(&console.site, &visit, LIST, &states))
        (gaps(&listed.gaps))
        @for one in &listed.unread { p.warning role="note" { (one.provider) ", transaction " (value(one.transaction_id.as_str())) " cannot be read now." } }
        (transactions(Some(&console.site), &listed.transactions))
        (older(&console.site, LIST, &listed.more, &[("state", named)]))
        (next_partners(&console.site, LIST, chosen.next.as_ref()))
    };
    Ok(layout::page(&console.site, &visit, "Postbacks", &body))
}

/// Draws transactions as a table. With a site, each leads to its history.
pub(super) fn transactions(site: Option<&Site>, transactions: &[Transaction]) -> Markup {
    html! {
        @if transactions.is_empty() {
            section.card.empty { p { "No accepted postbacks. New ones are listed after a few seconds." } }
        } @else {
            section.card { div.wide tabindex="0" { table {
                thead { tr {
                    th scope="col" { "recorded" } @if site.is_some() { th scope="col" { "partner" } }
                    th scope="col" { "transaction" } th.number scope="col" { "amount" } th scope="col" { "state" }
                    th scope="col" { "user" } th scope="col" { "click" }
                } }
                tbody { @for one in transactions {
                    @let postback = one.current.postback();
                    @let (id, content) = (postback.transaction_id.as_str(), &postback.content);
                    tr {
                        td { (time(one.recorded_at)) }
                        @if site.is_some() { td { (postback.provider) } }
                        th scope="row" {
                            @if let Some(site) = site { a href=(site.path_with("/search", &[("q", &format!("{}/{id}", postback.provider))])) { (value(id)) } }
                            @else { (value(id)) }
                        }
                        td.number { (content.amount_decimal) " " (content.currency) }
                        td { (postback.state()) @if one.current.correction() > 0 { ", corrected" } }
                        td { (value(content.user_id.as_str())) }
                        td { (value(content.click_id.as_str())) " " span.none { (postback.click) } }
                    }
                } }
            } } }
        }
    }
}
