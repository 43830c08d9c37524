//! Measures `webhook-sender` with many deliveries at a time, and with partners that are slow or send too much.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use crate::{
    contender::Program,
    job::Job,
    results::Webhooks,
    rounds::Plan,
    sandbox::Sandbox,
    stats::{Spread, number},
    world::World,
};

const SENDER: Program = Program::Rust("webhook-sender");
/// Equals the most messages that a batch of the queue has.
const BATCH: usize = 10;

/// Measures all figures.
pub async fn measure(world: &World, plan: Plan) -> Result<Webhooks> {
    let deliveries = |count, way| Job::Deliveries { count, way, attempt: 1 };
    let settings = SENDER.settings(world, &[])?;
    let sandbox = Sandbox::start(&settings).await?;
    let (mut one, mut ten) = (Vec::new(), Vec::new());
    for _ in 0..plan.starts {
        one.push(sandbox.perform(&deliveries(1, "slow"), world).await?);
        ten.push(sandbox.perform(&deliveries(BATCH, "slow"), world).await?);
    }
    let sustained = sustained(world, plan, &Sandbox::start(&settings).await?).await?;
    let quiet = Sandbox::start(&settings).await?;
    let ready_kib = quiet.resident_kib()?;
    quiet.perform(&deliveries(8, "instant"), world).await?;
    let small_kib = quiet.peak_kib()?;
    quiet.perform(&deliveries(8, "large"), world).await?;
    Ok(Webhooks {
        slow_one_us: Spread::of_durations(&one),
        slow_ten_us: Spread::of_durations(&ten),
        sustained_per_second: sustained.0,
        sustained_per_cpu_second: sustained.1,
        ready_kib,
        small_kib,
        large_kib: quiet.peak_kib()?,
    })
}

/// Returns the deliveries in a second, and in a second of the function's processor time. The batches are made before
/// the measurement.
async fn sustained(world: &World, plan: Plan, sandbox: &Sandbox) -> Result<(f64, f64)> {
    let job = Job::Deliveries { count: BATCH, way: "instant", attempt: 1 };
    sandbox.perform(&job, world).await?;
    let batches: Vec<Value> = (0..plan.rounds * 10).map(|_| job.event(world)).collect::<Result<_>>()?;
    let (begun, cpu) = (Instant::now(), sandbox.cpu()?);
    for batch in &batches {
        job.check(&sandbox.invoke(batch).await?.1)?;
    }
    let (took, cpu) = (begun.elapsed(), sandbox.cpu()?.saturating_sub(cpu));
    let count = number(u64::try_from(batches.len() * BATCH)?);
    let each = |of: Duration| count / of.as_secs_f64();
    Ok((each(took), each(cpu)))
}
