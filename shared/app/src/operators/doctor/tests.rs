use std::collections::BTreeMap;

use domain::{
    audit::{Action, Subject},
    inbound::{
        fault::{Fault, FaultCode},
        refusal::{ContentKey, KeptRequest, Refusal},
    },
    lookup::LookupEntry,
    outbound::delivery::Delivery,
    partner::Pauses,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    deliver_webhooks::tests as sender,
    memory::{REFUSALS, Trouble, World},
    operators::{
        dead_letters::tests::{QUEUE, letter},
        replay_conversions::tests::{acme, at, operation, put, record},
    },
    ports::{Lookups, Refusals, StoredPartner},
};

const CAMPAIGN: &str = r#"{"provider":"acme","media_buying":{"campaigns":[{"name":"welcome","goal":{"type":"registration"},
    "active_from":"2026-11-23T12:00:00Z","webhook":{"url":"https://a.example/?c={clickId}"}}]}}"#;

/// Returns a world with the partner acme, whose token was made at second 1.
async fn world() -> World {
    let world = World::default();
    let token_hashes = vec![domain::inbound::credential::TokenHash::of("good")];
    let (file, pauses) = (CAMPAIGN.to_owned(), Pauses::default());
    let item = StoredPartner { provider: acme(), version: 1, updated_at: at(1), file, token_hashes, pauses };
    world.state().partners.insert(acme(), item);
    let made = operation().record(at(1), Action::CreatePartner, Subject::Partner { provider: acme() });
    world.append(&made.with("new_secrets", "token, webhook secret")).await.unwrap();
    world
}

fn change(world: &World, change: impl FnOnce(&mut StoredPartner)) {
    change(world.state().partners.get_mut(&acme()).unwrap());
}

async fn examine(world: &World, now: Timestamp) -> Result<Vec<Finding>, DoctorFault> {
    let doctor =
        Doctor { partners: world, trail: world, listings: world, inbound: world, deliveries: world, endpoints: world };
    let mut found = doctor.examine(&acme(), (at(0), now)).await?;
    found.extend(dead_letters(world, &acme()).await);
    Ok(found)
}

/// Returns the findings that need an operator.
async fn to_act(world: &World, now: Timestamp) -> Vec<(About, String)> {
    let found = examine(world, now).await.unwrap().into_iter();
    let act = found.filter(|finding| finding.level == Level::Act);
    act.map(|Finding { about, found, cure, .. }| (about, format!("{found} -> {}", cure.unwrap()))).collect()
}

async fn refuse(world: &World, request: &str, codes: &[FaultCode]) {
    let faults = codes.iter().map(|code| Fault::whole(*code, "x", "y")).collect();
    let (user_id, click_id, source) = (None, None, [192, 0, 2, 1].into());
    let key = ContentKey::of_refusal(&acme(), request);
    let request = KeptRequest { text: request.to_owned(), sent_bytes: None };
    let refusal = Refusal { key, provider: acme(), request, source, user_id, click_id, faults, received_at: at(3) };
    world.keep_refusal(&refusal, 99).await.unwrap();
    put(world, &StoredRefusal::of_refusal(&refusal, REFUSALS).lookups(None)).await;
}

