//! Holds the agreement about a partner's postbacks as an operator writes it, and checks its names and words.

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::inbound::answer::TextAnswer;
use crate::inbound::click::ClickRule;
use crate::inbound::credential::CredentialKind;
use crate::inbound::doubt;
use crate::inbound::parameters::{DRY_RUN, SIGNATURE};
use crate::inbound::rate::RateFile;
use crate::inbound::rules::{NegativeAmounts, TransactionIdRule};
use crate::inbound::status::{State, StatusAgreement, StatusFile};
use crate::prelude::*;
use crate::values::config_fault::Faults;
use crate::values::id_form::IdForm;
use crate::values::money::{Currency, CurrencyFault, ExtraCurrencies};
use crate::values::parameter_names::{Field, MAX_NAME_BYTES, ParameterNames};
use crate::values::placeholder::{self, Place, Placeholder};
use crate::values::spelling::same_letters;

/// Bounds the number of parameters that a partner's file keeps. They are stored with each postback.
const MAX_KEPT_PARAMETERS: usize = 10;

/// Bounds the number of parameters that a partner's file ignores.
const MAX_IGNORED_PARAMETERS: usize = 50;

/// Holds the agreement about a partner's postbacks as an operator writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostbackFile {
    /// Names the kind of credential: `token` or `signature`.
    #[serde(default)]
    pub credential: CredentialKind,
    /// Says where the transaction id comes from: `required` or `derived`.
    #[serde(default)]
    pub transaction_id: TransactionIdRule,
    /// Refuses click ids that are not ours.
    #[serde(default)]
    pub require_click: bool,
    /// Says for how long a click id of ours is valid, and how often it may pay. Without it, both are unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click: Option<ClickRule>,
    /// Lists currencies beyond ISO 4217.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub currencies: Vec<String>,
    /// Maps currencies to the greatest accepted amount.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max_amount: BTreeMap<String, String>,
    /// Lists the agreed event ids. Without a list, all event ids are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_ids: Option<Vec<String>>,
    /// Lists the networks that may call, in CIDR notation. Without a list, any address may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Vec<String>>,
    /// Holds the agreed words for statuses. Without them, every postback counts as approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusFile>,
    /// Lists the states in which a step may bring another amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amount_may_change: Vec<State>,
    /// Says what an amount below zero means: `refused` or `reverse`.
    #[serde(default, skip_serializing_if = "NegativeAmounts::is_refused")]
    pub negative_amounts: NegativeAmounts,
    /// Names the parameter of a negative transaction that holds the id of the transaction to reverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Holds the words of plain answers. Without them, answers are JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<TextAnswer>,
    /// Names further parameters that are passed on to GG3 with their values unchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Names parameters of the partner's calls that say nothing to us, whatever they are called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Maps our names of ids to the forms that the partner's ids have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ids: BTreeMap<String, IdForm>,
    /// Bounds the refusals and conflicts of different content that are kept on a UTC day. The default is 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_kept_per_day: Option<u32>,
    /// Bounds how often the partner may call. The default is 100 calls a second, and 1,000 at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateFile>,
}

impl PostbackFile {
    /// Checks the names of the parameters to keep.
    pub(super) fn kept(&self, names: &ParameterNames, faults: &mut Faults) -> BTreeSet<String> {
        let many = self.keep.len() <= MAX_KEPT_PARAMETERS;
        faults.require(many, "postback.keep", "names more than 10 parameters; remove some");
        let mut kept = BTreeSet::new();
        for (at, name) in self.keep.iter().enumerate() {
            let path = format!("postback.keep[{at}]");
            names.check_further(name, &path, faults);
            faults.require(kept.insert(name.clone()), &path, "is repeated; remove one");
        }
        kept
    }

