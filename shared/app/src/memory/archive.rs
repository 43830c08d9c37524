//! Holds the archive in memory.

use domain::archive::{ArchiveKey, ArchiveRow, ArchiveTable};

use super::World;
use crate::ports::{Archive, SecretPurpose, Unavailable};

impl Archive for World {
    async fn key(&self) -> Result<ArchiveKey, Unavailable> {
        let key = self.call("read archive key", |state| {
            let stored = state.secrets.get(&SecretPurpose::Archive);
            stored.and_then(|stored| stored.secrets.first()).cloned().map(ArchiveKey::new)
        })?;
        key.ok_or_else(|| Unavailable { service: "read archive key", reason: "there is none yet".into() })
    }

    async fn append(&self, _: ArchiveTable, rows: &[ArchiveRow]) -> Result<(), Unavailable> {
        self.call("append rows", |state| state.archive.extend_from_slice(rows))
    }
}
