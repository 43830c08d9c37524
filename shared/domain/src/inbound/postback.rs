//! Reads a postback, in which a partner reports that one of our users did the agreed action, and compares the content
//! of two postbacks.

mod agreements;
mod doubts;
mod missing;
mod reader;

use alloc::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::reader::Reader;
use crate::erasure::ContentHash;
use crate::inbound::click::{ClickKeys, ClickOrigin};
use crate::inbound::doubt;
use crate::inbound::fault::{self, Fault};
use crate::inbound::parameters::Parameters;
use crate::inbound::rules::PostbackRules;
use crate::inbound::status::{State, StatusMeaning};
use crate::prelude::*;
use crate::values::digest::hash_parts;
use crate::values::ids::{ClickId, EventId, EventName, Provider, TransactionId, UserId};
use crate::values::money::{Amount, Currency};
use crate::values::parameter_names::Field;

/// Begins every derived transaction id. A transaction id that a partner sends must not begin with this prefix.
pub const DERIVED_PREFIX: &str = "derived:";

/// Holds the content of a postback: everything that is compared, without the transaction id. Two postbacks of a
/// transaction with equal contents count as the same.
///
/// Ids compare byte by byte, amounts compare as numbers, and an empty optional parameter equals a missing one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Identifies the GG3 user.
    pub user_id: UserId,
    /// Identifies the click that brought the user.
    pub click_id: ClickId,
    /// Holds the currency of the amount.
    pub currency: Currency,
    /// Holds the exact amount.
    pub amount_decimal: Amount,
    /// Identifies the event of a multi-event campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Names the event for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName>,
}

/// Holds one parameter in which two postbacks of a transaction differ. An empty text stands for a missing value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Names the parameter in our words.
    pub field: Field,
    /// Holds the value of the recorded postback.
    pub original: String,
    /// Holds the value of this postback.
    pub sent: String,
}

impl Content {
    /// Returns the differences between this original and `sent`. The list is empty if both are the same, and only then.
    pub fn differences(&self, sent: &Self) -> Vec<Difference> {
        let (ours, theirs) = (self.canonical_texts(), sent.canonical_texts());
        let shown = self.texts().into_iter().zip(sent.texts());
        shown
            .zip(ours.into_iter().zip(theirs))
            .filter(|(_, (ours, theirs))| ours.1 != theirs.1)
            .map(|(((field, original), (_, sent)), _)| Difference { field, original, sent })
            .collect()
    }

    /// Returns a text that is the same for equal contents: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let texts = self.canonical_texts();
        hash_parts("content", &texts.each_ref().map(|(_, text)| text.as_str()))
    }

    fn texts(&self) -> [(Field, String); 6] {
        let optional = |text: Option<&str>| text.unwrap_or_default().to_owned();
        [
            (Field::UserId, self.user_id.to_string()),
            (Field::ClickId, self.click_id.to_string()),
            (Field::Currency, self.currency.to_string()),
            (Field::AmountDecimal, self.amount_decimal.to_string()),
            (Field::EventId, optional(self.event_id.as_ref().map(EventId::as_str))),
            (Field::EventName, optional(self.event_name.as_ref().map(EventName::as_str))),
        ]
    }

    fn canonical_texts(&self) -> [(Field, String); 6] {
        self.texts().map(|(field, text)| match field {
            Field::AmountDecimal => (field, self.amount_decimal.canonical()),
            _ => (field, text),
        })
    }
}

/// Holds a postback that is well formed and follows the agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postback {
    /// Names the partner that sent the postback.
    pub provider: Provider,
    /// Identifies the transaction, sent or derived.
    pub transaction_id: TransactionId,
    /// Holds the content.
    pub content: Content,
    /// Says whether we made the click id for this user.
    pub click: ClickOrigin,
    /// Names the state of the transaction, if the partner agreed on statuses. Absent means approved.
    pub state: Option<State>,
    /// Identifies the transaction that a negative amount reverses, if the postback names it.
    pub reference: Option<TransactionId>,
    /// Maps the parameters that the partner's file keeps to their values. They do not count as content.
    pub extra: Extra,
    /// Holds the hash of the content if the person was erased from the postback. The ids are replaced then.
    pub erased: Option<ContentHash>,
}

/// Maps the names of kept parameters to their values. A parameter that was not sent is left out.
pub type Extra = BTreeMap<String, String>;

impl Postback {
    /// Returns the state, which is approved if none was agreed.
    pub fn state(&self) -> State {
        self.state.unwrap_or_default()
    }

    /// Returns true if the postback pays or may still pay, that is, if it neither takes an amount back nor is rejected.
    pub fn may_pay(&self) -> bool {
        !self.content.amount_decimal.is_negative() && self.state() != State::Rejected
    }

