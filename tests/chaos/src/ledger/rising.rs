//! Checks transactions that rise through states: the answers, the records, the conversions and the amounts.

use std::collections::{BTreeMap, BTreeSet};

use adapters::dynamodb::item::PostbackItem;
use domain::{
    inbound::{
        conversion::{Conversion, ConversionType, Reversed},
        correction::Revision,
        status::State,
        transaction::History,
    },
    values::money::Amount,
};

use super::{Ledger, conversions::Transaction};
use crate::postbacks::{AnsweredCall, Content, Postback};

/// Holds all records and conversions of partners with statuses after the run.
pub(crate) struct Rising {
    histories: BTreeMap<Transaction, History>,
    told: BTreeMap<Transaction, Vec<Conversion>>,
    set_aside: Vec<String>,
}

impl Rising {
    /// Takes the items and the conversions of these partners.
    pub(super) fn new(items: Vec<PostbackItem>, conversions: Vec<Conversion>, set_aside: Vec<String>) -> Self {
        let mut of_each: BTreeMap<String, Vec<PostbackItem>> = BTreeMap::new();
        for item in items {
            of_each.entry(item.provider_transaction.clone()).or_default().push(item);
        }
        let history = |items| PostbackItem::history(items).unwrap().expect("each transaction has an original");
        let histories = of_each.into_values().map(history);
        let histories = histories.map(|history| (of(&history.original().postback), history)).collect();
        let mut told: BTreeMap<Transaction, Vec<Conversion>> = BTreeMap::new();
        for conversion in conversions {
            let transaction = (conversion.provider.to_string(), conversion.transaction_id.to_string());
            told.entry(transaction).or_default().push(conversion);
        }
        Self { histories, told, set_aside }
    }

    /// Checks the records against the answers that the partners got. `may_change` says for each partner if a step may
    /// bring another amount.
    pub(crate) fn check(&self, answered: &[AnsweredCall], may_change: &BTreeMap<String, bool>, ledger: &mut Ledger) {
        self.count(answered, ledger);
        let mut calls: BTreeMap<Transaction, Vec<&AnsweredCall>> = BTreeMap::new();
        for call in answered {
            calls.entry(call.transaction()).or_default().push(call);
        }
        for (transaction, calls) in &calls {
            match self.histories.get(transaction) {
                Some(history) => self.check_answers(history, calls, may_change[&transaction.0], ledger),
                None => self.check_refused(calls, ledger),
            }
        }
        for (transaction, history) in &self.histories {
            ledger.law(calls.contains_key(transaction), || format!("{transaction:?} was recorded but never answered"));
            check_chain(history, ledger);
            self.check_notes(transaction, history, ledger);
            self.check_told(transaction, history, ledger);
        }
        for transaction in self.told.keys().filter(|transaction| !self.histories.contains_key(*transaction)) {
            ledger.law(false, || format!("GG3 received {transaction:?}, which is not recorded"));
        }
    }

    /// Checks the answers about a recorded transaction. The highest state that was answered 200 must be the current
    /// state.
    fn check_answers(&self, history: &History, calls: &[&AnsweredCall], may_change: bool, ledger: &mut Ledger) {
        let stands = history.current().postback.state();
        let highest = calls.iter().filter(|call| call.status == 200).map(|call| call.postback.says()).max();
        ledger.law(highest == Some(stands), || format!("{stands} stands, but {highest:?} was answered 200: {calls:?}"));
        // Two equal reversals may race. One finds its transaction unknown and is recorded. The other one finds the
        // transaction a moment later, with too little left.
        let is_unknown = history.original().reversed == Some(Reversed::Unknown);
        let mut accepted = BTreeSet::new();
        for call in calls {
            let receipt = call.body["receipt_id"].as_str().unwrap_or_default();
            let revision = own(history).find(|revision| revision.receipt().receipt_id.as_str() == receipt);
            let holds = match (call.status, revision) {
                (200, Some(revision)) => {
                    let state = revision.postback().state();
                    let is_own = (state, content(&revision)) == (call.postback.says(), normal(&call.postback.content));
                    let is_accepted = call.body["status"] == "accepted";
                    let is_first = !is_accepted || accepted.insert(receipt.to_owned());
                    let is_above = state >= call.postback.says() && call.body["state"] == state.as_str();
                    is_first && is_above && (is_own || !is_accepted)
                }
                (200, None) => false,
                _ => {
                    contradicts(history, &call.postback, may_change)
                        || (is_unknown && self.takes_too_much(&call.postback))
                }
            };
            ledger.law(holds, || format!("{call:?}, but {history:?} is recorded"));
        }
    }

