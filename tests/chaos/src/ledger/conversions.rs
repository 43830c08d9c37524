//! Checks that postbacks are answered, recorded and passed on.

use std::collections::{BTreeMap, BTreeSet};

use adapters::dynamodb::item::PostbackItem;
use domain::{inbound::conversion::RecordedPostback, values::money::Amount};
use serde_json::Value;

use super::{Ledger, Rising, drain, scan};
use crate::{
    postbacks::{AnsweredCall, Content},
    world::World,
};

/// Names a transaction by its provider and id.
pub(super) type Transaction = (String, String);

/// Holds all recorded postbacks and conversions after the run.
pub(crate) struct Conversions {
    recorded: BTreeMap<Transaction, (Content, String)>,
    items: usize,
    passed_on: Vec<Value>,
    set_aside: Vec<String>,
}

impl Conversions {
    /// Reads the postbacks and conversions from the tables and queues. Returns those of partners with statuses
    /// separately.
    pub(crate) async fn read(world: &World) -> (Self, Rising) {
        let items: Vec<PostbackItem> = scan(world, "postbacks").await;
        let is_rising = |item: &PostbackItem| {
            item.provider_transaction.split_once('#').is_some_and(|(provider, _)| world.rising.contains_key(provider))
        };
        let (rising, items): (Vec<_>, Vec<_>) = items.into_iter().partition(is_rising);
        let mut recorded = BTreeMap::new();
        for item in &items {
            let RecordedPostback { postback, receipt, .. } = item.clone().try_into().unwrap();
            let transaction = (postback.provider.to_string(), receipt.transaction_id.to_string());
            recorded.insert(transaction, (content(&postback.content), receipt.receipt_id.to_string()));
        }
        let conversion = |body: String| serde_json::from_str(&body).expect("a conversion is JSON");
        let told = drain(world, "gg3-conversions").await.into_iter().map(conversion);
        let is_rising = |told: &Value| world.rising.contains_key(told["provider"].as_str().unwrap_or_default());
        let (told, passed_on): (Vec<Value>, Vec<Value>) = told.partition(is_rising);
        let told = told.into_iter().map(|told| serde_json::from_value(told).expect("a conversion")).collect();
        let set_aside = drain(world, "conversion-dead-letters").await;
        let rising = Rising::new(rising, told, set_aside.clone());
        (Self { recorded, items: items.len(), passed_on, set_aside }, rising)
    }

    /// Checks the postbacks and conversions against the answers that the partners got.
    pub(crate) fn check(&self, answered: &[AnsweredCall], ledger: &mut Ledger) {
        let asked: BTreeSet<Transaction> = answered.iter().map(AnsweredCall::transaction).collect();
        let of_status = |status: &str| answered.iter().filter(|answered| answered.body["status"] == status).count();
        ledger.line("transactions", asked.len());
        ledger.line("answered 200, accepted", of_status("accepted"));
        ledger.line("answered 200, duplicate", of_status("duplicate"));
        ledger.line("answered 409, conflict", answered.iter().filter(|answered| answered.status == 409).count());
        ledger.line("postbacks recorded", self.items);
        ledger.line("messages on gg3-conversions", self.passed_on.len());
        ledger.line("conversions set aside", self.set_aside.len());

        let recorded: BTreeSet<Transaction> = self.recorded.keys().cloned().collect();
        ledger.law(self.items == recorded.len(), || "a transaction is recorded more than once".to_owned());
        for other in recorded.symmetric_difference(&asked) {
            ledger.law(false, || format!("{other:?} is recorded or was answered, but not both"));
        }
        for answered in answered {
            self.check_answer(answered, ledger);
        }
        self.check_passed_on(ledger);
    }

    /// Checks an answer. A 200 has the receipt of the recorded content; a 409 means that other content is recorded.
    fn check_answer(&self, answered: &AnsweredCall, ledger: &mut Ledger) {
        let Some((content, receipt)) = self.recorded.get(&answered.transaction()) else { return };
        let same = normal(&answered.postback.content) == *content;
        let its_receipt = answered.body["receipt_id"] == **receipt;
        let holds = if answered.status == 200 { same && its_receipt } else { !same };
        ledger.law(holds, || format!("{answered:?}, but {content:?} is recorded with receipt {receipt}"));
    }

