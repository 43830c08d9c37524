//! Shows the newest days by outcome, from the archive: postbacks, webhooks and amounts, as tables and as pictures.
//!
//! The overview holds the pictures as images, so that it does not wait for the archive: a browser asks for each by
//! itself. All operators who look within the same five minutes share the archive's queries.

use std::sync::Arc;

use app::{
    operators::report::{
        ReportFault,
        by_day::{self, Amounts, ByDay, Calls},
        columns, text,
    },
    ports::ArchiveFault,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{
    jiff::{SignedDuration, Timestamp},
    values::ids::Provider,
};
use futures_util::future::join;
use maud::{Markup, PreEscaped, html};

use super::{
    listed::{filter, known},
    reports::{AGAIN_SECONDS, trouble},
};
use crate::{
    layout::{self, value},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::Site,
    visit::Visit,
};

pub(crate) const PAGE: &str = "/days";
const PICTURE: &str = "/days-picture";
/// Lists the numbers of days that can be chosen. The first is the usual one.
const CHOICES: [u8; 3] = [14, 7, 30];
/// Says for how long the same question is the same query of the archive.
const SHARED: SignedDuration = SignedDuration::from_mins(5);
/// Limits how often a picture waits for the archive.
const MOST_TRIES: u8 = 4;

/// Names a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Picture {
    Postbacks,
    Webhooks,
    Amounts,
}

impl Picture {
    const ALL: [Self; 3] = [Self::Postbacks, Self::Webhooks, Self::Amounts];

    fn name(self) -> &'static str {
        match self {
            Self::Postbacks => "postbacks",
            Self::Webhooks => "webhooks",
            Self::Amounts => "amounts",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Postbacks => "Postbacks by day",
            Self::Webhooks => "Webhooks by day",
            Self::Amounts => "Amounts of these days",
        }
    }
}

/// Draws the pictures of the usual days. Each leads to the tables.
pub(super) fn pictures(site: &Site) -> Markup {
    let [days, ..] = CHOICES;
    html! {
        section.card {
            h2 { "The last " (days) " days" }
            div.pictures { @for picture in Picture::ALL {
                a href=(site.path(PAGE)) {
                    img src=(site.path_with(PICTURE, &[("of", picture.name())])) width=(columns::WIDTH) height=(columns::HEIGHT)
                        alt=(format!("{}, of the last {days} days. The link leads to the numbers.", picture.title()));
                }
            } }
        }
    }
}

/// Returns the instant by which a query is shared.
fn asked_at(now: Timestamp) -> Timestamp {
    let seconds = SHARED.as_secs();
    Timestamp::from_second(now.as_second().div_euclid(seconds) * seconds).unwrap_or(now)
}

/// Reads the number of days in the field `days`.
fn days(visit: &Visit) -> u8 {
    let [usual, ..] = CHOICES;
    CHOICES.into_iter().find(|choice| choice.to_string() == visit.query.get("days")).unwrap_or(usual)
}

/// Returns the numbers of these days, or `None` while the archive is read.
fn unless_slow<T>(answer: Result<T, ReportFault>) -> Result<Option<T>, Trouble> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ReportFault::Archive(ArchiveFault::TooSlow(_))) => Ok(None),
        Err(fault) => Err(trouble(fault)),
    }
}

/// Shows the numbers of the newest days as tables, of one partner or of all.
pub(crate) async fn show<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (now, named, days) = ((console.now)(), visit.query.get("provider"), days(&visit));
    let partner = if named.is_empty() { None } else { Some(known(&console, named).await?) };
    let archive = (console.archive)(&asked_at(now).to_string());
    let period = by_day::newest_days(days, now);
    let asked =
        join(by_day::calls(&archive, &period, partner.as_ref()), by_day::webhooks(&archive, &period, partner.as_ref()));
    let (calls, webhooks) = asked.await;
    let (calls, webhooks) = (unless_slow(calls)?, unless_slow(webhooks)?);
    let is_waiting = calls.is_none() || webhooks.is_none();
    let of = |name: &str, columns: &[&str]| report(&console.site, name, columns, &period, partner.as_ref());
    let choices = html! {
        label { "Days" select name="days" { @for choice in CHOICES { option value=(choice) selected[choice == days] { (choice) } } } }
    };
    let body = html! {
        h1 { "By day" }
        p.lead { "The archive's numbers of the last " (days) " days, in UTC. They are at most five minutes old; a row arrives in the archive some minutes after its change." }
        (filter(&console.site, &visit, PAGE, &choices))
        @if is_waiting { section.card { p role="status" { "The archive is being read. This page asks again by itself; the queries are the same." } } }
        @if let Some(Calls { by_day, amounts }) = &calls {
            (table(Picture::Postbacks, by_day, &[("Report of conversions", of("conversions", &["by_day", "by_state"])), ("Report of refusals", of("refusals", &["by_day", "by_code"]))]))
            section.card {
                h2 { (Picture::Amounts.title()) }
                (sums(amounts.iter()))
                p.links { a.button href=(of("conversions", &["by_partner", "by_currency"])) { "Report of amounts by partner" } }
            }
        }
        @if let Some(by_day) = &webhooks {
            (table(Picture::Webhooks, by_day, &[("Report of webhooks", of("webhooks", &["by_day", "by_outcome"]))]))
        }
    };
    let mut response = layout::page(&console.site, &visit, "By day", &body);
    if is_waiting {
        response.headers_mut().insert(HeaderName::from_static("refresh"), HeaderValue::from_static(AGAIN_SECONDS));
    }
    Ok(response)
}

