//! Measures each function at the limits of its inputs, and with a normal input.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

mod inputs;

use crate::{
    contender::Program,
    job::Job,
    partner,
    results::{Neighbours, Worst},
    rounds::Plan,
    sandbox::Sandbox,
    stats::{Spread, microseconds, quantile},
    world::World,
};

use inputs::{Expected, Input};

/// Measures all inputs, and the honest partners beside flooding ones.
pub async fn measure(world: &World, plan: Plan) -> Result<(Vec<Worst>, Neighbours)> {
    let mut all = Vec::new();
    for input in inputs::all(world)? {
        let measured = one(world, plan, &input).await;
        all.push(measured.with_context(|| format!("{}: {}", input.program.name(), input.kind))?);
    }
    Ok((all, neighbours(world, plan).await?))
}

async fn one(world: &World, plan: Plan, input: &Input) -> Result<Worst> {
    let sandbox = Sandbox::start(&input.program.settings(world, &[])?).await?;
    let (mut cpu, mut warm) = (Vec::new(), Vec::new());
    for n in 0..plan.rounds + WARMING {
        let event = (input.event)(world)?;
        let before = sandbox.cpu()?;
        let (took, answer) = sandbox.invoke(&event).await?;
        if n >= WARMING {
            cpu.push(microseconds(sandbox.cpu()?.saturating_sub(before)));
            warm.push(microseconds(took));
        }
        let is_expected = match input.expected {
            Expected::Answered => (200..400).contains(&answer["statusCode"].as_u64().unwrap_or_default()),
            Expected::Refused => (400..500).contains(&answer["statusCode"].as_u64().unwrap_or_default()),
            Expected::Acknowledged => answer["batchItemFailures"] == serde_json::json!([]),
        };
        ensure!(is_expected, "the answer was {answer}");
    }
    let measured = Worst {
        program: input.program.name(),
        input: input.kind.to_owned(),
        normal: input.normal,
        cpu_us: quantile(&cpu, 0.5),
        warm_us: quantile(&warm, 0.5),
        peak_kib: sandbox.peak_kib()?,
    };
    sandbox.kill().await;
    Ok(measured)
}

/// Counts the invocations before the measured ones.
const WARMING: usize = 3;

/// Compares a batch of nine honest deliveries with a batch of six honest and three flooding deliveries. The two batches
/// take turns.
async fn neighbours(world: &World, plan: Plan) -> Result<Neighbours> {
    let sandbox = Sandbox::start(&Program::Rust("webhook-sender").settings(world, &[])?).await?;
    let honest = Job::Deliveries { count: 9, way: "instant", attempt: 1 };
    let mixed = Job::AmongFloods { honest: 6 };
    let mut of = [(&honest, Vec::new(), Vec::new()), (&mixed, Vec::new(), Vec::new())];
    for _ in 0..WARMING {
        sandbox.perform(&honest, world).await?;
    }
    for _ in 0..plan.rounds {
        for (job, times, cpus) in &mut of {
            let event = job.event(world)?;
            let (begun, cpu) = (Instant::now(), sandbox.cpu()?);
            job.check(&sandbox.invoke(&event).await?.1)?;
            cpus.push(microseconds(sandbox.cpu()?.saturating_sub(cpu)));
            let last = partner::last_instant().context("no honest partner was called")?;
            times.push(microseconds(last.saturating_duration_since(begun)));
        }
    }
    let [(_, alone, alone_cpu), (_, among, among_cpu)] = of;
    Ok(Neighbours {
        alone_us: Spread::of(&alone),
        among_us: Spread::of(&among),
        alone_cpu_us: Spread::of(&alone_cpu),
        among_cpu_us: Spread::of(&among_cpu),
        peak_kib: sandbox.peak_kib()?,
    })
}
