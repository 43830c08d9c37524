//! What came of the days, in words and tables.

use std::fmt::Write as _;

use crate::{
    cost::Costs,
    day::{DAY_MS, DELIVERIES_A_SECOND, DOWN_FROM, DOWN_UNTIL, Day, FACTOR, HOUR_MS, MINUTE_MS, Scenario},
    partners::{PARTNERS, Partners},
};

const POSTBACKS_A_SECOND: u64 = 10_000;
const EVENTS_A_SECOND: u64 = 100_000;

/// A row of the table: what it says, and how it is computed.
type Row = (&'static str, fn(&Day) -> String);

/// Before the partner is down, while it is, and after.
const PHASES: [(i64, i64); 3] = [(8 * HOUR_MS, DOWN_FROM), (DOWN_FROM, DOWN_UNTIL), (DOWN_UNTIL, DAY_MS)];

const ROWS: [Row; 17] = [
    ("first attempts of other partners wait, before: half, 99 of 100, longest", |day| waits(day, 0)),
    ("… while the partner is down", |day| waits(day, 1)),
    ("… after", |day| waits(day, 2)),
    ("resends of other partners are late, all day: half, 99 of 100, longest", |day| {
        percentiles(day.resends_late_ms.clone())
    }),
    ("`webhooks`, most that waited at a minute's end", |day| scaled(most(day, |day| day.depth[0]))),
    ("… fewer than 1,000 again, after the outage's end", |day| few_again(day, 0)),
    ("`webhook-retries`, most that waited", |day| scaled(most(day, |day| day.depth[1]))),
    ("… fewer than 1,000 again, after the outage's end", |day| few_again(day, 1)),
    ("batches of `webhooks` at the same time, most", |day| scaled(most(day, |day| day.batches[0]))),
    ("batches of `webhook-retries`, most", |day| scaled(most(day, |day| day.batches[1]))),
    ("first attempts", |day| scaled(day.first_attempts as usize)),
    ("resends", |day| scaled(day.resends as usize)),
    ("a batch of attempts, on an average", |day| batch(day)),
    ("hops of waits beyond 15 minutes", |day| scaled(day.hops as usize)),
    ("delivered by the day's end", |day| scaled(day.delivered as usize)),
    ("exhausted", |day| scaled(day.exhausted as usize)),
    ("the partner has what it missed, after its return: half, 99 of 100, all", |day| {
        percentiles(day.made_up_ms.clone())
    }),
];

/// The whole report.
pub(crate) fn markdown(days: &[(Scenario, Day)], partners: &Partners, seed: u64) -> String {
    let mut text = introduction(partners, seed);
    text.push_str("| |");
    for (scenario, _) in days {
        write!(text, " {} |", scenario.name).expect("text takes text");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(days.len()));
    text.push('\n');
    for (what, compute) in ROWS {
        write!(text, "| {what} |").expect("text takes text");
        for (_, day) in days {
            write!(text, " {} |", compute(day)).expect("text takes text");
        }
        text.push('\n');
    }
    text.push_str("| webhooks' cost, the day |");
    for (_, day) in days {
        write!(text, " ${} |", thousands(webhooks_cost(day) as u64)).expect("text takes text");
    }
    text.push_str("\n\n![Waits and queues over the day](SIMULATION.svg)\n");
    text.push_str(&the_rest(&Costs::ask(&[])));
    text.push_str(ASSUMPTIONS);
    text
}

fn introduction(partners: &Partners, seed: u64) -> String {
    format!(
        "# A day with {} partners, one of them down\n\n\
         Computed, not measured: `make simulate SEED={seed}` writes this page, the same for the same seed. Partners are owed \
         {DELIVERIES_A_SECOND} webhooks a second all day (one of 200 of {} events a second reaches a goal); the largest has \
         {:.1} % of them, the second half as many, and so on (Zipf). The largest is down from 10:00 to 12:00: it hangs until \
         the attempt's limit of 10 s, or refuses at once. A sample: one delivery of {FACTOR}, with so much \
         less concurrency; counts are scaled back.\n\n\
         Concurrency is template.yaml's, 200 batches of `webhooks` and 50 of `webhook-retries`, but in the last column.\n\n",
        thousands(PARTNERS as u64),
        thousands(EVENTS_A_SECOND),
        100.0 * partners.share_of_down(),
    )
}

const ASSUMPTIONS: &str = "
## What it rests on

- Resends and hops are the domain's own `RetryPolicy` (10 minutes times the resend's number) and `hop`; everything else is a
  model of what AWS documents, not AWS.