/// Returns the address of a report on the same days.
fn report(
    site: &Site,
    name: &str,
    columns: &[&str],
    period: &app::operators::report::Period,
    partner: Option<&Provider>,
) -> String {
    let [from, to] = text::ends(period).map(|day| day.to_string());
    let partner = partner.map_or("", |partner| partner.as_str());
    let mut fields = vec![("name", name), ("from", from.as_str()), ("to", to.as_str()), ("provider", partner)];
    fields.extend(columns.iter().map(|column| (*column, "1")));
    site.path_with("/reports", &fields)
}

/// Draws the picture and the numbers of each day, the newest first.
fn table(picture: Picture, by_day: &ByDay, reports: &[(&str, String)]) -> Markup {
    let numbers = by_day.days.iter().zip(by_day.totals()).enumerate().rev();
    html! {
        section.card {
            @if by_day.outcomes.is_empty() {
                h2 { (picture.title()) }
                p.hint { "Nothing happened in these days." }
            } @else {
                // The picture escapes its texts.
                div.picture role="img" aria-label=(picture.title()) { (PreEscaped(columns::svg(by_day, picture.title()))) }
                div.wide tabindex="0" { table {
                    thead { tr {
                        th scope="col" { "day" }
                        @for outcome in &by_day.outcomes { th.number scope="col" { (value(&outcome.name)) } }
                        th.number scope="col" { "all" }
                    } }
                    tbody { @for (at, (day, total)) in numbers { tr.calm[total == 0] {
                        th scope="row" { (day) }
                        @for outcome in &by_day.outcomes { td.number { (outcome.counts.get(at).copied().unwrap_or_default()) } }
                        td.number { (total) }
                    } } }
                } }
            }
            p.links { @for (name, href) in reports { a.button href=(href) { (name) } " " } }
        }
    }
}

fn sums<'a>(amounts: impl ExactSizeIterator<Item = (&'a String, &'a Amounts)>) -> Markup {
    html! {
        @if amounts.len() == 0 { p.hint { "No amounts in these days." } } @else {
            div.wide tabindex="0" { table {
                thead { tr { th scope="col" { "currency" } @for name in ["approved", "pending", "rejected"] { th.number scope="col" { (name) } } } }
                tbody { @for (currency, Amounts { approved, pending, rejected }) in amounts { tr {
                    th scope="row" { (value(currency)) }
                    @for sum in [approved, pending, rejected] { td.number { (text::amount(*sum)) } }
                } } }
            } }
        }
    }
}

/// Draws the picture that the field `of` names. While the archive is read, leads the browser to the same picture some
/// times, because an image cannot ask again by itself.
pub(crate) async fn picture<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (now, days) = ((console.now)(), days(&visit));
    let picture = Picture::ALL.into_iter().find(|one| one.name() == visit.query.get("of")).ok_or(Trouble::NotFound)?;
    let archive = (console.archive)(&asked_at(now).to_string());
    let (period, title) = (by_day::newest_days(days, now), picture.title());
    let calls = async || unless_slow(by_day::calls(&archive, &period, None).await);
    let drawn = match picture {
        Picture::Postbacks => calls().await.map(|calls| Some(columns::svg(&calls?.by_day, title))),
        Picture::Amounts => calls().await.map(|calls| Some(columns::amounts(calls?.amounts.iter(), title))),
        Picture::Webhooks => {
            let webhooks = unless_slow(by_day::webhooks(&archive, &period, None).await);
            webhooks.map(|webhooks| Some(columns::svg(&webhooks?, title)))
        }
    };
    let drawn = match drawn {
        Ok(Some(drawn)) => drawn,
        Ok(None) => {
            let tries: u8 = visit.query.get("tries").parse().unwrap_or_default();
            if tries < MOST_TRIES {
                let next = (tries + 1).to_string();
                let days = days.to_string();
                let fields = [("of", picture.name()), ("days", days.as_str()), ("tries", next.as_str())];
                return Ok(redirect(&console.site.path_with(PICTURE, &fields), &[]));
            }
            columns::note(title, "The archive is still being read. Look at this page again in a minute.")
        }
        Err(trouble) => {
            trouble.log();
            columns::note(title, &trouble.words().1)
        }
    };
    let mut response = drawn.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    Ok(response)
}
