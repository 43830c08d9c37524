use domain::{outbound::delivery::Status, partner::Partner, values::ids::ChainTicket};

use super::*;
use crate::{
    cache::CachePolicy,
    deliver_webhooks::tests as sender,
    memory::{Held, Trouble, World},
};

fn sweep_of(world: &World, known: Option<Partner>) -> SweepDeliveries<World> {
    let partners = Held::new(world, known.map(|known| (sender::provider(), known)));
    SweepDeliveries {
        partners: Cache::new(partners, CachePolicy::default()),
        endpoints: Cache::new(EndpointsOfPartner(world.clone()), CachePolicy::default()),
        under_way: world.clone(),
        webhooks: world.clone(),
        resends: world.clone(),
        clock: world.clone(),
        randomness: world.clone(),
        lateness: Lateness::default(),
    }
}

/// Returns a world with deliveries for these users. The messages of all deliveries are lost.
fn stranded(users: &[&str]) -> (World, Vec<Delivery>) {
    let world = World::default();
    world.state().millisecond = sender::start().as_millisecond();
    let deliveries: Vec<Delivery> = users.iter().map(|user| sender::delivery(user, "p-9")).collect();
    for delivery in &deliveries {
        world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
    }
    (world, deliveries)
}

fn pass(world: &World, minutes: i64) {
    world.state().millisecond += minutes * 60_000;
}

fn never() -> UnixMillis {
    UnixMillis::from_millisecond(i64::MAX)
}

#[tokio::test]
async fn an_overdue_delivery_is_sent_for_at_most_hourly() {
    let (world, deliveries) = stranded(&["a", "b", "c"]);
    let sweep = sweep_of(&world, Some(sender::partner("")));
    pass(&world, 15);
    assert_eq!(sweep.sweep(never()).await, Swept::default(), "not late yet");
    pass(&world, 1);
    let expected = |sent, sent_before| Swept { looked_at: 3, sent, sent_before, ..Swept::default() };
    assert_eq!(sweep.sweep(never()).await, expected(3, 0));
    pass(&world, 59);
    assert_eq!(sweep.sweep(never()).await, expected(0, 3));
    pass(&world, 1);
    assert_eq!(sweep.sweep(never()).await, expected(3, 0));
    let sent = world.state().webhooks.clone();
    assert_eq!(sent.len(), 6);
    assert!(world.state().resends.is_empty(), "a first attempt does not wait with resends");
    world.state().resends.extend(sent.into_iter().map(|message| (message, sender::start())));
    sender::run(&world, &sender::use_case(&world, Some(sender::recipient("")))).await;
    assert!(deliveries.iter().all(|delivery| sender::status(&world, delivery) == Status::Delivered));
    assert_eq!(world.state().requests.len(), 3, "two messages each, one request each");
    pass(&world, 600);
    assert_eq!(sweep.sweep(never()).await, Swept::default(), "an ended delivery is not looked at");
}

#[tokio::test]
async fn a_lost_resend_is_sent_for_on_the_queue_of_resends() {
    let (world, deliveries) = stranded(&["a"]);
    let first = deliveries[0].first_message(ChainTicket::from_random([1; 8])).unwrap();
    world.state().answers.extend(sender::failing(1));
    let ready = sender::use_case(&world, Some(sender::recipient("")));
    ready.handle(&[sender::received(&first)], never()).await;
    world.state().resends.clear();
    pass(&world, 16);
    let swept = sweep_of(&world, Some(sender::partner(""))).sweep(never()).await;
    let state = world.state();
    assert_eq!((swept.sent, state.resends.len(), state.webhooks.len()), (1, 1, 0));
}

