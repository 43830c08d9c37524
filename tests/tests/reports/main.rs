//! Tests that reports add up: an independent recount equals every report, to the cent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod end_to_end;
mod engine;
mod grammar;
mod recount;
mod world;

use std::path::{Path, PathBuf};

use app::operators::report::{Dimension, Period, Question, Rates, Subject, report};
use domain::values::ids::Provider;
use fastrand::Rng;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    engine::{Engine, Folder},
    recount::{as_counted, rate, recount},
    world::{DAY, DAYS, World, timestamp},
};

const SUBJECTS: [Subject; 5] =
    [Subject::Conversions, Subject::Refusals, Subject::Webhooks, Subject::Landings, Subject::Campaigns];

/// The first instants of worlds: before clocks change in Europe, in America and in Australia.
const BEGINNINGS: [&str; 3] = ["2026-10-18T00:00:00Z", "2026-03-20T00:00:00Z", "2026-10-25T00:00:00Z"];
const ZONES: [&str; 5] = ["Europe/Warsaw", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn partners() -> [Provider; 3] {
    ["one", "two", "three"].map(|name| Provider::new(name).unwrap())
}

/// Draws a question about a world that begins at this instant.
fn question(rng: &mut Rng, subject: Subject, begin: i64) -> Question {
    let zone = TimeZone::get(rng.choice(ZONES.as_slice()).unwrap()).unwrap();
    let first = rng.i64(0..DAYS - 1);
    let midnight = |day: i64| {
        let local = timestamp(begin + day * DAY).to_zoned_datetime(zone.clone());
        local.start_of_day().unwrap().timestamp()
    };
    let (from, to) = (midnight(first), midnight(rng.i64(first + 1..=DAYS)));
    let mut by: Vec<Dimension> = subject.dimensions().iter().copied().filter(|_| rng.bool()).collect();
    rng.shuffle(&mut by);
    let needed: &[Dimension] = match subject {
        Subject::Conversions => &[Dimension::Currency],
        Subject::Campaigns => &[Dimension::Partner, Dimension::Campaign],
        _ => &[],
    };
    by.extend(needed.iter().filter(|needed| !by.contains(needed)).copied().collect::<Vec<_>>());
    let is_conversions = subject == Subject::Conversions;
    let as_of = (is_conversions && rng.bool()).then(|| timestamp(begin + rng.i64(0..2 * DAYS * DAY)));
    let partner = rng.bool().then(|| partners()[0].clone());
    let rates = (is_conversions && rng.u8(0..3) == 0).then(|| rates(begin));
    Question { subject, by, period: Period { from, to, zone }, partner, as_of, rates }
}

fn rates(begin: i64) -> Rates {
    let mut rates = Rates::new("USD".to_owned());
    for day in -2..DAYS + 2 {
        let day: Date = timestamp(begin + day * DAY).to_zoned_datetime(TimeZone::UTC).date();
        for currency in ["EUR", "JPY"] {
            let millionths = rate(day, currency);
            let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
            assert!(rates.add(day, currency.to_owned(), text.parse().unwrap()));
        }
    }
    rates
}

async fn agree(folder: &Folder<'_>, world: &World, question: &Question, seed: u64) {
    let answer =
        report(folder, question, Timestamp::UNIX_EPOCH).await.unwrap_or_else(|fault| panic!("{seed}: {fault}"));
    assert_eq!(as_counted(&answer, question.by.len()), recount(world, question), "seed {seed}: {question:?}");
}

#[tokio::test]
async fn every_report_equals_an_independent_recount() {
    let engine = Engine::start();
    for seed in 0..12 {
        let begin: Timestamp = BEGINNINGS[usize::try_from(seed).unwrap() % 3].parse().unwrap();
        let world = World::draw(seed, begin.as_millisecond(), &partners());
        let folder = Folder::of(&engine, &world.rows);
        let mut rng = Rng::with_seed(seed);
        for subject in SUBJECTS {
            for _ in 0..4 {
                agree(&folder, &world, &question(&mut rng, subject, begin.as_millisecond()), seed).await;
            }
        }
    }
}
