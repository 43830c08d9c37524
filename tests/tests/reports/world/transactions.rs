//! Draws transactions with steps, corrections and reversals.

use domain::{
    archive::{ArchiveRow, TransactionRow},
    inbound::{
        click::ClickOrigin,
        conversion::{Receipt, RecordedPostback, Reversed},
        correction::{Correction, Revision, Step},
        postback::{Extra, Postback},
        status::State,
    },
    values::ids::{Provider, ReceiptId, TransactionId},
};
use serde_json::json;

use super::{Draw, key, timestamp};

/// A revision as it counts.
#[derive(Debug, Clone)]
pub(crate) struct Revised {
    /// The instant from which it counts.
    pub(crate) at: i64,
    pub(crate) state: State,
    pub(crate) currency: &'static str,
    /// The amount in hundredths.
    pub(crate) cents: i64,
    pub(crate) event: &'static str,
    pub(crate) click: String,
}

/// A transaction with its revisions in the order in which they were recorded. The last one counts.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) provider: Provider,
    pub(crate) revisions: Vec<Revised>,
    /// The place of the transaction that this one reverses.
    pub(crate) reverses: Option<usize>,
}

fn text(cents: i64) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.abs());
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

impl Draw<'_> {
    /// Draws a transaction, and perhaps one that reverses a part of it before it may be rejected.
    pub(crate) fn transaction(&mut self, n: usize) {
        let (provider, at) = (self.partner(), self.instant());
        let (currency, event) = self.kind();
        let drawn = self.rng.choice(&self.world.clicks).unwrap();
        // A conversion follows its click.
        let is_earlier = drawn.provider == provider && drawn.at <= at;
        let click = if is_earlier { drawn.click.to_string() } else { "another".to_owned() };
        let state = *self.rng.choice(State::ALL.as_slice()).unwrap();
        let first = Revised { at, state, currency, cents: self.rng.i64(0..1_000_000), event, click };
        let (mut all, mut corrections) = (vec![(first.clone(), None)], 0);
        let mut last = first;
        let mut reversal = None;
        while self.rng.u8(0..3) > 0 && all.len() < 5 {
            let at = self.after(last.at);
            if reversal.is_none() && last.state == State::Approved && self.rng.bool() {
                reversal = Some((at, last.clone()));
                last.at = at;
                continue;
            }
            let higher = State::ALL.into_iter().find(|state| *state > last.state && self.rng.bool());
            let next = if let Some(state) = higher {
                Revised { at, state, cents: last.cents + self.rng.i64(0..2) * 50, ..last.clone() }
            } else {
                corrections += 1;
                let (currency, event) = if reversal.is_some() { (last.currency, last.event) } else { self.kind() };
                let state = *self.rng.choice(State::ALL.as_slice()).unwrap();
                Revised { at, state, currency, cents: self.rng.i64(0..1_000_000), event, ..last.clone() }
            };
            all.push((next.clone(), higher.is_none().then_some(corrections)));
            last = next;
        }
        let root = self.world.transactions.len();
        self.record(&n.to_string(), provider.clone(), all, None);
        if let Some((at, of)) = reversal {
            let taken = Revised { at, state: State::Approved, cents: -1 - of.cents / 3, ..of };
            let known = self.rng.u8(0..4) > 0;
            let reversed = if known {
                let (transaction_id, receipt_id) = (id(&n.to_string()), ReceiptId::new("r").unwrap());
                Reversed::Known { transaction_id, receipt_id }
            } else {
                Reversed::Unknown
            };
            self.record(&format!("{n}-back"), provider, vec![(taken, None)], Some((reversed, known.then_some(root))));
        }
    }

    fn kind(&mut self) -> (&'static str, &'static str) {
        let currency = *self.rng.choice(["USD", "EUR", "JPY"].as_slice()).unwrap();
        (currency, *self.rng.choice(["", "install", "a \"b\", 'c'", "42"].as_slice()).unwrap())
    }

    fn record(
        &mut self,
        name: &str,
        provider: Provider,
        revisions: Vec<(Revised, Option<u32>)>,
        original: Option<(Reversed, Option<usize>)>,
    ) {
        let mut correction = 0;
        for ((revised, number), place) in revisions.iter().zip(0..) {
            let (postback, receipt) = (postback(&provider, name, revised), receipt(name, revised));
            let reversed = original.as_ref().map(|(reversed, _)| reversed.clone());
            correction = number.unwrap_or(correction);
            let revision = match number {
                _ if place == 0 => Revision::Original(RecordedPostback { postback, receipt, reversed }),
                None => Revision::Step(Step { postback, receipt, correction, place }),
                Some(number) => {
                    let corrected_at = timestamp(revised.at);
                    // The conflict came before the operator accepted it.
                    let receipt = Receipt { received_at: timestamp(revised.at - 1), ..receipt };
                    let (number, original_receipt_id) = (*number, ReceiptId::new("r").unwrap());
                    Revision::Correction(Correction {
                        postback,
                        receipt,
                        original_receipt_id,
                        number,
                        corrected_at,
                        place,
                        reversed,
                    })
                }
            };
            self.row(revised.at, ArchiveRow::Transaction(TransactionRow::of(&key(), &revision)));
        }
        let revisions = revisions.into_iter().map(|(revised, _)| revised).collect();
        self.world.transactions.push(Transaction {
            provider,
            revisions,
            reverses: original.and_then(|(_, root)| root),
        });
    }
}

fn id(name: &str) -> TransactionId {
    TransactionId::new(format!("t-{name}")).unwrap()
}

fn postback(provider: &Provider, name: &str, revised: &Revised) -> Postback {
    let Revised { state, currency, cents, event, click, .. } = revised;
    let event = (!event.is_empty()).then_some(event);
    let content = json!({"user_id": "u-1", "click_id": click, "currency": currency, "amount_decimal": text(*cents), "event_id": event});
    Postback {
        provider: provider.clone(),
        transaction_id: id(name),
        content: serde_json::from_value(content).unwrap(),
        click: ClickOrigin::Verified,
        state: Some(*state),
        reference: None,
        extra: Extra::new(),
        erased: None,
    }
}

fn receipt(name: &str, revised: &Revised) -> Receipt {
    Receipt {
        transaction_id: id(name),
        receipt_id: ReceiptId::new("r").unwrap(),
        received_at: timestamp(revised.at),
        ignored: Vec::new(),
        state: Some(revised.state),
        original_receipt_id: None,
    }
}
