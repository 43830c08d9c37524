//! The rows of a CSV text that hold a value, each with the number of its line.

use anyhow::{Context, Result, bail};
use csv::{Reader, ReaderBuilder, StringRecord, Trim};

/// Returns the text of a file. Spreadsheets begin a file with a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        bail!("the list is UTF-16; save it as CSV in UTF-8");
    }
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(fault) => {
            let before = bytes.get(..fault.valid_up_to()).unwrap_or_default();
            let line = 1 + breaks(&String::from_utf8_lossy(before));
            bail!("line {line} is not UTF-8; save the list as CSV in UTF-8");
        }
    };
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads the rows of a text.
pub(super) struct Rows<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    record: StringRecord,
    /// A place in the text, in bytes, and the number of line breaks before it, which were counted already.
    counted: (usize, u64),
}

impl<'a> Rows<'a> {
    pub(super) fn new(text: &'a str, separator: char) -> Self {
        // No id begins or ends with a space. Spaces around a cell therefore come from the spreadsheet.
        let reader = ReaderBuilder::new()
            .delimiter(u8::try_from(separator).unwrap_or(b','))
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(text.as_bytes());
        Self { text, reader, record: StringRecord::new(), counted: (0, 0) }
    }

    /// Returns the next row with a value, and the number of the line where it begins. Skips blank lines and lines that
    /// hold only separators.
    pub(super) fn next_row(&mut self) -> Result<Option<(u64, &StringRecord)>> {
        loop {
            let from = usize::try_from(self.reader.position().byte()).context("the list is too long")?;
            if !self.reader.read_record(&mut self.record).context("a line cannot be read")? {
                return Ok(None);
            }
            let line = self.line(from);
            if self.record.iter().any(|cell| !cell.is_empty()) {
                return Ok(Some((line, &self.record)));
            }
        }
    }

    /// Returns the number of the first line at or after this byte that is not blank.
    fn line(&mut self, from: usize) -> u64 {
        let (counted, known) = self.counted;
        let blank = |text: &str| text.len() - text.trim_start_matches(['\r', '\n']).len();
        let start = from + self.text.get(from..).map_or(0, blank);
        let line = known + self.text.get(counted..start).map_or(0, breaks);
        self.counted = (start, line);
        line + 1
    }
}

/// Counts line breaks: LF, CRLF, or CR alone.
fn breaks(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = |(at, byte): &(usize, &u8)| **byte == b'\n' || (**byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    bytes.iter().enumerate().filter(ends).count().try_into().unwrap_or(u64::MAX)
}