    fn count(&self, answered: &[AnsweredCall], ledger: &mut Ledger) {
        let of = |status: &str| answered.iter().filter(|answered| answered.body["status"] == status).count();
        let stands = |state| self.histories.values().filter(|it| it.current().postback.state() == state).count();
        let notes: usize = self.histories.values().map(|history| history.adjustments().count()).sum();
        ledger.line("transactions with states and reversals", self.histories.len());
        ledger.line("their calls answered 200, accepted", of("accepted"));
        ledger.line("their calls answered 200, duplicate", of("duplicate"));
        ledger.line("their calls answered 409, conflict", answered.iter().filter(|call| call.status == 409).count());
        ledger.line("of them pending in the end", stands(State::Pending));
        ledger.line("of them rejected in the end", stands(State::Rejected));
        ledger.line("steps recorded", self.histories.values().map(|history| own(history).count() - 1).sum::<usize>());
        ledger.line("reversals of recorded transactions", notes);
        ledger.line("messages on gg3-conversions about them", self.told.values().map(Vec::len).sum::<usize>());
    }

    /// Checks the calls that were never recorded. They must have been refused because too little was left.
    fn check_refused(&self, calls: &[&AnsweredCall], ledger: &mut Ledger) {
        for call in calls {
            let holds = call.status == 409 && self.takes_too_much(&call.postback);
            ledger.law(holds, || format!("{call:?}, but nothing is recorded"));
        }
    }

    /// Returns true if too little is left for this reversal.
    fn takes_too_much(&self, Postback { provider, reverses, content, .. }: &Postback) -> bool {
        let reversed = reverses.clone().and_then(|named| self.histories.get(&(provider.clone(), named)));
        reversed.is_some_and(|history| Amount::sum([left(history), amount(&content.amount)]).is_negative())
    }

    /// Checks that each reversal of a recorded transaction has one note beside that transaction, and that each note has
    /// a reversal.
    fn check_notes(&self, transaction: &Transaction, history: &History, ledger: &mut Ledger) {
        for note in history.adjustments() {
            let by = (transaction.0.clone(), note.by.postback.transaction_id.to_string());
            let reversed = self.histories.get(&by).and_then(|history| history.original().reversed.clone());
            let names = matches!(&reversed, Some(Reversed::Known { transaction_id, .. }) if transaction_id.as_str() == transaction.1);
            ledger.law(names, || format!("{by:?} took from {transaction:?}, but says {reversed:?}"));
        }
        if let Some(Reversed::Known { transaction_id, .. }) = &history.original().reversed {
            let named = self.histories.get(&(transaction.0.clone(), transaction_id.to_string()));
            let notes = named.into_iter().flat_map(History::adjustments);
            let notes = notes.filter(|note| note.by.postback.transaction_id.as_str() == transaction.1).count();
            ledger.law(notes == 1, || format!("{transaction:?} has {notes} notes beside {transaction_id}"));
        }
    }

    /// Checks that GG3 receives each revision and nothing else, and reads the current revision from them.
    fn check_told(&self, transaction: &Transaction, history: &History, ledger: &mut Ledger) {
        let told = self.told.get(transaction).map_or(&[][..], Vec::as_slice);
        for revision in own(history) {
            let mut of_it = told.iter().filter(|conversion| conversion.receipt_id == revision.receipt().receipt_id);
            let is_set_aside = || {
                let key = format!("{}#{}", transaction.0, transaction.1);
                self.set_aside.iter().any(|whole| whole.contains(&key))
            };
            ledger.law(of_it.next().is_some() || is_set_aside(), || {
                format!("never reached gg3-conversions: {revision:?}")
            });
        }
        for conversion in told {
            let revision = own(history).find(|revision| revision.receipt().receipt_id == conversion.receipt_id);
            let holds = revision.is_some_and(|revision| tells(conversion, &revision));
            ledger.law(holds, || format!("{conversion:?} differs from what is recorded: {history:?}"));
        }
        let valid = told.iter().max_by_key(|it| (it.correction.unwrap_or_default(), it.state.unwrap_or_default()));
        let stands = &history.current().receipt.receipt_id;
        let is_valid = valid.is_none_or(|conversion| conversion.receipt_id == *stands);
        ledger.law(is_valid, || format!("GG3 reads {valid:?}, but {stands} stands"));
    }
}

