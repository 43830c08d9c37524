//! Runs `make bench`: measures everything and writes the results beside this crate.

#![allow(clippy::print_stderr, clippy::float_arithmetic, reason = "it prints its progress")]

use std::{
    env, fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bench::{
    contender::{Contender, Program, root, version},
    growth, instructions,
    job::Job,
    probe, report, reports,
    results::{Fake, Machine, Results},
    rounds::{self, Plan},
    stats::{microseconds, number},
    throttle, webhooks,
    world::World,
    worst,
};
use jiff::Timestamp;

/// Limits the whole run.
const LIMIT: Duration = Duration::from_mins(40);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = root().join("target/bench/run");
    let measured = tokio::time::timeout(LIMIT, run(&folder)).await;
    let results = measured.with_context(|| format!("the benchmark took more than {LIMIT:?}"))??;
    let here = root().join("tests/bench");
    let is_whole = !results.machine.quick && chosen().is_empty();
    let out = if is_whole { here } else { root().join("target/bench/quick") };
    fs::create_dir_all(out.join("plots"))?;
    let (page, plots) = report::page(&results)?;
    for (name, svg) in plots {
        fs::write(out.join(name), svg)?;
    }
    fs::write(out.join("results.json"), serde_json::to_string_pretty(&results)? + "\n")?;
    fs::write(out.join("BENCHMARKS.md"), page)?;
    eprintln!("the results are in {}", out.join("BENCHMARKS.md").display());
    Ok(())
}

async fn run(folder: &std::path::Path) -> Result<Results> {
    let begun = Instant::now();
    let plan = Plan::new(env::var("QUICK").is_ok_and(|quick| quick == "1"));
    let before = load();
    let world = World::new(folder)?;
    let say = |words: &str| eprintln!("{:4} s  {words}", begun.elapsed().as_secs());
    if chosen() == WORST {
        say("inputs at the limits");
        let (worst, neighbours) = worst::measure(&world, plan).await?;
        let machine = Machine { seconds: begun.elapsed().as_secs(), load: [before, load()], ..machine(plan) };
        return Ok(Results { machine, worst, neighbours, ..Results::default() });
    }
    if chosen() == REPORTS {
        say("reports over a million rows");
        let reports = reports::measure(plan).await?;
        let machine = Machine { seconds: begun.elapsed().as_secs(), load: [before, load()], ..machine(plan) };
        return Ok(Results { machine, reports, ..Results::default() });
    }
    say("the stand-in for AWS");
    let (round_trip_us, puts_per_second) = probe::measure(&world, plan.rounds * 50).await?;
    let chosen = chosen();
    let contenders: Vec<Contender> =
        Contender::all().into_iter().filter(|contender| contender.name().contains(&chosen)).collect();
    say("starts and warm invocations, in turns");
    let mut rows = rounds::measure(&world, &contenders, plan).await?;
    let busy: Duration = rows.iter().map(|row| row.usage.busy).sum();
    let calls: u64 = rows.iter().map(|row| row.usage.total()).sum();
    let fake = Fake { answer_us: microseconds(busy) / number(calls.max(1)), round_trip_us, puts_per_second };
    for (row, contender) in rows.iter_mut().zip(&contenders) {
        if !plan.quick || row.job == "new" || row.job == "duplicate" {
            say(&format!("instructions of {}", contender.name()));
            row.instructions = instructions::count(&world, contender).await?;
        }
    }
    say("first invocations with a small share of a processor");
    let first: Vec<Contender> = contenders.iter().filter(|contender| contender.label == "new").cloned().collect();
    let throttled_first_us = throttle::measure(&world, &first, plan.starts / 2).await?;
    say("events, with AWS far away");
    let jobs = [Job::Openings(1), Job::Openings(10)];
    let distant_events_us = rounds::measure_distant(&world, Program::Rust("event-evaluator"), jobs, plan).await?;
    say("many webhooks, slow partners, large answers");
    let webhooks = webhooks::measure(&world, plan).await?;
    say("growth");
    let growth = growth::measure(&world, plan).await?;
    say("inputs at the limits");
    let (worst, neighbours) = worst::measure(&world, plan).await?;
    say("reports over a million rows");
    let reports = reports::measure(plan).await?;
    let machine = Machine { seconds: begun.elapsed().as_secs(), load: [before, load()], ..machine(plan) };
    Ok(Results {
        machine,
        rows,
        fake,
        webhooks,
        distant_events_us,
        throttled_first_us,
        growth,
        worst,
        neighbours,
        reports,
    })
}

/// Is the value of `ONLY` that measures only the inputs at the limits.
const WORST: &str = "worst";

/// Asks, as `ONLY`, for nothing but the reports.
const REPORTS: &str = "reports";

/// Returns the text of `ONLY`. Only contenders whose names contain this text are measured. An empty text selects all.
fn chosen() -> String {
    env::var("ONLY").unwrap_or_default()
}

fn machine(plan: Plan) -> Machine {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = text("/proc/cpuinfo");
    let mut models = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name"))
        .map(|of| of.trim_matches([':', ' ', '\t']));
    let python = root().join("target/bench/python/bin/python");
    let versions = [
        version("rustc"),
        format!("Node {}", version("node")),
        version(&python.display().to_string()),
        version("valgrind"),
    ];
    Machine {
        date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
        processor: models.next().unwrap_or("?").to_owned(),
        processors: models.count() + 1,
        kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
        versions: versions.into(),
        quick: plan.quick,
        ..Machine::default()
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
