//! `postbackctl postbacks`: the accepted transactions of partners, as they are now.

use std::process::ExitCode;

use anyhow::Result;
use app::operators::{
    postbacks::{Transaction, Wanted, list},
    view::TransactionView,
};
use clap::{Args, ValueEnum};
use domain::{inbound::status::State, jiff::Timestamp};

use crate::{Connection, ask, coverage::unlisted, operations::timeline::warn_unread, page::Page, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Lists transactions that are in this state now. Without agreed statuses, every transaction is approved. A negative
    /// amount is rejected with the transaction from which it takes.
    #[arg(long)]
    state: Option<Wording>,
    #[command(flatten)]
    page: Page,
    /// Lists transactions whose first postback came before this instant, written like --since.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    before: Option<Timestamp>,
}

/// The state of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wording {
    /// The partner has not confirmed the transaction yet.
    Pending,
    /// The partner has confirmed the transaction.
    Approved,
    /// The partner took the transaction back.
    Rejected,
}

impl From<Wording> for State {
    fn from(wording: Wording) -> Self {
        match wording {
            Wording::Pending => Self::Pending,
            Wording::Approved => Self::Approved,
            Wording::Rejected => Self::Rejected,
        }
    }
}

pub(crate) async fn run(stack: &str, Arguments { state, page, before }: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let providers = page.providers(&connection).await?;
    let wanted = Wanted { state: state.map(State::from), before, page: page.wanted() };
    let (lookups, history) = (connection.lookups(), connection.history());
    let listed = list((&lookups, &history), &providers, &wanted, ask::now()).await.map_err(unlisted)?;
    warn_unread(&listed.unread);
    let views: Vec<TransactionView> = listed.transactions.iter().map(TransactionView::from).collect();
    let text: String = listed.transactions.iter().map(|it| printable(&line(it)) + "\n").collect();
    page.print("postbacks", &views, (&listed.more, &listed.gaps), text)
}

/// Returns a transaction in a line.
fn line(Transaction { recorded_at, current, counted }: &Transaction) -> String {
    let (postback, content) = (current.postback(), current.content());
    let event = content.event_id.as_ref().map_or_else(String::new, |id| format!(", event {id}"));
    let corrected = match current.correction() {
        0 => String::new(),
        number => format!(", correction {number}"),
    };
    let since = if current.recorded_at() == *recorded_at {
        String::new()
    } else {
        format!(", since {:.3}", current.recorded_at())
    };
    let nothing = match &counted.rejected_with {
        Some(rejected) => format!(", counts as nothing: {rejected} was rejected"),
        None => String::new(),
    };
    format!(
        "{recorded_at:.3}  {:8}  {}, transaction {}: {} {}{event}{corrected}{since}{nothing}",
        counted.state.as_str(),
        postback.provider,
        postback.transaction_id,
        content.amount_decimal,
        content.currency,
    )
}
