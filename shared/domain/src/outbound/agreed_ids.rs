//! Holds the ids in a partner's tracking links, and the agreement about which ids are required.

use alloc::collections::BTreeSet;
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::values::ids::{ClickId, PartnerUserId};

/// Holds the ids by which a partner knows a user whom it sent. The required ids are agreed with each partner.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartnerIds {
    /// Identifies the partner's click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<ClickId>,
    /// Identifies the partner's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<PartnerUserId>,
}

/// Names the two ids that a tracking link can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackingId {
    /// Identifies the partner's click.
    ClickId,
    /// Identifies the partner's user.
    UserId,
}

impl TrackingId {
    /// Lists both ids in the order of links.
    pub const ALL: [Self; 2] = [Self::ClickId, Self::UserId];

    /// Returns the name of the link's parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClickId => "click_id",
            Self::UserId => "user_id",
        }
    }

    /// Returns the macro that a partner's tracker replaces by this id, unless the partner's file names another.
    pub fn default_macro(self) -> &'static str {
        match self {
            Self::ClickId => "{clickId}",
            Self::UserId => "{userId}",
        }
    }
}

impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Holds the ids that were agreed with a partner. There is at least one; the default is the click id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<TrackingId>", into = "BTreeSet<TrackingId>")]
pub struct AgreedIds(BTreeSet<TrackingId>);

/// Reports that no id was agreed, so that webhooks could not name the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must name click_id, user_id or both")]
pub struct NoIdAgreed;

impl AgreedIds {
    /// Returns true if this id was agreed.
    pub fn contain(&self, id: TrackingId) -> bool {
        self.0.contains(&id)
    }

    /// Removes the ids that were not agreed.
    pub(crate) fn select(&self, ids: PartnerIds) -> PartnerIds {
        PartnerIds {
            click_id: ids.click_id.filter(|_| self.contain(TrackingId::ClickId)),
            user_id: ids.user_id.filter(|_| self.contain(TrackingId::UserId)),
        }
    }
}

impl Default for AgreedIds {
    fn default() -> Self {
        Self([TrackingId::ClickId].into())
    }
}

impl TryFrom<BTreeSet<TrackingId>> for AgreedIds {
    type Error = NoIdAgreed;

    fn try_from(ids: BTreeSet<TrackingId>) -> Result<Self, NoIdAgreed> {
        if ids.is_empty() { Err(NoIdAgreed) } else { Ok(Self(ids)) }
    }
}

impl From<AgreedIds> for BTreeSet<TrackingId> {
    fn from(agreed: AgreedIds) -> Self {
        agreed.0
    }
}
