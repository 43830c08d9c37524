//! Answers questions over long times from the archive, as `postbackctl report` does.
//!
//! A query may take longer than the API waits. The page then says so and asks again by itself; the address holds the
//! instant of the question, by which Athena knows the query that is under way.

use std::sync::Arc;

use app::{
    operators::report::{Cell, Dimension, Period, Question, Report, ReportFault, Subject, chart, report, text},
    ports::ArchiveFault,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{
    jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone},
    values::{ids::Provider, printable::printable},
};
use maud::{Markup, PreEscaped, html};

use crate::{
    layout::{self, value, words},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::Site,
    visit::Visit,
};

const PAGE: &str = "/reports";
/// Lists the names of the reports.
const NAMES: [&str; 4] = ["conversions", "refusals", "webhooks", "funnel"];
/// Says for how long the address of a question can be opened again.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Says after how many seconds a page asks again.
pub(crate) const AGAIN_SECONDS: &str = "4";
/// Limits the rows that a page shows. CSV has all.
const SHOWN: usize = 500;
/// Limits the rows that a chart draws.
const DRAWN: usize = 60;

/// Holds a question with its answer's name and address.
pub(crate) struct Asked {
    name: &'static str,
    question: Question,
    days: [Date; 2],
}

/// Shows the form, and the answer to the question that the address holds.
pub(crate) async fn ask<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let now = (console.now)();
    let field = |name: &str| visit.query.get(name);
    if field("name").is_empty() {
        return Ok(shown(&console.site, &visit, now, &html! {}));
    }
    let asked = asked(&visit, now)?;
    let Some(at) = asked_at(&visit, now) else {
        return Ok(redirect(&address(&console.site, &visit, &asked, now, field("as")), &[]));
    };
    let Some(answer) = answer(&console, &asked, at).await? else { return Ok(waiting(&console.site, &visit, now)) };
    if field("as") == "csv" {
        return csv(&asked, &answer);
    }
    let link = address(&console.site, &visit, &asked, at, "csv");
    Ok(shown(&console.site, &visit, now, &answered(&asked, &answer, &link)))
}

/// Returns the instant at which the question of the address was first asked, unless that was too long ago.
pub(crate) fn asked_at(visit: &Visit, now: Timestamp) -> Option<Timestamp> {
    let at = visit.query.get("at").parse::<Timestamp>().ok();
    at.filter(|at| *at <= now && now.duration_since(*at) <= ASKED_FOR)
}

/// Answers a question that was first asked at this instant. Returns `None` while the query is under way.
pub(crate) async fn answer<P: Ports>(
    console: &Console<P>,
    asked: &Asked,
    at: Timestamp,
) -> Result<Option<Report>, Trouble> {
    match report(&(console.archive)(&at.to_string()), &asked.question, (console.now)()).await {
        Ok(answer) => Ok(Some(answer)),
        Err(ReportFault::Archive(ArchiveFault::TooSlow(_))) => Ok(None),
        Err(fault) => Err(trouble(fault)),
    }
}

/// Reads the question of the address.
pub(crate) fn asked(visit: &Visit, now: Timestamp) -> Result<Asked, Trouble> {
    let field = |name: &str| visit.query.get(name);
    let wrong = |words: String| Trouble::Malformed(words);
    let name = NAMES.into_iter().find(|name| *name == field("name"));
    let name = name.ok_or_else(|| wrong(format!("{} is no report.", field("name"))))?;
    let listed: Vec<&str> = field("by").split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    if let Some(unknown) = listed.iter().find(|word| !Dimension::ALL.iter().any(|one| one.as_str() == **word)) {
        return Err(wrong(format!("{unknown} is no column.")));
    }
    let is_by = |one: Dimension| listed.contains(&one.as_str()) || !field(&by_field(one)).is_empty();
    let by: Vec<Dimension> = Dimension::ALL.into_iter().filter(|one| is_by(*one)).collect();
    let subject = match name {
        "conversions" => Subject::Conversions,
        "refusals" => Subject::Refusals,
        "webhooks" => Subject::Webhooks,
        _ if by.contains(&Dimension::Campaign) => Subject::Campaigns,
        _ => Subject::Landings,
    };
    let zone = if field("zone").is_empty() { "UTC" } else { field("zone") };
    let unknown = |_| wrong(format!("There is no time zone {zone}. Write a name such as Europe/Warsaw."));
    let zone = TimeZone::get(zone).map_err(unknown)?;
    let today = now.to_zoned_datetime(zone.clone()).date();
    let week = (0..6).try_fold(today, |day, _| day.yesterday()).unwrap_or(today);
    let day = |name: &str, usual| -> Result<Date, Trouble> {
        let text = field(name);
        if text.is_empty() {
            Ok(usual)
        } else {
            text.parse().map_err(|_| wrong(format!("{text} is no day such as 2026-11-23.")))
        }
    };
    let days = [day("from", week)?, day("to", today)?];
    if days[0] > days[1] {
        return Err(wrong("The first day must not be after the last.".to_owned()));
    }
    let begin = |day: Date| Ok(day.to_zoned_datetime(zone.clone())?.start_of_day()?.timestamp());
    let far = |_| wrong("These days are too far away.".to_owned());
    let period = Period {
        from: begin(days[0]).map_err(far)?,
        to: days[1].tomorrow().and_then(begin).map_err(far)?,
        zone: zone.clone(),
    };
    let partner = field("provider");
    let partner = if partner.is_empty() { None } else { Some(partner) };
    let partner = partner.map(Provider::new).transpose();
    let partner = partner.map_err(|_| wrong(format!("{} is no name of a partner.", field("provider"))))?;
    let by = if by.is_empty() { subject.usual().to_vec() } else { by };
    Ok(Asked { name, question: Question { subject, by, period, partner, as_of: None, rates: None }, days })
}

