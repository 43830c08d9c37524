//! A preset as its file describes it. `infra/senders/sender.schema.json` describes each key.

use std::collections::BTreeMap;

use domain::{
    inbound::{
        answer::TextAnswer,
        rules::NegativeAmounts,
        status::{State, StatusFile},
    },
    values::parameter_names::Field,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Describes the calls of one sender.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sender {
    #[serde(rename = "sender")]
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) form: Form,
    pub(crate) sources: BTreeMap<String, Source>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<Field, Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transaction_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) macros: BTreeMap<String, Name>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) fixed: BTreeMap<Field, Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) appended: Vec<Field>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) amount_may_change: Vec<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) negative_amounts: Option<NegativeAmounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<Answer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Tracker,
    Network,
    Offerwall,
}

/// Says how a sender's macros look.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// Macros look like `{x}`.
    Braces,
    /// Macros look like `(x)`.
    Parentheses,
    /// Macros look like `[%X%]`.
    PercentBrackets,
}

/// Names a page that documents a sender's names, and the day on which the page was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) url: String,
    pub(crate) read: String,
    /// True for the sender's own documentation.
    pub(crate) first_hand: bool,
}

/// Holds a name that the sender uses, and the source that documents the name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Name {
    pub(crate) is: String,
    pub(crate) source: String,
    /// Says why the integrator has to check the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<String>,
}

/// Holds the sender's status words, and the source that documents the words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) source: String,
    #[serde(flatten)]
    pub(crate) words: StatusFile,
}

/// Holds the words that the sender looks for in an answer, and the source that documents the words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) source: String,
    #[serde(flatten)]
    pub(crate) words: TextAnswer,
}

impl Sender {
    /// Returns the preset as keys of a partner file. A null or empty setting counts as left out.
    pub(super) fn settings(&self) -> Value {
        let parameters: BTreeMap<&str, &str> =
            self.parameters.iter().map(|(ours, name)| (ours.as_str(), name.is.as_str())).collect();
        json!({
            "parameters": parameters,
            "postback": {
                "transaction_id": self.transaction_id,
                "status": self.status.as_ref().map(|status| &status.words),
                "amount_may_change": self.amount_may_change,
                "negative_amounts": self.negative_amounts,
                "reference": self.reference,
                "answer": self.answer.as_ref().map(|answer| &answer.words),
            },
        })
    }

    /// Returns the value of a parameter in the URL: the sender's macro, or a constant. Returns `None` if the preset
    /// knows neither.
    pub(crate) fn value(&self, field: Field) -> Option<&Name> {
        self.fixed.get(&field).or_else(|| self.macros.get(field.as_str()))
    }

    /// Returns the reason why the integrator has to check a name.
    pub(crate) fn doubt<'a>(&'a self, name: &'a Name) -> Option<String> {
        if let Some(reason) = &name.check {
            return Some(reason.clone());
        }
        let source = self.sources.get(&name.source).filter(|source| !source.first_hand)?;
        Some(format!("It was not read in {}'s own documentation but on {}.", self.title, source.url))
    }

    /// Returns every name of the preset.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.parameters.values().chain(self.macros.values()).chain(self.fixed.values())
    }

    /// Returns the number of names that an integrator has to check.
    pub(super) fn doubts(&self) -> usize {
        self.names().filter(|name| self.doubt(name).is_some()).count()
    }

    /// Returns the day on which the newest source was read.
    pub(super) fn read(&self) -> &str {
        self.sources.values().map(|source| source.read.as_str()).max().unwrap_or_default()
    }
}
