//! Erases persons from records. Ids become keyed hashes, and all that may describe a person is removed. Amounts, states,
//! instants and receipts stay.
//!
//! An erased postback keeps a hash of its content, so that the same call is still a duplicate. Erasing a record again
//! changes nothing.

pub mod readings;

use serde::{Deserialize, Serialize};

use crate::archive::ArchiveKey;
use crate::inbound::conversion::{Receipt, RecordedPostback, Reversed};
use crate::inbound::correction::{Correction, Revision, Step};
use crate::inbound::postback::{Content, Extra, Postback};
use crate::inbound::transaction::Adjustment;
use crate::outbound::agreed_ids::PartnerIds;
use crate::prelude::*;
use crate::values::digest::hash_parts;
use crate::values::ids::{ClickId, PartnerUserId, Provider, ReceiptId, TransactionId, TransactionKey, UserId};

/// Identifies the content of an erased postback: 64 hexadecimal digits. The receipt is hashed too, so that equal
/// contents of two postbacks have two hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// Hashes the transaction, the content and the reference of a postback that has this receipt.
    pub(crate) fn of(postback: &Postback, receipt: &ReceiptId) -> Self {
        let fingerprint = postback.content.fingerprint();
        let reference = postback.reference.as_ref().map_or("", TransactionId::as_str);
        let parts = [receipt.as_str(), postback.transaction_id.as_str(), &fingerprint, reference];
        Self(hash_parts("erased content", &parts))
    }
}

impl ArchiveKey {
    /// Returns the id that takes the place of a GG3 user's id.
    pub fn erased_user(&self, id: &UserId) -> UserId {
        UserId::erased(self.user(id).as_str())
    }

    fn erased_click(&self, id: &ClickId) -> ClickId {
        ClickId::erased(self.click(id).as_str())
    }

    /// Returns the ids that take the place of those by which a partner knows a user.
    pub(crate) fn erased_ids(&self, provider: &Provider, ids: &PartnerIds) -> PartnerIds {
        let user = |id: &PartnerUserId| PartnerUserId::erased(self.partner_user(provider, id).as_str());
        PartnerIds {
            click_id: ids.click_id.as_ref().map(|id| self.erased_click(id)),
            user_id: ids.user_id.as_ref().map(user),
        }
    }
}

impl Postback {
    /// Returns true if the person was erased from this postback.
    pub fn is_erased(&self) -> bool {
        self.erased.is_some()
    }

    /// Returns the key of the transaction. In an erased postback, the key takes the place of the transaction id.
    pub fn key(&self) -> TransactionKey {
        let erased = self.erased.as_ref().and_then(|_| TransactionKey::parse(self.transaction_id.as_str()));
        erased.unwrap_or_else(|| TransactionKey::of(&self.provider, &self.transaction_id))
    }

    fn erase(&self, receipt: &ReceiptId, key: &ArchiveKey) -> Self {
        if self.is_erased() {
            return self.clone();
        }
        let Content { user_id, click_id, currency, amount_decimal, event_id, .. } = self.content.clone();
        Self {
            provider: self.provider.clone(),
            transaction_id: self.key().to_id(),
            content: Content {
                user_id: key.erased_user(&user_id),
                click_id: key.erased_click(&click_id),
                currency,
                amount_decimal,
                event_id,
                event_name: None,
            },
            click: self.click,
            state: self.state,
            reference: None,
            extra: Extra::new(),
            erased: Some(ContentHash::of(self, receipt)),
        }
    }
}

impl Receipt {
    fn erase(&self, postback: &Postback) -> Self {
        Self { transaction_id: postback.transaction_id.clone(), ignored: Vec::new(), ..self.clone() }
    }
}

impl Reversed {
    /// Returns the key of the transaction that an amount is taken from, if the transaction is known. `by` is the
    /// postback that takes the amount.
    pub fn key(&self, by: &Postback) -> Option<TransactionKey> {
        let Self::Known { transaction_id, .. } = self else { return None };
        let erased = by.erased.as_ref().and_then(|_| TransactionKey::parse(transaction_id.as_str()));
        Some(erased.unwrap_or_else(|| TransactionKey::of(&by.provider, transaction_id)))
    }

    /// Replaces the transaction's id by its key.
    fn erase(&self, by: &Postback) -> Self {
        let (Self::Known { receipt_id, .. }, Some(key)) = (self, self.key(by)) else { return self.clone() };
        Self::Known { transaction_id: key.to_id(), receipt_id: receipt_id.clone() }
    }
}

impl RecordedPostback {
    /// Returns the record without the person.
    #[must_use]
    pub fn erase(&self, key: &ArchiveKey) -> Self {
        let postback = self.postback.erase(&self.receipt.receipt_id, key);
        let reversed = self.reversed.as_ref().map(|reversed| reversed.erase(&self.postback));
        Self { receipt: self.receipt.erase(&postback), postback, reversed }
    }
}

impl Adjustment {
    /// Returns the note without the person whose transaction took the amount.
    #[must_use]
    pub fn erase(&self, key: &ArchiveKey) -> Self {
        Self { by: self.by.erase(key), place: self.place }
    }
}

impl Revision {
    /// Returns the revision without the person.
    #[must_use]
    pub fn erase(&self, key: &ArchiveKey) -> Self {
        let postback = self.postback().erase(&self.receipt().receipt_id, key);
        let receipt = self.receipt().erase(&postback);
        let reversed = self.reversed().map(|reversed| reversed.erase(self.postback()));
        match self {
            Self::Original(_) => Self::Original(RecordedPostback { postback, receipt, reversed }),
            Self::Step(step) => Self::Step(Step { postback, receipt, ..step.clone() }),
            Self::Correction(made) => Self::Correction(Correction { postback, receipt, reversed, ..made.clone() }),
        }
    }
}

#[cfg(test)]
mod tests;
