//! Asks the archive.

use thiserror::Error;

use super::Unavailable;

/// The rows of an answer. A row has a text for each selected column, or `None` for NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// The reason why the archive gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArchiveFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The engine runs as many queries as the account may have.
    #[error("the account has too many queries of Athena under way; try again in a minute")]
    Busy,
    /// The query read more than the workgroup allows.
    #[error(
        "the query would read more of the archive than the workgroup allows; ask for fewer days or for one partner, or \
         raise the stack's limit"
    )]
    TooLarge,
    /// The query took longer than its time limit.
    #[error("the query took more than {0} s and was stopped; ask for fewer days, or try again later")]
    TooSlow(u64),
    /// The engine refused or gave up the query. The text is the engine's own.
    #[error("Athena could not answer: {0}; if that is a failure of AWS, try again in a minute")]
    Failed(String),
}

/// Answers questions about everything that happened. Each question is a query in the SQL that Trino and DuckDB share.
pub trait AskArchive: Send + Sync {
    /// Runs a query and returns its rows. MUST return all rows, in the query's order, or a fault. MAY be some minutes
    /// behind the latest changes.
    fn ask(&self, sql: &str) -> impl Future<Output = Result<Rows, ArchiveFault>> + Send;
}
