//! Lets a partner's file hold webhooks back while its host is down, and limit them.

use app::ports::{
    Deliveries as _, EndpointKey, Endpoints as _,
    Replaced::{Changed, Done},
    Reservation, Reserved, StoredEndpoint,
};
use domain::{
    outbound::{
        attempt::AttemptOutcome,
        delivery::{Delivery, Message, Status},
        endpoint::{Endpoint, Health, Observation, Places},
        notice::{NOTICES, Notice},
        webhook::endpoint_of,
    },
    values::{
        ids::{ChainTicket, DeliveryId},
        time::UnixMillis,
    },
};
use tests::{
    eventually,
    partner_simulator::{Answer, Signature},
};

use crate::{
    fixture::{Fixture, now},
    partner::Partner,
    wire::{CLAIM, CONFIGURATION, LOOK, RECORD, SEND, TELL},
};

fn key(partner: &Partner) -> EndpointKey {
    let host = endpoint_of(&partner.agreed.url).unwrap();
    EndpointKey { provider: partner.provider(), host }
}

#[tokio::test]
async fn a_held_host_gets_one_trial_and_the_rest_once_it_is_up() {
    let fixture = Fixture::shared().await;
    let answers = [Answer::status(503), Answer::status(200)];
    let partner = Partner::agreeing(fixture, answers, |agreed| agreed.hold_while_down = true).await;
    let sender = fixture.sender().await;
    assert_eq!(sender.give(&[partner.owe().await]).await, [0; 0]);
    assert_eq!(sender.calls(fixture), [CONFIGURATION, LOOK, CLAIM, RECORD, SEND, TELL]);

    // The host is suspected: of three webhooks one is tried, and the others wait. The one is taken.
    let waiting = [partner.owe().await, partner.owe().await, partner.owe().await];
    assert_eq!(sender.give(&waiting).await, [0; 0]);
    let mut calls = sender.calls(fixture);
    calls.sort_unstable();
    let mut expected = [TELL, SEND, SEND, CLAIM, RECORD, TELL].map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(calls, expected);
    assert_eq!(partner.received().await.len(), 2);
    let stored = fixture.endpoints().find(&key(&partner)).await.unwrap();
    assert_eq!(*stored.endpoint.health(), Health::Up);
    for message in &waiting[1..] {
        let ended = fixture.to_the_end(&sender.function, message).await;
        assert_eq!((ended.status(), ended.attempts().len()), (Status::Delivered, 1));
    }
}

#[tokio::test]
async fn webhooks_over_the_rate_wait_for_their_places() {
    let fixture = Fixture::shared().await;
    let partner = Partner::agreeing(fixture, [Answer::status(200)], |agreed| agreed.max_rate = Some(1)).await;
    let sender = fixture.sender().await;
    let mut owed = Vec::new();
    for _ in 0..6 {
        owed.push(partner.owe().await);
    }
    assert_eq!(sender.give(&owed).await, [0; 0]);
    let calls = sender.calls(fixture);
    assert_eq!(calls[..3], [CONFIGURATION, LOOK, TELL], "one write reserves the places of all");
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    assert_eq!((count(CLAIM), count(SEND)), (2, 4), "two go out within a second: {calls:?}");
    let from = now();
    for message in &owed[2..] {
        let id = &message.delivery_id;
        let placed = eventually("the message with its place is sent", async || fixture.resent(id).pop()).await;
        assert!(placed.place.is_some());
        let ended = fixture.to_the_end(&sender.function, &placed).await;
        assert_eq!((ended.status(), ended.attempts().len()), (Status::Delivered, 1));
    }
    let sent: Vec<_> = partner.received().await;
    assert_eq!(sent.len(), 6);
    let last = fixture.stored(&owed[5].delivery_id).await.attempts()[0].sent_at;
    assert!(last.as_millisecond() >= from.as_millisecond() + 2_000, "{last} is too soon after {from}");
}

#[tokio::test]
async fn an_endpoint_in_the_table_is_replaced_by_its_version_and_gives_no_place_twice() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(200)]).await;
    let (endpoints, key) = (fixture.endpoints(), key(&partner));
    assert_eq!(endpoints.find(&key).await, Ok(StoredEndpoint::default()));
    // Places are reserved before anything is known of the health.
    let wanted = Reservation { now: 1_000_000, count: 3, step: 10, until: 1_000_050 };
    let first = Places { first: 1_000_000, step: 10 };
    assert_eq!(endpoints.reserve(&key, wanted).await, Ok(Reserved::Done(first)));
    let second = Places { first: 1_000_030, step: 10 };
    assert_eq!(endpoints.reserve(&key, wanted).await, Ok(Reserved::Done(second)));
    assert_eq!(endpoints.reserve(&key, wanted).await, Ok(Reserved::Full(1_000_060)));
    let later = Reservation { now: 2_000_000, until: 3_000_000, ..wanted };
    assert_eq!(endpoints.reserve(&key, later).await, Ok(Reserved::Done(Places { first: 2_000_000, step: 10 })));

    let seen = |number: i64, status| Observation {
        delivery_id: DeliveryId::new(format!("d-{number}")).unwrap(),
        outcome: AttemptOutcome::Status(status),
        at: UnixMillis::from_millisecond(number * 40_000),
    };
    let down = Endpoint::default().after_all(&[seen(0, 503), seen(1, 503), seen(2, 503)]).unwrap();
    let up = down.after(&seen(3, 200)).unwrap();
    for (next, expected) in [(&up, Changed), (&down, Done), (&down, Changed), (&up, Done), (&down, Changed)] {
        assert_eq!(endpoints.replace(&key, next, None).await, Ok(expected));
    }
    let stored = StoredEndpoint { endpoint: up, next_place: Some(2_000_030) };
    assert_eq!(endpoints.find(&key).await, Ok(stored.clone()));
    assert_eq!(endpoints.of_partner(&key.provider).await, Ok(vec![(key, stored)]));
}

