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
