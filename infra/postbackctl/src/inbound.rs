//! Commands about partners' calls: accepted transactions, conflicts, refusals, conversions, and the comparison of a
//! partner's list with the recorded transactions.

pub(crate) mod conflicts;
pub(crate) mod conversions;
pub(crate) mod postbacks;
pub(crate) mod reconcile;
pub(crate) mod refusals;

use std::process::ExitCode;

use anyhow::Result;
use app::{
    operators::{refusals::list, view::RefusalView},
    ports::RefusalKind,
};

use crate::{
    Connection, ask,
    coverage::unlisted,
    operations::timeline::{Timeline, warn_unread},
    page::Page,
};

/// Lists refusals or open conflicts.
async fn listed(connection: &Connection, kind: RefusalKind, page: &Page) -> Result<ExitCode> {
    let (lookups, history) = (connection.lookups(), connection.history());
    let providers = page.providers(connection).await?;
    let listed = list((&lookups, &history), kind, &providers, &page.wanted(), ask::now()).await;
    let listed = listed.map_err(unlisted)?;
    warn_unread(&listed.unread);
    let mut timeline = Timeline::default();
    listed.items.iter().for_each(|refused| timeline.refused(refused));
    let name = match kind {
        RefusalKind::Refusal => "refusals",
        RefusalKind::Conflict => "conflicts",
    };
    let views: Vec<RefusalView> = listed.items.iter().map(RefusalView::from).collect();
    page.print(name, &views, (&listed.more, &listed.gaps), timeline)
}
