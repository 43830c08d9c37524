//! Holds the rules that were agreed with a partner for its postbacks.

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::inbound::answer::TextAnswer;
use crate::inbound::click::ClickRule;
use crate::inbound::parameters::{DRY_RUN, SIGNATURE};
use crate::inbound::rate::CallRate;
use crate::inbound::status::StatusAgreement;
use crate::prelude::*;
use crate::values::id_form::IdForm;
use crate::values::ids::EventId;
use crate::values::money::{Amount, Currency, ExtraCurrencies};
use crate::values::parameter_names::{Field, ParameterNames};

/// Says where the transaction id of a postback comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionIdRule {
    /// The partner sends an id with each postback.
    #[default]
    Required,
    /// If the partner sends no id, one is derived from user, click and event. `event_id` is then required.
    Derived,
}

/// Says what an amount below zero means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NegativeAmounts {
    /// A negative amount is a fault.
    #[default]
    Refused,
    /// A negative amount is a transaction of its own, which takes the amount back from another transaction.
    Reverse,
}

impl NegativeAmounts {
    /// Returns true for [`Self::Refused`], the default.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_refused(&self) -> bool {
        *self == Self::Refused
    }
}

/// The default of [`PostbackRules::max_kept_per_day`].
pub const MAX_KEPT_PER_DAY: u32 = 10_000;

/// Holds the rules against which a partner's postbacks are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostbackRules {
    /// Maps our parameter names to the partner's.
    pub names: ParameterNames,
    /// Says where the transaction id comes from.
    pub transaction_id: TransactionIdRule,
    /// Refuses click ids that are not ours.
    pub require_click: bool,
    /// Holds the agreed limits of the click ids that GG3 issued.
    pub click: ClickRule,
    /// Holds currencies beyond ISO 4217.
    pub currencies: ExtraCurrencies,
    /// Maps currencies to the greatest accepted amount. A currency that is not listed has no agreed maximum.
    pub max_amounts: BTreeMap<Currency, Amount>,
    /// Holds the agreed event ids, if there is a list.
    pub event_ids: Option<BTreeSet<EventId>>,
    /// Holds the agreed statuses, if there are any.
    pub status: Option<StatusAgreement>,
    /// Says what an amount below zero means.
    pub negative_amounts: NegativeAmounts,
    /// Holds the words of plain answers, if they were agreed.
    pub answer: Option<TextAnswer>,
    /// Names the parameters that are passed on to GG3 with their values unchanged.
    pub keep: BTreeSet<String>,
    /// Names the parameters that mean nothing to us, whatever they are called.
    pub ignore: BTreeSet<String>,
    /// Maps ids to the forms that were agreed for them.
    pub ids: BTreeMap<Field, IdForm>,
    /// Bounds how many refusals and conflicts with different content are kept on one UTC day.
    pub max_kept_per_day: u32,
    /// Bounds how often the partner may call.
    pub rate: CallRate,
}

impl Default for PostbackRules {
    fn default() -> Self {
        Self {
            names: ParameterNames::default(),
            transaction_id: TransactionIdRule::default(),
            require_click: false,
            click: ClickRule::default(),
            currencies: ExtraCurrencies::default(),
            max_amounts: BTreeMap::new(),
            event_ids: None,
            status: None,
            negative_amounts: NegativeAmounts::default(),
            answer: None,
            keep: BTreeSet::new(),
            ignore: BTreeSet::new(),
            ids: BTreeMap::new(),
            max_kept_per_day: MAX_KEPT_PER_DAY,
            rate: CallRate::default(),
        }
    }
}

impl PostbackRules {
    /// Returns true if a parameter of this name is read from the partner's postbacks.
    pub fn knows(&self, name: &str) -> bool {
        self.names.all().chain([SIGNATURE, DRY_RUN]).any(|known| known == name)
    }

    /// Returns the names of all parameters that are read from the partner's postbacks, including kept parameters.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.names.all().chain([SIGNATURE, DRY_RUN]).chain(self.keep.iter().map(String::as_str))
    }

    /// Returns true if a parameter of this name means nothing to us, as agreed.
    pub fn ignores(&self, name: &str) -> bool {
        !self.ignore.is_empty() && self.ignore.contains(name)
    }

    /// Returns true if this is the partner's name for the agreed status.
    pub(crate) fn is_status(&self, name: &str) -> bool {
        self.status.is_some() && self.names.of(Field::Status) == name
    }

    /// Returns true if a parameter of this name is read, including a kept parameter.
    pub fn reads(&self, name: &str) -> bool {
        self.known().any(|known| known == name)
    }
}
