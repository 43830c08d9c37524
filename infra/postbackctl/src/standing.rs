//! What stands of a transaction that was corrected. A conflict says where it differs from the original, for ever; an operator
//! decides about it by what stands now.

use std::{collections::HashMap, fmt};

use adapters::dynamodb::{history::History, item::RefusalItem};
use anyhow::{Result, anyhow};
use domain::{
    inbound::{
        correction::{Correction, Revision},
        postback::{Content, Difference},
    },
    jiff::Timestamp,
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        parameter_names::Field,
    },
};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::terminal::printable;

/// How many transactions are read at once.
const AT_ONCE: usize = 10;

/// The correction of a transaction that stands, beside something else that was sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Standing {
    /// Counts the transaction's corrections.
    pub(crate) correction: u32,
    pub(crate) receipt_id: ReceiptId,
    /// When an operator accepted it.
    pub(crate) corrected_at: Timestamp,
    pub(crate) content: Content,
    /// Where what was sent differs from it.
    pub(crate) differences: Vec<FromStanding>,
}

/// One parameter in which what was sent differs from what stands. An absent one is an empty text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FromStanding {
    pub(crate) field: Field,
    pub(crate) stands: String,
    pub(crate) sent: String,
}

impl Standing {
    /// What stands beside this content; none where it is the original.
    fn beside(sent: &Content, stands: Revision) -> Option<Self> {
        let Revision::Correction(Correction { postback, receipt, number, corrected_at, .. }) = stands else {
            return None;
        };
        let from_standing = |Difference { field, original, sent }| FromStanding { field, stands: original, sent };
        let differences = postback.content.differences(sent).into_iter().map(from_standing).collect();
        Some(Self {
            correction: number,
            receipt_id: receipt.receipt_id,
            corrected_at,
            content: postback.content,
            differences,
        })
    }

    /// For a person: the correction itself, then where what was sent differs from it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { correction, receipt_id, corrected_at, content, differences } = self;
        let Content { user_id, click_id, currency, amount_decimal, event_id, event_name } = content;
        let event = event_id.as_ref().map_or_else(String::new, |id| format!(", event {id}"));
        let name = event_name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
        let itself = [
            format!("correction {correction} stands since {corrected_at:.3}: receipt {receipt_id}"),
            format!("it says user_id {user_id}, click_id {click_id}, {amount_decimal} {currency}{event}{name}"),
        ];
        let difference =
            |FromStanding { field, stands, sent }: &FromStanding| format!("{field}: {stands} stands, {sent} came");
        itself.into_iter().chain(differences.iter().map(difference)).collect()
    }
}

/// What stands of the transactions of some conflicts.
#[derive(Debug, Default)]
pub(crate) struct Standings(HashMap<(Provider, TransactionId), Revision>);

impl Standings {
    /// Reads them. A transaction that cannot be read is named, and holds up none of the others.
    pub(crate) async fn read(history: &History, items: impl IntoIterator<Item = &RefusalItem>) -> Self {
        let mut transactions: Vec<_> = items.into_iter().filter_map(transaction).collect();
        transactions.sort();
        transactions.dedup();
        let found = stream::iter(transactions).map(|(provider, transaction)| async move {
            match of(history, &provider, &transaction).await {
                Ok(stands) => Some(((provider, transaction), stands?)),
                Err(fault) => {
                    eprintln!(
                        "what stands of {provider}'s transaction {} is not known: {fault:#}",
                        printable(transaction.as_str())
                    );
                    None
                }
            }
        });
        Self(found.buffer_unordered(AT_ONCE).filter_map(async |found| found).collect().await)
    }

    /// The correction that stands beside this conflict; none where it is the original, and for a refusal.
    pub(crate) fn beside(&self, item: &RefusalItem) -> Option<Standing> {
        let stands = self.0.get(&transaction(item)?)?;
        Standing::beside(item.content.as_ref()?, stands.clone())
    }
}

/// What stands of a transaction; none where it is not recorded.
async fn of(history: &History, provider: &Provider, transaction: &TransactionId) -> Result<Option<Revision>> {
    let items = history.transaction(provider, transaction).await?;
    let revisions: Result<Vec<_>, String> = items.into_iter().map(Revision::try_from).collect();
    Ok(Revision::latest(revisions.map_err(|reason| anyhow!(reason))?))
}

/// The correction that stands beside a conflict; none where it is the original.
pub(crate) async fn beside(history: &History, item: &RefusalItem) -> Result<Option<Standing>> {
    let Some(((provider, transaction), sent)) = transaction(item).zip(item.content.as_ref()) else { return Ok(None) };
    beside_sent(history, (&provider, &transaction), sent).await
}

/// The correction that stands beside what was sent for a transaction; none where it is the original.
pub(crate) async fn beside_sent(
    history: &History,
    (provider, transaction): (&Provider, &TransactionId),
    sent: &Content,
) -> Result<Option<Standing>> {
    let stands = of(history, provider, transaction).await?;
    Ok(stands.and_then(|stands| Standing::beside(sent, stands)))
}

/// The transaction that a conflict contradicts; none of a refusal, which need not name one.
fn transaction(item: &RefusalItem) -> Option<(Provider, TransactionId)> {
    Some((item.provider.clone(), item.transaction_id.clone()?))
}

/// For a person, by these names: where what was sent differs from what stands, and from the original where that is another.
pub(crate) fn differences<'a>(
    from_original: impl IntoIterator<Item = (impl fmt::Display, &'a Difference)>,
    standing: Option<&Standing>,
) -> Vec<String> {
    let from_original = from_original.into_iter().map(|(name, Difference { original, sent, .. })| match standing {
        None => format!("{name}: {original} stands, {sent} came"),
        Some(_) => format!("{name}: the original said {original}, {sent} came"),
    });
    standing.map(Standing::lines).unwrap_or_default().into_iter().chain(from_original).collect()
}
