//! What was aimed at, and whether it is met.

use crate::{
    results::{Results, Row, Series},
    stats::number,
};

/// svix-server 1.100 to an instant sink, measured elsewhere on a machine of two processors: its own processor time of a
/// delivery, in microseconds, and its database's.
const SVIX_CPU_US: [f64; 2] = [368.0, 326.0];
/// The same: deliveries a second.
const SVIX_PER_SECOND: f64 = 2652.0;
/// The same: its memory when eight answers had 300 MB, in MB.
const SVIX_LARGE_MB: f64 = 2963.0;

/// How much more than its size a step may grow on a machine that does other things as well.
const NOISE: f64 = 1.5;

/// One of them.
#[derive(Debug, Clone)]
pub struct Target {
    /// What was aimed at.
    pub aim: String,
    /// What was measured.
    pub measured: String,
    /// Whether that will do; none where it could not be measured.
    pub met: Option<bool>,
}

impl Target {
    fn at_most(aim: &str, unit: &str, measured: f64, limit: f64) -> Self {
        let measured_text = format!("{measured:.2}{unit}");
        Self { aim: format!("{aim} ≤ {limit}{unit}"), measured: measured_text, met: Some(measured <= limit) }
    }

    fn at_least(aim: &str, measured: f64, limit: f64) -> Self {
        Self {
            aim: format!("{aim} ≥ {limit} ×"), measured: format!("{measured:.1} ×"), met: Some(measured >= limit)
        }
    }
}

/// All of them.
pub fn targets(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    for job in ["new", "duplicate"] {
        targets.extend(beside_bare(results, job).unwrap_or_default());
        targets.extend(beside_others(results, job).unwrap_or_default());
    }
    targets.extend(throttled(results));
    targets.extend(batches(results).unwrap_or_default());
    targets.extend(webhooks(results).unwrap_or_default());
    targets.extend(results.growth.iter().map(growth));
    targets
}

fn row<'a>(results: &'a Results, program: &str, job: &str) -> Option<&'a Row> {
    results.rows.iter().find(|row| row.program == program && row.job == job)
}

fn beside_bare(results: &Results, job: &str) -> Option<Vec<Target>> {
    let (ours, bare) = (row(results, "postback", job)?, row(results, "bare function", job)?);
    let name = |what: &str| format!("`postback`, {job}: {what}");
    let ratio = |what: &str, ours: f64, bare: f64, limit| Target::at_most(&name(what), " × bare", ours / bare, limit);
    let mut targets = vec![ratio("warm CPU", ours.cpu_us.median, bare.cpu_us.median, 1.15)];
    if let (Some(ours), Some(bare)) = (ours.instructions, bare.instructions) {
        targets.push(ratio("instructions", number(ours), number(bare), 1.15));
    }
    if job == "new" {
        let bytes = |row: &Row| number(u64::try_from(row.zip_bytes).unwrap_or(u64::MAX));
        targets.push(ratio("zip", bytes(ours), bytes(bare), 1.25));
        targets.push(ratio("init", ours.init_us.median, bare.init_us.median, 1.5));
        targets.push(Target::at_most(
            &name("first invocation, least disturbed"),
            " ms",
            ours.first_least_us / 1e3,
            0.6,
        ));
        targets.push(Target::at_most(&name("first invocation, median"), " ms", ours.first_us.median / 1e3, 0.6));
        targets.push(Target::at_most(&name("peak memory"), " MiB", number(ours.peak_kib) / 1024.0, 10.0));
    }
    Some(targets)
}

fn beside_others(results: &Results, job: &str) -> Option<Vec<Target>> {
    let ours = row(results, "postback", job)?;
    let others: Vec<&Row> = results
        .rows
        .iter()
        .filter(|row| row.job == job && ["Node", "Python"].iter().any(|name| row.program.starts_with(name)))
        .collect();
    let best = |of: &dyn Fn(&Row) -> f64| others.iter().map(|row| of(row)).min_by(f64::total_cmp);
    let times = |what: &str, of: &dyn Fn(&Row) -> f64, limit| {
        let aim = format!("`postback`, {job}: {what}, best Node or Python ÷ ours");
        best(of).map(|best| Target::at_least(&aim, best / of(ours), limit))
    };
    let mut targets = vec![times("warm p50", &|row| row.warm_us.median, 5.0)?];
    targets.push(times("warm CPU", &|row| row.cpu_us.median, 5.0)?);
    if job == "new" {
        targets.push(times("init", &|row| row.init_us.median, 50.0)?);
        targets.push(times("peak memory", &|row| number(row.peak_kib), 10.0)?);
    }
    Some(targets)
}

