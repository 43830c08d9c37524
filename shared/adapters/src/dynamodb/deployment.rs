//! Reads how a stack was deployed. The template tags one of its tables with what operators' commands need to know.

use std::collections::BTreeMap;

use app::ports::Unavailable;
use aws_sdk_dynamodb::Client;
use domain::retention::{Expiring, Retention};

use crate::aws::unavailable;

const TAGS: &str = "DynamoDB ListTagsOfResource partners";
const COMMIT: &str = "commit";

/// Holds the tags of a stack's table.
#[derive(Debug)]
pub struct Deployment(BTreeMap<String, String>);

impl Deployment {
    /// Reads the tags of the table with this ARN.
    pub async fn read(client: &Client, table_arn: String) -> Result<Self, Unavailable> {
        let tags = client.list_tags_of_resource().resource_arn(table_arn).send().await.map_err(unavailable(TAGS))?;
        Ok(Self(tags.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    /// Returns the commit that the stack was deployed from, if its deployment said so.
    pub fn commit(&self) -> Option<&str> {
        self.0.get(COMMIT).map(String::as_str)
    }

    /// Returns how long records of this kind are kept. A stack that does not say so keeps them for the default time.
    pub fn retention(&self, kind: Expiring) -> Result<Retention, Unavailable> {
        let name = match kind {
            Expiring::Refusal => "refusal-retention-days",
            Expiring::Click => "click-retention-days",
            Expiring::Attempt => "attempt-retention-days",
            Expiring::AuditRecord => "audit-retention-days",
        };
        let Some(days) = self.0.get(name) else { return Ok(kind.default_retention()) };
        let retention = days.parse().ok().and_then(|days| kind.retention(days));
        let bounds = kind.bounds();
        retention.ok_or_else(|| Unavailable {
            service: TAGS,
            reason: format!("the tag {name} must be a number from {} to {}", bounds.start(), bounds.end()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_how_long_records_are_kept() {
        let of = |days: &str| Deployment(BTreeMap::from([("audit-retention-days".to_owned(), days.to_owned())]));
        assert_eq!(of("36").retention(Expiring::AuditRecord).map(Retention::days), Ok(36));
        assert_eq!(of("36").retention(Expiring::Refusal).map(Retention::days), Ok(30));
        for wrong in ["35", "", "a year"] {
            let fault = of(wrong).retention(Expiring::AuditRecord).unwrap_err();
            assert!(fault.reason.contains("audit-retention-days must be a number from 36"), "{}", fault.reason);
        }
    }
}
