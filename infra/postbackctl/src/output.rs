//! Standard output, which may be closed or full.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

/// Reports that standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub(crate) struct Unwritten(#[from] io::Error);

impl Unwritten {
    /// Returns true if the reader has stopped, as `head` does.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Writes a text to standard output, all of it at once.
pub(crate) fn print(text: impl Display) -> Result<(), Unwritten> {
    let mut output = io::stdout().lock();
    write!(output, "{text}")?;
    Ok(output.flush()?)
}

/// Returns a number with the word for what it counts: `1 round`, `2 rounds`.
pub(crate) fn counted(number: impl Display, word: &str) -> String {
    let number = number.to_string();
    if number == "1" {
        return format!("1 {word}");
    }
    match word.strip_suffix('y') {
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {word}s"),
    }
}

/// Writes a line to standard output as `println!` does. If the line cannot be written, returns an error instead of
/// panicking.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_counted_word_agrees_with_its_number() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "round")), ["0 rounds", "1 round", "2 rounds"]);
        assert_eq!(counted(3, "delivery"), "3 deliveries");
    }
}
