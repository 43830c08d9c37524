//! Measures starts and warm invocations. The contenders take turns, so that other work on the machine affects all of
//! them.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{
    contender::{Contender, Program},
    job::Job,
    results::Row,
    sandbox::Sandbox,
    stats::{Spread, microseconds, number, quantile},
    world::World,
};

/// Counts the runs, each with new processes. The warm invocations are divided among the runs. A ratio of CPU times is
/// the median of the ratios of the runs.
pub const RUNS: usize = 3;

/// Says how much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Counts the starts of each contender.
    pub starts: usize,
    /// Counts the rounds of all runs together. Each contender has one turn in a round.
    pub rounds: usize,
    /// Counts the invocations of a turn.
    pub invocations: usize,
    /// Is true for the short run.
    pub quick: bool,
}

impl Plan {
    /// Returns the short plan for `QUICK=1`, and otherwise the full plan.
    pub fn new(quick: bool) -> Self {
        if quick {
            Self { starts: 5, rounds: 2 * RUNS, invocations: 20, quick }
        } else {
            Self { starts: 21, rounds: 10 * RUNS, invocations: 40, quick }
        }
    }
}

#[derive(Default)]
struct Times {
    init: Vec<Duration>,
    first: Vec<Duration>,
    warm: Vec<f64>,
    cpu: Vec<f64>,
}

/// Measures all contenders.
pub async fn measure(world: &World, contenders: &[Contender], plan: Plan) -> Result<Vec<Row>> {
    let mut times: Vec<Times> = contenders.iter().map(|_| Times::default()).collect();
    for _ in 0..plan.starts {
        for (contender, times) in contenders.iter().zip(&mut times) {
            start(world, contender, times).await.with_context(|| contender.name())?;
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for contender in contenders {
        let program = contender.program.name();
        let zipped = rows.iter().find(|row| row.program == program).map(|row| row.zip_bytes);
        rows.push(Row {
            zip_bytes: zipped.map_or_else(|| contender.program.zip_bytes(), Ok)?,
            program,
            job: contender.label.clone(),
            ours: contender.program.is_ours(),
            ..Row::default()
        });
    }
    for _ in 0..RUNS {
        run(world, contenders, plan, &mut times, &mut rows).await?;
    }
    for (row, times) in rows.iter_mut().zip(&times) {
        row.init_us = Spread::of_durations(&times.init);
        row.first_us = Spread::of_durations(&times.first);
        row.warm_us = Spread::of(&times.warm);
        row.warm_p99_us = quantile(&times.warm, 0.99);
        row.cpu_us = Spread::of(&times.cpu);
    }
    Ok(rows)
}

/// Measures warm invocations of one new process for each contender.
async fn run(world: &World, contenders: &[Contender], plan: Plan, times: &mut [Times], rows: &mut [Row]) -> Result<()> {
    let mut running = Vec::new();
    for contender in contenders {
        running.push(warmed(world, contender, plan).await.with_context(|| contender.name())?);
    }
    let turns = plan.rounds / RUNS;
    for _ in 0..turns {
        for (((contender, sandbox), times), row) in contenders.iter().zip(&running).zip(&mut *times).zip(&mut *rows) {
            world.aws.take_usage();
            let logged = sandbox.logged_bytes();
            turn(world, contender, sandbox, plan, times).await.with_context(|| contender.name())?;
            row.logged_bytes += sandbox.logged_bytes().saturating_sub(logged);
            row.invocations += u64::try_from(plan.invocations)?;
            row.usage.add(world.aws.take_usage());
        }
    }
    for ((row, times), sandbox) in rows.iter_mut().zip(times).zip(&running) {
        row.cpu_runs_us.push(quantile(&times.cpu[times.cpu.len().saturating_sub(turns)..], 0.5));
        row.peak_kib = row.peak_kib.max(sandbox.peak_kib()?);
        sandbox.kill().await;
    }
    Ok(())
}

async fn start(world: &World, contender: &Contender, times: &mut Times) -> Result<()> {
    let sandbox = Sandbox::start(&contender.program.settings(world, &[])?).await?;
    times.init.push(sandbox.init);
    times.first.push(sandbox.perform(&contender.job, world).await?);
    Ok(())
}

async fn warmed(world: &World, contender: &Contender, plan: Plan) -> Result<Sandbox> {
    let sandbox = Sandbox::start(&contender.program.settings(world, &[])?).await?;
    sandbox.prepare(&contender.job).await?;
    for _ in 0..plan.invocations {
        sandbox.perform(&contender.job, world).await?;
    }
    Ok(sandbox)
}

async fn turn(world: &World, contender: &Contender, sandbox: &Sandbox, plan: Plan, times: &mut Times) -> Result<()> {
    let before = sandbox.cpu()?;
    for _ in 0..plan.invocations {
        times.warm.push(microseconds(sandbox.perform(&contender.job, world).await?));
    }
    let cpu = sandbox.cpu()?.saturating_sub(before);
    times.cpu.push(microseconds(cpu) / number(u64::try_from(plan.invocations)?));
    Ok(())
}

/// Gives the time of a call, in milliseconds, when the distance of AWS is simulated.
pub const LATENCY_MS: u64 = 5;

/// Measures two jobs of one program in turns, while the distance of AWS is simulated.
pub async fn measure_distant(world: &World, program: Program, jobs: [Job; 2], plan: Plan) -> Result<[Spread; 2]> {
    let sandbox = Sandbox::start(&program.settings(world, &[])?).await?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        sandbox.perform(&jobs[1], world).await?;
    }
    world.aws.set_latency(LATENCY_MS);
    for _ in 0..plan.rounds {
        for (job, times) in jobs.iter().zip(&mut times) {
            times.push(sandbox.perform(job, world).await?);
        }
    }
    world.aws.set_latency(0);
    Ok(times.map(|times| Spread::of_durations(&times)))
}
