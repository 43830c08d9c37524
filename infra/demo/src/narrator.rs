//! Tells the story twice: in short lines on the terminal, and whole in a log.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result};

/// Writes to the terminal and to the log.
#[derive(Debug)]
pub(crate) struct Narrator {
    log: File,
    width: usize,
    steps: usize,
}

impl Narrator {
    /// Begins a new log. Lines on the terminal have at most `width` characters.
    pub(crate) fn new(log: &Path, width: usize) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        Ok(Self { log: file, width, steps: 0 })
    }

    /// Begins a numbered step.
    pub(crate) fn begin(&mut self, title: &str) -> Result<()> {
        self.steps += 1;
        self.heading(&format!("{}. {title}", self.steps))
    }

    /// Writes a heading after a blank line.
    pub(crate) fn heading(&mut self, title: &str) -> Result<()> {
        println!("\n{}", shortened(title, self.width));
        Ok(writeln!(self.log, "\n{title}")?)
    }

    /// Writes a line of a step. A long line is shortened on the terminal.
    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        let text = format!("   {text}");
        println!("{}", shortened(&text, self.width));
        io::stdout().flush()?;
        Ok(writeln!(self.log, "{text}")?)
    }

    /// Writes a timeline of `postbackctl` without its dates. All its instants are in UTC.
    pub(crate) fn timeline(&mut self, text: &str) -> Result<()> {
        for line in text.lines().map(str::trim_start) {
            match line.split_once('T') {
                Some((day, timed)) if day.len() == "2026-11-23".len() => self.line(&timed.replacen("Z  ", " ", 1))?,
                _ => self.line(&format!("             {line}"))?,
            }
        }
        Ok(())
    }

    /// Writes a text to the log and not to the terminal.
    pub(crate) fn detail(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            writeln!(self.log, "   {line}")?;
        }
        Ok(())
    }
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_line_has_at_most_the_width_of_the_terminal() {
        assert_eq!(shortened("żółw", 4), "żółw");
        assert_eq!(shortened("żółwie", 4), "żół…");
        assert_eq!(shortened("a", 0), "…");
    }
}
