//! The catalogue in its table: the chunks of a version, and the one item that says which version is current.

use std::collections::HashMap;

use adapters::dynamodb::configuration::Written;
use anyhow::{Context, Result, anyhow, bail};
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_item::builders::PutItemFluentBuilder,
    types::AttributeValue,
};
use domain::catalogue::Snapshot;

use super::{Catalogue, Standing};

const PART: &str = "part";
const CURRENT: &str = "current";
const VERSION: &str = "version";
const CHUNKS: &str = "chunks";
const PUBLISHED_AT: &str = "published_at";
const BODY: &str = "body";
/// The most of a snapshot in one item, which may have 400 KB with its names.
const CHUNK_BYTES: usize = 300 * 1024;

/// [`Catalogue`] in a table.
#[derive(Debug, Clone)]
pub(crate) struct CatalogueTable {
    client: Client,
    table: String,
}

impl CatalogueTable {
    /// The catalogue in this table.
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn get(&self, part: &str) -> Result<Option<Option<HashMap<String, AttributeValue>>>> {
        let key = AttributeValue::S(part.to_owned());
        match self.client.get_item().table_name(&self.table).key(PART, key).consistent_read(true).send().await {
            Ok(found) => Ok(Some(found.item)),
            Err(SdkError::ServiceError(answer)) if answer.err().is_resource_not_found_exception() => Ok(None),
            Err(error) => Err(failed("read", &error)),
        }
    }

    async fn put(&self, put: PutItemFluentBuilder) -> Result<Written> {
        match put.table_name(&self.table).send().await {
            Ok(_) => Ok(Written::Done),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                Ok(Written::Lost)
            }
            Err(error) => Err(failed("write", &error)),
        }
    }
}

impl Catalogue for CatalogueTable {
    async fn load(&self) -> Result<Standing> {
        let Some(found) = self.get(CURRENT).await? else { return Ok(Standing::NoTable) };
        let Some(current) = found else { return Ok(Standing::Nothing) };
        let number = |name: &str| {
            let text = current.get(name).and_then(|value| value.as_n().ok());
            text.and_then(|text| text.parse::<u64>().ok()).with_context(|| format!("the catalogue has no {name}"))
        };
        let (version, chunks) = (number(VERSION)?, number(CHUNKS)?);
        let mut text = String::new();
        for chunk in 0..chunks {
            let item = self.get(&chunk_key(version, chunk)).await?.flatten();
            let body = item.as_ref().and_then(|item| item.get(BODY)?.as_s().ok());
            text.push_str(body.with_context(|| format!("the catalogue's version {version} has no chunk {chunk}"))?);
        }
        let snapshot = serde_json::from_str(&text).context("the published catalogue cannot be read")?;
        Ok(Standing::Published(snapshot))
    }

    async fn publish(&self, snapshot: &Snapshot, expected_version: u64) -> Result<Written> {
        if snapshot.version <= expected_version {
            bail!("a catalogue's version only counts up");
        }
        let text = serde_json::to_string(snapshot)?;
        let chunks = chunks(&text);
        for (chunk, body) in (0..).zip(&chunks) {
            // Never over another's: its pointer may be written a moment later, and would then point at a mixture.
            let put = self
                .client
                .put_item()
                .item(PART, AttributeValue::S(chunk_key(snapshot.version, chunk)))
                .item(BODY, AttributeValue::S((*body).to_owned()))
                .condition_expression("attribute_not_exists(#part)")
                .expression_attribute_names("#part", PART);
            if self.put(put).await? == Written::Lost {
                return Ok(Written::Lost);
            }
        }
        let number = |number: &dyn std::fmt::Display| AttributeValue::N(number.to_string());
        let put = self
            .client
            .put_item()
            .item(PART, AttributeValue::S(CURRENT.to_owned()))
            .item(VERSION, number(&snapshot.version))
            .item(CHUNKS, number(&chunks.len()))
            .item(PUBLISHED_AT, number(&snapshot.published_at.as_millisecond()));
        let put = if expected_version == 0 {
            put.condition_expression("attribute_not_exists(#part)").expression_attribute_names("#part", PART)
        } else {
            put.condition_expression("#version = :expected")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":expected", number(&expected_version))
        };
        self.put(put).await
    }
}

fn chunk_key(version: u64, chunk: u64) -> String {
    format!("v{version}#{chunk}")
}

/// The text in parts that fit an item, none of which cuts a character.
fn chunks(text: &str) -> Vec<&str> {
    let (mut chunks, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES));
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}

/// A failed call by its code: a message may quote what was sent.
fn failed<E: ProvideErrorMetadata>(what: &str, error: &SdkError<E>) -> anyhow::Error {
    let code = match error {
        SdkError::ServiceError(answer) => answer.err().code().unwrap_or("an error without a code"),
        SdkError::TimeoutError(_) => "timed out",
        SdkError::DispatchFailure(_) => "could not be reached",
        _ => "no usable answer",
    };
    anyhow!("cannot {what} the catalogue in DynamoDB: {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_bounded_and_make_the_text_again() {
        for text in [String::new(), "a".repeat(CHUNK_BYTES), "ż€".repeat(CHUNK_BYTES / 2)] {
            let chunks = chunks(&text);
            assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_BYTES));
            assert_eq!(chunks.concat(), text);
        }
    }
}
