//! Lists alarms.

use domain::jiff::Timestamp;

use super::Unavailable;

/// An alarm that rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The name without the stack's name.
    pub name: String,
    /// The description, which names the section of the runbook.
    pub says: String,
    /// The instant since which it rings.
    pub since: Option<Timestamp>,
    /// The address of a page about the alarm, for people with access to the account.
    pub address: Option<String>,
}

/// The alarms of the stack.
pub trait Alarms: Send + Sync {
    /// Returns the alarms that ring now. MUST leave out alarms of other stacks, and MAY leave out all but the first 100.
    fn ringing(&self) -> impl Future<Output = Result<Vec<Alarm>, Unavailable>> + Send;
}
