//! Tests the stored items: a catalogue is published as a whole, and a participant may expire.

use adapters::dynamodb::{audit::DynamoAudit, catalogue::DynamoCatalogues};
use app::ports::{Catalogues as _, Published, Replaced};
use aws_sdk_dynamodb::types::{AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType};
use domain::outbound::catalogue::Snapshot;
use tests::{fresh, operator::audit_record};

use crate::{
    events::{completed, now, opened},
    fixture::{Fixture, evaluate},
};

/// Makes a table of catalogues that no other test uses.
async fn table(fixture: &Fixture) -> String {
    let (name, part) = (fresh("catalogue"), "part");
    let attribute = AttributeDefinition::builder().attribute_name(part).attribute_type("S".into()).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name(part).key_type(KeyType::Hash).build().unwrap();
    let create = fixture.stack.dynamodb().create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    create.attribute_definitions(attribute).key_schema(key).send().await.unwrap();
    name
}

async fn current(catalogues: &DynamoCatalogues, held: Option<u64>) -> Option<Snapshot> {
    match catalogues.current(held).await.unwrap() {
        Published::Other(catalogue) => Some(Snapshot::from(*catalogue)),
        Published::Same | Published::Nothing => None,
    }
}

#[tokio::test]
async fn one_of_two_publishers_wins_and_old_catalogues_are_removed() {
    let fixture = Fixture::shared().await;
    let name = table(fixture).await;
    let catalogues = DynamoCatalogues::new(fixture.stack.dynamodb(), name.clone());
    assert_eq!(catalogues.current(None).await.unwrap(), Published::Nothing);
    let audit = DynamoAudit::new(fixture.stack.dynamodb(), fixture.stack.table("audit").to_owned());
    let publish = async |snapshot: &Snapshot, expected: Option<u64>| {
        catalogues.publish(snapshot, expected, (&audit, &audit_record("evaluator-a"))).await
    };
    let mut expected = None;
    for version in 1..6 {
        // Both snapshots have the same version. The longer snapshot has more chunks.
        let long = Snapshot { version, published_at: now(), ..Snapshot::from(fixture.catalogue.clone()) };
        let mut short = long.clone();
        short.partners.pop_last();
        let results = tokio::join!(publish(&long, expected), publish(&short, expected));
        let winner = match (results.0.unwrap(), results.1.unwrap()) {
            (Replaced::Done, Replaced::Changed) => &long,
            (Replaced::Changed, Replaced::Done) => &short,
            other => panic!("one wins, not {other:?}"),
        };
        assert_eq!(current(&catalogues, expected).await.as_ref(), Some(winner));
        assert_eq!(current(&catalogues, Some(version)).await, None, "it is held already");
        assert_eq!(publish(&long, expected).await.unwrap(), Replaced::Changed);
        expected = Some(version);
    }
    let pointed = current(&catalogues, None).await.unwrap();
    for version in 6..9 {
        let next = Snapshot { version, ..pointed.clone() };
        assert_eq!(publish(&next, Some(version - 1)).await.unwrap(), Replaced::Done);
    }
    let scan = fixture.stack.dynamodb().scan().table_name(&name).projection_expression("part");
    let all: Result<Vec<_>, _> = scan.into_paginator().items().send().collect().await;
    let parts: Vec<String> = all.unwrap().iter().map(|item| item["part"].as_s().unwrap().clone()).collect();
    let count = |version: u64| parts.iter().filter(|part| part.starts_with(&format!("v{version}-"))).count();
    assert!(count(6) == 0 && count(7) > 0 && count(8) > 0, "{parts:?}");
}

#[tokio::test]
async fn a_participant_expires_only_without_an_opened_link() {
    let fixture = Fixture::shared().await;
    let (_proxy, function) = fixture.behind_a_proxy().await;
    let user = fresh("u");
    let week = i64::from(7 * 24 * 60 * 60);
    let stored = async || {
        let get = fixture.stack.dynamodb().get_item().table_name(fixture.stack.table("participants"));
        let got = get.key("user_id", AttributeValue::S(user.clone())).consistent_read(true).send().await.unwrap();
        let item = got.item.unwrap();
        item.get("expires_at").map(|at| at.as_n().unwrap().parse::<i64>().unwrap())
    };
    evaluate(&function, &[completed(&user, 3, "q2")]).await;
    let expires_at = stored().await.unwrap();
    let latest = now().as_millisecond() / 1000 - 3 * 60 + week;
    assert!((latest - 60..=latest + 1).contains(&expires_at), "{expires_at}, {latest}");
    evaluate(&function, &[opened(&user, "evaluator-a", 5, 0)]).await;
    assert_eq!(stored().await, None);
}
