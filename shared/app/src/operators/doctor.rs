//! Examines a partner for an operator: how its calls, its webhooks and its credentials do, and what to do about each.
//!
//! It reads what the lists read. A part that cannot be read becomes a finding, and the others are still examined.

mod findings;

use std::{collections::BTreeMap, fmt::Display};

use domain::{
    jiff::{SignedDuration, Timestamp},
    outbound::delivery::Delivery,
    values::ids::Provider,
};
use serde::Serialize;
use thiserror::Error;

use super::{
    Page, audit,
    dead_letters::{LookFault, look},
    deliveries, postbacks, refusals,
};
use crate::ports::{
    AuditTrail, DeadLetter, DeadLetterQueue, DeadLetterQueues, DeliveryRecords, Endpoints, InboundRecords, Listings,
    Partners, RefusalKind, StoredRefusal, Unavailable,
};

/// Bounds the refusals, the conflicts, the deliveries, and the letters of each queue, that are looked at.
const MOST: usize = 1000;

/// Says for how long audit records are searched for the making of credentials.
const CREDENTIALS_SEARCHED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The use case, over its ports.
pub struct Doctor<'a, P, T, L, I, D, E> {
    /// The partners.
    pub partners: &'a P,
    /// The audit records.
    pub trail: &'a T,
    /// The lookups.
    pub listings: &'a L,
    /// Recorded postbacks, refusals and conflicts.
    pub inbound: &'a I,
    /// The deliveries.
    pub deliveries: &'a D,
    /// The endpoints to which webhooks go.
    pub endpoints: &'a E,
}

/// Says what an operator has to do about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    Good,
    /// Know it.
    Note,
    /// Act on it.
    Act,
}

/// Names the part of a partner that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A pause.
    Pause,
    /// The credential of its calls.
    Credential,
    /// Its accepted calls.
    Postbacks,
    /// Its refused calls.
    Refusals,
    /// Its open conflicts.
    Conflicts,
    /// The hosts to which its webhooks go.
    Endpoints,
    /// Its webhooks.
    Webhooks,
    /// Its dead letters.
    DeadLetters,
}

impl About {
    /// Returns the name of the part for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Credential => "credential",
            Self::Postbacks => "postbacks",
            Self::Refusals => "refusals",
            Self::Conflicts => "conflicts",
            Self::Endpoints => "endpoints",
            Self::Webhooks => "webhooks",
            Self::DeadLetters => "dead letters",
        }
    }
}

/// A finding about a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Says if an operator has to act.
    pub level: Level,
    /// The part of the partner.
    pub about: About,
    /// The finding in words.
    pub found: String,
    /// Tells how to mend it, if there is something to mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// The newest items of a list, and if there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Newest<T> {
    items: Vec<T>,
    has_more: bool,
}

/// The reason why a partner cannot be examined at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DoctorFault {
    /// The partner's item cannot be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such partner.
    #[error("there is no partner {0}")]
    Unknown(Provider),
}

