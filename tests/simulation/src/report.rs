//! Reports the days in words and tables.

use std::fmt::Write as _;

use crate::{
    cost::Costs,
    day::{DAY_MS, DELIVERIES_A_SECOND, DOWN_FROM, DOWN_UNTIL, Day, FACTOR, HOUR_MS, MINUTE_MS, Scenario},
    outage::{Story, Told},
    partners::{PARTNERS, Partners},
};

const POSTBACKS_A_SECOND: u64 = 10_000;
const EVENTS_A_SECOND: u64 = 100_000;

/// Describes a row of the table by its title and the function that computes it.
type Row = (&'static str, fn(&Day) -> String);

/// Gives the times before, during and after the outage.
const PHASES: [(i64, i64); 3] = [(8 * HOUR_MS, DOWN_FROM), (DOWN_FROM, DOWN_UNTIL), (DOWN_UNTIL, DAY_MS)];

const ROWS: [Row; 17] = [
    ("wait of other partners' first attempts before the outage: p50, p99, longest", |day| waits(day, 0)),
    ("… during the outage", |day| waits(day, 1)),
    ("… after the outage", |day| waits(day, 2)),
    ("lateness of other partners' resends, all day: p50, p99, longest", |day| percentiles(day.resends_late_ms.clone())),
    ("most messages waiting on `webhooks` at a minute's end", |day| scaled(most(day, |day| day.depth[0]))),
    ("… time from the outage's end to fewer than 1,000", |day| few_again(day, 0)),
    ("most messages waiting on `webhook-retries`", |day| scaled(most(day, |day| day.depth[1]))),
    ("… time from the outage's end to fewer than 1,000", |day| few_again(day, 1)),
    ("most batches of `webhooks` at the same time", |day| scaled(most(day, |day| day.batches[0]))),
    ("most batches of `webhook-retries`", |day| scaled(most(day, |day| day.batches[1]))),
    ("first attempts", |day| scaled(day.first_attempts as usize)),
    ("resends", |day| scaled(day.resends as usize)),
    ("average batch of attempts", |day| batch(day)),
    ("hops in waits longer than 15 minutes", |day| scaled(day.hops as usize)),
    ("deliveries delivered by the day's end", |day| scaled(day.delivered as usize)),
    ("deliveries exhausted", |day| scaled(day.exhausted as usize)),
    ("time until the partner gets missed deliveries after its return: p50, p99, all", |day| {
        percentiles(day.made_up_ms.clone())
    }),
];

/// Returns the whole report.
pub(crate) fn markdown(days: &[(Scenario, Day)], partners: &Partners, seed: u64) -> String {
    let mut text = introduction(partners, seed);
    text.push_str("| |");
    for (scenario, _) in days {
        write!(text, " {} |", scenario.name).expect("writing to a string cannot fail");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(days.len()));
    text.push('\n');
    for (what, compute) in ROWS {
        write!(text, "| {what} |").expect("writing to a string cannot fail");
        for (_, day) in days {
            write!(text, " {} |", compute(day)).expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text.push_str("| cost of webhooks for the day |");
    for (_, day) in days {
        write!(text, " ${} |", thousands(webhooks_cost(day) as u64)).expect("writing to a string cannot fail");
    }
    text.push_str("\n\n![Waits and queues over the day](SIMULATION.svg)\n");
    text.push_str(&the_rest(&Costs::ask(&[])));
    text.push_str(ASSUMPTIONS);
    text
}

/// Describes a row of the table of one partner by its title and the function that computes it.
type OutageRow = (&'static str, fn(&Told) -> String);

const OUTAGE_ROWS: [OutageRow; 10] = [
    ("webhooks owed", |told| thousands(told.owed)),
    ("delivered", |told| thousands(told.delivered)),
    ("exhausted", |told| thousands(told.exhausted)),
    ("requests while it is down", |told| thousands(told.in_vain)),
    ("most requests in a second", |told| thousands(told.most_a_second)),
    ("time after the last outage, or the beginning, until all owed before are gone", |told| {
        duration(i64::try_from(told.drained_after).unwrap_or(i64::MAX).saturating_mul(1000))
    }),
    ("times that it is told to be down or up", |told| thousands(told.transitions)),
    ("hops", |told| thousands(told.hops)),
    ("writes of its health", |told| thousands(told.health_writes)),
    ("writes that reserve places", |told| thousands(told.reservations)),
];

/// Returns the page about one partner whose server is down.
pub(crate) fn outages(outages: &[(Told, Story)]) -> String {
    let mut text = format!("{ONE_PARTNER}| |");
    for (_, story) in outages {
        write!(text, " {} |", story.name).expect("writing to a string cannot fail");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(outages.len()));
    text.push('\n');
    for (what, compute) in OUTAGE_ROWS {
        write!(text, "| {what} |").expect("writing to a string cannot fail");
        for (told, _) in outages {
            write!(text, " {} |", compute(told)).expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text
}

const ONE_PARTNER: &str = "# One partner whose server is down

This page is computed: `make simulate` writes it. The use case `DeliverWebhooks` itself runs, in virtual time, over the ports in
memory: eight workers with a memory each, batches of up to ten. The server answers 503 at once while it is down. Batches
follow each other, so requests that hang, and would be many before the first fails, are not covered. In the first three
stories webhooks become owed for four and a half hours, and the server is down from the first half hour on for three.
After an outage the rate is at most 500 a second, and those of a second may go out together.

";

fn introduction(partners: &Partners, seed: u64) -> String {
    format!(
        "# A day with {} partners, one of them down\n\n\
         This page is computed, not measured. `make simulate SEED={seed}` writes it, and the same seed writes the same page. \
         Partners are owed {DELIVERIES_A_SECOND} webhooks a second all day, because one in 200 of {} events a second reaches \
         a goal. The largest partner has {:.1} % of them, the second half as many, and so on (Zipf). The largest is down from \
         10:00 to 12:00: it hangs until the attempt's limit of 10 s, or refuses at once. The simulation is a sample of one \
         delivery in {FACTOR}, with concurrency reduced by the same factor; counts are scaled back.\n\n\
         Concurrency is template.yaml's, 200 batches of `webhooks` and 50 of `webhook-retries`, except in the last column.\n\n",
        thousands(PARTNERS as u64),
        thousands(EVENTS_A_SECOND),
        100.0 * partners.share_of_down(),
    )
}

const ASSUMPTIONS: &str = "
## Assumptions

- Resends and hops use the domain's own `RetryPolicy` (10 minutes times the resend's number) and `hop`. Everything else is a
  model of AWS's documentation, not AWS.
- Lambda takes a batch of up to ten as soon as a message waits and concurrency is free. A batch takes as long as its slowest
  message and 25 ms. Nothing is throttled, crashes or scales up slowly.
- Fair queues first give the oldest message of a group that is not noisy. A group is noisy if it has more than a tenth of the
  messages in flight, and at least 30 (fewer in the sample, by its factor). SQS's second measure, consumers' time, is left out.
- A partner's median time to answer is 50 to 500 ms. Its answers are lognormal around that (sigma 0.6), and one attempt in a
  hundred fails while the partner is up. Deliveries are owed independently of each other (Poisson).
- A smaller sample makes waits look longer while all concurrency is in use, because it frees in larger steps: a sample of one
  in ten shows 5.5 s where one in two shows 2.9 s.
- Rates are the same all day. Only the outage changes.
- Costs come from `postbackctl cost`, with batches as full and as long as they were here, and its defaults for the rest.
";

/// Returns the costs that do not depend on the outage.
fn the_rest(costs: &Costs) -> String {
    let seconds = (DAY_MS / 1000) as u64;
    let (postbacks, events) = (POSTBACKS_A_SECOND * seconds, EVENTS_A_SECOND * seconds);
    let rows = [
        ("new postbacks, 10,000 a second", costs.of("postback, new", postbacks)),
        ("events, 100,000 a second, nine in ten of them needed by no campaign", {
            costs.of("event that no campaign needs", events / 10 * 9)
                + costs.of("event that changes something", events / 10)
        }),
    ];
    let mut text = "\n## The rest of the day's cost\n\n| | |\n|---|---:|\n".to_owned();
    for (what, dollars) in rows {
        writeln!(text, "| {what} | ${} |", thousands(dollars as u64)).expect("writing to a string cannot fail");
    }
    text
}

/// Returns the cost of webhooks, with batches as full and as long as they were on average.
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

/// Returns how long after the outage the queue has fewer than a thousand messages and keeps fewer for the rest of the
/// day.
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
