//! Writes the results as a page for people.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{
    cost::{Cost, costs},
    packages,
    plot::svg,
    results::{Results, Row},
    stats::{Spread, number},
    targets::{Figure, Target, figures, normal, row, targets},
};

/// Returns the page, and the plots with the names of their files.
///
/// # Errors
///
/// Returns an error if a plot cannot be drawn, or if the earlier figures cannot be read.
pub fn page(results: &Results) -> Result<(String, Vec<(String, String)>)> {
    let plots = results
        .growth
        .iter()
        .map(|series| Ok((format!("plots/{}.svg", file_name(&series.title)), svg(series)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write!(page, "{}", include_str!("report/introduction.md"));
    machine(&mut page, results);
    aims(&mut page, &targets(results));
    information(&mut page, &figures(results));
    packages::section(&mut page, results)?;
    difference(&mut page, results);
    rows(&mut page, results);
    calls(&mut page, results);
    webhooks(&mut page, results);
    money(&mut page, &costs(results));
    growth(&mut page, results, &plots);
    worst(&mut page, results);
    reports(&mut page, results);
    let _ = write!(page, "{}", include_str!("report/limits.md"));
    Ok((page, plots))
}

fn file_name(title: &str) -> String {
    let letters = title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    letters.collect::<String>().split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn machine(page: &mut String, results: &Results) {
    let machine = &results.machine;
    let [before, after] = &machine.load;
    let which = if machine.quick { "`QUICK=1 make bench`" } else { "`make bench`" };
    let _ = write!(
        page,
        "\n{which} on {}, in {} s: {} × {}, Linux {}; average load {before} when it began and {after} when it ended. {}.\n",
        machine.date,
        machine.seconds,
        machine.processors,
        machine.processor,
        machine.kernel,
        machine.versions.join("; "),
    );
    let fake = &results.fake;
    let _ = write!(
        page,
        "\nThe stand-in for DynamoDB makes an answer in {:.0} µs on average. The round trip of a conditional put over TLS \
         takes {} µs; eight clients at once make {:.0} a second. Every latency below includes this time; no CPU time \
         does.\n",
        fake.answer_us,
        spread(fake.round_trip_us, 1.0),
        fake.puts_per_second,
    );
}

fn aims(page: &mut String, targets: &[Target]) {
    let met = targets.iter().filter(|target| target.met == Some(true)).count();
    let _ =
        write!(page, "\n## Targets: {met} of {} are met\n\n| target | measured | |\n|---|---|---|\n", targets.len());
    for Target { aim, measured, met } in targets {
        let met = match met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not measured",
        };
        let _ = writeln!(page, "| {aim} | {measured} | {met} |");
    }
}

fn information(page: &mut String, figures: &[Figure]) {
    page.push_str(
        "\nA ratio of CPU times is the median of three runs, with the least and the most in brackets.\n\n\
         These figures have no target, because the network stack and the disk of this machine are a large part of them:\n\n\
         | figure | measured |\n|---|---|\n",
    );
    for Figure { what, measured } in figures {
        let _ = writeln!(page, "| {what} | {measured} |");
    }
}

/// Writes how many instructions `postback` needs, compared with the bare function. Both run with our allocator's
/// setting.
fn difference(page: &mut String, results: &Results) {
    page.push_str(
        "\n## The work of `postback` beyond the bare function\n\nIt hashes a token, checks a click id's HMAC, parses and \
         checks seven parameters, makes a receipt, and tells a duplicate from a conflict. It also runs with \
         `GLIBC_TUNABLES` of `template.yaml`, which keeps more freed memory ready",
    );
    for job in ["new", "duplicate"] {
        let of = |program| row(results, program, job).and_then(|row| row.instructions);
        if let (Some(ours), Some(bare)) = (of("postback"), of("bare function, our allocator's setting")) {
            let ratio = number(ours) / number(bare);
            let (ours, bare) = (ours / 1000, bare / 1000);
            let _ = write!(
                page,
                "; compared with a bare function with that setting, {job}: {ours} k to {bare} k, {ratio:.2} ×"
            );
        }
    }
    page.push_str(
        ". A part of the difference is hashing, which costs nearly nothing on a processor with SHA instructions.\n",
    );
}

/// Writes the median and the range of the middle half.
fn spread(spread: Spread, unit: f64) -> String {
    let digits = |value: f64| match value / unit {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    };
    format!("{} ({}–{})", digits(spread.median), digits(spread.low), digits(spread.high))
}

fn rows(page: &mut String, results: &Results) {
    page.push_str(
        "\n## Each function beside others\n\nEach value is a median, with the range of the middle half in brackets.\n\n\
         | | zip, MB | init, ms | first, ms | warm p50, µs | p99, µs | CPU, µs | instructions | peak, MiB |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in &results.rows {
        let zip = number(u64::try_from(row.zip_bytes).unwrap_or(u64::MAX)) / 1e6;
        let instructions = row.instructions.map_or("–".to_owned(), |count| format!("{} k", count / 1000));
        let _ = writeln!(
            page,
            "| {} | {zip:.2} | {} | {} | {} | {:.0} | {} | {instructions} | {:.1} |",
            row.name(),
            spread(row.init_us, 1e3),
            spread(row.first_us, 1e3),
            spread(row.warm_us, 1.0),
            row.warm_p99_us,
            spread(row.cpu_us, 1.0),
            number(row.peak_kib) / 1024.0,
        );
    }
    if let Some(firsts) = &results.throttled_first_us {
        page.push_str("\nFirst invocations with 1/14 of a processor, as a function of 128 MB has, in ms:\n\n");
        for (name, first) in firsts {
            let _ = writeln!(page, "- {name}: {}", spread(*first, 1e3));
        }
    }
}

fn calls(page: &mut String, results: &Results) {
    page.push_str(
        "\n## AWS calls of each outcome\n\n| | calls | write units | read units | log, bytes |\n|---|---|---|---|---|\n",
    );
    for row in &results.rows {
        let each = |count: u64| number(count) / number(row.invocations.max(1));
        let Row { usage, .. } = row;
        let _ = writeln!(
            page,
            "| {} | {} | {:.1} | {:.1} | {:.0} |",
            row.name(),
            row.calls(),
            each(usage.write_units),
            each(usage.half_read_units) / 2.0,
            each(row.logged_bytes),
        );
    }
}

fn webhooks(page: &mut String, results: &Results) {
    let webhooks = &results.webhooks;
    let mib = |kib: u64| number(kib) / 1024.0;
    let _ = write!(
        page,
        "\n## Webhooks\n\n- To a partner that takes 200 ms to answer: one delivery takes {} ms, ten in a batch take {} ms.\n- To a \
         partner that answers at once, in batches of ten, with one sandbox and everything on this machine: {:.0} deliveries \
         a second of time, {:.0} a second of the function's own processor time.\n- Memory: {:.1} MiB when ready, at most \
         {:.1} MiB after a batch of eight small answers, at most {:.1} MiB after eight answers of 300 MB.\n",
        spread(webhooks.slow_one_us, 1e3),
        spread(webhooks.slow_ten_us, 1e3),
        webhooks.sustained_per_second,
        webhooks.sustained_per_cpu_second,
        mib(webhooks.ready_kib),
        mib(webhooks.small_kib),
        mib(webhooks.large_kib),
    );
}

fn money(page: &mut String, costs: &[Cost]) {
    page.push_str(
        "\n## The cost of a million\n\nIn dollars, us-east-1, arm64, on demand, 256 MB. The time is the warm median measured here, \
         rounded up as AWS bills it. AWS's own services take milliseconds to answer; the last column gives the cost of \
         each additional one.\n\n\
         | a million | billed, ms | API | invocations | time | DynamoDB | SQS | logs | **total** | per additional ms |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for cost in costs {
        let _ = writeln!(
            page,
            "| {} | {:.0} | {:.2} | {:.2} | {:.3} | {:.3} | {:.3} | {:.3} | **{:.2}** | {:.4} |",
            cost.what,
            cost.billed_ms,
            cost.api,
            cost.requests,
            cost.time,
            cost.dynamodb,
            cost.sqs,
            cost.logs,
            cost.total(),
            cost.millisecond(),
        );
    }
}

fn growth(page: &mut String, results: &Results, plots: &[(String, String)]) {
    page.push_str("\n## Growth\n\nThe dashed line shows linear growth.\n");
    for (series, (file, _)) in results.growth.iter().zip(plots) {
        let _ = write!(page, "\n![{}]({file})\n\n| {} | ", series.title, series.against);
        let line = |page: &mut String, values: Vec<String>| {
            let _ = writeln!(page, "{} |", values.join(" | "));
        };
        line(page, series.points.iter().map(|point| point.size.to_string()).collect());
        let _ = writeln!(page, "|---{}|", "|---".repeat(series.points.len()));
        page.push_str("| CPU, µs | ");
        line(page, series.points.iter().map(|point| format!("{:.0}", point.cpu_us)).collect());
        page.push_str("| an invocation, µs | ");
        line(page, series.points.iter().map(|point| format!("{:.0}", point.warm_us)).collect());
        page.push_str("| init, ms | ");
        line(page, series.points.iter().map(|point| format!("{:.1}", point.init_us / 1e3)).collect());
        page.push_str("| peak, MiB | ");
        line(page, series.points.iter().map(|point| format!("{:.1}", number(point.peak_kib) / 1024.0)).collect());
        page.push_str("| write units | ");
        line(page, series.points.iter().map(|point| format!("{:.1}", point.write_units)).collect());
    }
}

fn worst(page: &mut String, results: &Results) {
    page.push_str(
        "\n## The worst inputs\n\nEach function at the limits of what may reach it, below a normal input. A batch is \
         compared with a batch of as many normal messages.\n\n\
         | | CPU, µs | × normal | an invocation, µs | peak, MiB |\n|---|---|---|---|---|\n",
    );
    for input in &results.worst {
        let ratio = normal(results, &input.program).map_or(0.0, |normal| input.cpu_us / normal.cpu_us);
        let (cpu, warm, peak) = (input.cpu_us, input.warm_us, number(input.peak_kib) / 1024.0);
        let _ =
            writeln!(page, "| {}: {} | {cpu:.0} | {ratio:.1} | {warm:.0} | {peak:.1} |", input.program, input.input);
    }
    let of = &results.neighbours;
    let _ = write!(
        page,
        "\nThree partners that never answer and send 1xx answers, PINGs and SETTINGS without end, among nine deliveries of a \
         batch: the six others arrive within {} ms, and nine honest ones within {} ms. The batch takes {} ms of CPU, \
         the honest one {} ms; the peak is {:.1} MiB.\n",
        spread(of.among_us, 1e3),
        spread(of.alone_us, 1e3),
        spread(of.among_cpu_us, 1e3),
        spread(of.alone_cpu_us, 1e3),
        number(of.peak_kib) / 1024.0,
    );
}

fn reports(page: &mut String, results: &Results) {
    page.push_str(
        "\n## Reports\n\nEach report of `postbackctl report` over a million rows of a month, by its usual columns, on DuckDB as the \
         local stack runs it, in seconds. Athena reads the same rows with more machines.\n\n\
         | | JSON | Parquet |\n|---|---|---|\n",
    );
    for time in &results.reports {
        let _ = writeln!(page, "| {} | {} | {} |", time.report, spread(time.json, 1.0), spread(time.parquet, 1.0));
    }
}
