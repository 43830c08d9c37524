//! Tests that lost lookups are noticed and can be written again.

use std::collections::HashMap;

use adapters::dynamodb::{postbacks::DynamoPostbacks, refusals::DynamoRefusals};
use app::ports::{Postbacks as _, Refusals as _};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use domain::{
    inbound::{
        conversion::{Receipt, RecordedPostback},
        postback::{Extra, Postback},
        refusal::{ContentKey, KeptRequest, Refusal},
    },
    retention::Expiring,
    values::ids::{Provider, ReceiptId, TransactionId},
};
use serde_json::{Value, json};
use tests::stack::Stack;

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh, sample},
    partner::{Partner, apply_for_loopback},
};

/// Deletes the lookups whose subject begins with this text. Returns the number of deleted items.
async fn delete(stack: &Stack, table: &str, subjects: &str) -> usize {
    let dynamodb = stack.dynamodb();
    let scan = dynamodb.scan().table_name(table).filter_expression("begins_with(#s, :s)");
    let scan = scan.expression_attribute_names("#s", "subject");
    let scan = scan.expression_attribute_values(":s", AttributeValue::S(subjects.to_owned()));
    let mut items = scan.into_paginator().items().send();
    let mut deleted = 0;
    while let Some(item) = items.next().await {
        let mut item = item.unwrap();
        let mut key = |name: &str| item.remove(name).unwrap();
        let delete = dynamodb.delete_item().table_name(table);
        delete.key("subject", key("subject")).key("place", key("place")).send().await.unwrap();
        deleted += 1;
    }
    deleted
}

#[tokio::test]
async fn a_rebuild_lists_again_what_the_writer_had_listed() {
    let fixture = Fixture::new();
    let (stack, partner) = (&fixture.stack, Partner::with_token(&fixture.stack, ""));
    for transaction in [fresh("t"), fresh("t")] {
        partner.postback(&fixture, &sample(&transaction)).await;
        partner.postback(&fixture, &sample(&transaction).replace("100.00", "90")).await;
        partner.postback(&fixture, &format!("user_id={transaction}")).await;
    }
    let list = std::env::temp_dir().join(format!("{}.csv", fresh("empty")));
    std::fs::write(&list, "transaction_id\n").unwrap();
    let range = ["--from", "1h", "--to", "2100-01-01T00:00:00Z", "--json"];
    let reconcile = [&["reconcile", &partner.name, list.to_str().unwrap()], &range[..]].concat();
    let lists = [
        (vec!["refusals", "--provider", &partner.name, "--json"], "refusals"),
        (vec!["conflicts", "--provider", &partner.name, "--json"], "conflicts"),
        (reconcile, "only_ours"),
    ];
    let count = |found: &Value, name: &str| found[name].as_array().map_or(0, Vec::len);
    let mut before = Vec::new();
    for (arguments, name) in &lists {
        before.push(eventually(stack, arguments, |found| count(found, name) == 2).await[*name].clone());
    }
    let mut deleted = 0;
    for subject in ["postbacks", "refusals", "conflicts"] {
        deleted += delete(stack, stack.table("lookups"), &format!("{subject}/{}#", partner.name)).await;
    }
    assert_eq!(deleted, 6);
    assert_eq!(count(&postbackctl(stack, &lists[0].0).json(), "refusals"), 0);

    let rebuild = ["lookups", "rebuild", "--table", "postbacks", "--table", "refusals", "--rate", "10000"];
    let unasked = postbackctl(stack, &rebuild);
    assert_eq!((unasked.code, unasked.err.contains("--yes")), (Some(1), true), "{}", unasked.err);
    // Other tests on this stack store unreadable items of their own partners. The exit code may be 1 because of these
    // items.
    let done = postbackctl(stack, &[&rebuild[..], &["--restart", "--yes", "--json"]].concat());
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((count(&told, "tables"), &told["stopped"]), (2, &Value::Null), "{}", done.err);
    assert!(!told["tables"].to_string().contains(&partner.name), "{told}");
    for ((arguments, name), before) in lists.iter().zip(&before) {
        let output = postbackctl(stack, arguments);
        let found: Value = serde_json::from_str(&output.out).unwrap();
        assert_eq!(&found[*name], before, "{name}: {}", output.err);
    }
    std::fs::remove_file(list).unwrap();
}

/// Makes the tables of another stack on the same AWS. No function reads the streams of these tables, so nothing writes
/// lookups.
async fn tables(fixture: &Fixture) -> Stack {
    let stack = Stack { stack_name: fresh("bare"), ..fixture.stack.clone() };
    let keys: [(&str, &[&str]); 11] = [
        ("partners", &["provider"]),
        ("secrets", &["owner"]),
        ("audit", &["day", "at_and_id"]),
        ("catalogue", &["part"]),
        ("postbacks", &["provider_transaction", "revision"]),
        ("refusals", &["provider_content"]),
        ("clicks", &["click_id"]),
        ("deliveries", &["delivery_id"]),
        ("attempts", &["delivery_id", "attempt"]),
        ("participants", &["user_id"]),
        ("lookups", &["subject", "place"]),
    ];
    for (name, names) in keys {
        let create = stack.dynamodb().create_table().table_name(format!("{}-{name}", stack.stack_name));
        let mut create = create.billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in names.iter().zip([KeyType::Hash, KeyType::Range]) {
            let key = KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().unwrap();
            let attribute = AttributeDefinition::builder().attribute_name(*name);
            let attribute = attribute.attribute_type(ScalarAttributeType::S).build().unwrap();
            create = create.key_schema(key).attribute_definitions(attribute);
        }
        create.send().await.unwrap();
    }
    stack
}

