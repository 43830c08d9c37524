//! Lists webhooks that are owed to partners, shows one with its attempts, and sends it again.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

use app::{
    cache::{Cache, CachePolicy},
    operators::{
        More, Pace, Page,
        deliveries::{self, Listed, Wanted, ended},
        resend::{ResendDeliveries, Stopped},
        trace::{Event, Query},
    },
    ports::{DeliveryRecords as _, StoredDelivery, Unavailable},
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    audit::Operation,
    outbound::delivery::Status,
    session::Role,
    values::ids::{DeliveryId, Provider},
};
use maud::{Markup, html};

use super::{
    begin, endpoints,
    listed::{Chosen, chosen, filter, next_partners, older},
    reason,
    timeline::{Reader, timeline},
};
use crate::{
    layout::{self, form_secret, gaps, time, value},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::Site,
    visit::Visit,
};

const LIST: &str = "/webhooks";
const ONE: &str = "/webhook";
/// Selects exhausted, gone and unsendable deliveries together.
const FAILED: &str = "failed";

/// Lists deliveries by partner and status.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let Chosen { providers, next, page } = chosen(&console, &visit).await?;
    let named = visit.query.get("status");
    let status = Status::ALL.into_iter().find(|status| status.as_str() == named);
    let Listed { deliveries: found, more, gaps: missing } = listed(&console, &providers, page, named).await?;
    let statuses = html! {
        label { "Status" select name="status" {
            option value="" { "all" }
            option value=(FAILED) selected[named == FAILED] { "failed in any way" }
            @for one in Status::ALL { option value=(one.as_str()) selected[status == Some(one)] { (one.as_str()) } }
        } }
    };
    let hosts = match providers.as_slice() {
        [provider] => Some(endpoints::section(&console, provider).await?),
        _ => None,
    };
    let body = html! {
        h1 { "Webhooks" }
        (filter(&console.site, &visit, LIST, &statuses))
        @if visit.may(Role::Operator) { p.links { a.button href=(console.site.path_with("/webhooks-resend", &[("provider", visit.query.get("provider"))])) { "Send failed ones again" } } }
        (gaps(&missing))
        @if let Some(hosts) = hosts { (hosts) }
        (table(&console.site, ONE, &found, true))
        (older(&console.site, LIST, &more, &[("status", named)]))
        (next_partners(&console.site, LIST, next.as_ref()))
    };
    Ok(layout::page(&console.site, &visit, "Webhooks", &body))
}

/// Lists the names by which deliveries are selected.
pub(crate) fn statuses() -> Vec<(&'static str, &'static str)> {
    Status::ALL.iter().map(|status| status.as_str()).chain([FAILED]).map(|name| (name, name)).collect()
}

/// Returns the newest deliveries of these partners, in any status unless one is named.
pub(crate) async fn listed<P: Ports>(
    console: &Console<P>,
    providers: &[Provider],
    page: Page,
    named: &str,
) -> Result<Listed, Trouble> {
    if named == FAILED {
        let (deliveries, more) = failed(console, providers, &page).await?;
        return Ok(Listed { deliveries, more, gaps: Vec::new() });
    }
    let status = Status::ALL.into_iter().find(|status| status.as_str() == named);
    let wanted = Wanted { status, before: None, page };
    let ports = (&console.trace.listings, &console.trace.deliveries);
    Ok(deliveries::list(ports.0, ports.1, providers, &wanted, (console.now)()).await?)
}

/// Returns the newest failed deliveries of these partners.
async fn failed<P: Ports>(
    console: &Console<P>,
    providers: &[Provider],
    page: &Page,
) -> Result<(Vec<StoredDelivery>, More), Unavailable> {
    let (mut all, mut more, ended) = (Vec::new(), More::new(), ended(None, None));
    for provider in providers {
        let records = &console.trace.deliveries;
        let found = records.newest_failures(provider, ended, page.after.as_ref(), page.most).await?;
        let last = found.last().filter(|_| found.len() == page.most);
        more.extend(last.and_then(|last| Some((provider.clone(), ended.place_of(&last.delivery)?))));
        all.extend(found);
    }
    Ok((all, more))
}

/// Draws deliveries as a table. Each leads to the page `one`.
pub(super) fn table(site: &Site, one: &str, found: &[StoredDelivery], with_partner: bool) -> Markup {
    html! {
        @if found.is_empty() {
            section.card.empty { p { "No such webhooks. New ones are listed after a few seconds." } }
        } @else {
            section.card { div.wide tabindex="0" { table {
                thead { tr {
                    th scope="col" { "owed since" } @if with_partner { th scope="col" { "partner" } }
                    th scope="col" { "campaign" } th scope="col" { "webhook-id" } th scope="col" { "status" }
                    th scope="col" { "last attempt" }
                } }
                tbody { @for stored in found {
                    @let delivery = &stored.delivery;
                    tr {
                        td { (time(delivery.created_at().timestamp())) }
                        @if with_partner { td { (delivery.provider()) } }
                        td { (delivery.campaign()) }
                        th scope="row" { a href=(site.path_with(one, &[("id", delivery.id().as_str())])) { (value(delivery.id().as_str())) } }
                        td { span class=(format!("status {}", mood(delivery.status()))) { (delivery.status().as_str()) } }
                        td { @match delivery.attempts().last() {
                            Some(attempt) => { (delivery.attempts().len()) " of round " (delivery.round()) ": " (value(&attempt.outcome.to_string())) },
                            None => { span.none { "none in round " (delivery.round()) } },
                        } }
                    }
                } }
            } } }
        }
    }
}

