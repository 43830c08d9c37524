//! Implements the archive on Firehose, which writes what it takes to S3.

use app::ports::{Archive, Source, Unavailable};
use aws_sdk_firehose::{Client, primitives::Blob, types::Record};
use domain::archive::{ArchiveKey, ArchiveRow, ArchiveTable};
use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use crate::{aws::unavailable, dynamodb::partners::DynamoArchiveKey};

const PUT: &str = "Firehose PutRecord archive";
const KEY: &str = "the archive's key in secrets";

/// Limits the bytes of one record, as Firehose does: 1,000 KiB.
const RECORD_BYTES: usize = 1000 * 1024;

/// Implements [`Archive`] on a Firehose stream for each table.
#[derive(Debug)]
pub struct FirehoseArchive {
    client: Client,
    streams: String,
    source: DynamoArchiveKey,
    key: OnceCell<ArchiveKey>,
}

impl FirehoseArchive {
    /// Uses the streams that are named `streams`, `-` and the table.
    pub fn new(client: Client, streams: String, source: DynamoArchiveKey) -> Self {
        Self { client, streams, source, key: OnceCell::new() }
    }

    async fn put(&self, table: ArchiveTable, lines: Vec<u8>) -> Result<(), Unavailable> {
        let record = Record::builder().data(Blob::new(lines)).build();
        let record = record.map_err(|fault| Unavailable { service: PUT, reason: fault.to_string() })?;
        let stream = format!("{}-{}", self.streams, table.as_str());
        let put = self.client.put_record().delivery_stream_name(stream).record(record).send().await;
        put.map(|_| ()).map_err(unavailable(PUT))
    }
}

impl Archive for FirehoseArchive {
    /// Reads the key once. It never changes.
    async fn key(&self) -> Result<ArchiveKey, Unavailable> {
        let read = async || {
            let none = || Unavailable { service: KEY, reason: "there is none; `postbackctl apply` makes it".into() };
            self.source.load(&()).await?.ok_or_else(none)
        };
        self.key.get_or_try_init(read).await.cloned()
    }

    /// Puts all rows in one record, or in more if they need more than [`RECORD_BYTES`]. Firehose bills every record as a
    /// multiple of 5 KB, so a record for each row would cost about ten times as much.
    async fn append(&self, table: ArchiveTable, rows: &[ArchiveRow]) -> Result<(), Unavailable> {
        let records = records(rows)?.into_iter().map(|lines| self.put(table, lines));
        try_join_all(records).await.map(|_| ())
    }
}

/// Returns the rows as lines of JSON, in as few records as possible. Each line ends with a newline, because Firehose puts
/// records one after the other.
fn records(rows: &[ArchiveRow]) -> Result<Vec<Vec<u8>>, Unavailable> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for row in rows {
        let line = serde_json::to_vec(row).map_err(|fault| Unavailable { service: PUT, reason: fault.to_string() })?;
        match records.last_mut().filter(|record| record.len() + line.len() < RECORD_BYTES) {
            Some(record) => record.extend(line),
            None => records.push(line),
        }
        if let Some(record) = records.last_mut() {
            record.push(b'\n');
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use domain::{
        archive::ClickRow,
        inbound::click::Click,
        jiff::Timestamp,
        values::{
            ids::{ClickId, LandingName, Provider, UserId},
            signature::Secret,
        },
    };

    use super::*;

    fn row() -> ArchiveRow {
        let click = Click {
            click_id: ClickId::new("c").unwrap(),
            provider: Provider::new("acme").unwrap(),
            landing: LandingName::new("main").unwrap(),
            user_id: UserId::new("u").unwrap(),
            clicked_at: Timestamp::UNIX_EPOCH,
        };
        ArchiveRow::Click(ClickRow::of(&ArchiveKey::new(Secret::new("k")), &click))
    }

    #[test]
    fn rows_go_as_lines_of_as_few_records_as_possible() {
        let line = serde_json::to_string(&row()).unwrap() + "\n";
        assert_eq!(records(&[row(), row()]).unwrap(), [line.repeat(2).into_bytes()]);
        let fit = RECORD_BYTES / line.len();
        let sizes = |count: usize| -> Vec<usize> {
            let records = records(&vec![row(); count]).unwrap();
            assert!(records.iter().all(|record| record.len() <= RECORD_BYTES && record.ends_with(b"}\n")));
            records.iter().map(|record| record.len() / line.len()).collect()
        };
        assert_eq!((sizes(0), sizes(fit), sizes(fit + 1)), (vec![], vec![fit], vec![fit, 1]));
    }
}