impl<P, T, L, I, D, E> Doctor<'_, P, T, L, I, D, E>
where
    P: Partners,
    T: AuditTrail,
    L: Listings,
    I: InboundRecords,
    D: DeliveryRecords,
    E: Endpoints,
{
    /// Examines what happened since an instant, and what is so now. Dead letters are examined by [`dead_letters`].
    pub async fn examine(
        &self,
        provider: &Provider,
        (since, now): (Timestamp, Timestamp),
    ) -> Result<Vec<Finding>, DoctorFault> {
        let item = self.partners.partner(provider).await?;
        let item = item.ok_or_else(|| DoctorFault::Unknown(provider.clone()))?;
        let records = audit::list(self.trail, (now - CREDENTIALS_SEARCHED, now), Some(provider)).await;
        let (refusal, conflict) = (RefusalKind::Refusal, RefusalKind::Conflict);
        let parts = [
            Ok(findings::pauses(provider, item.pauses)),
            told(About::Credential, records, |records| vec![findings::credential(&item, &records)]),
            told(About::Postbacks, self.last_accepted(provider, now).await, |last| {
                vec![findings::accepted(provider, last, since)]
            }),
            told(About::Refusals, self.refused(refusal, provider, Some(since), now).await, |refused| {
                vec![findings::refused(provider, &refused, since)]
            }),
            // A conflict of any age waits for an operator.
            told(About::Conflicts, self.refused(conflict, provider, None, now).await, |conflicts| {
                vec![findings::conflicts(provider, &conflicts)]
            }),
            told(About::Endpoints, self.endpoints.of_partner(provider).await, |endpoints| {
                findings::endpoints(&item, &endpoints, now)
            }),
            told(About::Webhooks, self.owed(provider, since, now).await, |owed| {
                findings::webhooks(&item, &owed, (since, now))
            }),
        ];
        let all = parts.into_iter().flat_map(|part| part.unwrap_or_else(|unread| vec![unread]));
        Ok(all.collect())
    }

    /// Returns the instant of the newest recorded transaction's first postback.
    async fn last_accepted(&self, provider: &Provider, now: Timestamp) -> Result<Option<Timestamp>, String> {
        let wanted = postbacks::Wanted { page: Page { most: 1, ..Page::default() }, ..postbacks::Wanted::default() };
        let listed = postbacks::list((self.listings, self.inbound), &one(provider), &wanted, now).await;
        let listed = listed.map_err(|fault| fault.to_string())?;
        Ok(listed.transactions.first().map(|transaction| transaction.recorded_at))
    }

    async fn refused(
        &self,
        kind: RefusalKind,
        provider: &Provider,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Newest<StoredRefusal>, String> {
        let page = Page { since, after: None, most: MOST };
        let listed = refusals::list((self.listings, self.inbound), kind, &one(provider), &page, now).await;
        let listed = listed.map_err(|fault| fault.to_string())?;
        let items = listed.items.into_iter().map(|refused| refused.stored).collect();
        Ok(Newest { items, has_more: !listed.more.is_empty() })
    }

    async fn owed(&self, provider: &Provider, since: Timestamp, now: Timestamp) -> Result<Newest<Delivery>, String> {
        let page = Page { since: Some(since), after: None, most: MOST };
        let wanted = deliveries::Wanted { page, ..deliveries::Wanted::default() };
        let listed = deliveries::list(self.listings, self.deliveries, &one(provider), &wanted, now).await;
        let listed = listed.map_err(|fault| fault.to_string())?;
        let items = listed.deliveries.into_iter().map(|stored| stored.delivery).collect();
        Ok(Newest { items, has_more: !listed.more.is_empty() })
    }
}

/// Examines the dead letters of a partner. It hides the letters from other receivers for some seconds, as every look at
/// them does.
pub async fn dead_letters(queues: &impl DeadLetterQueues, provider: &Provider) -> Vec<Finding> {
    let counted = letters(queues, provider).await;
    told(About::DeadLetters, counted, |letters| findings::letters(&letters)).unwrap_or_else(|unread| vec![unread])
}

/// Counts the letters that name the partner, among the first of each queue.
async fn letters(
    queues: &impl DeadLetterQueues,
    provider: &Provider,
) -> Result<BTreeMap<DeadLetterQueue, usize>, String> {
    let look = look(queues, &DeadLetterQueue::ALL, MOST).await;
    let look = look.map_err(|(LookFault::Unread(fault) | LookFault::Hidden(fault))| fault.to_string())?;
    let theirs = |letters: &[DeadLetter]| letters.iter().filter(|letter| findings::names(letter, provider)).count();
    let counted = look.queues.iter().map(|contents| (contents.queue, theirs(&contents.letters)));
    Ok(counted.filter(|(_, letters)| *letters > 0).collect())
}

fn one(provider: &Provider) -> [Provider; 1] {
    [provider.clone()]
}

/// Returns the findings about a part, or the finding that the part cannot be read.
fn told<T, E: Display>(
    about: About,
    read: Result<T, E>,
    findings: impl FnOnce(T) -> Vec<Finding>,
) -> Result<Vec<Finding>, Finding> {
    read.map(findings).map_err(|fault| Finding {
        level: Level::Act,
        about,
        found: format!("cannot be read: {fault}"),
        cure: Some("run this again; if it stays, see docs/runbook.md".to_owned()),
    })
}

#[cfg(test)]
mod tests;
