//! The section of a kit about statuses and reversals: the partner's words, and an example call of each step.

use std::fmt::Write;

use anyhow::Result;
use domain::{
    inbound::{credential::CredentialKind, rules::NegativeAmounts, status::State},
    values::parameter_names::Field,
};

use super::Kit;

/// A parameter in the partner's name, with its value.
type Sent<'a> = (&'a str, String);

impl Kit<'_> {
    /// Writes what was agreed about statuses and reversals, with a call of each step.
    pub(super) fn states(&self, text: &mut String) -> Result<()> {
        self.statuses(text)?;
        if self.partner.rules().negative_amounts == NegativeAmounts::Reverse {
            self.reversals(text)?;
        }
        Ok(())
    }

    fn statuses(&self, text: &mut String) -> Result<()> {
        let Some(agreed) = &self.file.postback.status else { return Ok(()) };
        let names = &self.partner.rules().names;
        writeln!(text, "Your statuses, in `{}`:\n\n| you send | it means |\n|---|---|", agreed.parameter)?;
        let meanings = [
            (&agreed.pending, "pending: not confirmed yet"),
            (&agreed.approved, "approved, as does a call without a status"),
            (&agreed.rejected, "rejected: declined, reversed, refunded or charged back"),
            (&agreed.ignored, "answered 200 `ignored` and never recorded"),
        ];
        for (words, meaning) in meanings.into_iter().filter(|(words, _)| !words.is_empty()) {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            writeln!(text, "| {} | {meaning} |", words.join(", "))?;
        }
        let id = names.of(Field::TransactionId);
        writeln!(text, "\nCall again at each step, with the same `{id}`:\n")?;
        for word in State::ALL.into_iter().filter_map(|state| self.word(state)) {
            writeln!(text, "    {}", self.example_call(self.example(word)))?;
        }
        let may_change: Vec<&str> = self.file.postback.amount_may_change.iter().map(|state| state.as_str()).collect();
        let amount = names.of(Field::AmountDecimal);
        match &may_change[..] {
            [] => writeln!(text, "\n`{amount}` stays the same at each step.\n")?,
            states => {
                let states = states.join(" or ");
                writeln!(text, "\n`{amount}` may change with the step to {states}. Everything else stays the same.\n")?;
            }
        }
        Ok(())
    }

    fn reversals(&self, text: &mut String) -> Result<()> {
        let names = &self.partner.rules().names;
        let (id, amount) = (names.of(Field::TransactionId), names.of(Field::AmountDecimal));
        write!(text, "A reversal may be a transaction with a `{id}` of its own and a negative `{amount}`")?;
        let mut sent = self.example(self.word(State::Approved).unwrap_or_default());
        sent.retain(|(name, _)| *name != id && *name != amount);
        sent.push((id, format!("r-{}", Field::TransactionId.example())));
        sent.push((amount, format!("-{}", Field::AmountDecimal.example())));
        if names.has(Field::Reference) {
            let reference = names.of(Field::Reference);
            write!(text, "; `{reference}` then names the transaction that it reverses")?;
            sent.push((reference, Field::TransactionId.example().to_owned()));
        }
        writeln!(text, ":\n\n    {}\n", self.example_call(sent))?;
        Ok(())
    }

    /// Returns the partner's first word for a state.
    pub(super) fn word(&self, state: State) -> Option<&str> {
        let agreed = self.file.postback.status.as_ref()?;
        let words = match state {
            State::Pending => &agreed.pending,
            State::Approved => &agreed.approved,
            State::Rejected => &agreed.rejected,
        };
        words.first().map(String::as_str)
    }

    /// Returns the parameters of an example call with this word as its status.
    pub(super) fn example(&self, word: &str) -> Vec<Sent<'_>> {
        let value = |field: Field| match field {
            Field::Status => Some(word).filter(|word| !word.is_empty()),
            Field::Reference => None,
            _ => Some(field.example()),
        };
        let names = &self.partner.rules().names;
        self.sent().filter_map(|field| Some((names.of(field), value(field)?.to_owned()))).collect()
    }

    /// Returns a call with these parameters: a URL, or the command that signs them.
    pub(super) fn example_call(&self, sent: Vec<Sent<'_>>) -> String {
        let sent: Vec<String> = sent.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        match self.partner.credential() {
            CredentialKind::Token => format!("{}?{}", self.base_url(), sent.join("&")),
            CredentialKind::Signature => format!(
                "POSTBACK_URL={} PROVIDER={} SECRET='your secret' bash postback-signed.sh {}",
                self.base_url(),
                self.partner.provider(),
                sent.join(" ")
            ),
        }
    }
}
