//! Sends all webhooks again that failed in a period: first a preview, and then as many as one request has time for.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use app::{
    operators::{
        Pace,
        deliveries::ended,
        resend::{Period, Resent, Selection, Stopped},
    },
    ports::DeliveryRecords as _,
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    audit::Operation,
    jiff::{SignedDuration, Timestamp},
    outbound::delivery::Status,
    values::ids::{CampaignName, Provider},
};
use maud::{Markup, html};

use super::{begin, begin_as, listed::known, reason, webhooks::rounds};
use crate::{
    layout::{self, form_secret, time},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

/// Names the operators' page.
const PAGE: &str = "/webhooks-resend";
/// Names the partner's own page.
const OWN: &str = "/sent-again";
/// Limits the failed webhooks that a preview counts.
const COUNTED: usize = 1_000;
/// Limits the rounds that one request opens.
const MOST: usize = 200;
/// Limits the time in which one request opens rounds. API Gateway waits 30 s.
const PATIENCE: SignedDuration = SignedDuration::from_secs(12);
/// Lists the states of failed webhooks.
const FAILED: [Status; 3] = [Status::Exhausted, Status::Gone, Status::Unsendable];

/// Shows operators what would be sent again.
pub(crate) async fn preview<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let named = visit.query.get("provider");
    if named.is_empty() {
        return Ok(layout::page(&console.site, &visit, "Send again", &asked(&console.site, &visit, PAGE, &html! {})));
    }
    let provider = known(&console, named).await?;
    previewed(&console, &visit, PAGE, &provider).await
}

/// Shows a partner what would be sent again.
pub(crate) async fn own_preview<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    previewed(&console, &visit, OWN, super::portal::own(&visit)?).await
}

/// Sends again what an operator selected, as `postbackctl resend --since … --before …` does.
pub(crate) async fn send<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = known(&console, visit.form.get("provider")).await?;
    let (operation, _) = begin(&console, &visit)?;
    sent(&console, &visit, PAGE, &provider, operation).await
}

/// Sends a partner's own failed webhooks again. The audit record names the partner.
pub(crate) async fn own_send<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = super::portal::own(&visit)?;
    let operation = begin_as(&console, &visit, &format!("partner {provider}"))?;
    sent(&console, &visit, OWN, provider, operation).await
}

/// Reads the period and the state. The period ends now unless it was fixed by a preview, so that a repeated request
/// selects nothing that was sent again.
fn selection(
    provider: &Provider,
    field: impl Fn(&str) -> String,
    now: Timestamp,
) -> Result<(Selection, [Timestamp; 2]), Trouble> {
    let since = instant(&field("since"), now - SignedDuration::from_hours(24))?;
    let before = instant(&field("before"), now)?.min(now);
    let status = field("status");
    let status =
        FAILED.into_iter().find(|one| one.as_str() == status || status.is_empty() && *one == Status::Exhausted);
    let status = status.ok_or_else(|| Trouble::Malformed("Choose exhausted, gone or unsendable.".to_owned()))?;
    if since >= before {
        return Err(Trouble::Malformed("The period must begin before it ends.".to_owned()));
    }
    let period = Period::Failed(ended(Some(since), Some(before)));
    Ok((Selection { provider: provider.clone(), campaign: None, status, period }, [since, before]))
}

/// Reads an instant such as `2026-11-23T12:00:00Z`, or the value of a browser's field of date and time, in UTC.
fn instant(text: &str, usual: Timestamp) -> Result<Timestamp, Trouble> {
    if text.is_empty() {
        return Ok(usual);
    }
    let forms = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    let read = forms.iter().find_map(|form| form.parse().ok());
    read.ok_or_else(|| Trouble::Malformed(format!("{text} is no instant such as 2026-11-23T12:00:00Z.")))
}

async fn previewed<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    page: &str,
    provider: &Provider,
) -> Result<Response<Body>, Trouble> {
    let field = |name: &str| visit.query.get(name).to_owned();
    let (selection, [since, before]) = selection(provider, field, (console.now)())?;
    let found = selected(console, &selection).await?;
    let total: usize = found.values().sum();
    let form = html! {
        section.card {
            h2 { "What would be sent again" }
            p { (provider) ", " (selection.status.as_str()) ", failed from " (time(since)) " to " (time(before)) ":" }
            @if found.is_empty() { p.none { "nothing" } } @else {
                ul { @for (campaign, count) in &found { li { (campaign) ": " (count) } } }
                @if total >= COUNTED { p.hint { "Only the newest " (COUNTED) " failed webhooks were counted; there may be more." } }
            }
        }
        @if !found.is_empty() { (continuing(&console.site, visit, page, &selection, [since, before], &html! { (reason()) }, "Send them again")) }
    };
    Ok(layout::page(&console.site, visit, "Send again", &asked(&console.site, visit, page, &form)))
}

