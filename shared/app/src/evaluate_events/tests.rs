mod contention;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    outbound::{
        catalogue::Catalogue,
        delivery::{Delivery, Message},
        participant::Participant,
    },
    values::ids::{DeliveryId, Provider, UserId},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    memory::{Trouble, World},
    ports::Clock,
};

const NOON: &str = "2026-11-23T12:00:00Z";

fn at(text: &str) -> UnixMillis {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// Returns a catalogue with campaigns that are active from eleven o'clock.
fn catalogue(version: u64) -> Catalogue {
    let from = at("2026-11-23T11:00:00Z").as_millisecond();
    let campaign = |goal: Value| json!({"goal": goal, "active_from": from});
    let catalogue = json!({"version": version, "published_at": from, "partners": {
        "acme": {"campaigns": {
            "registered": campaign(json!({"type": "registration"})),
            "strike": campaign(json!({"type": "ggstrike", "clicks": 10})),
            "quest": campaign(json!({"type": "main_quest", "quest": "q1"})),
            "group": campaign(json!({"type": "main_quests", "quests": ["q1", "q2"]})),
        }},
        "globex": {"campaigns": {"quest": campaign(json!({"type": "main_quest", "quest": "q2"}))}},
    }});
    serde_json::from_value(catalogue).unwrap()
}

struct Rig {
    world: World,
    evaluate: EvaluateEvents<World>,
}

impl Rig {
    fn new() -> Self {
        let world = World::default();
        world.state().millisecond = at(NOON).as_millisecond();
        world.state().catalogue = Some(catalogue(1));
        Self { evaluate: use_case(&world), world }
    }

    async fn handle(&self, bodies: &[String]) -> Vec<EventOutcome> {
        self.evaluate.handle(&messages(bodies)).await
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.world.state().calls)
    }
}

fn use_case(world: &World) -> EvaluateEvents<World> {
    EvaluateEvents {
        catalogue: CurrentCatalogue::new(world.clone(), std::time::Duration::from_secs(30)),
        participants: world.clone(),
        deliveries: world.clone(),
        queue: world.clone(),
        dead_letters: world.clone(),
        clock: world.clone(),
        randomness: world.clone(),
        broken_links: world.clone(),
        unknown_types: world.clone(),
        timing: Timing::default(),
    }
}

fn messages(bodies: &[String]) -> Vec<ReceivedEvent> {
    let message = |(at, body): (usize, &String)| ReceivedEvent {
        id: at.to_string(),
        body: body.clone(),
        received_at: self::at(NOON),
    };
    bodies.iter().enumerate().map(message).collect()
}

/// Returns an event of this type at this minute after eleven.
fn event(kind: &str, user: &str, minute: u32, more: Value) -> String {
    let mut event = json!({"id": format!("{kind}-{minute}"), "type": kind, "user_id": user,
        "occurred_at": format!("2026-11-23T11:{minute:02}:00Z")});
    let (Value::Object(event_fields), Value::Object(more)) = (&mut event, more) else { panic!("objects") };
    event_fields.extend(more);
    event.to_string()
}

fn opened(user: &str, provider: &str, minute: u32) -> String {
    let tracking = json!({"provider": provider, "click_id": format!("c-{user}")});
    event("tracking_link.opened", user, minute, json!({"tracking": tracking, "total_clicks": 100}))
}

fn registered(user: &str, minute: u32) -> String {
    let tracking = json!({"provider": "acme", "click_id": format!("c-{user}")});
    event("user.registered", user, minute, json!({"tracking": tracking}))
}

fn clicked(user: &str, minute: u32, total: u64) -> String {
    event("gg_button.clicked", user, minute, json!({"total_clicks": total}))
}

fn completed(user: &str, minute: u32, quest: &str) -> String {
    event("main_quest.completed", user, minute, json!({"quest_id": quest}))
}

#[tokio::test]
async fn an_event_costs_a_read_a_write_and_a_put_for_each_delivery() {
    let rig = Rig::new();
    assert_eq!(rig.handle(&[opened("u", "acme", 1)]).await, [EventOutcome::Applied { owed: 0 }]);
    assert_eq!(rig.calls(), ["load catalogue", "read participant", "write participant"]);
    assert_eq!(rig.handle(&[completed("u", 2, "q1")]).await, [EventOutcome::Applied { owed: 1 }]);
    assert_eq!(rig.calls(), ["read participant", "put delivery", "send webhook", "write participant"]);
    assert_eq!(rig.handle(&[completed("u", 2, "q1")]).await, [EventOutcome::Unchanged]);
    assert_eq!(rig.calls(), ["read participant"]);
}