/// Stores a postback and a refusal of this partner, as `postback` does.
async fn store(stack: &Stack, partner: &str) {
    let table = |name: &str| format!("{}-{name}", stack.stack_name);
    let (provider, received_at) = (Provider::new(partner).unwrap(), tests::now());
    let transaction_id = TransactionId::new("t-1").unwrap();
    let content = json!({"user_id": "u-1", "click_id": "c-1", "currency": "USD", "amount_decimal": "1"});
    let (content, click) =
        (serde_json::from_value(content).unwrap(), serde_json::from_value("foreign".into()).unwrap());
    let (id, state, reference, extra) = (transaction_id.clone(), None, None, Extra::default());
    let postback = Postback {
        provider: provider.clone(),
        transaction_id: id,
        content,
        click,
        state,
        reference,
        extra,
        erased: None,
    };
    let receipt_id = ReceiptId::from_random([0; 16]);
    let (ignored, original_receipt_id) = (Vec::new(), None);
    let receipt = Receipt { transaction_id, receipt_id, received_at, ignored, state, original_receipt_id };
    let postbacks = DynamoPostbacks::new(stack.dynamodb(), table("postbacks"));
    postbacks.record(&RecordedPostback { postback, receipt, reversed: None }).await.unwrap();
    let (user_id, click_id, source) = (None, None, [192, 0, 2, 1].into());
    let (key, faults) = (ContentKey::of_refusal(&provider, "user_id=u-2"), Vec::new());
    let request = KeptRequest { text: "user_id=u-2".to_owned(), sent_bytes: None };
    let refusal = Refusal { key, provider, request, source, user_id, click_id, faults, received_at };
    DynamoRefusals::new(stack.dynamodb(), table("refusals"), Expiring::Refusal.default_retention())
        .keep_refusal(&refusal, 99)
        .await
        .unwrap();
}

#[tokio::test]
async fn lost_lookups_fail_every_list_until_they_are_rebuilt() {
    let stack = tables(&Fixture::new()).await;
    let partner = fresh("p");
    apply_for_loopback(&stack, &partner, "");
    let refusals = ["refusals", "--provider", &partner, "--json"];
    let trace = ["trace", "--user", "u-1", "--json"];
    // A new stack has nothing to list, and lacks nothing.
    let fresh = postbackctl(&stack, &refusals);
    assert_eq!((fresh.json(), fresh.err.as_str()), (json!({"refusals": [], "next": {}, "gaps": []}), ""));

    store(&stack, &partner).await;
    let lookups = format!("{}-lookups", stack.stack_name);
    assert_eq!(delete(&stack, &lookups, "heartbeat").await, 5);
    for (arguments, table) in [(&refusals, "refusals"), (&trace, "postbacks")] {
        let lost = postbackctl(&stack, arguments);
        assert_eq!((lost.code, lost.out.as_str()), (Some(1), ""));
        let words = format!("the lookups of {table} are empty or incomplete; run `postbackctl lookups rebuild`");
        assert!(lost.err.contains(&words), "{}", lost.err);
    }
    let rebuilt = postbackctl(&stack, &["lookups", "rebuild", "--yes", "--why", "a drill", "--json"]).json();
    let counts: HashMap<&str, [&Value; 2]> = rebuilt["tables"].as_array().unwrap().iter().map(counted).collect();
    assert_eq!(counts["postbacks"], [&Value::from(1), &Value::from(3)]);
    // The refusal is counted for its day by another item of the table, which has no entry.
    assert_eq!((counts["refusals"], counts["clicks"]), ([&2.into(), &1.into()], [&0.into(), &0.into()]));
    let listed = postbackctl(&stack, &refusals).json();
    assert_eq!((listed["refusals"].as_array().unwrap().len(), &listed["gaps"]), (1, &json!([])));
    let traced = postbackctl(&stack, &trace);
    assert_eq!((traced.json()[0]["kind"].as_str(), traced.err.as_str()), (Some("postback"), ""));
    let audit = postbackctl(&stack, &["audit", "--json"]).json();
    let record = &audit["records"][0];
    assert_eq!((&record["action"], &record["why"]), (&"rebuild_lookups".into(), &"a drill".into()));

    // The heartbeat says that the writer has written entries since some time. The entries of items that were stored
    // before are missing.
    delete(&stack, &lookups, "").await;
    let late = json!({
        "subject": {"S": "heartbeat"}, "place": {"S": "refusals"}, "since": {"N": "4000000000000"},
        "up_to": {"N": "4000000000000"}, "beaten_at": {"N": "4000000600000"},
    });
    let late: serde_dynamo::Item = serde_json::from_value(late).unwrap();
    stack.dynamodb().put_item().table_name(&lookups).set_item(Some(late.into())).send().await.unwrap();
    let warned = postbackctl(&stack, &refusals);
    let gaps = warned.json()["gaps"].clone();
    assert_eq!((&gaps[0]["missing"], &gaps[1]["missing"]), (&"before".into(), &"newest".into()), "{gaps}");
    assert_eq!(gaps[0]["since"], "2096-10-02T07:06:40.000Z");
    for part in ["the lookups of refusals are complete only from", "the lookups of refusals are late"] {
        assert!(warned.err.contains(part), "{part} in {}", warned.err);
    }
}

/// Returns the name of a rebuilt table, and the counts of its items and entries.
fn counted(table: &Value) -> (&str, [&Value; 2]) {
    (table["table"].as_str().unwrap(), [&table["items"], &table["entries"]])
}
