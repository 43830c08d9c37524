//! Compares the figures with the targets.
//!
//! Times depend on the machine and on its other work. Each target is therefore a ratio of two figures of the same run,
//! or an amount of memory. Instructions come first because they hardly depend on the machine.

use crate::{
    results::{ReportTime, Results, Row, Series, Worst},
    stats::{number, quantile},
};

/// Gives the factor by which the time of a step may grow faster than its size, because the machine also does other
/// work.
const NOISE: f64 = 1.5;

/// Holds a target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Gives the figure and its limit.
    pub aim: String,
    /// Gives the measured value.
    pub measured: String,
    /// Says if the value is within the limit. Is none if the value could not be measured.
    pub met: Option<bool>,
}

/// Holds a figure without a limit.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Names the figure.
    pub what: String,
    /// Gives the measured value.
    pub measured: String,
}

/// Holds the median, the least and the greatest of the ratios of all runs.
#[derive(Debug, Clone, Copy)]
struct Ratio {
    median: f64,
    least: f64,
    most: f64,
}

impl Ratio {
    /// Divides each run of `runs` by the run of `by` at the same place. Returns none if there are no runs.
    fn of(runs: &[f64], by: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = runs.iter().zip(by).map(|(of, by)| of / by).collect();
        let least = ratios.iter().copied().min_by(f64::total_cmp)?;
        let most = ratios.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { median: quantile(&ratios, 0.5), least, most })
    }

    fn text(self, unit: &str) -> String {
        format!("{:.2}{unit} ({:.2}–{:.2})", self.median, self.least, self.most)
    }
}

impl Target {
    fn at_most(aim: &str, unit: &str, measured: f64, limit: f64) -> Self {
        let measured_text = format!("{measured:.2}{unit}");
        Self { aim: format!("{aim} ≤ {limit}{unit}"), measured: measured_text, met: Some(measured <= limit) }
    }

    fn not_measured(aim: &str, unit: &str, limit: f64) -> Self {
        Self { aim: format!("{aim} ≤ {limit}{unit}"), measured: String::new(), met: None }
    }

    fn median_at_most(aim: &str, unit: &str, measured: Ratio, limit: f64) -> Self {
        Self {
            aim: format!("{aim} ≤ {limit}{unit}"),
            measured: measured.text(unit),
            met: Some(measured.median <= limit),
        }
    }

    fn median_at_least(aim: &str, unit: &str, measured: Ratio, limit: f64) -> Self {
        Self {
            aim: format!("{aim} ≥ {limit}{unit}"),
            measured: measured.text(unit),
            met: Some(measured.median >= limit),
        }
    }
}

/// Returns every target whose programs were measured.
pub fn targets(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    for job in ["new", "duplicate"] {
        targets.extend(beside_bare(results, job).unwrap_or_default());
        targets.extend(beside_others(results, job));
    }
    targets.extend(size(results).unwrap_or_default());
    targets.extend(throttled(results));
    targets.extend(batches(results).unwrap_or_default());
    targets.extend(webhooks(results).unwrap_or_default());
    targets.extend(results.growth.iter().map(growth));
    targets.extend(worst(results));
    targets.extend(neighbours(results));
    targets.extend(reports(results));
    targets
}

/// Bounds the slowest report over each format.
fn reports(results: &Results) -> Vec<Target> {
    let slowest = |of: &dyn Fn(&ReportTime) -> f64| results.reports.iter().map(of).max_by(f64::total_cmp);
    let target = |format: &str, limit: f64, seconds: Option<f64>| Target {
        aim: format!("the slowest report over a million rows of {format}: at most {limit} s"),
        measured: seconds.map_or("–".to_owned(), |seconds| format!("{seconds:.2} s")),
        met: seconds.map(|seconds| seconds <= limit),
    };
    vec![
        target("JSON", 5.0, slowest(&|time| time.json.median)),
        target("Parquet", 1.5, slowest(&|time| time.parquet.median)),
    ]
}

