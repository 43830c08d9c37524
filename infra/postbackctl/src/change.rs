//! The options of commands that change something.

use anyhow::Result;
use clap::Args;
use domain::audit::Why;

use crate::ask;

/// The options of a change.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Stores this reason in the audit record of each change: at most 1,000 bytes in one line.
    #[arg(long, value_name = "TEXT", value_parser = why)]
    pub(crate) why: Option<Why>,
    /// Prints the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of a change that is confirmed first.
#[derive(Debug, Args)]
pub(crate) struct Confirmed {
    /// Makes the change without asking. Required where no terminal is attached.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) change: Change,
}

impl Confirmed {
    /// Asks this question unless `--yes` is given. Fails if the answer is no, or nobody can be asked.
    pub(crate) fn confirm(&self, question: &str) -> Result<()> {
        if self.yes { Ok(()) } else { ask::confirm(question) }
    }
}

fn why(text: &str) -> Result<Why, String> {
    Why::new(text).map_err(|fault| fault.to_string())
}