    /// Checks the names of the parameters to ignore.
    pub(super) fn ignored(&self, names: &ParameterNames, faults: &mut Faults) -> BTreeSet<String> {
        let many = self.ignore.len() <= MAX_IGNORED_PARAMETERS;
        faults.require(many, "postback.ignore", "names more than 50 parameters; remove some");
        let mut ignored = BTreeSet::new();
        for (at, name) in self.ignore.iter().enumerate() {
            let path = format!("postback.ignore[{at}]");
            let legal = (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
            faults.require(legal, &path, "must be 1 to 64 bytes without control characters");
            let is_read =
                names.all().chain([SIGNATURE]).chain(self.keep.iter().map(String::as_str)).any(|read| read == name);
            faults.require(!is_read, &path, "is read from the calls; remove it here, or its other use");
            let is_dry_run = same_letters(name, DRY_RUN);
            faults.require(!is_dry_run, &path, "is a spelling of dry_run, so that a test could be paid; remove it");
            faults.require(ignored.insert(name.clone()), &path, "is repeated; remove one");
        }
        ignored
    }

    /// Reads the agreed forms of ids.
    pub(super) fn forms(&self, faults: &mut Faults) -> BTreeMap<Field, IdForm> {
        let ids = [Field::UserId, Field::ClickId, Field::TransactionId, Field::EventId];
        let mut forms = BTreeMap::new();
        for (name, form) in &self.ids {
            match ids.into_iter().find(|field| field.as_str() == name) {
                Some(field) => drop(forms.insert(field, *form)),
                None => faults.add(
                    &format!("postback.ids.{name}"),
                    "is no id; use user_id, click_id, transaction_id or event_id, whatever the partner calls them",
                ),
            }
        }
        forms
    }

    /// Adds the faults of agreed words by which calls would be misread.
    pub(super) fn check_words(&self, faults: &mut Faults) {
        for (at, name) in self.keep.iter().enumerate() {
            let words = "means a status with some senders; agree on statuses, or keep another name";
            faults.require(!doubt::is_status_name(name), &format!("postback.keep[{at}]"), words);
        }
        let status = self.status.iter().flat_map(StatusFile::lists);
        let statuses = status.map(|(list, words)| (format!("status.{list}"), words, Place::Text));
        let events = self.event_ids.iter().map(|ids| ("event_ids".to_owned(), ids, Place::Event));
        for (list, words, place) in statuses.chain(events) {
            for (at, word) in words.iter().enumerate() {
                let came = match placeholder::find(word.as_bytes(), place) {
                    Some(Placeholder::Macro(_)) => "is a macro, which calls bring only if a tracker left it in",
                    Some(Placeholder::Word { .. }) => "stands for no value, so calls bring it only by mistake",
                    None => continue,
                };
                faults.add(&format!("postback.{list}[{at}]"), format!("{came}; write the word itself"));
            }
        }
        for (at, code) in self.currencies.iter().enumerate() {
            if let Err(fault @ CurrencyFault::Withdrawn(..)) = Currency::parse(code, &ExtraCurrencies::default()) {
                let words = format!("{code} {fault}; agree on a current currency");
                faults.add(&format!("postback.currencies[{at}]"), words);
            }
        }
    }

    /// Reads the agreements about statuses and negative amounts, and adds the names of their parameters to `names`.
    pub(super) fn statuses(&self, names: &mut ParameterNames, faults: &mut Faults) -> Option<StatusAgreement> {
        if let Some(status) = &self.status {
            names.agree(Field::Status, &status.parameter, "postback.status.parameter", faults);
        }
        if let Some(reference) = &self.reference {
            names.agree(Field::Reference, reference, "postback.reference", faults);
            let reverses = self.negative_amounts == NegativeAmounts::Reverse;
            faults.require(reverses, "postback.reference", "needs negative_amounts: reverse; add it or leave this out");
        }
        let unneeded = self.status.is_none() && !self.amount_may_change.is_empty();
        faults.require(!unneeded, "postback.amount_may_change", "needs status; agree on statuses or leave this out");
        self.status.as_ref().map(|status| StatusAgreement::parse(status, &self.amount_may_change, faults))
    }
}
