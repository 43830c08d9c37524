//! Stores the catalogue of campaigns as chunks of text and a pointer to the current version.

use app::ports::{Catalogues, Published, PublishedCampaigns, Publishing as PublishingPort, Replaced, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::{
    audit::AuditRecord,
    outbound::catalogue::{Catalogue, Snapshot},
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    audit::DynamoAudit,
    item::{
        VERSION,
        media_buying::{CURRENT, CatalogueChunkItem, CataloguePointerItem, PART, Publishing},
    },
    key_of, read,
    write::{Requires, in_transaction, put, replaced, send_put},
};

const GET: &str = "DynamoDB GetItem catalogue";
const PUT: &str = "DynamoDB PutItem catalogue";
const POINT: &str = "DynamoDB TransactWriteItems catalogue, audit";

/// Names DynamoDB's code for a missing table.
const NO_TABLE: &str = "ResourceNotFoundException";

/// Limits the text of one chunk, in bytes, because an item has at most 400 KB.
const MAX_CHUNK_BYTES: usize = 300_000;

/// Implements [`Catalogues`] in a table, and publishes catalogues.
#[derive(Debug, Clone)]
pub struct DynamoCatalogues {
    client: Client,
    table: String,
}

impl DynamoCatalogues {
    /// Uses this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Makes this the current catalogue if the current version is still `expected`. `None` means that there is no
    /// catalogue yet. The pointer and the audit record are stored together.
    ///
    /// The chunks are written first, and nobody reads them before the pointer names them. Afterwards the chunks of the
    /// version before the previous one are deleted, because nobody reads that version any more.
    pub async fn publish(
        &self,
        snapshot: &Snapshot,
        expected: Option<u64>,
        (audit, record): (&DynamoAudit, &AuditRecord),
    ) -> Result<Replaced, Unavailable> {
        let before = self.pointer().await?;
        if before.as_ref().map(|pointer| pointer.version) != expected {
            return Ok(Replaced::Changed);
        }
        let text = serde_json::to_string(snapshot).map_err(|_| broken(PUT, "cannot be written as JSON"))?;
        let chunks = chunks(&text);
        let count = u32::try_from(chunks.len()).map_err(|_| broken(PUT, "is too large"))?;
        let publishing = Publishing { version: snapshot.version, digest: digest(&text), chunks: count };
        for (n, body) in (0..count).zip(chunks) {
            let chunk = CatalogueChunkItem { part: publishing.chunk_key(n), body: body.to_owned() };
            send_put(&self.client, PUT, || put(PUT, &self.table, &chunk, Requires::Nothing)).await?;
        }
        let Publishing { version, digest, chunks } = publishing;
        let superseded = before.as_ref().map(CataloguePointerItem::current);
        let published_at = snapshot.published_at;
        let part = CURRENT.to_owned();
        let pointer = CataloguePointerItem { part, version, digest, chunks, published_at, superseded };
        let put = put(POINT, &self.table, &pointer, Requires::still(PART, VERSION, expected))?;
        let written = audit.transact(POINT, vec![in_transaction(put)], record).await.map(replaced)?;
        if let (Replaced::Done, Some(old)) = (written, before.and_then(|pointer| pointer.superseded)) {
            for n in 0..old.chunks {
                let key = Some(key_of(PART, old.chunk_key(n)));
                // If a delete fails, the chunk that remains costs only its storage.
                let _ = self.client.delete_item().table_name(&self.table).set_key(key).send().await;
            }
        }
        Ok(written)
    }

    async fn pointer(&self) -> Result<Option<CataloguePointerItem>, Unavailable> {
        self.get(CURRENT.to_owned()).await
    }

    async fn get<T: DeserializeOwned>(&self, part: String) -> Result<Option<T>, Unavailable> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key_of(PART, part)));
        read::get(GET, get.consistent_read(true)).await
    }

    async fn read(&self, publishing: &Publishing) -> Result<Catalogue, Unavailable> {
        let mut text = String::new();
        for n in 0..publishing.chunks {
            let chunk: Option<CatalogueChunkItem> = self.get(publishing.chunk_key(n)).await?;
            text.push_str(&chunk.ok_or_else(|| broken(GET, "a chunk is missing"))?.body);
        }
        if digest(&text) != publishing.digest {
            return Err(broken(GET, "the chunks differ from the published text"));
        }
        serde_json::from_str(&text).map_err(|_| broken(GET, "holds a catalogue that cannot be read"))
    }
}

impl Catalogues for DynamoCatalogues {
    /// Makes one small read while the catalogue stays the same.
    async fn current(&self, held: Option<u64>) -> Result<Published, Unavailable> {
        match self.pointer().await? {
            None => Ok(Published::Nothing),
            Some(pointer) if held == Some(pointer.version) => Ok(Published::Same),
            Some(pointer) => self.read(&pointer.current()).await.map(|read| Published::Other(Box::new(read))),
        }
    }
}

/// Implements [`PublishingPort`] in the tables of the catalogue and of audit records.
#[derive(Debug, Clone)]
pub struct DynamoPublishing {
    catalogues: DynamoCatalogues,
    audit: DynamoAudit,
}

impl DynamoPublishing {
    /// Uses the tables of the catalogue and of audit records.
    pub fn new(client: Client, catalogue: String, audit: String) -> Self {
        Self { catalogues: DynamoCatalogues::new(client.clone(), catalogue), audit: DynamoAudit::new(client, audit) }
    }
}

impl PublishingPort for DynamoPublishing {
    async fn load(&self) -> Result<PublishedCampaigns, Unavailable> {
        match self.catalogues.current(None).await {
            Ok(Published::Other(catalogue)) => Ok(PublishedCampaigns::Current(Snapshot::from(*catalogue))),
            Ok(Published::Nothing | Published::Same) => Ok(PublishedCampaigns::Nothing),
            Err(unavailable) if unavailable.reason == NO_TABLE => Ok(PublishedCampaigns::NoTable),
            Err(unavailable) => Err(unavailable),
        }
    }

    async fn publish(
        &self,
        snapshot: &Snapshot,
        expected: Option<u64>,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        if snapshot.version <= expected.unwrap_or_default() {
            return Err(broken(PUT, "a version only counts up"));
        }
        self.catalogues.publish(snapshot, expected, (&self.audit, audit)).await
    }
}

fn broken(service: &'static str, reason: &str) -> Unavailable {
    Unavailable { service, reason: reason.to_owned() }
}

fn digest(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

fn chunks(mut text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    while !text.is_empty() {
        let (chunk, rest) = text.split_at(text.floor_char_boundary(MAX_CHUNK_BYTES));
        chunks.push(chunk);
        text = rest;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_joins_to_itself() {
        for text in ["", "short", &"é".repeat(500_000), &format!("x{}", "é".repeat(300_000))] {
            let chunks = chunks(text);
            assert!(chunks.iter().all(|chunk| (1..=MAX_CHUNK_BYTES).contains(&chunk.len())));
            assert_eq!(chunks.concat(), text);
        }
    }
}
