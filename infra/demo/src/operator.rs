//! Runs the operator's command, which shows what is stored.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::PATIENCE;

/// Runs `postbackctl` on the stack of the story.
#[derive(Debug)]
pub(crate) struct Operator {
    program: PathBuf,
    stack: String,
}

impl Operator {
    /// Uses this program, or the one that cargo built beside the demo.
    pub(crate) fn new(program: Option<PathBuf>, stack: &str) -> Result<Self> {
        let program = match program {
            Some(program) => program,
            None => std::env::current_exe().context("this program's path is unknown")?.with_file_name("postbackctl"),
        };
        Ok(Self { program, stack: stack.to_owned() })
    }

    /// Repeats the command until its output contains all of these texts, and returns the output.
    pub(crate) async fn until(&self, arguments: &[&str], texts: &[&str]) -> Result<String> {
        self.until_so(arguments, |shown| texts.iter().all(|text| shown.contains(text))).await
    }

    /// Repeats the command until it succeeds and its output satisfies the condition, and returns the output.
    pub(crate) async fn until_so(&self, arguments: &[&str], is_so: impl Fn(&str) -> bool) -> Result<String> {
        let begun = Instant::now();
        loop {
            let run = Command::new(&self.program).args(["--stack", &self.stack]).args(arguments).output().await;
            let run = run.with_context(|| format!("cannot run {}", self.program.display()))?;
            let shown = String::from_utf8(run.stdout).context("the output of postbackctl is not UTF-8")?;
            if run.status.success() && is_so(&shown) {
                return Ok(shown);
            }
            if begun.elapsed() > PATIENCE {
                let errors = String::from_utf8_lossy(&run.stderr).into_owned();
                bail!(
                    "postbackctl {arguments:?} did not show the result within {PATIENCE:?}: see the logs\n{shown}{errors}"
                );
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
