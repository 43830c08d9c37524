//! Why an operator makes a change.

use clap::Args;
use domain::audit::Why;

/// The option of every command that changes something.
#[derive(Debug, Args)]
pub(crate) struct Reason {
    /// Why: kept in the audit record of each change.
    #[arg(long, value_parser = parse)]
    pub(crate) why: Option<Why>,
}

fn parse(text: &str) -> Result<Why, String> {
    Why::new(text).map_err(|fault| fault.to_string())
}