fn mood(status: Status) -> &'static str {
    match status {
        Status::Delivered => "good",
        Status::Exhausted | Status::Gone | Status::Unsendable => "bad",
        Status::Pending | Status::Retrying => "waits",
        Status::Cancelled => "plain",
    }
}

/// Shows one delivery with its attempts, and the form that sends it again.
pub(crate) async fn one<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let id = DeliveryId::new(visit.query.get("id")).map_err(|_| Trouble::NotFound)?;
    let delivery = found(&console, &id).await?.delivery;
    let events = history(&console, id.clone()).await?;
    let body = html! {
        h1 { "Webhook " (value(id.as_str())) }
        (timeline(Reader::Operator(None), &events))
        @if visit.may(Role::Operator) && !delivery.is_erased() {
            form.card method="post" action=(console.site.path(ONE)) {
                h2 { "Send it again" }
                p { "Another round of up to six attempts begins with the request that is shown above. The webhook-id stays the same." }
                (form_secret(&visit))
                input type="hidden" name="id" value=(id);
                input type="hidden" name="round" value=(delivery.round());
                (reason())
                div.choices { button.strong { "Send it again" } }
            }
        }
    };
    Ok(layout::page(&console.site, &visit, "Webhook", &body))
}

/// Reads a delivery.
pub(crate) async fn found<P: Ports>(console: &Console<P>, id: &DeliveryId) -> Result<StoredDelivery, Trouble> {
    let found = console.trace.deliveries.find(&BTreeSet::from([id.clone()])).await?;
    found.into_iter().next().ok_or(Trouble::NotFound)
}

/// Reads the events of a delivery alone.
pub(crate) async fn history<P: Ports>(console: &Console<P>, id: DeliveryId) -> Result<Vec<Event>, Trouble> {
    let query = Query { delivery: Some(id), most: 1, ..Query::default() };
    Ok(Box::pin(console.trace.run(query, (console.now)())).await?.events)
}

/// Opens another round of a delivery, as `postbackctl resend` does.
pub(crate) async fn send_again<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let id = DeliveryId::new(visit.form.get("id")).map_err(|_| Trouble::NotFound)?;
    opened_again(&console, &visit, &id).await?;
    Ok(redirect(&console.site.path_with(ONE, &[("id", id.as_str())]), &[]))
}

/// Opens another round of this delivery. If the field `round` names the round that the operator has seen, and another one
/// was opened since, opens none.
pub(crate) async fn opened_again<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    id: &DeliveryId,
) -> Result<(), Trouble> {
    let seen = visit.form.get("round");
    let seen: Option<u32> = if seen.is_empty() { None } else { Some(seen.parse().map_err(|_| no_round(seen))?) };
    let (operation, _) = begin(console, visit)?;
    let rounds = rounds(console, operation);
    let (_, done) = match seen {
        Some(seen) => Box::pin(rounds.after_round(id, seen, &mut AtOnce)).await,
        None => Box::pin(rounds.named(&BTreeSet::from([id.clone()]), &mut AtOnce)).await,
    };
    match done {
        // The round is open, which is what was asked for, and the sweep sees to its message.
        Ok(()) | Err(Stopped::Unsent(..)) => Ok(()),
        Err(stopped) => Err(trouble(stopped)),
    }
}

fn no_round(text: &str) -> Trouble {
    Trouble::Malformed(format!("{text} is no number of a round."))
}

/// Opens rounds of deliveries.
type RoundsOf<P> = ResendDeliveries<
    <P as Ports>::Partners,
    <P as Ports>::Rounds,
    <P as Ports>::Resends,
    <P as Ports>::Clock,
    <P as Ports>::Clock,
>;

/// Returns the use case that opens rounds.
pub(super) fn rounds<P: Ports>(console: &Console<P>, operation: Operation) -> RoundsOf<P> {
    ResendDeliveries {
        partners: Cache::new(console.partners.clone(), CachePolicy::default()),
        rounds: console.rounds.clone(),
        resends: console.resends.clone(),
        clock: console.clock.clone(),
        randomness: console.clock.clone(),
        operation,
    }
}

fn trouble(stopped: Stopped) -> Trouble {
    match stopped {
        Stopped::Unavailable(fault) => Trouble::Unavailable(fault),
        Stopped::Unknown(_) => Trouble::NotFound,
        other => Trouble::Conflict(stopped_words(&other)),
    }
}

/// Says why no further round was opened.
pub(crate) fn stopped_words(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Unavailable(_) => "A service does not answer.".to_owned(),
        Stopped::Unsent(id, _) => format!(
            "The new round of {id} is open, but the queue does not answer. Its first attempt follows within half an hour."
        ),
        Stopped::Unknown(id) => format!("There is no webhook {id}."),
        Stopped::Erased(_) => "The person of this webhook was erased.".to_owned(),
        Stopped::Reopened(_, round) => format!(
            "Round {round} of this webhook was opened since you looked at it, so no further round was opened. Look at it again."
        ),
        Stopped::Contended(_) | Stopped::Interrupted => "Others change this webhook just now. Try again.".to_owned(),
        Stopped::Archived(provider, campaign) => format!("{provider}'s campaign {campaign} is archived."),
        Stopped::NoCampaign(provider, campaign) => format!("{provider} has no campaign {campaign} any more."),
    }
}

/// Opens one round without waiting.
struct AtOnce;

impl Pace for AtOnce {
    fn most_at_once(&self) -> usize {
        1
    }

    async fn turn(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn taken(&mut self, _: usize) {}
}