#[tokio::test]
async fn simultaneous_reservations_get_different_places() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(200)]).await;
    let (endpoints, key) = (fixture.endpoints(), key(&partner));
    let wanted = Reservation { now: 1_000, count: 2, step: 1, until: 10_000 };
    let mut reserving = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (endpoints, key) = (endpoints.clone(), key.clone());
        reserving.spawn(async move { endpoints.reserve(&key, wanted).await });
    }
    let mut first: Vec<i64> = Vec::new();
    while let Some(reserved) = reserving.join_next().await {
        match reserved.unwrap() {
            Ok(Reserved::Done(places)) => first.push(places.first),
            other => panic!("{other:?}"),
        }
    }
    first.sort_unstable();
    assert_eq!(first, (0..8).map(|number| 1_000 + 2 * number).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_transition_is_stored_with_its_notice_or_not_at_all() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(200)]).await;
    let key = key(&partner);
    let endpoints = fixture.endpoints().with_notices(fixture.stack.table("deliveries").to_owned());
    let seen = |number: i64, status| Observation {
        delivery_id: DeliveryId::new(format!("d-{number}")).unwrap(),
        outcome: AttemptOutcome::Status(status),
        at: UnixMillis::from_millisecond(number * 40_000),
    };
    let down = Endpoint::default().after_all(&[seen(0, 503), seen(1, 503), seen(2, 503)]).unwrap();
    let notice = |version, byte| {
        let notice = Notice::EndpointDown {
            host: key.host.clone(),
            since: now(),
            fault: "answered 503".into(),
            held: false,
            version,
        };
        Delivery::of_notice(partner.provider(), notice, now(), ChainTicket::from_random([byte; 8]))
    };
    let (told, rival) = (notice(1, 1), notice(2, 2));
    assert_eq!(endpoints.replace(&key, &down, Some(&told)).await, Ok(Done));
    assert_eq!(fixture.stored(told.id()).await, told);
    // Another worker with the same version stores neither.
    assert_eq!(endpoints.replace(&key, &down, Some(&rival)).await, Ok(Changed));
    assert_eq!(fixture.deliveries().read(rival.id()).await, Ok(None));
    assert_eq!(endpoints.find(&key).await.unwrap().endpoint, down);
}

#[tokio::test]
async fn a_partner_is_told_by_a_signed_webhook_that_a_webhook_is_exhausted() {
    let fixture = Fixture::shared().await;
    let answers = [Answer::status(503)];
    let mut partner = Partner::new(fixture, answers).await;
    let notify = partner.simulator.webhook_url(&partner.name);
    let campaign = serde_json::json!({"name": "welcome", "goal": {"type": "registration"},
        "active_from": "2026-01-01T00:00:00Z", "initial_interval_seconds": 1, "webhook": {"url": partner.agreed.url}});
    let file = serde_json::json!({"provider": partner.name, "media_buying": {"campaigns": [campaign]},
        "notify": {"url": format!("{notify}/notices")}});
    partner.save_file(file.to_string()).await;
    let sender = fixture.sender().await;
    let message = partner.owe().await;
    let ended = fixture.to_the_end(&sender.function, &message).await;
    assert_eq!(ended.status(), Status::Exhausted);
    let first = eventually("the notice's message is sent", async || {
        let notice = |message: &Message| message.provider == partner.provider() && message.campaign.as_str() == NOTICES;
        fixture.arrivals.so_far(notice).pop()
    })
    .await;
    assert_eq!(sender.give(std::slice::from_ref(&first)).await, [0; 0]);
    let received = partner.received().await;
    let told = received.iter().find(|request| request.target.ends_with("/notices")).unwrap();
    assert_eq!(told.signature, Signature::Verified);
    assert_eq!(told.header("webhook-id"), Some(first.delivery_id.as_str()));
    let body: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["campaign"]), (&"gg3.webhook.exhausted".into(), &"welcome".into()));
}
