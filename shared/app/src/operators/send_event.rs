//! Checks an event as the function event-evaluator reads it, and puts it on the queue `gg3-events`, for an engineer who
//! tries the integration of GG3's platform.

use domain::{
    audit::{Action, Operation, Subject},
    jiff::Timestamp,
    outbound::{
        campaign::{Goal, Terms},
        catalogue::{Catalogue, Listed},
        event::{Event, EventFault, EventFaultCode, EventKind, Parsed, SpoiledTracking, UnknownType},
        timing::Timing,
    },
    values::{
        ids::{CampaignName, Provider},
        time::UnixMillis,
    },
};
use serde::Serialize;

use crate::ports::{AuditTrail, EventQueue, Unavailable};

/// The name of the queue, without the stack's name.
pub const QUEUE: &str = "gg3-events";

/// The result of checking an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The event would go to the dead-letter queue.
    Faulty(Vec<EventFault>),
    /// The event would be counted and set aside, because its tracking attributes the user to nobody.
    Spoiled(SpoiledTracking),
    /// The event would be counted and set aside, because its type is not known.
    UnknownType(UnknownType),
    /// The event would be evaluated.
    Sound {
        /// The event as it is read.
        event: Event,
        /// The campaigns for whose goals such an event matters.
        campaigns: Vec<Candidate>,
    },
}

/// A campaign for whose goal an event matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The campaign's partner.
    pub provider: Provider,
    /// The campaign.
    pub campaign: CampaignName,
    /// Says whether the event occurred in the campaign's time.
    pub time: InTime,
}

/// Compares an event with the time of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InTime {
    /// The event occurred in the campaign's time.
    Within,
    /// The campaign begins after the event, at this instant.
    BeginsLater(#[serde(serialize_with = "domain::values::time::three_decimals::serialize")] UnixMillis),
    /// The campaign ended before the event, at this instant.
    Ended(#[serde(serialize_with = "domain::values::time::three_decimals::serialize")] UnixMillis),
}

/// Checks a message as if the queue had received it now. Without a catalogue, partners and campaigns are unknown.
pub fn check(message: &[u8], catalogue: &Catalogue, now: UnixMillis, timing: &Timing) -> Checked {
    let event = match Event::parse(message, now, timing) {
        Ok(Parsed::Event(event)) => event,
        Ok(Parsed::Spoiled(spoiled)) => return Checked::Spoiled(spoiled),
        Ok(Parsed::UnknownType(unknown)) => return Checked::UnknownType(unknown),
        Err(mut faults) => {
            faults.extend(unknown_provider(message, catalogue));
            return Checked::Faulty(faults);
        }
    };
    let admitted = catalogue.fresh(now, now, timing).map(|fresh| fresh.admit(event.clone()));
    match admitted {
        Some(Err(spoiled)) => Checked::Spoiled(spoiled),
        Some(Ok(_)) | None => Checked::Sound { campaigns: candidates(&event, catalogue), event },
    }
}

/// Returns the fault of a partner's name that the catalogue lacks, in a message that the reader refuses anyway.
fn unknown_provider(message: &[u8], catalogue: &Catalogue) -> Option<EventFault> {
    let event: serde_json::Value = serde_json::from_slice(message).ok()?;
    let provider = Provider::new(event.get("tracking")?.get("provider")?.as_str()?).ok()?;
    let (path, expected) = ("tracking.provider".to_owned(), "the name of a known partner".to_owned());
    let fault = EventFault { path, code: EventFaultCode::UnknownProvider, expected };
    catalogue.partner(&provider).is_none().then_some(fault)
}

/// Stores the audit record, then puts the message on the queue as it is.
pub async fn send(
    queue: &impl EventQueue,
    trail: &impl AuditTrail,
    (operation, now): (&Operation, Timestamp),
    event: &Event,
    message: &str,
) -> Result<(), Unavailable> {
    let record = operation.record(now, Action::SendEvent, Subject::Queue { queue: QUEUE.to_owned() });
    trail.append(&record.with("event_id", event.id.as_str())).await?;
    queue.send(message).await
}

/// Returns the campaigns for whose goals such an event matters. An opening matters for no goal by itself.
fn candidates(event: &Event, catalogue: &Catalogue) -> Vec<Candidate> {
    let at = event.occurred_at;
    let listed = |listed: &[Listed]| {
        listed.iter().map(|Listed { provider, name, terms }| candidate(provider, name, terms, at)).collect()
    };
    match &event.kind {
        EventKind::Registered { tracking: Some(tracking), .. } => {
            let goals = catalogue.partner(&tracking.provider).into_iter().flat_map(|goals| &goals.campaigns);
            let registrations = goals.filter(|(_, terms)| terms.goal == Goal::Registration);
            registrations.map(|(name, terms)| candidate(&tracking.provider, name, terms, at)).collect()
        }
        EventKind::Registered { tracking: None, .. } | EventKind::LinkOpened { .. } => Vec::new(),
        EventKind::ButtonClicked { .. } => listed(catalogue.strikes()),
        EventKind::QuestCompleted { quest } => listed(catalogue.wanting(quest)),
    }
}

fn candidate(provider: &Provider, campaign: &CampaignName, terms: &Terms, at: UnixMillis) -> Candidate {
    let time = match terms.active_to {
        _ if at < terms.active_from => InTime::BeginsLater(terms.active_from),
        Some(to) if at > to => InTime::Ended(to),
        _ => InTime::Within,
    };
    Candidate { provider: provider.clone(), campaign: campaign.clone(), time }
}

#[cfg(test)]
mod tests;
