//! Tests partners that agreed for how long, and how often, a transaction may pay for a click that GG3 issued.

use std::collections::BTreeSet;

use adapters::dynamodb::item::SecretsItem;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    inbound::click::ClickKeys,
    jiff::ToSpan,
    values::{
        ids::{Provider, UserId},
        signature::Secret,
    },
};
use serde_json::Value;
use tests::operator::postbackctl;

use crate::fixture::{Conversions, Fixture, Reply, fresh};

/// Makes click ids as the stack's function `click` does, but of any time.
pub(crate) struct Clicks {
    keys: ClickKeys,
    provider: Provider,
}

impl Clicks {
    pub(crate) async fn of(fixture: &Fixture, provider: &str) -> Self {
        let get = fixture.stack.dynamodb().get_item().table_name(fixture.stack.table("secrets"));
        let got = get.key("owner", AttributeValue::S("click".to_owned())).send().await.unwrap();
        let item: SecretsItem = serde_dynamo::from_item(got.item.unwrap()).unwrap();
        let keys = ClickKeys::new(item.secrets.into_iter().map(Secret::new).collect()).unwrap();
        Self { keys, provider: Provider::new(provider).unwrap() }
    }

    /// Returns a query of a transaction whose click was this many days ago. Each `random` makes another click id.
    pub(crate) fn query(&self, transaction: &str, days: i64, random: u8) -> String {
        let clicked_at = tests::now() - (days * 24).hours();
        let click = self.keys.mint(&self.provider, &UserId::new("u").unwrap(), clicked_at, [random; 9]);
        format!("user_id=u&click_id={click}&transaction_id={transaction}&currency=USD&amount_decimal=5")
    }
}

async fn call(fixture: &Fixture, (name, token): (&str, &str), query: &str) -> Reply {
    let url = format!("{}/postback/{name}/{token}?{query}", fixture.stack.api_url);
    fixture.send(fixture.http.get(url)).await
}

#[tokio::test]
async fn a_second_transaction_of_a_click_is_a_conflict_until_accepted() {
    let fixture = Fixture::new();
    let (name, token) = fixture.partner("postback: {click: {once_per_event: true}}\n");
    let clicks = Clicks::of(&fixture, &name).await;
    let call = async |query: &str| call(&fixture, (&name, &token), query).await;
    // Each query has a click id with its own time, so the queries are made once.
    let [first, other_click] = [clicks.query("1", 1, 1), clicks.query("3", 1, 2)];
    let second = first.replace("transaction_id=1&", "transaction_id=2&");
    let accepted = call(&first).await;
    assert_eq!((accepted.status, accepted.text("status")), (200, "accepted"), "{accepted:?}");
    let again = call(&first).await;
    assert_eq!((again.text("status"), &again.body["receipt_id"]), ("duplicate", &accepted.body["receipt_id"]));
    let conflict = call(&second).await;
    let difference = &conflict.body["conflict"]["differences"][0];
    assert_eq!((conflict.status, &difference["parameter"]), (409, &"transaction_id".into()), "{conflict:?}");
    assert_eq!((&difference["original"], &difference["sent"]), (&"1".into(), &"2".into()));
    assert_eq!(conflict.body["conflict"]["original"]["receipt_id"], accepted.body["receipt_id"]);
    for query in [format!("{second}&event_id=7").replace("id=2&", "id=2b&"), other_click] {
        assert_eq!(call(&query).await.text("status"), "accepted", "{query}");
    }

    let list = ["conflicts", "--provider", &name, "--json"];
    let listed = tests::eventually("the conflict is listed", async || {
        let found: Value = serde_json::from_slice(&postbackctl(&fixture.stack, &list).stdout).unwrap_or_default();
        found["conflicts"][0]["provider_content"].as_str().map(str::to_owned)
    });
    let key = listed.await;
    let accept = ["conflicts", "resolve", &name, "2", &key, "--accept", "--yes", "--json"];
    let resolved = postbackctl(&fixture.stack, &accept);
    let report: Value = serde_json::from_slice(&resolved.stdout).unwrap_or_else(|_| panic!("{resolved:?}"));
    assert_eq!(report["outcome"], "accepted");
    let again = call(&second).await;
    assert_eq!((again.text("status"), &again.body["receipt_id"]), ("duplicate", &report["receipt"]["receipt_id"]));
    let arrived = Conversions::shared().of(&name, "2").await;
    assert_eq!((&arrived[0]["type"], &arrived[0]["click"]), (&"conversion.accepted".into(), &"verified".into()));
}

#[tokio::test]
async fn of_many_transactions_of_a_click_at_once_one_is_accepted() {
    let fixture = Fixture::new();
    let (name, token) = fixture.partner("postback: {click: {once_per_event: true}}\n");
    let one = Clicks::of(&fixture, &name).await.query("t-0", 1, 1);
    let calls = (0..40).map(|n| {
        let (name, token) = (name.clone(), token.clone());
        let query = one.replace("t-0", &format!("t-{}", n % 20));
        tokio::spawn(async move { call(&Fixture::new(), (&name, &token), &query).await })
    });
    let mut accepted = BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        let reply = call.await.unwrap();
        // A call that loses too many races is answered 503, and the partner sends it again.
        assert!([200, 409, 503].contains(&reply.status), "{reply:?}");
        if reply.status == 200 {
            accepted.insert(reply.text("transaction_id").to_owned());
        }
    }
    for n in 0..20 {
        let reply = call(&fixture, (&name, &token), &one.replace("t-0", &format!("t-{n}"))).await;
        if reply.status == 200 {
            accepted.insert(reply.text("transaction_id").to_owned());
        } else {
            assert_eq!(reply.status, 409, "{reply:?}");
        }
    }
    assert_eq!(accepted.len(), 1, "{accepted:?}");
    let paid = accepted.first().unwrap();
    Conversions::shared().of(&name, paid).await;
    let arrived = Conversions::shared().of_provider(&name);
    assert!(arrived.iter().all(|it| it["transaction_id"] == **paid), "{arrived:?}");
}

#[tokio::test]
async fn a_click_is_valid_for_the_days_agreed() {
    let fixture = Fixture::new();
    let (name, token) = fixture.partner("postback: {click: {valid_days: 90}}\n");
    let clicks = Clicks::of(&fixture, &name).await;
    for (transaction, days, status) in [(fresh("t"), 89, 200), (fresh("t"), 91, 400)] {
        let reply = call(&fixture, (&name, &token), &clicks.query(&transaction, days, 1)).await;
        assert_eq!(reply.status, status, "{reply:?}");
        let expected = (status == 400).then(|| ("click_id".to_owned(), "click_expired".to_owned()));
        assert_eq!(reply.faults(), expected.into_iter().collect::<Vec<_>>());
    }
    let foreign = "user_id=u&click_id=c&transaction_id=foreign&currency=USD&amount_decimal=5";
    assert_eq!(call(&fixture, (&name, &token), foreign).await.status, 200);
}
