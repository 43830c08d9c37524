//! Tells an operator that the lookups are incomplete, and how to complete them.

use anyhow::anyhow;
use app::operators::lookup_coverage::{Gap, LookupFault, Missing};

/// Prints a warning for each gap.
pub(crate) fn warn(gaps: &[Gap]) {
    for Gap { table, missing } in gaps {
        match missing {
            Missing::Before { since } => eprintln!(
                "the lookups of {table} are complete only from {since:.3} on, so earlier items may be missing here; run \
                 `postbackctl lookups rebuild --table {table}`"
            ),
            Missing::Newest { up_to, at } => eprintln!(
                "the lookups of {table} are late: at {at:.3} they reached up to {up_to:.3}, so newer items may be missing \
                 here; see \"Lookups are late\" in docs/runbook.md"
            ),
        }
    }
}

/// Returns the fault as an error. The error's chain contains the service's own fault, by which
/// [`crate::connection::explained`] finds the cure.
pub(crate) fn unlisted(fault: LookupFault) -> anyhow::Error {
    match fault {
        LookupFault::Unavailable(unavailable) => unavailable.into(),
        LookupFault::Lost(table) => {
            anyhow!("the lookups of {table} are empty or incomplete; run `postbackctl lookups rebuild`")
        }
    }
}
