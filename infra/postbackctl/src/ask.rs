//! Asking before what cannot be taken back, and reading what an operator types.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, anyhow, bail};
use domain::ids::Provider;

/// Asks, unless `yes` says so already. Fails where nobody is there to ask, or the answer is no.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("this waits for a yes, and nobody is there to ask: run it with --yes");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was changed") }
}

/// A partner's name as it was typed.
pub(crate) fn provider(text: &str) -> Result<Provider> {
    Provider::new(text).map_err(|fault| anyhow!("the provider {fault}"))
}
