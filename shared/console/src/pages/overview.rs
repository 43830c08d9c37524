//! The first page: what waits for an operator.

use std::sync::Arc;

use app::operators::overview::{self, MOST, Overview, Standing};
use axum::{body::Body, extract::State, response::Response};
use domain::session::Visitor;
use futures_util::future::join;
use maud::{Markup, html};

use super::{
    attention::Attention,
    days,
    listed::{names, next_partners, some},
    portal,
};
use crate::{
    layout::{self, gaps},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

/// Shows the first page of the visitor.
pub(crate) async fn home<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    if let Some(Visitor::Partner { .. }) = visit.visitor() {
        return portal::integration(&console, &visit, None).await;
    }
    let (stored, next) = some(&console, &visit).await?;
    let ports = (&console.trace.listings, &console.trace.inbound, &console.trace.deliveries);
    let providers = names(stored);
    let counted = overview::count(ports, &providers, (console.now)());
    let (counted, attention) = join(counted, Attention::read(&console)).await;
    let body =
        html! { (waiting(&console.site, &counted?, &attention)) (next_partners(&console.site, "", next.as_ref())) };
    Ok(layout::page(&console.site, &visit, "Overview", &body))
}

fn waiting(site: &Site, Overview { standings, gaps: missing }: &Overview, attention: &Attention) -> Markup {
    let total = |count: fn(&Standing) -> usize| standings.iter().map(count).sum::<usize>();
    let is_cut = |count: fn(&Standing) -> usize| standings.iter().any(|standing| count(standing) == MOST);
    let conflicts = |one: &Standing| one.conflicts;
    let failures = |one: &Standing| one.failures;
    html! {
        h1 { "Overview" }
        (gaps(missing))
        div.tiles {
            (tile("Open conflicts", Some(total(conflicts)), is_cut(conflicts), "wait for a decision", &site.path("/conflicts")))
            (tile("Refusals", Some(total(|one| one.refusals)), false, "in the last 24 hours", &site.path("/refusals")))
            (tile("Failed webhooks", Some(total(failures)), is_cut(failures), "in the last 7 days", &site.path_with("/webhooks", &[("status", "failed")])))
            (tile("Dead letters", attention.letters(), false, "in all queues", &site.path("/dead-letters")))
            (tile("Alarms", attention.alarms(), false, "ring now", "#attention"))
        }
        (attention.section(site))
        (days::pictures(site))
        @if standings.is_empty() {
            section.card.empty { p { "No partner is configured yet. " code { "postbackctl apply" } " adds partners." } }
        } @else {
            section.card {
                h2 { "By partner" }
                div.wide tabindex="0" { table {
                    thead { tr { th scope="col" { "Partner" } th.number scope="col" { "Open conflicts" } th.number scope="col" { "Refusals, 24 h" } th.number scope="col" { "Failed webhooks, 7 d" } } }
                    tbody { @for standing in standings { (row(site, standing)) } }
                } }
            }
        }
    }
}

/// Draws a number that leads to a list, or a question mark if the number is unknown.
fn tile(title: &str, count: Option<usize>, is_cut: bool, when: &str, link: &str) -> Markup {
    html! {
        a.tile.calm[count == Some(0)] href=(link) {
            span.title { (title) }
            strong { @if let Some(count) = count { (count) @if is_cut { "+" } } @else { "?" } }
            span.when { (when) }
        }
    }
}

fn row(site: &Site, standing: &Standing) -> Markup {
    let Standing { provider, conflicts, refusals, failures } = standing;
    let link = |page: &str, status: &str| site.path_with(page, &[("provider", provider.as_str()), ("status", status)]);
    html! {
        tr.calm[standing.is_calm()] {
            th scope="row" { a href=(site.path_with("/partner", &[("name", provider.as_str())])) { (provider) } }
            (cell(*conflicts, MOST, &link("/conflicts", "")))
            (cell(*refusals, usize::MAX, &link("/refusals", "")))
            (cell(*failures, MOST, &link("/webhooks", "failed")))
        }
    }
}

fn cell(count: usize, most: usize, link: &str) -> Markup {
    let text = if count == most { format!("{count}+") } else { count.to_string() };
    html! { td.number { @if count == 0 { span.none { "0" } } @else { a.count href=(link) { (text) } } } }
}
