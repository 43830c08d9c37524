//! Pauses a partner for an operator, and resumes it: the webhooks of all its campaigns at once, or its postback URL.
//!
//! A pause is stored in the partner's item beside its file. Applying the file again therefore does not end it.

use domain::{
    audit::{Action, Operation, Subject},
    jiff::Timestamp,
    partner::Side,
    values::ids::Provider,
};
use thiserror::Error;

use crate::ports::{Partners, Replaced, Unavailable};

/// A request to pause a part of a partner, or to resume it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The partner.
    pub provider: &'a Provider,
    /// The part of the partner.
    pub side: Side,
    /// Is true to pause the part, and false to resume it.
    pub paused: bool,
}

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseOutcome {
    /// Is false if the part was in the wanted state before, so that nothing was written.
    pub changed: bool,
    /// The instant since which the part is paused, or was paused until now.
    pub since: Option<Timestamp>,
}

/// The reason why nothing was paused or resumed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PauseFault {
    /// A service failed before anything was changed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The write failed, so that the change may or may not be stored.
    #[error("it is unknown if {0} was changed: {1}")]
    Unclear(Provider, Unavailable),
    /// There is no such partner.
    #[error("there is no partner {0}")]
    Unknown(Provider),
    /// Another operator has changed the partner in the meantime.
    #[error("{0} was changed by another operator in the meantime")]
    Changed(Provider),
}

/// Pauses or resumes a part of a partner.
pub async fn pause(
    partners: &impl Partners,
    wanted: Wanted<'_>,
    (operation, now): (&Operation, Timestamp),
) -> Result<PauseOutcome, PauseFault> {
    let Wanted { provider, side, paused } = wanted;
    let item = partners.partner(provider).await?;
    let mut item = item.ok_or_else(|| PauseFault::Unknown(provider.clone()))?;
    let before = item.pauses.since(side);
    if before.is_some() == paused {
        return Ok(PauseOutcome { changed: false, since: before });
    }
    item.pauses = item.pauses.with(side, paused.then_some(now));
    item.version += 1;
    item.updated_at = now;
    let action = if paused { Action::PausePartner } else { Action::ResumePartner };
    let audit = operation.record(now, action, Subject::Partner { provider: provider.clone() });
    let audit = audit.with("part", side.words()).with("version", item.version);
    match partners.put_partner(&item, &[], &audit).await {
        Ok(Replaced::Done) => Ok(PauseOutcome { changed: true, since: before.or(Some(now)) }),
        Ok(Replaced::Changed) => Err(PauseFault::Changed(provider.clone())),
        Err(unavailable) => Err(PauseFault::Unclear(provider.clone(), unavailable)),
    }
}

#[cfg(test)]
mod tests;