fn throttled(results: &Results) -> Option<Target> {
    let aim = "`postback`, new: first invocation on 1/14 of a processor ≤ 1/20 of Node's".to_owned();
    let Some(firsts) = &results.throttled_first_us else {
        return Some(Target { aim, measured: "this system does not let it be limited".to_owned(), met: None });
    };
    let ours = firsts.get("postback: new")?.median;
    let node = firsts.get("Node 20, plain: new")?.median;
    let measured = format!("1/{:.0} ({:.2} ms, {:.0} ms)", node / ours, ours / 1e3, node / 1e3);
    Some(Target { aim, measured, met: Some(node / ours >= 20.0) })
}

fn batches(results: &Results) -> Option<Vec<Target>> {
    let one = row(results, "event-evaluator", "1 event")?;
    let ten = row(results, "event-evaluator", "10 events of 10 users")?;
    let ratio = ten.warm_us.median / one.warm_us.median;
    let [distant_one, distant_ten] = results.distant_events_us;
    let distant = distant_ten.median / distant_one.median;
    let webhooks = &results.webhooks;
    let slow = webhooks.slow_ten_us.median / webhooks.slow_one_us.median;
    Some(vec![
        Target::at_most(
            "`event-evaluator`: 10 events of 10 users, DynamoDB at 5 ms",
            " × one event's time",
            distant,
            3.0,
        ),
        Target::at_most(
            "`event-evaluator`: the same, DynamoDB at once, so that nothing is left but the processor",
            " × one event's time",
            ratio,
            3.0,
        ),
        Target::at_most("`webhook-sender`: 10 deliveries to a 200 ms partner", " × one's time", slow, 1.1),
    ])
}

fn webhooks(results: &Results) -> Option<Vec<Target>> {
    let ten = row(results, "webhook-sender", "10 deliveries")?;
    let bare = row(results, "bare function", "new")?;
    let each = ten.cpu_us.median / 10.0;
    let webhooks = &results.webhooks;
    let grown = number(webhooks.large_kib.saturating_sub(webhooks.ready_kib)) / 1024.0;
    let [svix, database] = SVIX_CPU_US;
    let name = |what: &str| format!("`webhook-sender`: {what}");
    let per_second = webhooks.sustained_per_cpu_second;
    Some(vec![
        Target::at_most(&name("CPU of a delivery, of ten"), " × bare's one write", each / bare.cpu_us.median, 2.2),
        Target::at_most(&name("the same, beside svix's own"), " µs", each, svix),
        Target::at_most(&name("the same, beside svix's with its database's"), " µs", each, svix + database),
        Target {
            aim: name(&format!("deliveries a second and processor ≥ {SVIX_PER_SECOND}, svix's on two processors")),
            measured: format!("{per_second:.0} of its own CPU; {:.0} of time", webhooks.sustained_per_second),
            met: Some(per_second >= SVIX_PER_SECOND),
        },
        Target::at_most(
            &name(&format!("memory that eight answers of 300 MB add, where svix had {SVIX_LARGE_MB} MB,")),
            " MiB",
            grown,
            20.0,
        ),
    ])
}

/// No worse than linear: the last step grows no faster than its size does, in time and in memory, with room for noise.
fn growth(series: &Series) -> Target {
    let aim = format!("no worse than linear: {}, by {}", series.title, series.against);
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
        return Target { aim, measured: String::new(), met: None };
    };
    let size = number(last.size) / number(first.size.max(1));
    let cpu = last.cpu_us / first.cpu_us;
    let memory = number(last.peak_kib) / number(first.peak_kib.max(1));
    let linear = series.points.windows(2).all(|pair| match pair {
        [before, after] => after.cpu_us / before.cpu_us <= number(after.size) / number(before.size.max(1)) * NOISE,
        _ => true,
    });
    let measured = format!("size × {size:.0}: CPU × {cpu:.1}, memory × {memory:.1}");
    Target { aim, measured, met: Some(linear && cpu <= size * 1.1 && memory <= size) }
}
