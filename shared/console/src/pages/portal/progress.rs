//! Shows how far a partner's integration is, by what really came, and its numbers by day.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use app::{
    operators::{Page, deliveries, postbacks},
    ports::{Listings as _, Range, Unavailable},
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    audit::day,
    jiff::{SignedDuration, Timestamp, civil::Date},
    lookup::Subject,
    outbound::delivery::{Delivery, Status},
    values::{ids::Provider, time::UnixMillis},
};
use futures_util::TryStreamExt;
use maud::{Markup, html};

use super::own;
use crate::{
    layout::{self, time},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Limits how many of the newest deliveries are looked at for the list of steps.
const LOOKED_AT: usize = 100;
/// Says how many days the numbers cover, today included.
const DAYS: i32 = 14;
/// Limits the entries that are counted for the numbers.
const COUNTED: usize = 5_000;

/// Holds a step of an integration.
struct Step {
    title: &'static str,
    /// Says since when the step is done, or `None` if it is not done.
    done: Option<Timestamp>,
    how: &'static str,
}

/// Shows the steps to a working integration. Each is done by what came and what was sent, not by a tick.
pub(crate) async fn steps<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = own(&visit)?;
    let steps = found(&console, provider).await?;
    let open = steps.iter().filter(|step| step.done.is_none()).count();
    let body = html! {
        h1 { "Go live" }
        p.lead {
            @if open == 0 { "Everything has worked at least once: " (provider) " can go live. Print this page for your records." }
            @else { "What has worked, and what to try next. A step is done once it really happened." }
        }
        section.card {
            ul.findings { @for step in &steps { (shown(step)) } }
        }
        p.hint { "As of " (time((console.now)())) " (UTC). New calls are seen after a few seconds." }
    };
    Ok(layout::page(&console.site, &visit, "Go live", &body))
}

async fn found<P: Ports>(console: &Console<P>, provider: &Provider) -> Result<Vec<Step>, Trouble> {
    let (own, now) = ([provider.clone()], (console.now)());
    let wanted = postbacks::Wanted { page: Page { most: 1, ..Page::default() }, ..postbacks::Wanted::default() };
    let accepted = postbacks::list((&console.trace.listings, &console.trace.inbound), &own, &wanted, now).await?;
    let accepted = accepted.transactions.first().map(|transaction| transaction.recorded_at);
    let conflict = first(console, Subject::Conflicts(provider.clone())).await?;
    let refused = first(console, Subject::Refusals(provider.clone())).await?;
    let wanted = deliveries::Wanted { page: Page { most: LOOKED_AT, ..Page::default() }, ..Default::default() };
    let sent = deliveries::list(&console.trace.listings, &console.trace.deliveries, &own, &wanted, now).await?;
    let delivered = |least: usize| {
        let sent = sent.deliveries.iter().map(|stored| &stored.delivery);
        let mut good = sent.filter(|one| one.status() == Status::Delivered && one.attempts().len() >= least);
        good.find_map(Delivery::ended_at).map(UnixMillis::timestamp)
    };
    Ok(vec![
        Step {
            title: "A call was accepted",
            done: accepted,
            how: "Send a call by one of the examples on the page Code. The page Integration tries one without recording it.",
        },
        Step {
            title: "A refused call was seen",
            done: refused,
            how: "Leave a parameter out on purpose, and read on the page Log what is said about it.",
        },
        Step {
            title: "A conflict was seen",
            done: conflict,
            how: "Send an accepted call again: the answer is a duplicate, and nothing is counted twice. Then send it with another amount: the answer is 409, and GG3 decides.",
        },
        Step {
            title: "A webhook was answered 2xx",
            done: delivered(1),
            how: "Send a test from the page Webhooks first. Then ask GG3 to reach a goal of your campaign with a test user: the page Webhooks shows each attempt and your answer.",
        },
        Step {
            title: "A webhook arrived after a failed attempt",
            done: delivered(2),
            how: "Answer one webhook with 500, and the next attempt with 200. Both have the same webhook-id.",
        },
    ])
}

/// Returns the time of a subject's first entry.
async fn first<P: Ports>(console: &Console<P>, subject: Subject) -> Result<Option<Timestamp>, Unavailable> {
    let range = Range { wanted: 1, ..Range::default() };
    let mut places = pin!(console.trace.listings.list(subject, range, (console.now)()));
    Ok(places.try_next().await?.map(|place| place.at()))
}

fn shown(Step { title, done, how }: &Step) -> Markup {
    html! { li {
        @if let Some(at) = done {
            span.status.good { "done" } div { strong { (title) } ", " (time(*at)) }
        } @else {
            span.status.waits { "open" } div { strong { (title) } span.cure { (how) } }
        }
    } }
}

/// Holds the numbers of a day.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Day {
    postbacks: usize,
    refusals: usize,
    webhooks: usize,
}

/// Selects a number of a day.
type Number = fn(&mut Day) -> &mut usize;

/// Shows a partner's accepted postbacks, refused calls and webhooks by day.
pub(crate) async fn numbers<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = own(&visit)?;
    let today = day((console.now)());
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    let mut of = today;
    for _ in 0..DAYS {
        days.insert(of, Day::default());
        of = of.yesterday().unwrap_or(of);
    }
    let mut is_cut = false;
    let subjects: [(Subject, Number); 3] = [
        (Subject::Postbacks(provider.clone()), |day| &mut day.postbacks),
        (Subject::Refusals(provider.clone()), |day| &mut day.refusals),
        (Subject::Deliveries(provider.clone()), |day| &mut day.webhooks),
    ];
    for (subject, number) in subjects {
        is_cut |= count(&console, subject, &mut days, number).await?;
    }
    let body = html! {
        h1 { "Numbers" }
        p.lead { "Your accepted postbacks, your refused calls, and the webhooks that became owed to you, by day in UTC." }
        @if is_cut { p.warning role="note" { "There are more than " (COUNTED) " of a kind, so the oldest days are incomplete. Ask GG3 for a report." } }
        section.card { div.wide tabindex="0" { table {
            thead { tr { th scope="col" { "day" } th.number scope="col" { "postbacks" } th.number scope="col" { "refused" } th.number scope="col" { "webhooks" } } }
            tbody { @for (day, Day { postbacks, refusals, webhooks }) in days.iter().rev() {
                tr { th scope="row" { (day) } td.number { (postbacks) } td.number { (refusals) } td.number { (webhooks) } }
            } }
        } } }
    };
    Ok(layout::page(&console.site, &visit, "Numbers", &body))
}

/// Counts a subject's entries of these days, the newest first. Returns true if there are more than are counted.
async fn count<P: Ports>(
    console: &Console<P>,
    subject: Subject,
    days: &mut BTreeMap<Date, Day>,
    number: Number,
) -> Result<bool, Unavailable> {
    let now = (console.now)();
    let from = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(DAYS))).unwrap_or(Timestamp::MIN);
    let range = Range { from: Some(from), newest_first: true, wanted: COUNTED, ..Range::default() };
    let mut places = pin!(console.trace.listings.list(subject, range, now));
    let mut counted = 0;
    while let Some(place) = places.try_next().await? {
        if counted == COUNTED {
            return Ok(true);
        }
        counted += 1;
        if let Some(day) = days.get_mut(&day(place.at())) {
            *number(day) += 1;
        }
    }
    Ok(false)
}
