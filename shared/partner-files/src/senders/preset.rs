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
pub struct Sender {
    /// The name by which partner files name it.
    #[serde(rename = "sender")]
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Says what the sender is.
    pub kind: Kind,
    /// How its macros look.
    pub form: Form,
    /// The pages on which its names were read, by a name of their own.
    pub sources: BTreeMap<String, Source>,
    /// The names that it gives to our parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<Field, Name>,
    /// Is `required` or `derived`, as in a partner file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Its macros, by what they carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub macros: BTreeMap<String, Name>,
    /// Values that are the same in every call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<Field, Name>,
    /// Parameters that it adds to the URL by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appended: Vec<Field>,
    /// Its status words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The states to which a transaction may come with another amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amount_may_change: Vec<State>,
    /// Says what a negative amount means, as in a partner file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_amounts: Option<NegativeAmounts>,
    /// The parameter that names the transaction which a negative amount reverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The words that it looks for in an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Tells an integrator what to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Says what a sender is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Software with which a partner counts its own traffic.
    Tracker,
    /// A network of advertisers and affiliates.
    Network,
    /// A list of offers inside an application.
    Offerwall,
}

/// Says how a sender's macros look.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
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
pub struct Source {
    /// The page.
    pub url: String,
    /// The day on which it was read.
    pub read: String,
    /// True for the sender's own documentation.
    pub first_hand: bool,
}

/// Holds a name that the sender uses, and the source that documents the name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The name.
    pub is: String,
    /// The source that documents it, by its name in the preset.
    pub source: String,
    /// Says why the integrator has to check the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// Holds the sender's status words, and the source that documents the words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The source that documents it, by its name in the preset.
    pub source: String,
    /// The words.
    #[serde(flatten)]
    pub words: StatusFile,
}

/// Holds the words that the sender looks for in an answer, and the source that documents the words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The source that documents it, by its name in the preset.
    pub source: String,
    /// The words.
    #[serde(flatten)]
    pub words: TextAnswer,
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
    pub fn value(&self, field: Field) -> Option<&Name> {
        self.fixed.get(&field).or_else(|| self.macros.get(field.as_str()))
    }

    /// Returns the reason why the integrator has to check a name.
    pub fn doubt<'a>(&'a self, name: &'a Name) -> Option<String> {
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
    pub fn doubts(&self) -> usize {
        self.names().filter(|name| self.doubt(name).is_some()).count()
    }

    /// Returns the day on which the newest source was read.
    pub fn read(&self) -> &str {
        self.sources.values().map(|source| source.read.as_str()).max().unwrap_or_default()
    }
}
