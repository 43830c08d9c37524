//! Holds the rules that were agreed with a partner for its postbacks.

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::values::ids::EventId;
use crate::values::money::{Amount, Currency, ExtraCurrencies};
use crate::values::parameter_names::ParameterNames;

/// Says where a postback's transaction id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionIdRule {
    /// The partner sends one with each postback.
    #[default]
    Required,
    /// If the partner sends none, it is derived from user, click and event. `event_id` is then required.
    Derived,
}

/// Holds the rules that a partner's postbacks are checked against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostbackRules {
    /// Maps our parameter names to the partner's.
    pub names: ParameterNames,
    /// Says where the transaction id comes from.
    pub transaction_id: TransactionIdRule,
    /// Refuses click ids that are not ours.
    pub require_click: bool,
    /// Holds currencies beyond ISO 4217.
    pub currencies: ExtraCurrencies,
    /// Holds the greatest amount that is accepted in a currency. Other currencies have no maximum of their own.
    pub max_amounts: BTreeMap<Currency, Amount>,
    /// Holds the agreed event ids, if there is a list.
    pub event_ids: Option<BTreeSet<EventId>>,
}