/// Returns the figures without a target, which depend on the speed of the machine's network stack and disk.
pub fn figures(results: &Results) -> Vec<Figure> {
    let mut figures = Vec::new();
    for job in ["new", "duplicate"] {
        let Some(ours) = row(results, "postback", job) else { continue };
        let mut add = |what: &str, of: &dyn Fn(&Row) -> f64| {
            if let Some(best) = others(results, job).map(of).min_by(f64::total_cmp) {
                let what = format!("`postback`, {job}: {what}, best Node or Python ÷ ours");
                figures.push(Figure { what, measured: format!("{:.1} ×", best / of(ours)) });
            }
        };
        add("warm p50", &|row| row.warm_us.median);
        if job == "new" {
            add("init", &|row| row.init_us.median);
            add("peak memory", &|row| number(row.peak_kib));
        }
    }
    if let (Some(ours), Some(bare)) = (row(results, "postback", "new"), row(results, "bare function", "new")) {
        let what = "`postback`, new: first invocation, ours ÷ bare".to_owned();
        figures.push(Figure { what, measured: format!("{:.1} ×", ours.first_us.median / bare.first_us.median) });
    }
    figures
}

/// Returns the row of a program at a job, if it was measured.
pub fn row<'a>(results: &'a Results, program: &str, job: &str) -> Option<&'a Row> {
    results.rows.iter().find(|row| row.program == program && row.job == job)
}

fn others<'a>(results: &'a Results, job: &str) -> impl Iterator<Item = &'a Row> {
    let is_other = |row: &&Row| ["Node", "Python"].iter().any(|name| row.program.starts_with(name));
    results.rows.iter().filter(is_other).filter(move |row| row.job == job)
}

fn beside_bare(results: &Results, job: &str) -> Option<Vec<Target>> {
    let (ours, bare) = (row(results, "postback", job)?, row(results, "bare function", job)?);
    let name = |what: &str| format!("`postback`, {job}: {what}");
    let instructions = match (ours.instructions, bare.instructions) {
        (Some(ours), Some(bare)) => {
            Target::at_most(&name("instructions"), " × bare", number(ours) / number(bare), 1.10)
        }
        _ => Target::not_measured(&name("instructions"), " × bare", 1.10),
    };
    let cpu = Ratio::of(&ours.cpu_runs_us, &bare.cpu_runs_us)?;
    Some(vec![instructions, Target::median_at_most(&name("warm CPU"), " × bare", cpu, 1.2)])
}

fn size(results: &Results) -> Option<Vec<Target>> {
    let (ours, bare) = (row(results, "postback", "new")?, row(results, "bare function", "new")?);
    let bytes = |row: &Row| number(u64::try_from(row.zip_bytes).unwrap_or(u64::MAX));
    let peaks = results.rows.iter().filter(|row| row.program == "postback").map(|row| row.peak_kib);
    Some(vec![
        Target::at_most("`postback`: init", " × bare", ours.init_us.median / bare.init_us.median, 1.5),
        Target::at_most("`postback`: zip", " × bare", bytes(ours) / bytes(bare), 1.3),
        Target::at_most("`postback`, every job: peak memory", " MiB", number(peaks.max()?) / 1024.0, 12.0),
    ])
}

fn beside_others(results: &Results, job: &str) -> Option<Target> {
    let ours = row(results, "postback", job)?;
    let best: Vec<f64> = (0..ours.cpu_runs_us.len())
        .filter_map(|run| {
            others(results, job).filter_map(|row| row.cpu_runs_us.get(run)).copied().min_by(f64::total_cmp)
        })
        .collect();
    let aim = format!("`postback`, {job}: warm CPU of the best of Node and Python");
    Some(Target::median_at_least(&aim, " × ours", Ratio::of(&best, &ours.cpu_runs_us)?, 5.0))
}