#[tokio::test]
async fn an_unneeded_event_costs_no_call() {
    let rig = Rig::new();
    rig.handle(&[opened("u", "acme", 1)]).await;
    rig.calls();
    assert_eq!(rig.handle(&[completed("u", 2, "q9"), clicked("u", 59, 1)]).await[0], EventOutcome::NotNeeded);
    assert_eq!(rig.calls().iter().filter(|call| **call == "set aside").count(), 0);
}

#[tokio::test]
async fn events_of_unknown_types_are_kept_whole_with_the_type_that_was_meant() {
    let rig = Rig::new();
    let batch = [event("user.slept", "u", 2, json!({})), r#"{"type":"user.registred"}"#.to_owned()];
    let unknown = |name: &str, meant| EventOutcome::UnknownType(UnknownType { name: name.to_owned(), meant });
    let outcomes = rig.handle(&batch).await;
    assert_eq!(outcomes, [unknown("user.slept", None), unknown("user.registred", Some("user.registered"))]);
    let kept = rig.world.state().dead_letters.clone();
    let reasons = ["unknown type user.slept", "unknown type user.registred, nearly user.registered"];
    assert_eq!(kept, batch.into_iter().zip(reasons.map(str::to_owned)).collect::<Vec<_>>());
    assert_eq!(rig.calls(), ["set aside"; 2]);
}

#[tokio::test]
async fn a_spoiled_tracking_is_kept_and_its_event_attributes_nobody() {
    let rig = Rig::new();
    let registration = |tracking: Value| event("user.registered", "u", 2, json!({"tracking": tracking}));
    let batch = [
        registration(json!({"provider": "acme", "click_id": "{clickId}"})),
        registration(json!({"provider": "acme", "click_id": "x".repeat(300)})),
        registration(json!({"provider": "acme"})),
        registration(json!({"provider": "{provider}", "click_id": "c"})),
        opened("u", "hooli", 2),
        // The user id is not agreed with this partner, so its macro does not matter.
        registration(json!({"provider": "acme", "click_id": "c", "user_id": "{userId}"})),
    ];
    let outcomes = rig.handle(&batch).await;
    let acme = Provider::new("acme").unwrap();
    for (place, reason, broken_link_of) in [
        (0, "tracking.click_id: MacroNotReplaced", Some(&acme)),
        (1, "tracking.click_id: TooLong", None),
        (2, "tracking.click_id: Missing", None),
        (3, "tracking.provider: MacroNotReplaced", None),
        (4, "tracking.provider: UnknownProvider", None),
    ] {
        let EventOutcome::SpoiledTracking(spoiled) = &outcomes[place] else { panic!("{outcomes:?}") };
        assert!(spoiled.faults[0].to_string().starts_with(reason), "{spoiled:?}");
        assert_eq!(spoiled.broken_link_of(), broken_link_of, "{spoiled:?}");
    }
    assert!(matches!(outcomes[5], EventOutcome::Applied { .. }), "{outcomes:?}");
    let state = rig.world.state();
    assert_eq!(state.dead_letters.iter().map(|(whole, _)| whole).collect::<BTreeSet<_>>(), batch[..5].iter().collect());
    assert!(state.deliveries.values().all(|delivery| delivery.ids().click_id.as_ref().unwrap().as_str() == "c"));
}

#[tokio::test]
async fn a_users_events_in_a_batch_cost_one_read_and_one_write() {
    let rig = Rig::new();
    let batch = [completed("u", 9, "q2"), clicked("u", 7, 110), opened("u", "acme", 1), completed("u", 8, "q1")];
    assert_eq!(rig.handle(&batch).await, vec![EventOutcome::Applied { owed: 3 }; 4]);
    let calls = rig.calls();
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    let counts = ["read participant", "put delivery", "send webhook", "write participant"].map(count);
    assert_eq!(counts, [1, 3, 3, 1]);
    assert_eq!(calls.last(), Some(&"write participant"), "the participant is written last");
}

#[tokio::test]
async fn malformed_events_are_set_aside_and_harm_no_neighbour() {
    let rig = Rig::new();
    let long = completed("u", 2, &"q".repeat(10_000));
    let future = completed("u", 2, "q1").replace("2026-11-23", "2099-01-01");
    let batch = ["{".to_owned(), opened("u", "acme", 1), long, future, completed("u", 3, "q1")];
    let outcomes = rig.handle(&batch).await;
    for (place, reason) in [(0, "NotJson"), (2, "TooLong"), (3, "InTheFuture")] {
        assert!(matches!(&outcomes[place], EventOutcome::SetAside(why) if why.contains(reason)), "{outcomes:?}");
    }
    assert_eq!([&outcomes[1], &outcomes[4]], [&EventOutcome::Applied { owed: 1 }; 2]);
    let state = rig.world.state();
    let aside: BTreeSet<&String> = state.dead_letters.iter().map(|(whole, _)| whole).collect();
    assert_eq!(aside, [0, 2, 3].map(|place| &batch[place]).into());
}

#[tokio::test]
async fn an_unknown_partner_is_looked_up_in_the_current_catalogue() {
    let rig = Rig::new();
    rig.handle(&[opened("u", "acme", 1)]).await;
    let mut published = serde_json::to_value(catalogue(2)).unwrap();
    published["partners"]["hooli"] = json!({});
    {
        let mut state = rig.world.state();
        state.catalogue = Some(serde_json::from_value(published).unwrap());
        state.millisecond += 1;
    }
    assert_eq!(rig.handle(&[opened("u", "hooli", 2)]).await, [EventOutcome::Applied { owed: 0 }]);
    assert!(rig.world.state().dead_letters.is_empty());
}

#[tokio::test]
async fn an_old_or_missing_catalogue_discards_no_event() {
    let rig = Rig::new();
    let batch = [opened("u", "hooli", 1), completed("u", 2, "q9"), completed("u", 2, "q1"), "{".to_owned()];
    let failed =
        |outcomes: &[EventOutcome]| outcomes[..3].iter().all(|outcome| matches!(outcome, EventOutcome::Failed(_)));
    rig.world.state().catalogue = None;
    let outcomes = rig.handle(&batch).await;
    assert!(failed(&outcomes) && matches!(outcomes[3], EventOutcome::SetAside(_)), "{outcomes:?}");
    rig.world.state().catalogue = Some(catalogue(1));
    rig.handle(&[opened("u", "acme", 1)]).await;
    // While the source is down, a catalogue is fresh enough for exactly two minutes.
    for (later, down) in [(120_000, false), (1, true)] {
        {
            let mut state = rig.world.state();
            state.millisecond += later;
            let calls = state.calls.len();
            state.trouble = (calls..calls + 1000).map(|call| (call, Trouble::Before)).collect();
        }
        let outcomes = rig.handle(&[completed("u", 2, "q9")]).await;
        assert_eq!(outcomes == [EventOutcome::NotNeeded], !down, "{outcomes:?}");
        assert_eq!(failed(&[outcomes[0].clone(), outcomes[0].clone(), outcomes[0].clone()]), down);
    }
}

#[tokio::test]
async fn the_catalogue_is_polled_once_an_interval() {
    let rig = Rig::new();
    for (later, asked) in [(0, 1), (30_000, 0), (1, 1), (30_000, 0), (1, 1)] {
        rig.world.state().millisecond += later;
        rig.handle(&[opened("u", "acme", 1)]).await;
        assert_eq!(rig.calls().iter().filter(|call| **call == "load catalogue").count(), asked);
    }
}

/// Returns the delivery after its first attempt was claimed.
fn claimed(delivery: &Delivery, message: &Message) -> Delivery {
    use domain::{
        outbound::{campaign::CampaignState, delivery::DeliveryPace},
        values::ids::ClaimMark,
    };
    let pace = DeliveryPace::try_new(std::time::Duration::from_mins(1), 60).unwrap();
    let claim = message.claim(message.due_at, CampaignState::Open, &pace, &ClaimMark::new("m").unwrap()).unwrap();
    delivery.with_claim(claim)
}

#[tokio::test]
async fn a_delivery_is_sent_again_unless_it_has_begun() {
    for begun in [false, true] {
        let rig = Rig::new();
        let batch = [opened("u", "acme", 1), completed("u", 2, "q1")];
        rig.handle(&batch).await;
        {
            let mut state = rig.world.state();
            state.participants.clear();
            let first = state.webhooks[0].clone();
            if begun {
                state.deliveries.values_mut().for_each(|delivery| *delivery = claimed(delivery, &first));
            }
        }
        let before = rig.world.state().deliveries.clone();
        rig.handle(&batch).await;
        let state = rig.world.state();
        assert_eq!(state.webhooks.len(), if begun { 1 } else { 2 });
        assert_eq!(state.deliveries, before, "an existing delivery is unchanged");
        assert_eq!(state.webhooks.iter().map(|sent| &sent.delivery_id).collect::<BTreeSet<_>>().len(), 1);
    }
}

#[tokio::test]
async fn an_expired_participant_that_is_not_deleted_yet_is_ignored() {
    let rig = Rig::new();
    rig.handle(&[completed("u", 1, "q1")]).await;
    rig.world.state().millisecond += 8 * 24 * 60 * 60 * 1000;
    let mut late = messages(&[opened("u", "acme", 0)]);
    late[0].received_at = rig.world.now();
    assert_eq!(rig.evaluate.handle(&late).await, [EventOutcome::Applied { owed: 0 }]);
    let state = rig.world.state();
    let stored = &state.participants[&UserId::new("u").unwrap()].0;
    assert!(stored.attribution(&Provider::new("acme").unwrap()).is_some() && state.deliveries.is_empty());
    let explained = serde_json::to_string(stored).unwrap();
    assert!(!explained.contains("q1"), "{explained}");
}

/// Returns four batches about three users, with malformed, unknown and unneeded events.
fn story() -> Vec<Vec<String>> {
    vec![
        vec![completed("a", 30, "q2"), opened("b", "globex", 1), "{".to_owned(), clicked("a", 20, 109)],
        vec![opened("a", "acme", 5), completed("b", 9, "q2"), event("user.slept", "a", 2, json!({}))],
        vec![completed("a", 31, "q1"), clicked("a", 21, 110), completed("c", 2, "q9"), opened("c", "hooli", 2)],
        vec![registered("c", 3), completed("b", 9, "q2"), opened("b", "acme", 2)],
    ]
}

/// The state of the world at the end.
#[derive(Debug, PartialEq)]
struct End {
    participants: BTreeMap<UserId, Participant>,
    owed: BTreeMap<DeliveryId, (UnixMillis, domain::outbound::agreed_ids::PartnerIds)>,
    sent: BTreeSet<DeliveryId>,
    aside: BTreeSet<String>,
}

/// Evaluates the story with these faults. Failed events are redelivered after the rest. Returns the state at the end
/// and the number of calls.
async fn play(trouble: BTreeMap<usize, Trouble>) -> (End, usize) {
    let rig = Rig::new();
    rig.world.state().trouble = trouble;
    let mut waiting: std::collections::VecDeque<Vec<String>> = story().into();
    for _ in 0..100 {
        let Some(batch) = waiting.pop_front() else { break };
        let outcomes = rig.handle(&batch).await;
        let failed = batch.into_iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, EventOutcome::Failed(_)));
        let failed: Vec<String> = failed.map(|(body, _)| body).collect();
        if !failed.is_empty() {
            waiting.push_back(failed);
        }
    }
    assert!(waiting.is_empty());
    let state = rig.world.state();
    let owed = |delivery: &Delivery| (delivery.occurred_at(), delivery.ids().clone());
    let end = End {
        participants: state.participants.iter().map(|(id, (stored, _))| (id.clone(), stored.clone())).collect(),
        owed: state.deliveries.iter().map(|(id, delivery)| (id.clone(), owed(delivery))).collect(),
        sent: state.webhooks.iter().map(|attempt| attempt.delivery_id.clone()).collect(),
        aside: state.dead_letters.iter().map(|(whole, _)| whole.clone()).collect(),
    };
    (end, state.calls.len())
}

#[tokio::test]
async fn any_one_or_two_faults_end_in_the_same_deliveries() {
    let (good, calls) = play(BTreeMap::new()).await;
    assert_eq!((good.owed.len(), good.aside.len(), good.participants.len()), (5, 3, 3), "{good:?}");
    assert_eq!(good.sent, good.owed.keys().cloned().collect());
    let kinds = [Trouble::Before, Trouble::After];
    for first in 0..calls {
        for kind in kinds {
            let (end, longer) = play([(first, kind)].into()).await;
            assert_eq!(end, good, "{kind:?} at call {first}");
            for second in first + 1..longer {
                for other in kinds {
                    let (end, _) = play([(first, kind), (second, other)].into()).await;
                    assert_eq!(end, good, "{kind:?} at call {first}, {other:?} at call {second}");
                }
            }
        }
    }
}