    /// Checks that each recorded postback is passed on at least once, and that nothing else is passed on.
    fn check_passed_on(&self, ledger: &mut Ledger) {
        let mut missing: BTreeSet<&Transaction> = self.recorded.keys().collect();
        for conversion in &self.passed_on {
            let text = |name: &str| conversion[name].as_str().unwrap_or_default().to_owned();
            let transaction = (text("provider"), text("transaction_id"));
            let said = Content { user_id: text("user_id"), click_id: text("click_id"), amount: text("amount_decimal") };
            let stands = self.recorded.get(&transaction);
            let holds =
                stands.is_some_and(|(content, receipt)| *content == normal(&said) && *receipt == text("receipt_id"));
            ledger.law(holds, || format!("the conversion {conversion} differs from its postback: {stands:?}"));
            missing.remove(&transaction);
        }
        for transaction in missing {
            let is_set_aside =
                self.set_aside.iter().any(|whole| whole.contains(&format!("{}#{}", transaction.0, transaction.1)));
            ledger.law(is_set_aside, || format!("{transaction:?} never reached gg3-conversions"));
        }
    }
}

impl AnsweredCall {
    pub(super) fn transaction(&self) -> Transaction {
        (self.postback.provider.clone(), self.postback.transaction_id.clone())
    }
}

fn content(content: &domain::inbound::postback::Content) -> Content {
    let (user_id, click_id) = (content.user_id.to_string(), content.click_id.to_string());
    normal(&Content { user_id, click_id, amount: content.amount_decimal.to_string() })
}

/// Writes the amount in one form, since `1.50` and `1.5` are equal.
fn normal(content: &Content) -> Content {
    let amount: Amount = content.amount.parse().expect("an amount");
    Content { amount: amount.canonical(), ..content.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::postbacks::Postback;

    fn content(amount: &str) -> Content {
        Content { user_id: "u".into(), click_id: "c".into(), amount: amount.into() }
    }

    fn answered(status: u64, amount: &str, receipt: &str) -> AnsweredCall {
        let (provider, transaction_id) = ("acme".into(), "t-1".into());
        let content = content(amount);
        let postback = Postback { provider, transaction_id, content, state: None, reverses: None, by_post: false };
        AnsweredCall { postback, status, body: json!({"status": "accepted", "receipt_id": receipt}) }
    }

    fn conversion(amount: &str) -> Value {
        json!({"provider": "acme", "transaction_id": "t-1", "user_id": "u", "click_id": "c", "amount_decimal": amount,
            "receipt_id": "r-1"})
    }

    /// Counts the differences if one postback of 1.5 with receipt r-1 is recorded.
    fn differences(answers: &[AnsweredCall], passed_on: Vec<Value>) -> usize {
        let recorded = BTreeMap::from([(("acme".into(), "t-1".into()), (content("1.5"), "r-1".into()))]);
        let mut ledger = Ledger::default();
        Conversions { recorded, items: 1, passed_on, set_aside: Vec::new() }.check(answers, &mut ledger);
        ledger.differences().len()
    }

    #[test]
    fn a_correct_ledger_has_no_differences() {
        let answers = [answered(200, "1.50", "r-1"), answered(409, "2", "")];
        assert_eq!(differences(&answers, vec![conversion("1.5"), conversion("1.50")]), 0);
    }

    #[test]
    fn each_fault_is_a_difference() {
        let (good, passed_on) = (answered(200, "1.5", "r-1"), vec![conversion("1.5")]);
        let cases = [
            ("a 200 for another content", vec![answered(200, "2", "r-1")], passed_on.clone()),
            ("a 200 with another receipt", vec![answered(200, "1.5", "r-2")], passed_on.clone()),
            ("a 409 for the same content", vec![good.clone(), answered(409, "1.5", "")], passed_on.clone()),
            ("recorded without an answer", Vec::new(), passed_on),
            ("never passed on", vec![good.clone()], Vec::new()),
            ("passed on with another amount", vec![good], vec![conversion("1.5"), conversion("2")]),
        ];
        for (case, answers, passed_on) in cases {
            assert_eq!(differences(&answers, passed_on), 1, "{case}");
        }
    }
}