fn throttled(results: &Results) -> Option<Target> {
    let aim = "`postback`, new: first invocation on 1/14 of a processor ≤ 1/20 of Node's".to_owned();
    let Some(firsts) = &results.throttled_first_us else {
        return Some(Target { aim, measured: "this system cannot limit a process's share".to_owned(), met: None });
    };
    let ours = firsts.get("postback: new")?.median;
    let node = firsts.get("Node 20, plain: new")?.median;
    let measured = format!("1/{:.0} ({:.2} ms, {:.0} ms)", node / ours, ours / 1e3, node / 1e3);
    Some(Target { aim, measured, met: Some(node / ours >= 20.0) })
}

fn batches(results: &Results) -> Option<Vec<Target>> {
    let one = row(results, "event-evaluator", "1 event")?;
    let ten = row(results, "event-evaluator", "10 events of 10 users")?;
    let near = ten.warm_us.median / one.warm_us.median;
    let [distant_one, distant_ten] = results.distant_events_us;
    let distant = distant_ten.median / distant_one.median;
    let webhooks = &results.webhooks;
    let slow = webhooks.slow_ten_us.median / webhooks.slow_one_us.median;
    let name = |what: &str| format!("`event-evaluator`: 10 events of 10 users, {what}");
    Some(vec![
        Target::at_most(&name("DynamoDB at 5 ms"), " × one event's time", distant, 3.0),
        Target::at_most(&name("DynamoDB at once"), " × one event's time", near, 3.0),
        Target::at_most("`webhook-sender`: 10 deliveries to a 200 ms partner", " × one's time", slow, 1.1),
    ])
}

fn webhooks(results: &Results) -> Option<Vec<Target>> {
    let ten = row(results, "webhook-sender", "10 deliveries")?;
    let bare = row(results, "bare function", "new")?;
    let each: Vec<f64> = ten.cpu_runs_us.iter().map(|cpu| cpu / 10.0).collect();
    let cpu = Ratio::of(&each, &bare.cpu_runs_us)?;
    let webhooks = &results.webhooks;
    let grown = number(webhooks.large_kib.saturating_sub(webhooks.ready_kib)) / 1024.0;
    Some(vec![
        Target::median_at_most("`webhook-sender`: CPU of a delivery, of ten", " × bare's one write", cpu, 2.2),
        Target::at_most("`webhook-sender`: memory over idle after eight answers of 300 MB", " MiB", grown, 20.0),
    ])
}

/// Returns the function's normal input.
pub fn normal<'a>(results: &'a Results, program: &str) -> Option<&'a Worst> {
    results.worst.iter().find(|input| input.normal && input.program == program)
}

/// Compares the costliest input of each function with the function's normal input.
fn worst(results: &Results) -> Vec<Target> {
    let normals = results.worst.iter().filter(|input| input.normal);
    let target = |normal: &Worst| {
        let of_program = results.worst.iter().filter(|input| !input.normal && input.program == normal.program);
        let most = of_program.max_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us))?;
        let aim = format!("`{}`, its worst input ({}): CPU", normal.program, most.input);
        Some(Target::at_most(&aim, " × a normal one's", most.cpu_us / normal.cpu_us, 20.0))
    };
    normals.filter_map(target).collect()
}

fn neighbours(results: &Results) -> Vec<Target> {
    let of = &results.neighbours;
    if of.alone_us.median <= 0.0 {
        return Vec::new();
    }
    let name = |what: &str| format!("`webhook-sender`, three flooding partners among nine: {what}");
    let (time, cpu) = (of.among_us.median / of.alone_us.median, of.among_cpu_us.median / of.alone_cpu_us.median);
    vec![
        Target::at_most(&name("the neighbours' time"), " × among honest ones", time, 5.0),
        Target::at_most(&name("CPU"), " × nine honest ones'", cpu, 20.0),
    ]
}