async fn owe(world: &World, delivery: &Delivery) {
    world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
    assert!(Lookups::put(world, &LookupEntry::of_delivery(delivery)).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_partner_that_does_well_needs_nobody() {
    let world = world().await;
    record(&world, "t", 5).await;
    assert_eq!(to_act(&world, at(100)).await, []);
    let found = examine(&world, at(100)).await.unwrap();
    let said = |about: About| found.iter().find(|finding| finding.about == about).unwrap().found.as_str();
    assert!(said(About::Postbacks).contains("1970-01-01T00:00:05"), "{found:?}");
    assert!(said(About::Credential).contains("1970-01-01T00:00:01"), "{found:?}");
    assert!(said(About::Credential).contains("last used is not recorded"), "{found:?}");
}

#[tokio::test]
async fn each_trouble_is_told_with_what_to_do() {
    let world = world().await;
    change(&world, |item| {
        item.token_hashes.clear();
        item.pauses.postbacks_since = Some(at(2));
    });
    refuse(&world, "a=1", &[FaultCode::Missing, FaultCode::NotAnAmount]).await;
    refuse(&world, "a=2", &[FaultCode::Missing]).await;
    world.state().dead_letter_queues.insert(QUEUE, vec![(letter("a"), false)]);
    let told = to_act(&world, at(100)).await;
    let abouts: Vec<About> = told.iter().map(|(about, _)| *about).collect();
    assert_eq!(abouts, [About::Pause, About::Credential, About::Refusals, About::DeadLetters], "{told:?}");
    for (part, (_, told)) in [
        "postbackctl resume acme --inbound",
        "postbackctl rotate acme",
        "missing 2, not_an_amount 1",
        "postbackctl redrive webhooks-dead-letters",
    ]
    .iter()
    .zip(&told)
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn waiting_webhooks_are_told_by_why_they_wait() {
    let world = world().await;
    let made = sender::start();
    owe(&world, &sender::delivery_at("u", "p", made)).await;
    let (soon, late) =
        (made.timestamp() + SignedDuration::from_mins(1), made.timestamp() + SignedDuration::from_mins(16));
    assert_eq!(to_act(&world, soon).await, []);
    let told = to_act(&world, late).await;
    assert!(told.len() == 1 && told[0].1.contains("welcome: pending 1; 1 are more than 15 minutes late"), "{told:?}");
    change(&world, |item| item.pauses.webhooks_since = Some(at(2)));
    let told = to_act(&world, late).await;
    assert_eq!(told.iter().map(|(about, _)| *about).collect::<Vec<_>>(), [About::Pause, About::Webhooks], "{told:?}");
    assert!(told[1].1.contains("it is paused, so what is owed waits"), "{told:?}");
}

#[tokio::test]
async fn a_part_that_cannot_be_read_hides_no_other() {
    let whole = examine(&world().await, at(100)).await.unwrap().len();
    let counted = world().await;
    counted.state().calls.clear();
    examine(&counted, at(100)).await.unwrap();
    let calls = counted.state().calls.len();
    for call in 0..calls {
        let world = world().await;
        let before = world.state().calls.len();
        world.state().trouble = BTreeMap::from([(before + call, Trouble::Before)]);
        match examine(&world, at(100)).await {
            Ok(found) => {
                let unread = found.iter().filter(|finding| finding.found.starts_with("cannot be read")).count();
                assert_eq!((found.len(), unread), (whole, 1), "call {call}: {found:?}");
            }
            Err(fault) => assert!(call == 0 && matches!(fault, DoctorFault::Unavailable(_)), "call {call}: {fault}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_partner_is_not_examined() {
    assert_eq!(examine(&World::default(), at(100)).await, Err(DoctorFault::Unknown(acme())));
}

fn body(body: &Value) -> DeadLetter {
    DeadLetter { group: None, body: body.to_string(), ..letter("a") }
}

#[test]
fn a_letter_names_a_partner_by_group_provider_or_key() {
    let names = |letter: &DeadLetter| findings::names(letter, &acme());
    assert!(names(&letter("a")));
    for (named, value) in [
        (true, json!({"provider": "acme"})),
        (true, json!({"tracking": {"provider": "acme"}})),
        (true, json!({"dynamodb": {"NewImage": {"provider": {"S": "acme"}}}})),
        (true, json!({"Keys": {"provider_transaction": {"S": "acme#t"}}})),
        (false, json!({"provider": "acme-2"})),
        (false, json!({"user_id": "acme"})),
        (false, json!({"provider_transaction": "acme-2#t"})),
        (false, json!("acme")),
    ] {
        assert_eq!(names(&body(&value)), named, "{value}");
    }
    assert!(!names(&DeadLetter { group: None, body: "acme".to_owned(), ..letter("a") }));
}

fn without_acme() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), "[b-z#]{0,5}".prop_map(Value::from)];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[b-z]{1,9}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// A letter names a partner exactly if its JSON does, however deep.
    #[test]
    fn a_partner_is_found_however_deep_a_letter_names_it(others in without_acme(), depth in 0_usize..6) {
        prop_assert!(!findings::names(&body(&others), &acme()));
        let mut value = json!({"provider": "acme", "others": others});
        for level in 0..depth {
            value = if level % 2 == 0 { json!([null, value]) } else { json!({ "inner": value }) };
        }
        prop_assert!(findings::names(&body(&value), &acme()));
    }
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_told_with_its_fault_and_what_happens_meanwhile() {
    use domain::outbound::{
        attempt::AttemptOutcome,
        endpoint::{Endpoint, Observation},
    };

    use crate::ports::{EndpointKey, StoredEndpoint};
    let world = world().await;
    let key = EndpointKey { provider: acme(), host: "a.example".into() };
    let seen = |number: i64, status| Observation {
        delivery_id: domain::values::ids::DeliveryId::new(format!("d-{number}")).unwrap(),
        outcome: AttemptOutcome::Status(status),
        at: domain::values::time::UnixMillis::from_millisecond(number * 40_000),
    };
    let down = Endpoint::default().after_all(&[seen(0, 503), seen(1, 503), seen(2, 503)]).unwrap();
    let up = down.after(&seen(3, 200)).unwrap();
    let told = async |endpoint: Endpoint| {
        let stored = StoredEndpoint { endpoint, next_place: None };
        world.state().endpoints.insert(key.clone(), stored);
        let found = examine(&world, at(100)).await.unwrap();
        let [told] =
            found.into_iter().filter(|it| it.about == About::Endpoints).collect::<Vec<_>>().try_into().unwrap();
        told
    };
    let found: Finding = told(down).await;
    assert_eq!(found.level, Level::Act);
    for words in ["a.example is down since 1970-01-01T00:00:00.000Z", "answered 503", "go on with their six attempts"] {
        assert!(found.found.contains(words), "{found:?}");
    }
    assert!(found.cure.is_some());
    let found: Finding = told(up).await;
    assert_eq!(
        (found.level, found.found.as_str()),
        (Level::Good, "a.example is up again since 1970-01-01T00:02:00.000Z")
    );
}
