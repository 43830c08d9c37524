use domain::{
    inbound::{
        click::{Click, ClickKeys, ClickOrigin},
        conversion::{Receipt, RecordedPostback},
        postback::{Extra, Postback},
        refusal::{ContentKey, KeptRequest, Refusal},
    },
    jiff::Timestamp,
    lookup::LookupEntry,
    outbound::{
        attempt::AttemptOutcome,
        catalogue::{Catalogue, Snapshot},
        participant::Participant,
        retry::ATTEMPTS,
    },
    values::{
        ids::{ChainTicket, LandingName, ReceiptId},
        signature::Secret,
        time::UnixMillis,
    },
};

use super::*;
use crate::{
    deliver_webhooks::tests as sender,
    memory::{Held, REFUSALS, World},
    operators::replay_conversions::tests::key,
    ports::{Clicks, Lookups, Postbacks, Refusals},
};

type UseCase = Trace<World, World, World, World, World, Held<Provider, KnownRecipient>, Held<Provider, Partner>, World>;

fn use_case(world: &World, known: Option<KnownRecipient>) -> UseCase {
    Trace {
        listings: world.clone(),
        inbound: world.clone(),
        deliveries: world.clone(),
        participants: world.clone(),
        catalogues: world.clone(),
        recipients: Held::new(world, known.map(|known| (sender::provider(), known))),
        partners: Held::new(world, [(sender::provider(), sender::partner(""))]),
        endpoints: world.clone(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn transaction() -> TransactionId {
    TransactionId::new("t").unwrap()
}

fn click_id() -> ClickId {
    ClickId::new("c").unwrap()
}

async fn put(world: &World, entries: &[LookupEntry]) {
    assert!(Lookups::put(world, entries).await.iter().all(Result::is_ok));
}

/// Returns a world in which a user clicked, one call for the user was refused, and a postback was recorded.
async fn inbound() -> World {
    let world = World::default();
    let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1"});
    let click = Click {
        click_id: click_id(),
        provider: sender::provider(),
        landing: LandingName::new("welcome").unwrap(),
        user_id: UserId::new("u").unwrap(),
        clicked_at: at(1),
    };
    Clicks::record(&world, &click).await.unwrap();
    put(&world, &LookupEntry::of_click(&click, 9_999_999_999)).await;
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let content: domain::inbound::postback::Content = serde_json::from_value(json).unwrap();
    let origin: ClickOrigin = keys.origin(&sender::provider(), &content.user_id, &content.click_id);
    let receipt_id = ReceiptId::from_random([0; 16]);
    let receipt = Receipt {
        transaction_id: transaction(),
        receipt_id,
        received_at: at(3),
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    let postback = Postback {
        provider: sender::provider(),
        transaction_id: transaction(),
        content,
        click: origin,
        state: None,
        reference: None,
        extra: Extra::new(),
        erased: None,
    };
    let recorded = RecordedPostback { postback, receipt, reversed: None };
    Postbacks::record(&world, &recorded).await.unwrap();
    put(&world, &LookupEntry::of_revision(&Revision::Original(recorded), key("t"))).await;
    let refusal = Refusal {
        key: ContentKey::of_refusal(&sender::provider(), "user_id=u&transaction_id=t"),
        provider: sender::provider(),
        request: KeptRequest { text: "user_id=u&transaction_id=t".to_owned(), sent_bytes: None },
        source: [192, 0, 2, 1].into(),
        user_id: UserId::new("u").ok(),
        click_id: None,
        faults: Vec::new(),
        received_at: at(2),
    };
    world.keep_refusal(&refusal, 99).await.unwrap();
    put(&world, &StoredRefusal::of_refusal(&refusal, REFUSALS).lookups(None)).await;
    world
}

fn kinds(timeline: &Timeline) -> Vec<&'static str> {
    let kind = |event: &Event| match event.kind {
        EventKind::Click(_) => "click",
        EventKind::Recorded(_) => "recorded",
        EventKind::Conversion(_) => "conversion",
        EventKind::Refused(_) => "refused",
        EventKind::Opening(_) => "opening",
        EventKind::InVain(_) => "in vain",
        EventKind::Delivery(_) => "delivery",
        EventKind::Attempt(_) => "attempt",
        EventKind::Due(_) => "due",
    };
    timeline.events.iter().map(kind).collect()
}

#[tokio::test]
async fn a_transaction_a_click_and_a_user_lead_to_the_same_events() {
    let world = inbound().await;
    for query in [
        Query { transaction: Some((sender::provider(), transaction())), ..Query::default() },
        Query { click: Some(click_id()), most: 9, ..Query::default() },
        Query { user: UserId::new("u").ok(), most: 9, ..Query::default() },
        // An event that is found in two ways is listed once.
        Query {
            transaction: Some((sender::provider(), transaction())),
            user: UserId::new("u").ok(),
            most: 9,
            ..Query::default()
        },
    ] {
        // A refused call without a click id is found by the user or the transaction.
        let expected: &[_] = if query.click.is_some() {
            &["click", "recorded", "conversion"]
        } else {
            &["click", "refused", "recorded", "conversion"]
        };
        let timeline = use_case(&world, None).run(query, at(10)).await.unwrap();
        assert_eq!(kinds(&timeline), expected);
        assert_eq!((timeline.cut, &timeline.unreadable[..]), (0, &[][..]));
    }
}

#[tokio::test]
async fn a_trace_tells_what_it_leaves_out_or_cannot_read() {
    let world = inbound().await;
    let lost = domain::lookup::Place::new(at(4), Kind::Postback, key("lost"));
    put(&world, &LookupEntry::under([Subject::User(UserId::new("u").unwrap())], &lost, None)).await;
    let query = Query { user: UserId::new("u").ok(), most: 2, ..Query::default() };
    let timeline = use_case(&world, None).run(query, at(10)).await.unwrap();
    // The two newest entries are a lost postback and a recorded postback, which names the click.
    assert_eq!(kinds(&timeline), ["click", "recorded", "conversion"]);
    assert_eq!((timeline.cut, timeline.unreadable), (1, vec![key("lost")]));
}

/// Returns a world in which an attempt of the delivery for user `u` failed, and a round was opened later.
async fn outbound() -> (World, Delivery) {
    let world = World::default();
    world.state().millisecond = sender::start().as_millisecond();
    let delivery = sender::delivery("u", "p-9");
    let message = delivery.first_message(ChainTicket::from_random([1; 8])).unwrap();
    world.state().answers.extend(sender::failing(usize::from(ATTEMPTS)));
    world.state().answers.push_back((AttemptOutcome::Status(500), None, std::time::Duration::ZERO));
    world.state().resends.push((message, sender::start()));
    world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
    put(&world, &LookupEntry::of_delivery(&delivery)).await;
    let ready = sender::use_case(&world, Some(sender::recipient("")));
    sender::run(&world, &ready).await;
    let failed = world.state().deliveries[delivery.id()].clone();
    let now = UnixMillis::from_millisecond(world.state().millisecond + 1000);
    let opened = failed.open_round(now, ChainTicket::from_random([2; 8]));
    let mut state = world.state();
    for attempt in &opened.moved {
        state.attempts.insert((delivery.id().clone(), 1, attempt.n.to_string()), attempt.clone());
    }
    state.deliveries.insert(delivery.id().clone(), opened.delivery.clone());
    drop(state);
    (world, opened.delivery)
}

#[tokio::test]
async fn a_delivery_is_traced_with_every_attempt_in_order() {
    let (world, delivery) = outbound().await;
    let query = Query { delivery: Some(delivery.id().clone()), ..Query::default() };
    let timeline = use_case(&world, Some(sender::recipient(""))).run(query, at(9_999_999_999)).await.unwrap();
    let attempts = vec!["attempt"; usize::from(ATTEMPTS)];
    assert_eq!(kinds(&timeline), [&["delivery"], &attempts[..], &["due"]].concat());
    let EventKind::Delivery(owed) = &timeline.events[0].kind else { panic!("{timeline:?}") };
    assert!(owed.request.as_ref().unwrap().url().as_str().contains("/hook/p-9"), "{owed:?}");
    let EventKind::Due(due) = &timeline.events.last().unwrap().kind else { panic!("{timeline:?}") };
    assert_eq!((due.round, due.n), (2, 1));
}

#[tokio::test]
async fn a_delivery_without_a_request_says_why() {
    let (world, delivery) = outbound().await;
    for (known, expected) in [(None, NoRequest::NoPartner)] {
        let query = Query { delivery: Some(delivery.id().clone()), ..Query::default() };
        let timeline = use_case(&world, known).run(query, at(9_999_999_999)).await.unwrap();
        let EventKind::Delivery(owed) = &timeline.events[0].kind else { panic!("{timeline:?}") };
        assert_eq!(owed.request.as_ref().unwrap_err(), &expected);
    }
}

#[tokio::test]
async fn a_partners_user_leads_to_opening_progress_and_delivery() {
    let (world, delivery) = outbound().await;
    let opened = serde_json::json!({"partners": {"acme": {"since": sender::start(), "counts_from": sender::start(),
        "baseline": 0, "latest": {"at": sender::start(), "event": "evt-1", "click_id": "c-1", "user_id": "p-9"},
        "reached": ["welcome"]}}});
    let participant: Participant = serde_json::from_value(opened).unwrap();
    let user = UserId::new("u").unwrap();
    put(&world, &LookupEntry::of_openings(&user, None, &participant)).await;
    world.state().participants.insert(user, (participant, 1));
    let partners = [(sender::provider(), sender::partner("").media_buying().goals())].into();
    world.state().catalogue = Some(Catalogue::from(Snapshot { version: 1, published_at: sender::start(), partners }));
    let partner_user = Some((sender::provider(), PartnerUserId::new("p-9").unwrap()));
    let query = Query { partner_user, most: 9, ..Query::default() };
    let timeline = use_case(&world, None).run(query, sender::start().timestamp()).await.unwrap();
    assert_eq!(kinds(&timeline)[..2], ["opening", "delivery"]);
    let EventKind::Opening(opening) = &timeline.events[0].kind else { panic!("{timeline:?}") };
    let owed = opening.campaigns[0].delivery.as_ref().unwrap();
    assert_eq!(&owed.delivery_id, delivery.id());
}

#[tokio::test]
async fn a_transaction_of_a_partner_that_does_not_exist_has_no_trace() {
    let nobody = Provider::new("nobody").unwrap();
    let query = Query { transaction: Some((nobody.clone(), transaction())), ..Query::default() };
    let traced = use_case(&World::default(), None).run(query, at(10)).await;
    assert_eq!(traced.unwrap_err(), TraceFault::NoPartner(nobody));
}

#[tokio::test]
async fn lost_lookups_fail_only_the_traces_that_need_them() {
    let world = inbound().await;
    world.state().heartbeats.clear();
    let by_user = Query { user: Some(UserId::new("u").unwrap()), most: 9, ..Query::default() };
    let lost = use_case(&world, None).run(by_user, at(9)).await.unwrap_err();
    assert!(matches!(lost, TraceFault::Lookups(LookupFault::Lost(_))), "{lost}");
    let by_delivery = Query { delivery: Some(DeliveryId::new("d").unwrap()), most: 9, ..Query::default() };
    assert!(use_case(&world, None).run(by_delivery, at(9)).await.is_ok());
}

#[tokio::test]
async fn a_user_who_opened_no_link_is_traced_with_the_progress() {
    let world = World::default();
    world.state().catalogue = Some(crate::operators::progress::tests::clicks_catalogue());
    let participant: Participant = serde_json::from_value(serde_json::json!({"clicks": [[2_000, 1]]})).unwrap();
    world.state().participants.insert(UserId::new("u").unwrap(), (participant, 1));
    let query = Query { user: UserId::new("u").ok(), most: 9, ..Query::default() };
    let timeline = use_case(&world, None).run(query, at(10)).await.unwrap();
    assert_eq!((kinds(&timeline), timeline.events[0].at), (vec!["in vain"], at(2)));
    let EventKind::InVain(InVain { campaigns, .. }) = &timeline.events[0].kind else { panic!("{timeline:?}") };
    assert_eq!(campaigns.len(), 2);
}
