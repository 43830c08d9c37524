//! Tests the system's own keys, and secrets that an older version stored. The tables are used by no other test.

use adapters::dynamodb::item::{OWNER, PROVIDER};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use serde_json::Value;
use tests::stack::Stack;

use crate::{
    command::postbackctl,
    fixture::{Fixture, fresh},
};

/// Returns a stack of the three tables that rotating uses.
async fn stack() -> Stack {
    let stack = Stack { stack_name: fresh("stack"), ..Fixture::new().stack };
    for (noun, keys) in [("partners", &[PROVIDER][..]), ("secrets", &[OWNER]), ("audit", &["day", "at_and_id"])] {
        let kinds = [KeyType::Hash, KeyType::Range];
        let create = stack.dynamodb().create_table().table_name(format!("{}-{noun}", stack.stack_name));
        let schema = keys
            .iter()
            .zip(kinds)
            .map(|(name, kind)| KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().unwrap());
        let attributes = keys.iter().map(|name| {
            let attribute = AttributeDefinition::builder().attribute_name(*name);
            attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
        });
        let create =
            create.set_key_schema(Some(schema.collect())).set_attribute_definitions(Some(attributes.collect()));
        create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    }
    stack
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Stores an item of `secrets` as version 0.1.0 did.
async fn put_old(stack: &Stack, owner: &str, secrets: &[(&str, &str)]) {
    let put = stack.dynamodb().put_item().table_name(format!("{}-secrets", stack.stack_name)).item(OWNER, text(owner));
    let put = secrets.iter().fold(put, |put, (name, secret)| put.item(*name, AttributeValue::L(vec![text(secret)])));
    put.send().await.unwrap();
}

/// Returns the stored secrets of this key, if there is such an item.
async fn secrets(stack: &Stack, owner: &str) -> Option<Vec<String>> {
    let get = stack.dynamodb().get_item().table_name(format!("{}-secrets", stack.stack_name)).key(OWNER, text(owner));
    let item = get.consistent_read(true).send().await.unwrap().item?;
    let list = item["secrets"].as_l().unwrap().iter();
    Some(list.map(|secret| secret.as_s().unwrap().clone()).collect())
}

fn actions(stack: &Stack) -> Vec<String> {
    let listed = postbackctl(stack, &["audit", "--json"]).json();
    let records = listed["records"].as_array().unwrap().iter();
    records.map(|record| record["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_systems_keys_are_rotated_and_old_ones_dropped() {
    let stack = stack().await;
    let missing = postbackctl(&stack, &["rotate", "--system", "link"]);
    assert_eq!((missing.code, missing.err.contains("apply a partner first")), (Some(1), true), "{}", missing.err);
    put_old(&stack, "system", &[("click_keys", "old click"), ("link_secrets", "old link")]).await;

    // The first rotation moves the secrets that the older version stored.
    assert_eq!(postbackctl(&stack, &["rotate", "--system", "link", "--json"]).json()["good"], 2);
    assert_eq!(secrets(&stack, "click").await.unwrap(), ["old click"]);
    assert!(secrets(&stack, "system").await.is_none());
    let links = secrets(&stack, "link").await.unwrap();
    assert_eq!(links[1], "old link");
    let dropped = postbackctl(&stack, &["rotate", "--system", "link", "--drop-old", "--json"]).json();
    assert_eq!(dropped["good"], 1);
    assert_eq!(secrets(&stack, "link").await.unwrap(), links[..1]);

    let rotated = postbackctl(&stack, &["rotate", "--system", "click", "--why", "yearly"]);
    assert_eq!((rotated.code, rotated.out.as_str()), (Some(0), ""), "{}", rotated.err);
    let clicks = secrets(&stack, "click").await.unwrap();
    assert_eq!((clicks.len(), clicks[1].as_str()), (2, "old click"));
    assert!(!rotated.err.contains(&clicks[0]), "the key is not shown");
    let early = postbackctl(&stack, &["rotate", "--system", "click", "--drop-old"]);
    assert_eq!((early.code, early.err.contains("may be unused until")), (Some(1), true), "{}", early.err);
    assert_eq!(actions(&stack), ["rotate_secret", "drop_old_secret", "rotate_secret", "split_secrets"]);
    let archive = postbackctl(&stack, &["rotate", "--system", "archive"]);
    assert_eq!((archive.code, archive.err.contains("never rotated")), (Some(1), true), "{}", archive.err);
    for wrong in [&["rotate"][..], &["rotate", "acme", "--system", "click"], &["rotate", "--system", "token"]] {
        assert_eq!(postbackctl(&stack, wrong).code, Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_rotation_finds_the_secrets_of_an_older_version() {
    let stack = stack().await;
    let file = r#"{"provider":"acme","postback":{"credential":"signature"}}"#;
    let put = stack.dynamodb().put_item().table_name(format!("{}-partners", stack.stack_name));
    let put = put.item(PROVIDER, text("acme")).item("version", AttributeValue::N("3".to_owned()));
    let put = put.item("updated_at", text("2026-11-23T12:00:00Z")).item("file", text(file));
    put.send().await.unwrap();
    put_old(&stack, "partner/acme", &[("signature_secrets", "old"), ("webhook_secrets", "whsec_b2xk")]).await;
    let rotated: Value = postbackctl(&stack, &["rotate", "acme", "--json"]).json();
    let made = rotated["signature_secret"].as_str().unwrap();
    assert_eq!(secrets(&stack, "postback#acme").await.unwrap(), [made, "old"]);
    assert_eq!(secrets(&stack, "webhook#acme").await.unwrap(), ["whsec_b2xk"]);
    assert!(secrets(&stack, "partner/acme").await.is_none());
    // A dropped secret is gone from the item at once.
    assert_eq!(postbackctl(&stack, &["rotate", "acme", "--drop-old"]).code, Some(0));
    assert_eq!(secrets(&stack, "postback#acme").await.unwrap(), [made]);
}
