//! Counts what happened plainly, thing by thing, without the archive.

use std::collections::BTreeMap;

use app::operators::report::{Cell, Dimension, Question, Report, Subject};
use domain::{inbound::status::State, outbound::delivery::Status, values::ids::Provider};
use jiff::civil::Date;

use crate::world::{DAY, HOUR, Revised, Transaction, World, timestamp};

/// The measures of each group, as text.
pub(crate) type Counted = BTreeMap<Vec<String>, Vec<String>>;

/// Returns a report in the form of a recount.
pub(crate) fn as_counted(report: &Report, dimensions: usize) -> Counted {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Decimal(decimal) => decimal.normalize().to_string(),
        Cell::Absent => "none".to_owned(),
    };
    let row = |row: &Vec<Cell>| {
        let mut texts: Vec<String> = row.iter().map(text).collect();
        let measures = texts.split_off(dimensions);
        (texts, measures)
    };
    let counted: Counted = report.rows.iter().map(row).collect();
    assert_eq!(counted.len(), report.rows.len(), "a group has two rows: {report:?}");
    counted
}

/// Returns how much of the target currency a unit is worth on a day, in millionths.
pub(crate) fn rate(day: Date, currency: &str) -> i128 {
    let of_currency = if currency == "EUR" { 1_083_700 } else { 6_543 };
    if currency == "USD" { 1_000_000 } else { of_currency + i128::from(day.day()) }
}

/// Counts the things of a question's period.
pub(crate) fn recount(world: &World, question: &Question) -> Counted {
    match question.subject {
        Subject::Conversions => conversions(world, question),
        Subject::Refusals => refusals(world, question),
        Subject::Webhooks => webhooks(world, question),
        Subject::Landings => landings(world, question),
        Subject::Campaigns => campaigns(world, question),
    }
}

/// Returns true if something of this partner at this instant belongs to the question.
fn concerns(question: &Question, provider: &Provider, at: i64) -> bool {
    let period = &question.period;
    let in_time = period.from <= timestamp(at) && timestamp(at) < period.to;
    in_time && question.partner.as_ref().is_none_or(|partner| partner == provider)
}

/// Returns the texts of the question's dimensions.
fn group(question: &Question, provider: &Provider, at: i64, other: &dyn Fn(Dimension) -> String) -> Vec<String> {
    let local = timestamp(at).to_zoned_datetime(question.period.zone.clone());
    let text = |dimension: &Dimension| match dimension {
        Dimension::Day => local.date().to_string(),
        Dimension::Hour => local.strftime("%Y-%m-%d %H:00%:z").to_string(),
        Dimension::Partner => provider.to_string(),
        other_dimension => other(*other_dimension),
    };
    question.by.iter().map(text).collect()
}

