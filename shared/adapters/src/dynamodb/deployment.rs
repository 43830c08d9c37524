//! Reads which commit a stack was deployed from. The template tags one of its tables with it.

use app::ports::Unavailable;
use aws_sdk_dynamodb::Client;

use crate::aws::unavailable;

const TAGS: &str = "DynamoDB ListTagsOfResource partners";
const COMMIT: &str = "commit";

/// Returns the tag `commit` of the table with this ARN, or `None` if the table has none.
pub async fn commit(client: &Client, table_arn: String) -> Result<Option<String>, Unavailable> {
    let tags = client.list_tags_of_resource().resource_arn(table_arn).send().await.map_err(unavailable(TAGS))?;
    let commit = tags.tags.unwrap_or_default().into_iter().find(|tag| tag.key == COMMIT);
    Ok(commit.map(|tag| tag.value))
}
