//! Asking before something is done that cannot be taken back.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

/// Whether the person at the terminal says yes to this question; `waiting` says what waits where nobody is there to ask.
pub(crate) fn confirm(question: &str, waiting: &str) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("{waiting}, and nobody is there to ask: run it with --yes");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