/// Writes hundred-millionths as a decimal without trailing zeros.
fn decimal(units: i128) -> String {
    let (sign, absolute) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let text = format!("{sign}{}.{:08}", absolute / 100_000_000, absolute % 100_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns the revision that counted at an instant.
fn current(transaction: &Transaction, as_of: i64) -> Option<&Revised> {
    transaction.revisions.iter().rfind(|revised| revised.at <= as_of)
}

fn conversions(world: &World, question: &Question) -> Counted {
    let as_of = question.as_of.map_or(i64::MAX, jiff::Timestamp::as_millisecond);
    let mut sums: BTreeMap<Vec<String>, (u64, [i128; 3])> = BTreeMap::new();
    for transaction in &world.transactions {
        let at = transaction.revisions[0].at;
        let Some(revised) = current(transaction, as_of) else { continue };
        if !concerns(question, &transaction.provider, at) {
            continue;
        }
        let root = transaction.reverses.and_then(|root| current(&world.transactions[root], as_of));
        // The rejection takes everything, so that what was taken before counts as nothing.
        let is_rejected_with = root.is_some_and(|root| root.state == State::Rejected);
        let (state, cents) = if is_rejected_with { (State::Rejected, 0) } else { (revised.state, revised.cents) };
        let currency = if question.rates.is_some() { "USD" } else { revised.currency };
        let key = group(question, &transaction.provider, at, &|dimension| match dimension {
            Dimension::Event => revised.event.to_owned(),
            Dimension::Currency => currency.to_owned(),
            _ => state.to_string(),
        });
        let day = timestamp(at).to_zoned_datetime(question.period.zone.clone()).date();
        let rate = if question.rates.is_some() { rate(day, revised.currency) } else { 1_000_000 };
        let sum = sums.entry(key).or_default();
        sum.0 += 1;
        sum.1[state as usize] += i128::from(cents) * rate;
    }
    let has_state = question.by.contains(&Dimension::State);
    let measures = |(count, amounts): (u64, [i128; 3])| {
        let amounts = if has_state { vec![amounts.iter().sum()] } else { amounts.to_vec() };
        [count.to_string()].into_iter().chain(amounts.into_iter().map(decimal)).collect()
    };
    sums.into_iter().map(|(key, sums)| (key, measures(sums))).collect()
}

fn refusals(world: &World, question: &Question) -> Counted {
    let mut groups: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for (content, refused) in world.refused.iter().enumerate() {
        let codes = if question.by.contains(&Dimension::Code) { refused.codes.clone() } else { vec![""] };
        for at in refused.calls.iter().filter(|at| concerns(question, &refused.provider, **at)) {
            for code in &codes {
                let key = group(question, &refused.provider, *at, &|_| (*code).to_owned());
                groups.entry(key).or_default().push(content);
            }
        }
    }
    let measures = |mut contents: Vec<usize>| {
        let calls = contents.len();
        contents.dedup();
        vec![calls.to_string(), contents.len().to_string()]
    };
    groups.into_iter().map(|(key, contents)| (key, measures(contents))).collect()
}

fn webhooks(world: &World, question: &Question) -> Counted {
    let mut groups: BTreeMap<Vec<String>, (usize, usize, Vec<i64>)> = BTreeMap::new();
    for delivery in world.deliveries.iter().filter(|it| concerns(question, &it.provider, it.reached_at)) {
        let key = group(question, &delivery.provider, delivery.reached_at, &|dimension| match dimension {
            Dimension::Campaign => delivery.campaign.to_owned(),
            _ => delivery.status.to_string(),
        });
        let counted = groups.entry(key).or_default();
        counted.0 += 1;
        counted.1 += delivery.attempts;
        counted.2.extend(delivery.arrived_at.map(|at| at - delivery.reached_at));
    }
    let measures = |(count, attempts, mut waits): (usize, usize, Vec<i64>)| {
        waits.sort_unstable();
        // The least wait that is at least as long as this part of all.
        let percentile = |part: usize| waits.get((waits.len() * part).div_ceil(100).saturating_sub(1));
        let percentile = |part| percentile(part).map_or("none".to_owned(), ToString::to_string);
        vec![count.to_string(), attempts.to_string(), percentile(50), percentile(95)]
    };
    groups.into_iter().map(|(key, counted)| (key, measures(counted))).collect()
}

/// Returns the measures of a funnel: the whole, the part, the percentage, another number, and the waits by length.
fn funnel(whole: usize, part: usize, other: usize, waits: &[i64]) -> Vec<String> {
    let tenths = (part * 2000 + whole) / (2 * whole);
    let percent = decimal(i128::try_from(tenths).unwrap() * 10_000_000);
    let within = |from, to| waits.iter().filter(|wait| (from..to).contains(*wait)).count().to_string();
    let ends = [i64::MIN, 60_000, HOUR, DAY, 7 * DAY, i64::MAX];
    let counts = [whole.to_string(), part.to_string(), percent, other.to_string()];
    counts.into_iter().chain(ends.windows(2).map(|pair| within(pair[0], pair[1]))).collect()
}

fn landings(world: &World, question: &Question) -> Counted {
    let mut groups: BTreeMap<Vec<String>, (usize, usize, usize, Vec<i64>)> = BTreeMap::new();
    for click in world.clicks.iter().filter(|click| concerns(question, &click.provider, click.at)) {
        let pays = |it: &&Transaction| {
            let last = it.revisions.last().unwrap();
            let is_of_click = it.provider == click.provider && last.click == click.click.to_string();
            is_of_click && last.state == State::Approved && last.cents >= 0
        };
        let converted: Vec<i64> = world.transactions.iter().filter(pays).map(|it| it.revisions[0].at).collect();
        let counted = groups.entry(group(question, &click.provider, click.at, &|_| click.landing.to_owned()));
        let counted = counted.or_default();
        counted.0 += 1;
        counted.1 += usize::from(!converted.is_empty());
        counted.2 += converted.len();
        counted.3.extend(converted.iter().min().map(|first| first - click.at));
    }
    groups
        .into_iter()
        .map(|(key, (clicks, converted, all, waits))| (key, funnel(clicks, converted, all, &waits)))
        .collect()
}

fn campaigns(world: &World, question: &Question) -> Counted {
    let first =
        |opened: &crate::world::Opened| opened.at.iter().copied().find(|at| concerns(question, &opened.provider, *at));
    let mut counted = Counted::new();
    let openings: Vec<_> = world.openings.iter().filter_map(|opened| Some((opened, first(opened)?))).collect();
    for (opened, at) in &openings {
        let same = |other: &str| group(question, &opened.provider, *at, &|_| other.to_owned());
        let users: Vec<_> = openings
            .iter()
            .filter(|(user, at)| group(question, &user.provider, *at, &|_| String::new()) == same(""))
            .collect();
        let mut of_campaign: BTreeMap<&str, Vec<(&Status, i64)>> = BTreeMap::new();
        for (user, at) in &users {
            for it in world.deliveries.iter().filter(|it| it.user == user.user && it.reached_at >= *at) {
                of_campaign.entry(it.campaign).or_default().push((&it.status, it.reached_at - at));
            }
        }
        if of_campaign.is_empty() {
            of_campaign.insert("", Vec::new());
        }
        for (campaign, reached) in of_campaign {
            let delivered = reached.iter().filter(|(status, _)| **status == Status::Delivered).count();
            let waits: Vec<i64> = reached.iter().map(|(_, wait)| *wait).collect();
            counted.insert(same(campaign), funnel(users.len(), reached.len(), delivered, &waits));
        }
    }
    counted
}