/// Counts the newest failed deliveries by campaign, as far as they are selected.
async fn selected<P: Ports>(
    console: &Console<P>,
    selection: &Selection,
) -> Result<BTreeMap<CampaignName, usize>, Trouble> {
    let Period::Failed(ended) = selection.period else { return Ok(BTreeMap::new()) };
    let newest = console.trace.deliveries.newest_failures(&selection.provider, ended, None, COUNTED).await?;
    let mut found = BTreeMap::new();
    for delivery in newest.iter().map(|stored| &stored.delivery) {
        if delivery.status() == selection.status && !delivery.is_erased() {
            *found.entry(delivery.campaign().clone()).or_default() += 1;
        }
    }
    Ok(found)
}

async fn sent<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    page: &str,
    provider: &Provider,
    operation: Operation,
) -> Result<Response<Body>, Trouble> {
    let Sent { selection, ends, resent: Resent { opened, waiting }, done } =
        sent_again(console, visit, provider, operation).await?;
    let (words, goes_on) = match &done {
        Ok(()) => ("Nothing of this period is left.".to_owned(), false),
        Err(Stopped::Interrupted) => ("There is more. It goes on where it stopped.".to_owned(), true),
        Err(stopped) => (format!("{} It goes on where it stopped.", super::webhooks::stopped_words(stopped)), true),
    };
    let body = html! {
        h1 { "Send again" }
        section.card {
            h2 { (opened) " sent again" @if waiting > 0 { ", of which " (waiting) " wait until their campaign is not paused" } }
            p { (words) }
        }
        @if goes_on {
            @let why = html! { input type="hidden" name="why" value=(visit.form.get("why")); };
            (continuing(&console.site, visit, page, &selection, ends, &why, "Go on"))
        }
    };
    Ok(layout::page(&console.site, visit, "Send again", &body))
}

/// Says what was sent again, and why no more.
pub(crate) struct Sent {
    selection: Selection,
    /// Holds the begin and the end of the period.
    pub(crate) ends: [Timestamp; 2],
    pub(crate) resent: Resent,
    pub(crate) done: Result<(), Stopped>,
}

/// Opens rounds of what the fields `since`, `before` and `status` select.
pub(crate) async fn sent_again<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    provider: &Provider,
    operation: Operation,
) -> Result<Sent, Trouble> {
    let field = |name: &str| visit.form.get(name).to_owned();
    let (selection, ends) = selection(provider, field, (console.now)())?;
    let rounds = rounds(console, operation);
    let mut bounds = Bounded { until: (console.now)() + PATIENCE, now: console.now, left: MOST };
    let stored = (&console.trace.listings, &console.trace.deliveries);
    let (resent, done) = Box::pin(rounds.selected(stored, &selection, &mut bounds)).await;
    Ok(Sent { selection, ends, resent, done })
}

/// Draws the form that opens rounds in a fixed period.
fn continuing(
    site: &Site,
    visit: &Visit,
    page: &str,
    selection: &Selection,
    [since, before]: [Timestamp; 2],
    why: &Markup,
    button: &str,
) -> Markup {
    html! {
        form.card method="post" action=(site.path(page)) {
            (form_secret(visit))
            @for (name, text) in [
                ("provider", selection.provider.to_string()),
                ("status", selection.status.as_str().to_owned()),
                ("since", since.to_string()),
                ("before", before.to_string()),
            ] { input type="hidden" name=(name) value=(text); }
            (why)
            div.choices { button.strong { (button) } }
            p.hint { "Each webhook gets another round of up to six attempts, with the same webhook-id. At most " (MOST) " are sent again at once." }
        }
    }
}

/// Draws the form that chooses a period, and what follows from it.
fn asked(site: &Site, visit: &Visit, page: &str, rest: &Markup) -> Markup {
    let status = visit.query.get("status");
    html! {
        h1 { "Send again" }
        form.filter action=(site.path(page)) {
            @if page == PAGE { label { "Partner" input name="provider" value=(visit.query.get("provider")) required; } }
            label { "State" select name="status" { @for one in FAILED { option value=(one.as_str()) selected[status == one.as_str()] { (one.as_str()) } } } }
            label { "Failed since (UTC)" input name="since" value=(visit.query.get("since")) placeholder="2026-11-23T12:00:00Z"; }
            label { "and before" input name="before" value=(visit.query.get("before")) placeholder="now"; }
            button { "Preview" }
        }
        (rest)
    }
}

/// Opens rounds until there are enough, or until the time is over.
struct Bounded {
    until: Timestamp,
    now: fn() -> Timestamp,
    left: usize,
}

impl Pace for Bounded {
    fn most_at_once(&self) -> usize {
        1
    }

    async fn turn(&mut self) -> ControlFlow<()> {
        let goes_on = self.left > 0 && (self.now)() < self.until;
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn taken(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps);
    }
}