/// Checks that the states rise along the chain, that no number is missing or twice, and that the sum of the amounts is
/// never below zero.
fn check_chain(history: &History, ledger: &mut Ledger) {
    let states: Vec<State> = own(history).map(|revision| revision.postback().state()).collect();
    ledger.law(states.is_sorted_by(|one, next| one < next), || format!("{states:?} do not rise: {history:?}"));
    let notes = history.adjustments().map(|note| note.place);
    let mut places: Vec<u32> = own(history).map(|revision| revision.place()).chain(notes).collect();
    places.sort_unstable();
    let gapless = (0..).zip(&places).all(|(n, place)| n == *place);
    ledger.law(gapless, || format!("the numbers are {places:?}: {history:?}"));
    let is_reversal = history.original().reversed.is_some();
    ledger.law(is_reversal || !left(history).is_negative(), || format!("less than nothing is left: {history:?}"));
}

/// Returns true if the transaction, in its final form, is a reason to answer this call 409. What is left of a
/// transaction never grows and states never fall, so such a reason lasts.
fn contradicts(history: &History, call: &Postback, may_change: bool) -> bool {
    let (stands, said) = (history.current().postback, normal(&call.content));
    let is_recorded =
        own(history).any(|revision| (revision.postback().state(), content(&revision)) == (call.says(), said.clone()));
    let same = own(history).last().map(|revision| content(&revision));
    let fits = same.is_some_and(|same| {
        let amount = if may_change { same.amount.clone() } else { said.amount.clone() };
        Content { amount, ..said.clone() } == same
    });
    let left = Amount::sum([amount(&said.amount), history.adjusted()]);
    let is_enough = call.says() == State::Rejected || !left.is_negative();
    let would_rise = call.says() > stands.state() && fits && is_enough;
    !is_recorded && !would_rise
}

/// Returns true if the conversion says the same as the revision.
fn tells(conversion: &Conversion, revision: &Revision) -> bool {
    let postback = revision.postback();
    let kind = match postback.state() {
        _ if postback.content.amount_decimal.is_negative() => ConversionType::Adjusted,
        State::Pending => ConversionType::Pending,
        State::Approved => ConversionType::Accepted,
        State::Rejected => ConversionType::Rejected,
    };
    (conversion.kind, conversion.state, &conversion.content) == (kind, postback.state, &postback.content)
}

/// Returns the transaction's own revisions, without the transactions that took an amount from it.
fn own(history: &History) -> impl Iterator<Item = Revision> {
    let id = history.original().postback.transaction_id.clone();
    history.revisions().filter(move |revision| revision.postback().transaction_id == id)
}

/// Returns the amount that is left of the transaction. A rejection takes all that was left.
fn left(history: &History) -> Amount {
    let current = history.current().postback;
    match current.state() {
        State::Rejected => Amount::sum([]),
        _ => Amount::sum([current.content.amount_decimal, history.adjusted()]),
    }
}

impl Postback {
    /// Returns the state, which is approved if the call names none.
    fn says(&self) -> State {
        self.state.unwrap_or_default()
    }
}

fn of(postback: &domain::inbound::postback::Postback) -> Transaction {
    (postback.provider.to_string(), postback.transaction_id.to_string())
}

fn amount(text: &str) -> Amount {
    Amount::parse_signed(text).expect("an amount")
}

fn content(revision: &Revision) -> Content {
    let content = revision.content();
    let (user_id, click_id) = (content.user_id.to_string(), content.click_id.to_string());
    Content { user_id, click_id, amount: content.amount_decimal.canonical() }
}

/// Writes the amount in one form.
fn normal(content: &Content) -> Content {
    Content { amount: amount(&content.amount).canonical(), ..content.clone() }
}

#[cfg(test)]
mod tests;
