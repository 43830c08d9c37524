//! Measures time and memory against size.

use anyhow::Result;

use crate::{
    contender::Program,
    job::Job,
    results::{Point, Series},
    rounds::Plan,
    sandbox::Sandbox,
    stats::{microseconds, number, quantile},
    world::World,
};

const RELAY: Program = Program::Rust("conversion-relay");
const LOOKUPS: Program = Program::Rust("lookup-writer");
const EVALUATOR: Program = Program::Rust("event-evaluator");
const SENDER: Program = Program::Rust("webhook-sender");
const POSTBACK: Program = Program::Rust("postback");

/// Measures every series.
pub async fn measure(world: &World, plan: Plan) -> Result<Vec<Series>> {
    let deliveries = |count, attempt| Job::Deliveries { count, way: "failing", attempt };
    let instant = |count| Job::Deliveries { count, way: "instant", attempt: 1 };
    let batches: &[usize] = if plan.quick { &[1, 10, 100] } else { &[1, 2, 5, 10, 20, 50, 100] };
    let partners: &[usize] = if plan.quick { &[10, 1000] } else { &[10, 100, 1000, 3000, 10_000] };
    let openings: &[usize] = if plan.quick { &[1, 100] } else { &[1, 10, 50, 100, 200, 500] };
    let sized = |sizes: &[usize], job: &dyn Fn(usize) -> Job| -> Vec<(usize, Job)> {
        sizes.iter().map(|size| (*size, job(*size))).collect()
    };
    let mut all = Vec::new();
    for (program, title, jobs) in [
        (RELAY, "conversion-relay, a batch", sized(batches, &Job::Conversions)),
        (LOOKUPS, "lookup-writer, a batch", sized(batches, &Job::Lookups)),
        (EVALUATOR, "event-evaluator, a batch of as many users", sized(batches, &Job::Openings)),
        (SENDER, "webhook-sender, a batch to an instant partner", sized(batches, &instant)),
    ] {
        all.push(of_jobs(world, plan, program, title, "messages in the batch", jobs).await?);
    }
    let attempts: Vec<(usize, Job)> = (1..=6).map(|n| (usize::from(n), deliveries(1, n))).collect();
    all.push(of_jobs(world, plan, SENDER, "webhook-sender, an attempt that fails", "which attempt", attempts).await?);
    world.publish(1000)?;
    let known = sized(openings, &Job::KnownUser);
    let title = "event-evaluator, an event of a user with openings";
    all.push(of_jobs(world, plan, EVALUATOR, title, "partners whose links the user opened", known).await?);
    for (program, title, job) in [
        (EVALUATOR, "event-evaluator, an event, by partners", Job::Openings(1)),
        (POSTBACK, "postback, a new one, by partners", Job::NewPostback),
    ] {
        let mut series = empty(title, "partners configured");
        for &count in partners {
            world.publish(count)?;
            for n in 0..count {
                if program == POSTBACK {
                    world.add_partner(&format!("partner-{n}"))?;
                }
            }
            series.points.push(point(world, plan, program, &job, count).await?);
        }
        all.push(series);
    }
    world.publish(10)?;
    Ok(all)
}

async fn of_jobs(
    world: &World,
    plan: Plan,
    program: Program,
    title: &str,
    against: &str,
    jobs: Vec<(usize, Job)>,
) -> Result<Series> {
    let mut series = empty(title, against);
    for (size, job) in jobs {
        series.points.push(point(world, plan, program, &job, size).await?);
    }
    Ok(series)
}

fn empty(title: &str, against: &str) -> Series {
    Series { title: title.to_owned(), against: against.to_owned(), points: Vec::new() }
}

async fn point(world: &World, plan: Plan, program: Program, job: &Job, size: usize) -> Result<Point> {
    let sandbox = Sandbox::start(&program.settings(world, &[])?).await?;
    sandbox.prepare(job).await?;
    for _ in 0..5 {
        sandbox.perform(job, world).await?;
    }
    world.aws.take_usage();
    let (mut warm, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds * 2 {
        let before = sandbox.cpu()?;
        warm.push(microseconds(sandbox.perform(job, world).await?));
        cpu.push(microseconds(sandbox.cpu()?.saturating_sub(before)));
    }
    Ok(Point {
        size: u64::try_from(size)?,
        cpu_us: quantile(&cpu, 0.5),
        warm_us: quantile(&warm, 0.5),
        init_us: microseconds(sandbox.init),
        peak_kib: sandbox.peak_kib()?,
        write_units: number(world.aws.take_usage().write_units) / number(u64::try_from(warm.len())?),
    })
}
