//! Tests that the queries follow the grammar of Trino, which is Athena's engine.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use app::{
    operators::report::{Dimension, Question, report},
    ports::{ArchiveFault, AskArchive, Rows},
};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::node::packages;

use crate::{SUBJECTS, question, repository};

/// Keeps the queries, and answers each with nothing.
#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl AskArchive for Kept {
    async fn ask(&self, sql: &str) -> Result<Rows, ArchiveFault> {
        self.0.lock().unwrap().push(sql.to_owned());
        Ok(Rows::new())
    }
}

/// Returns the faults that dt-sql-parser finds in these queries.
fn faults(folder: &Path, queries: &[String]) -> Vec<Value> {
    // Node looks for a library beside the file that imports it.
    fs::copy(repository().join("tests/sql/check.mjs"), folder.join("check.mjs")).unwrap();
    let mut node = Command::new("node");
    let node = node.arg("check.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = node.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(queries).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
#[allow(clippy::print_stderr, reason = "a test reports what it cannot run")]
async fn every_query_follows_the_grammar_of_trino() {
    let (kept, mut rng) = (Kept::default(), Rng::with_seed(1));
    for subject in SUBJECTS {
        let some = question(&mut rng, subject, 1_790_000_000_000);
        let by: Vec<Dimension> = subject.dimensions().to_vec();
        for by in [by, subject.usual().to_vec()] {
            report(&kept, &Question { by, ..some.clone() }, Timestamp::UNIX_EPOCH).await.unwrap();
        }
    }
    let queries = kept.0.into_inner().unwrap();
    assert_eq!(queries.len(), 4 * SUBJECTS.len(), "an empty report asks for the days with rows");
    assert!(queries.iter().all(|query| !query.contains("${") && query.len() < 262_144));
    let Some(folder) = packages("sql") else {
        eprintln!("the grammar is not checked, because npm does not run; install Node 20 or newer");
        return;
    };
    assert_eq!(faults(&folder, &queries), Vec::<Value>::new());
    let broken = queries[0].replacen("GROUP BY", "GROUPED BY", 1);
    assert!(!faults(&folder, &[broken]).is_empty(), "the parser finds a fault");
}