    /// Returns a text that is the same for two postbacks if they have the same click and the same event.
    pub fn click_use(&self) -> String {
        let event_id = self.content.event_id.as_ref().map_or("", EventId::as_str);
        hash_parts("click use", &[self.content.click_id.as_str(), event_id])
    }
}

/// Holds a request that was read completely and has no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPostback {
    /// Holds the postback.
    pub postback: Postback,
    /// Says when the user clicked, if we made the click id for this user.
    pub clicked_at: Option<Timestamp>,
    /// Names the ignored parameters.
    pub ignored: Vec<String>,
    /// Is true if the request asks that nothing be recorded.
    pub dry_run: bool,
}

impl ParsedPostback {
    /// Reads a request's parameters by this partner's rules. Returns at most [`MAX_FAULTS`](fault::MAX_FAULTS) faults
    /// if the request has any. Faults of the body and of values come first.
    ///
    /// A call with a status that is agreed to be ignored has exactly one fault,
    /// [`StatusIgnored`](fault::FaultCode::StatusIgnored).
    pub fn parse(
        sent: &Parameters<'_>,
        provider: &Provider,
        rules: &PostbackRules,
        keys: &ClickKeys,
    ) -> Result<Self, Vec<Fault>> {
        let is_meant = |name: &str, says_nothing: bool| {
            let may_reject = || !says_nothing && doubt::is_status_name(name);
            rules.reads(name) || !rules.ignores(name) && (may_reject() || doubt::is_near_dry_run(name))
        };
        let mut reader = Reader { sent, rules, faults: sent.body_faults(is_meant) };
        let repeated = sent.repeated(rules.known());
        let state = match reader.status() {
            Some(StatusMeaning::Ignored) if reader.faults.is_empty() && repeated.is_empty() => {
                return Err(Vec::from([reader.ignored()]));
            }
            Some(StatusMeaning::State(state)) => Some(state),
            _ => None,
        };
        let user_id = reader.id(Field::UserId, UserId::new);
        let click_id = reader.id(Field::ClickId, ClickId::new);
        let transaction_id = reader.transaction_id();
        let currency = reader.value(Field::Currency).and_then(|text| reader.currency(&text));
        let amount_decimal = reader.value(Field::AmountDecimal).and_then(|text| reader.amount(&text));
        let negative = amount_decimal.filter(Amount::is_negative);
        let reference = negative.and_then(|_| reader.reference(state));
        if let Some(amount) = amount_decimal.filter(|amount| !amount.is_negative()) {
            reader.no_reference(amount, state);
        }
        reader.doubts(negative.is_some());
        reader.agreed_amount(currency.as_ref().zip(amount_decimal));
        let event_id = reader.id(Field::EventId, EventId::new);
        let event_name = reader.id(Field::EventName, EventName::new);
        let dry_run = reader.dry_run();
        let extra = reader.extra();
        reader.agreed_event(event_id.as_ref());
        let ids = user_id.as_ref().zip(click_id.as_ref());
        let clicked_at = ids.map(|(user, click)| keys.clicked_at(provider, user, click));
        let click = clicked_at.map(ClickOrigin::of);
        reader.required_click(click);
        reader.missing();
        reader.faults.extend(repeated);
        let is_known = |name: &str| rules.reads(name) || rules.ignores(name);
        match (user_id, click_id, currency, amount_decimal, click) {
            (Some(user_id), Some(click_id), Some(currency), Some(amount_decimal), Some(click))
                if reader.faults.is_empty() =>
            {
                let content = Content { user_id, click_id, currency, amount_decimal, event_id, event_name };
                let transaction_id = transaction_id.unwrap_or_else(|| derive_transaction_id(provider, &content));
                let provider = provider.clone();
                let postback =
                    Postback { provider, transaction_id, content, click, state, reference, extra, erased: None };
                let clicked_at = clicked_at.flatten();
                Ok(Self { postback, clicked_at, ignored: sent.others(is_known), dry_run })
            }
            _ => Err(fault::bounded(reader.faults)),
        }
    }
}

/// Derives the transaction id for a postback without one. The id depends only on provider, user, click and event.
fn derive_transaction_id(provider: &Provider, content: &Content) -> TransactionId {
    let event_id = content.event_id.as_ref().map_or("", EventId::as_str);
    let parts = [provider.as_str(), content.user_id.as_str(), content.click_id.as_str(), event_id];
    let text = format!("{DERIVED_PREFIX}{}", hash_parts("transaction", &parts));
    TransactionId::new(text).unwrap_or_else(|_| unreachable!("72 letters and digits are a transaction id"))
}

#[cfg(test)]
mod tests;
