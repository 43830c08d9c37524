//! Asks the archive by Athena.

use std::time::{Duration, Instant};

use app::ports::{ArchiveFault, AskArchive, Rows, Unavailable};
use aws_sdk_athena::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{QueryExecutionContext, QueryExecutionState, QueryExecutionStatus, Row},
};
use domain::values::signature::{Secret, sign};

use crate::aws::unavailable;

const START: &str = "Athena StartQueryExecution";
const LOOK: &str = "Athena GetQueryExecution";
const READ: &str = "Athena GetQueryResults";

/// Limits the time of one query. Athena's own limit is 30 minutes.
const PATIENCE: Duration = Duration::from_mins(5);

/// Sets the first pause between two looks at a query. Each pause is longer, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Implements [`AskArchive`] in a workgroup, which names the place of the results and limits what a query reads.
#[derive(Debug, Clone)]
pub struct AthenaArchive {
    client: Client,
    workgroup: String,
    database: String,
    /// Labels the questions of one reader. The same question under the same label is one query of Athena.
    label: Option<String>,
    patience: Duration,
}

impl AthenaArchive {
    /// Uses this workgroup, and this database of Glue.
    pub fn new(client: Client, workgroup: String, database: String) -> Self {
        Self { client, workgroup, database, label: None, patience: PATIENCE }
    }

    /// Lets a reader ask again and again until a query has ended. The same question under the same label is one query,
    /// which goes on while nobody waits. Each call waits at most this long.
    #[must_use]
    pub fn resumable(self, label: &str, patience: Duration) -> Self {
        Self { label: Some(label.to_owned()), patience, ..self }
    }

    /// Returns the token by which Athena knows a repeated question. It may have 32 to 128 characters, and has 64.
    fn token(&self, sql: &str) -> Option<String> {
        let label = self.label.as_deref()?;
        Some(sign(&Secret::new(label), sql))
    }

    async fn start(&self, sql: &str) -> Result<String, ArchiveFault> {
        let context = QueryExecutionContext::builder().database(&self.database).build();
        let start = self.client.start_query_execution().query_string(sql).work_group(&self.workgroup);
        let start = start.set_client_request_token(self.token(sql));
        match start.query_execution_context(context).send().await {
            Ok(started) => started.query_execution_id.ok_or_else(|| {
                ArchiveFault::Unavailable(Unavailable { service: START, reason: "an answer without an id".to_owned() })
            }),
            Err(fault) => Err(explained(START, fault)),
        }
    }

    /// Waits until the query has ended.
    async fn finish(&self, id: &str) -> Result<(), ArchiveFault> {
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        while begun.elapsed() < self.patience {
            let look = self.client.get_query_execution().query_execution_id(id).send().await;
            let execution = look.map_err(|fault| explained(LOOK, fault))?.query_execution;
            let status = execution.and_then(|execution| execution.status);
            match status.as_ref().and_then(QueryExecutionStatus::state) {
                Some(QueryExecutionState::Succeeded) => return Ok(()),
                Some(QueryExecutionState::Failed | QueryExecutionState::Cancelled) => {
                    return Err(ended(status.and_then(|status| status.state_change_reason).unwrap_or_default()));
                }
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if self.label.is_none() {
            // A query that is not stopped costs what it reads. If it cannot be stopped, its own limit ends it.
            let _ = self.client.stop_query_execution().query_execution_id(id).send().await;
        }
        Err(ArchiveFault::TooSlow(self.patience.as_secs()))
    }
}

impl AskArchive for AthenaArchive {
    async fn ask(&self, sql: &str) -> Result<Rows, ArchiveFault> {
        let id = self.start(sql).await?;
        self.finish(&id).await?;
        let mut pages = self.client.get_query_results().query_execution_id(id).into_paginator().send();
        let mut rows = Rows::new();
        let mut is_first = true;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|fault| explained(READ, fault))?;
            let found = page.result_set.and_then(|set| set.rows).unwrap_or_default();
            // The first row of the first page has the names of the columns.
            rows.extend(found.into_iter().skip(usize::from(is_first)).map(cells));
            is_first = false;
        }
        Ok(rows)
    }
}

fn cells(row: Row) -> Vec<Option<String>> {
    row.data.unwrap_or_default().into_iter().map(|datum| datum.var_char_value).collect()
}

/// Says why a query ended without an answer, from the engine's words. They name our columns, not our values.
fn ended(reason: String) -> ArchiveFault {
    if reason.contains("Bytes scanned limit was exceeded") {
        ArchiveFault::TooLarge
    } else {
        ArchiveFault::Failed(reason)
    }
}

fn explained<E>(service: &'static str, fault: SdkError<E>) -> ArchiveFault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match fault.code() {
        Some("TooManyRequestsException" | "ThrottlingException") => ArchiveFault::Busy,
        _ => unavailable(service)(fault).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_over_the_limit_of_bytes_has_its_own_fault() {
        let words = "Bytes scanned limit was exceeded: 10737418240 bytes";
        assert_eq!(ended(words.to_owned()), ArchiveFault::TooLarge);
        let other = ended("GENERIC_INTERNAL_ERROR: oops".to_owned());
        assert!(other.to_string().contains("GENERIC_INTERNAL_ERROR: oops"), "{other}");
        assert!(other.to_string().contains("try again"), "{other}");
    }
}
