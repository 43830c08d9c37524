//! A zip archive of a few small texts, stored without compression.
//!
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use anyhow::{Context, Result};

use super::File;

const VERSION: u16 = 20;
/// Marks names as UTF-8.
const UTF_8: u16 = 1 << 11;
/// The first of January 1980, midnight. The date is fixed, so that equal kits are equal archives.
const DATE: u16 = 1 << 5 | 1;

/// Returns an archive of these files.
pub(super) fn archive(files: &[File]) -> Result<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for File { path, text } in files {
        let at = u32::try_from(archive.len()).context("the kit is too large for a zip file")?;
        let size = u32::try_from(text.len()).context("the kit is too large for a zip file")?;
        let name = u16::try_from(path.len()).context("a name is too long for a zip file")?;
        let mut common = Vec::new();
        for number in [VERSION, UTF_8, 0, 0, DATE] {
            common.extend(number.to_le_bytes());
        }
        for number in [checksum(text.as_bytes()), size, size] {
            common.extend(number.to_le_bytes());
        }
        common.extend(name.to_le_bytes());
        common.extend(0_u16.to_le_bytes());
        archive.extend([&b"PK\x03\x04"[..], &common, path.as_bytes(), text.as_bytes()].concat());
        // These bytes mean no further attributes, no comment, the first disk, and a text file.
        let rest = [0; 10];
        let made_by = VERSION.to_le_bytes();
        let entry = [&b"PK\x01\x02"[..], &made_by, &common, &rest, &at.to_le_bytes(), path.as_bytes()];
        directory.extend(entry.concat());
    }
    let count = u16::try_from(files.len()).context("the kit has too many files for a zip file")?.to_le_bytes();
    let (begin, size) = (u32::try_from(archive.len())?.to_le_bytes(), u32::try_from(directory.len())?.to_le_bytes());
    let end = [&b"PK\x05\x06"[..], &[0; 4], &count, &count, &size, &begin, &[0; 2]].concat();
    Ok([archive, directory, end].concat())
}

/// Returns the CRC-32 of ISO 3309.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.iter().fold(!0_u32, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