#[tokio::test]
async fn paused_deliveries_are_never_late_and_unknown_ones_counted() {
    for (known, unknown) in [(Some(sender::partner(r#","paused":true"#)), 0), (None, 1)] {
        let (world, _) = stranded(&["a"]);
        pass(&world, 100);
        let swept = sweep_of(&world, known).sweep(never()).await;
        assert_eq!(swept, Swept { looked_at: 1, unknown, ..Swept::default() });
        assert!(world.state().webhooks.is_empty());
    }
}

#[tokio::test]
async fn an_archived_campaigns_delivery_is_sent_for() {
    let (world, _) = stranded(&["a"]);
    pass(&world, 100);
    let swept = sweep_of(&world, Some(sender::partner(r#","archived":true"#))).sweep(never()).await;
    assert_eq!(swept.sent, 1);
}

#[tokio::test]
async fn after_any_fault_the_next_sweep_sends_the_rest() {
    let (clean, _) = stranded(&["a", "b", "c"]);
    pass(&clean, 16);
    sweep_of(&clean, Some(sender::partner(""))).sweep(never()).await;
    let calls = clean.state().calls.len();
    for at in 0..calls {
        for kind in [Trouble::Before, Trouble::After] {
            let (world, deliveries) = stranded(&["a", "b", "c"]);
            pass(&world, 16);
            world.state().trouble = [(at, kind)].into();
            let sweep = sweep_of(&world, Some(sender::partner("")));
            let swept = sweep.sweep(never()).await;
            assert_eq!((swept.unfinished, swept.fault.is_some()), (1, true), "{at} {kind:?}");
            sweep.sweep(never()).await;
            for delivery in &deliveries {
                assert!(world.state().webhooks.iter().any(|sent| sent.delivery_id == *delivery.id()), "{at} {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_time_reports_it() {
    let (world, _) = stranded(&["a", "b", "c"]);
    pass(&world, 16);
    let swept = sweep_of(&world, Some(sender::partner(""))).sweep(sender::start()).await;
    assert_eq!((swept.sent, swept.unfinished, swept.fault), (2, 1, None), "a page was begun");
}

#[tokio::test]
async fn a_failed_message_holds_up_no_other_of_its_page() {
    let (world, _) = stranded(&["a", "b"]);
    pass(&world, 16);
    let page = ["page of what is under way", "load"].len();
    world.state().trouble = [(page, Trouble::Before)].into();
    let swept = sweep_of(&world, Some(sender::partner(""))).sweep(never()).await;
    assert_eq!((swept.sent, swept.unfinished), (1, 1));
    assert_eq!(swept.fault.map(|fault| fault.service), Some("send webhook"));
}

#[tokio::test]
async fn unreadable_deliveries_are_counted_and_hold_up_no_other() {
    let (world, _) = stranded(&["a", "b"]);
    world.state().unreadable_under_way = 1;
    pass(&world, 16);
    let swept = sweep_of(&world, Some(sender::partner(""))).sweep(never()).await;
    // Each of the two pages has one unreadable delivery.
    assert_eq!((swept.sent, swept.unreadable, swept.unfinished), (2, 2, 1));
    assert!(swept.fault.is_some_and(|fault| fault.reason.contains("cannot be read")));
}

#[tokio::test]
async fn deliveries_that_wait_for_their_endpoint_are_left_alone_until_it_is_up() {
    use domain::outbound::{attempt::AttemptOutcome, endpoint::Observation};

    use crate::ports::EndpointKey;
    let (world, deliveries) = stranded(&["a", "b", "c"]);
    let failed = |(number, delivery): (i64, &Delivery)| Observation {
        delivery_id: delivery.id().clone(),
        outcome: AttemptOutcome::Status(503),
        at: sender::start().plus(Duration::from_secs(100 * number.unsigned_abs())),
    };
    let failed: Vec<Observation> = (0..).zip(&deliveries).map(failed).collect();
    let key = EndpointKey { provider: sender::provider(), host: "a.example".into() };
    let endpoint = |world: &World| world.state().endpoints.entry(key.clone()).or_default().endpoint.clone();
    let down = endpoint(&world).after_all(&failed).unwrap();
    assert!(down.down_since().is_some());
    world.state().endpoints.entry(key.clone()).or_default().endpoint = down.clone();
    pass(&world, 16);
    let looked_at = |sent, waiting| Swept { looked_at: 3, sent, waiting, ..Swept::default() };
    let partner = |more: &str| {
        let partner = sender::partner("");
        let mut file =
            serde_json::to_value(partner.provider()).map(|name| serde_json::json!({"provider": name})).unwrap();
        file["media_buying"] = serde_json::from_str(&format!(
            r#"{{"ids":["click_id","user_id"]{more},"campaigns":[{{"name":"welcome","goal":{{"type":"registration"}},
                "active_from":"2026-11-23T12:00:00Z","webhook":{{"url":"https://a.example/hook/{{userId}}"}}}}]}}"#
        ))
        .unwrap();
        Partner::try_from(serde_json::from_value::<domain::partner::PartnerFile>(file).unwrap()).unwrap()
    };
    let held = sweep_of(&world, Some(partner(r#","hold_while_down":true"#)));
    assert_eq!(held.sweep(never()).await, looked_at(0, 3));
    let limited = sweep_of(&world, Some(partner(r#","max_rate":1"#)));
    world.state().endpoints.entry(key.clone()).or_default().next_place = Some(i64::MAX);
    assert_eq!(limited.sweep(never()).await, looked_at(0, 3), "their places will come");
    let shown = sweep_of(&world, Some(partner("")));
    assert_eq!(shown.sweep(never()).await, looked_at(3, 0), "health alone holds nothing back");
    // All messages are lost, so nobody tries the host. Waiting for a trial would be waiting for ever.
    pass(&world, 61);
    assert!(world.state().endpoints[&key].endpoint.down_since().is_some());
    assert_eq!(held.sweep(never()).await, looked_at(3, 0));
}