fn by_field(dimension: Dimension) -> String {
    format!("by_{}", dimension.as_str())
}

/// Returns the address of a question that was asked at this instant, as a page or as CSV.
fn address(site: &Site, visit: &Visit, asked: &Asked, at: Timestamp, form: &str) -> String {
    let [from, to] = asked.days.map(|day| day.to_string());
    let at = at.to_string();
    let columns: Vec<String> = asked.question.by.iter().map(|one| by_field(*one)).collect();
    let mut fields = vec![
        ("name", asked.name),
        ("from", from.as_str()),
        ("to", to.as_str()),
        ("zone", visit.query.get("zone")),
        ("provider", visit.query.get("provider")),
    ];
    fields.extend(columns.iter().map(|column| (column.as_str(), "1")));
    fields.extend([("at", at.as_str()), ("as", form)]);
    site.path_with(PAGE, &fields)
}

/// Says that the query is under way. The browser asks again after some seconds.
fn waiting(site: &Site, visit: &Visit, now: Timestamp) -> Response<Body> {
    let words = html! { section.card { p role="status" { "The archive is being read. This page asks again by itself; the query is the same." } } };
    let mut response = shown(site, visit, now, &words);
    response.headers_mut().insert(HeaderName::from_static("refresh"), HeaderValue::from_static(AGAIN_SECONDS));
    response
}

pub(super) fn trouble(fault: ReportFault) -> Trouble {
    match fault {
        ReportFault::Archive(ArchiveFault::Unavailable(fault)) => Trouble::Unavailable(fault),
        ReportFault::Archive(ArchiveFault::Busy | ArchiveFault::Failed(_) | ArchiveFault::TooSlow(_))
        | ReportFault::Unreadable(_) => Trouble::Later(sentence(&fault.to_string())),
        _ => Trouble::Malformed(sentence(&fault.to_string())),
    }
}

/// Makes a sentence of the words of a fault.
fn sentence(words: &str) -> String {
    let mut signs = words.chars();
    signs.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), signs.as_str()))
}

fn csv(asked: &Asked, answer: &Report) -> Result<Response<Body>, Trouble> {
    let text = text::csv(answer).map_err(|fault| Trouble::Later(sentence(&fault.to_string())))?;
    let [from, to] = asked.days;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let name = HeaderValue::try_from(format!("attachment; filename=\"{}-{from}-{to}.csv\"", asked.name));
    headers.extend(name.ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    Ok(response)
}

fn answered(asked: &Asked, answer: &Report, link: &str) -> Markup {
    let [from, to] = asked.days;
    let title = format!("{}, {from} to {to}", asked.name);
    let is_drawn = (1..=DRAWN).contains(&answer.rows.len());
    html! {
        @if answer.rows.is_empty() {
            section.card.empty { p { "Nothing happened in these days. " (words(&text::days(&answer.days))) } }
        } @else {
            p.links { a.button href=(link) { "CSV" } }
            // The chart escapes its texts.
            @if is_drawn { section.card { div.wide tabindex="0" role="img" aria-label=(title) { (PreEscaped(chart::svg(answer, &title))) } } }
            section.card { div.wide tabindex="0" { table {
                thead { tr { @for (at, column) in answer.columns.iter().enumerate() {
                    @let is_text = answer.rows.first().and_then(|row| row.get(at)).is_some_and(|cell| matches!(cell, Cell::Text(_)));
                    th.number[!is_text] scope="col" { (column.replace('_', " ")) }
                } } }
                tbody { @for row in answer.rows.iter().take(SHOWN) { tr { @for cell in row { (drawn(cell)) } } } }
            } } }
            @if answer.rows.len() > SHOWN { p.hint { "The first " (SHOWN) " of " (answer.rows.len()) " rows. CSV has all." } }
        }
    }
}

fn drawn(cell: &Cell) -> Markup {
    html! { @match cell {
        Cell::Text(name) => td { (value(name)) },
        Cell::Absent => td.number { span.none { "–" } },
        Cell::Count(_) | Cell::Decimal(_) => td.number { (printable(&text::text(cell))) },
    } }
}

fn shown(site: &Site, visit: &Visit, now: Timestamp, answer: &Markup) -> Response<Body> {
    let field = |name: &str| visit.query.get(name);
    let today = TimeZone::UTC.to_datetime(now).date().to_string();
    let body = html! {
        h1 { "Reports" }
        form.card action=(site.path(PAGE)) {
            div.grid {
                label { "Report" select name="name" { @for name in NAMES { option value=(name) selected[field("name") == name] { (name) } } } }
                label { "First day" input type="date" name="from" value=(field("from")) max=(today); }
                label { "Last day" input type="date" name="to" value=(field("to")); }
                label { "Time zone" input name="zone" value=(field("zone")) placeholder="UTC"; }
                label { "Partner" input name="provider" value=(field("provider")) placeholder="all"; }
            }
            fieldset { legend { "Divided by" } @for one in Dimension::ALL {
                @let name = by_field(one);
                label.check { input type="checkbox" name=(name) value="1" checked[!field(&name).is_empty()]; (one.as_str()) }
            } }
            div.choices { button.strong { "Ask" } }
            p.hint { "Without days the last 7 are reported. A row arrives in the archive some minutes after its change." }
        }
        (answer)
    };
    layout::page(site, visit, "Reports", &body)
}
