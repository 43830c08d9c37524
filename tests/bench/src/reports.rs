//! Times the reports over a million rows with DuckDB, on which the local stack runs Athena's queries.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use app::{
    operators::report::{Period, Question, Subject, report},
    ports::{ArchiveFault, AskArchive, Rows},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::json;

use crate::{contender::root, results::ReportTime, rounds::Plan, stats::Spread};

const SUBJECTS: [(&str, Subject); 5] = [
    ("conversions", Subject::Conversions),
    ("refusals", Subject::Refusals),
    ("webhooks", Subject::Webhooks),
    ("funnel, by landing", Subject::Landings),
    ("funnel, by campaign", Subject::Campaigns),
];

/// Sets how often each report is asked.
const TIMES: usize = 3;

/// Answers queries over rows in files of one format, and keeps the time of the last one.
struct Engine<'a> {
    process: &'a Mutex<Process>,
    format: &'static str,
    seconds: Mutex<f64>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    rows: Rows,
    seconds: f64,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(rows: usize) -> Result<Self> {
        let folder = root().join(format!("target/bench/reports-{rows}"));
        let mut command = Command::new(root().join(".venv/local/bin/python"));
        let command = command.arg(root().join("tests/bench/reports.py")).arg(folder).arg(rows.to_string());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.context("DuckDB does not run; `make up` installs it into .venv/local")?;
        let input = child.stdin.take().context("the process has an input")?;
        let output = BufReader::new(child.stdout.take().context("the process has an output")?);
        Ok(Self { child, input, output })
    }

    fn ask(&mut self, format: &str, sql: &str) -> Result<Answer> {
        writeln!(self.input, "{}", json!({"format": format, "sql": sql}))?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl AskArchive for Engine<'_> {
    async fn ask(&self, sql: &str) -> Result<Rows, ArchiveFault> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = process.ask(self.format, sql).map_err(|fault| ArchiveFault::Failed(format!("{fault:#}")))?;
        *self.seconds.lock().unwrap_or_else(PoisonError::into_inner) = answer.seconds;
        Ok(answer.rows)
    }
}

/// Times each report by its usual columns. The rows are made once and kept below `target`.
///
/// # Errors
///
/// Returns an error if DuckDB is not installed, or a report fails.
pub async fn measure(plan: Plan) -> Result<Vec<ReportTime>> {
    let process = Mutex::new(Process::start(if plan.quick { 50_000 } else { 1_000_000 })?);
    let mut times = Vec::new();
    for (name, subject) in SUBJECTS {
        let json = seconds(&process, "json", subject).await?;
        let parquet = seconds(&process, "parquet", subject).await?;
        times.push(ReportTime { report: name.to_owned(), json, parquet });
    }
    Ok(times)
}

async fn seconds(process: &Mutex<Process>, format: &'static str, subject: Subject) -> Result<Spread> {
    let zone = TimeZone::UTC;
    let period = Period { from: "2026-11-01T00:00:00Z".parse()?, to: "2026-12-01T00:00:00Z".parse()?, zone };
    let by = subject.usual().to_vec();
    let question = Question { subject, by, period, partner: None, as_of: None, rates: None };
    let mut seconds = Vec::new();
    for _ in 0..TIMES {
        let engine = Engine { process, format, seconds: Mutex::default() };
        report(&engine, &question, Timestamp::UNIX_EPOCH).await?;
        seconds.push(engine.seconds.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    Ok(Spread::of(&seconds))
}