/// Checks that growth is at most linear. From each point to the next, CPU time may grow as much as the size, and by the
/// factor [`NOISE`] more. Over the whole range, CPU time may grow a tenth more than the size, and memory only as much
/// as the size.
fn growth(series: &Series) -> Target {
    let aim = format!("at most linear: {}, by {}", series.title, series.against);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Point;

    fn measured(program: &str, job: &str, instructions: u64, cpu_runs_us: [f64; 3]) -> Row {
        Row {
            program: program.to_owned(),
            job: job.to_owned(),
            instructions: Some(instructions),
            cpu_runs_us: cpu_runs_us.into(),
            ..Row::default()
        }
    }

    fn found(results: &Results, aim: &str) -> Target {
        targets(results).into_iter().find(|target| target.aim.contains(aim)).unwrap()
    }

    #[test]
    fn instructions_are_within_a_tenth_of_the_bare_functions() {
        let of = |ours| {
            let rows =
                vec![measured("postback", "new", ours, [1.0; 3]), measured("bare function", "new", 1000, [1.0; 3])];
            found(&Results { rows, ..Results::default() }, "instructions").met
        };
        assert_eq!((of(1100), of(1101)), (Some(true), Some(false)));
    }

    #[test]
    fn instructions_that_were_not_counted_are_not_met() {
        let rows = vec![
            Row { instructions: None, ..measured("postback", "new", 0, [1.0; 3]) },
            measured("bare function", "new", 1000, [1.0; 3]),
        ];
        assert_eq!(found(&Results { rows, ..Results::default() }, "instructions").met, None);
    }

    #[test]
    fn cpu_is_the_median_of_three_runs_and_shows_their_spread() {
        let of = |ours| {
            let rows =
                vec![measured("postback", "new", 1, ours), measured("bare function", "new", 1, [100.0, 200.0, 50.0])];
            let target = found(&Results { rows, ..Results::default() }, "warm CPU");
            (target.measured, target.met)
        };
        assert_eq!(of([110.0, 240.0, 90.0]), ("1.20 × bare (1.10–1.80)".to_owned(), Some(true)));
        assert_eq!(of([125.0, 250.0, 20.0]), ("1.25 × bare (0.40–1.25)".to_owned(), Some(false)));
    }

    #[test]
    fn the_best_other_language_of_each_run_counts() {
        let rows = vec![
            measured("postback", "new", 1, [100.0; 3]),
            measured("Node 20, plain", "new", 1, [490.0, 700.0, 900.0]),
            measured("Python 3.11, plain", "new", 1, [800.0, 510.0, 520.0]),
        ];
        let target = found(&Results { rows, ..Results::default() }, "Node and Python");
        assert_eq!((target.measured.as_str(), target.met), ("5.10 × ours (4.90–5.20)", Some(true)));
    }

    #[test]
    fn the_costliest_input_of_each_function_is_compared() {
        let input = |program: &str, normal, cpu_us| Worst {
            program: program.to_owned(),
            input: format!("{cpu_us}"),
            normal,
            cpu_us,
            ..Worst::default()
        };
        let worst = vec![
            input("click", true, 10.0),
            input("click", false, 200.0),
            input("postback", true, 1.0),
            input("postback", false, 3.0),
            input("postback", false, 21.0),
        ];
        let results = Results { worst, ..Results::default() };
        assert_eq!(found(&results, "`click`, its worst input (200)").met, Some(true));
        let target = found(&results, "`postback`, its worst input (21)");
        assert_eq!((target.measured.as_str(), target.met), ("21.00 × a normal one's", Some(false)));
    }

    #[test]
    fn a_step_that_grows_faster_than_its_size_is_missed() {
        let of = |cpu: [f64; 3]| {
            let points = [1, 10, 100].into_iter().zip(cpu);
            let points = points.map(|(size, cpu_us)| Point { size, cpu_us, peak_kib: 1, ..Point::default() });
            growth(&Series { points: points.collect(), ..Series::default() }).met
        };
        assert_eq!(
            (of([1.0, 10.0, 100.0]), of([1.0, 16.0, 100.0]), of([1.0, 10.0, 111.0])),
            (Some(true), Some(false), Some(false))
        );
    }
}
