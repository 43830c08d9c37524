//! Standard output, which may be closed or full.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

/// The error of standard output that cannot be written.
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

/// Writes a line to standard output as `println!` does. If the line cannot be written, returns an error instead of
/// panicking.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

/// Returns a number with its noun, in the plural unless the number is 1.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = match (number == N::from(1), noun.strip_suffix('y')) {
        (true, _) => return format!("1 {noun}"),
        (false, Some(stem)) => return format!("{number} {stem}ies"),
        (false, None) if noun.ends_with('s') => "es",
        (false, None) => "s",
    };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_noun_is_in_the_plural_unless_there_is_one() {
        for (number, noun, told) in [
            (0, "message", "0 messages"),
            (1, "message", "1 message"),
            (2, "round", "2 rounds"),
            (1, "delivery", "1 delivery"),
            (3, "delivery", "3 deliveries"),
            (2, "loss", "2 losses"),
        ] {
            assert_eq!(counted::<u32>(number, noun), told);
        }
    }
}