- Lambda takes a batch of up to ten as soon as a message waits and concurrency is free; a batch lasts as long as its slowest
  message and 25 ms. Nothing throttles, crashes or scales up slowly.
- Fair queues give the oldest message of a group that is not noisy first. Noisy is a group with more than a tenth of what is in
  flight, and with 30 messages at least (in the sample, so many less); SQS's second measure, consumers' time, is left out.
- A partner's answers take 50 to 500 ms in the middle, by partner, lognormal around that (sigma 0.6); one of a hundred attempts
  fails where a partner is up. Deliveries are owed independently of each other (Poisson).
- The smaller a sample, the longer waits look where all concurrency is in use, since it frees in larger steps: one of ten says
  5.5 s where one of two says 2.9 s.
- Rates are the same all day: the outage is the only thing that changes.
- Costs are `postbackctl cost`'s, with batches as full and as long as they were here, and its defaults for the rest.
";

/// What does not depend on the outage.
fn the_rest(costs: &Costs) -> String {
    let seconds = (DAY_MS / 1000) as u64;
    let (postbacks, events) = (POSTBACKS_A_SECOND * seconds, EVENTS_A_SECOND * seconds);
    let rows = [
        ("postbacks, new, 10,000 a second", costs.of("postback, new", postbacks)),
        ("events, 100,000 a second, of which no campaign needs nine of ten", {
            costs.of("event that no campaign needs", events / 10 * 9)
                + costs.of("event that changes something", events / 10)
        }),
    ];
    let mut text = "\n## The rest of the day's cost\n\n| | |\n|---|---:|\n".to_owned();
    for (what, dollars) in rows {
        writeln!(text, "| {what} | ${} |", thousands(dollars as u64)).expect("text takes text");
    }
    text
}

/// With batches as full, and as long, as they were on an average.
fn webhooks_cost(day: &Day) -> f64 {
    let batches = day.batches.max(1);
    let flags = [
        format!("--queue-batch={}", (day.batched / batches).max(1)),
        format!("--sender-batch-ms={}", day.batched_ms / batches),
    ];
    let costs = Costs::ask(&flags);
    let count = |sampled: u64| sampled * FACTOR as u64;
    costs.of("delivery put and queued", count(day.owed))
        + costs.of("delivery's first attempt", count(day.first_attempts))
        + costs.of("resend", count(day.resends))
        + costs.of("delivery's end", count(day.delivered + day.exhausted))
}

fn waits(day: &Day, phase: usize) -> String {
    let (from, until) = PHASES[phase];
    let minutes = &day.minutes[(from / MINUTE_MS) as usize..(until / MINUTE_MS) as usize];
    percentiles(minutes.iter().flat_map(|minute| minute.waits_ms.iter().copied()).collect())
}

fn percentiles(mut all: Vec<u32>) -> String {
    all.sort_unstable();
    let at = |percent: usize| {
        duration(all.get((all.len() * percent / 100).min(all.len().saturating_sub(1))).map_or(0, |ms| i64::from(*ms)))
    };
    format!("{}, {}, {}", at(50), at(99), at(100))
}

fn batch(day: &Day) -> String {
    let (batches, tenths) = (day.batches.max(1), 10 * day.batched);
    let size = tenths / batches;
    format!("{}.{} messages, {}", size / 10, size % 10, duration((day.batched_ms / batches) as i64))
}

fn most(day: &Day, of: impl Fn(&crate::day::Minute) -> usize) -> usize {
    day.minutes.iter().map(of).max().unwrap_or_default()
}

/// How long after the outage's end fewer than a thousand wait, for the rest of the day.
fn few_again(day: &Day, queue: usize) -> String {
    let ends = (DOWN_UNTIL / MINUTE_MS) as usize;
    let last = day.minutes.iter().rposition(|minute| minute.depth[queue] * FACTOR >= 1000);
    match last.filter(|last| *last >= ends) {
        Some(last) if last + 2 >= day.minutes.len() => "not within the day".to_owned(),
        Some(last) => duration((last + 1 - ends) as i64 * MINUTE_MS),
        None => "at once".to_owned(),
    }
}

fn scaled(sampled: usize) -> String {
    thousands((sampled * FACTOR) as u64)
}

/// Returns the number with a comma between each three digits.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    grouped.collect::<Vec<_>>().join(",")
}

fn duration(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..120_000 => format!("{:.1} s", ms as f64 / 1000.0),
        120_000..7_200_000 => format!("{} min", ms / MINUTE_MS),
        _ => format!("{:.1} h", ms as f64 / HOUR_MS as f64),
    }
}
