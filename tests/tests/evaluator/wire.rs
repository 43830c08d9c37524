//! Counts the calls that events cost, and tests events that cannot be used.

use serde_json::json;
use tests::{
    fresh,
    proxy::{Action, Proxy},
};

use crate::{
    events::{clicked, completed, of_unknown_type, opened, registered},
    fixture::{Fixture, delivery_id, evaluate},
};

/// Returns the proxy's calls since this function was last called.
fn calls(fixture: &Fixture, proxy: &Proxy) -> Vec<String> {
    proxy.take_calls().iter().map(|call| fixture.stack.words(call)).collect()
}

const READ: &str = "GetItem participants";
const READ_ALL: &str = "BatchGetItem participants";
const WRITE: &str = "PutItem participants";
const PUT: &str = "PutItem deliveries";
const SEND: &str = "SendMessageBatch webhooks";
const KEEP_UNKNOWN: &str = "SendMessage gg3-events-unknown-types";

#[tokio::test]
async fn init_reads_the_catalogue_and_events_do_not() {
    let fixture = Fixture::shared().await;
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let function = fixture.settings(&proxy.endpoint_url()).spawn().await;
    function.wait_until_ready().await.unwrap();
    assert_eq!(calls(fixture, &proxy), ["GetItem catalogue"; 3], "init reads the pointer and two chunks");
    evaluate(&function, &[opened(&fresh("u"), "evaluator-a", 5, 0)]).await;
    assert_eq!(calls(fixture, &proxy), [READ, WRITE]);
}

#[tokio::test]
async fn an_event_costs_a_read_and_a_write_and_a_repeat_a_read() {
    let fixture = Fixture::shared().await;
    let (proxy, function) = fixture.behind_a_proxy().await;
    let user = fresh("u");
    let (opening, quest) = (opened(&user, "evaluator-a", 9, 0), completed(&user, 5, "q1"));
    for (event, expected) in [
        (opening.clone(), &[READ, WRITE][..]),
        (opening, &[READ]),
        (quest.clone(), &[READ, PUT, SEND, WRITE]),
        (quest.clone(), &[READ]),
        (completed(&user, 4, "q2"), &[READ, WRITE]),
        (completed(&user, 3, "nobodys"), &[]),
        (of_unknown_type(&user), &[KEEP_UNKNOWN]),
        // The user opened the second partner's link before the quest, but the opening is reported after the quest. The
        // quest had been kept for such a case.
        (opened(&user, "evaluator-b", 8, 0), &[READ, PUT, SEND, WRITE]),
    ] {
        assert_eq!(evaluate(&function, std::slice::from_ref(&event)).await, [0; 0]);
        assert_eq!(calls(fixture, &proxy), expected, "{event}");
    }
    let arrived = fixture.messages(&delivery_id("evaluator-a", "quest", &user)).await;
    assert_eq!(arrived.len(), 1);
    assert_eq!((arrived[0].round, arrived[0].n, arrived[0].provider.as_str()), (1, 1, "evaluator-a"));
    let put = fixture.delivery("evaluator-a", "quest", &user).await.unwrap();
    let put = put.delivery;
    assert_eq!(put.participant().as_str(), user);
    assert_eq!(put.ids().click_id.as_ref().unwrap().as_str(), format!("click-{user}"));
    assert_eq!(
        (&put.ids().user_id, put.next().unwrap().due_at),
        (&None, put.created_at()),
        "only the agreed id is stored, and the delivery is due at once"
    );
}

#[tokio::test]
async fn the_events_of_one_user_cost_one_read_one_write_and_one_send() {
    let fixture = Fixture::shared().await;
    let (proxy, function) = fixture.behind_a_proxy().await;
    let user = fresh("u");
    let batch = [
        completed(&user, 2, "q4"),
        clicked(&user, 3, 7),
        completed(&user, 4, "q2"),
        completed(&user, 5, "q3"),
        registered(&user, "evaluator-a", 9),
    ];
    assert_eq!(evaluate(&function, &batch).await, [0; 0]);
    assert_eq!(calls(fixture, &proxy), [READ, PUT, PUT, PUT, SEND, WRITE]);
    for campaign in ["registration", "strike", "group"] {
        assert_eq!(fixture.messages(&delivery_id("evaluator-a", campaign, &user)).await.len(), 1);
    }
}

#[tokio::test]
async fn a_malformed_event_is_set_aside_without_its_neighbours() {
    let fixture = Fixture::shared().await;
    let (proxy, function) = fixture.behind_a_proxy().await;
    let user = fresh("u");
    let long = completed(&user, 1, &"q".repeat(10_000));
    let future = opened(&user, "evaluator-a", 1, 0).replace("\"20", "\"90");
    let past = completed(&user, 1, "q1").replace("\"20", "\"10");
    let broken = format!("{{\"id\":\"{user}\"");
    let batch = [
        long.clone(),
        opened(&user, "evaluator-a", 9, 0),
        broken.clone(),
        future.clone(),
        past,
        completed(&user, 5, "q1"),
    ];
    // While the dead-letter queue fails, the malformed events are retried. The other events are not.
    proxy.on(|call| if call.operation == "SendMessage" { Action::Throttle } else { Action::Forward });
    assert_eq!(evaluate(&function, &batch).await, [0, 2, 3]);
    assert_eq!(fixture.messages(&delivery_id("evaluator-a", "quest", &user)).await.len(), 1);
    proxy.on(|_| Action::Forward);
    assert_eq!(evaluate(&function, &batch).await, [0; 0]);
    for (body, reason) in [(long, "quest_id: TooLong"), (broken, "NotJson"), (future, "occurred_at: InTheFuture")] {
        let letter = fixture.dead_letter("gg3-events-dead-letters", &body).await;
        assert!(letter.contains(reason), "{letter}");
    }
    function.kill().await;
    let logs = function.logs();
    assert!(logs.iter().all(|line| !line.contains(&user)), "no log quotes a dead letter: {logs:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_attributed_is_kept_without_an_alarm() {
    let fixture = Fixture::shared().await;
    let (_proxy, function) = fixture.behind_a_proxy().await;
    let user = fresh("u");
    let registration = |provider: &str, click_id: &str| {
        let body = registered(&user, provider, 1);
        body.replace(&format!("click-{user}"), click_id)
    };
    let macros = registration("evaluator-a", "{clickId}");
    let long = registration("evaluator-a", &"x".repeat(300));
    let stranger = opened(&user, "nobody-we-know", 1, 0);
    let misspelt = of_unknown_type(&user).replace("user.slept", "user.registred");
    let batch = [macros.clone(), long.clone(), stranger.clone(), misspelt.clone(), of_unknown_type(&user)];
    assert_eq!(evaluate(&function, &batch).await, [0; 0]);
    for (queue, body, reason) in [
        ("gg3-events-broken-links", &macros, "tracking.click_id: MacroNotReplaced"),
        ("gg3-events-broken-links", &long, "tracking.click_id: TooLong"),
        ("gg3-events-broken-links", &stranger, "tracking.provider: UnknownProvider"),
        ("gg3-events-unknown-types", &misspelt, "unknown type user.registred, nearly user.registered"),
        ("gg3-events-unknown-types", &batch[4], "unknown type user.slept"),
    ] {
        let kept = fixture.dead_letter(queue, body).await;
        assert!(kept.contains(reason), "{kept}");
    }
    assert!(fixture.deliveries_of(&user).await.is_empty());
    function.kill().await;
    let alarming = function.logs().into_iter().filter(|line| line.contains("\"ERROR\"")).collect::<Vec<_>>();
    assert!(alarming.len() == 1 && alarming[0].contains("events_of_misspelt_type"), "{alarming:?}");
}

#[tokio::test]
async fn a_failing_call_fails_only_the_events_of_its_user() {
    let fixture = Fixture::shared().await;
    let (proxy, function) = fixture.behind_a_proxy().await;
    for operation in [PUT, SEND, WRITE] {
        let (user, other) = (fresh("u"), fresh("u"));
        let batch = [
            opened(&user, "evaluator-a", 9, 0),
            opened(&other, "evaluator-a", 9, 0),
            completed(&user, 5, "q1"),
            completed(&other, 4, "q2"),
        ];
        let hurt = user.clone();
        proxy.on(move |call| {
            let theirs = call.body.to_string().contains(&hurt) || operation == SEND;
            if fixture.stack.words(call) == operation && theirs { Action::Throttle } else { Action::Forward }
        });
        assert_eq!(evaluate(&function, &batch).await, [0, 2], "{operation}");
        proxy.on(|_| Action::Forward);
        assert_eq!(evaluate(&function, &batch).await, [0; 0]);
        assert!(!fixture.messages(&delivery_id("evaluator-a", "quest", &user)).await.is_empty());
    }
}

#[tokio::test]
async fn ten_users_cost_one_read_one_send_and_their_own_writes() {
    let fixture = Fixture::shared().await;
    let (proxy, function) = fixture.behind_a_proxy().await;
    let users: [String; 10] = std::array::from_fn(|_| fresh("u"));
    for (event, each) in [(0, &[WRITE][..]), (1, &[PUT, WRITE])] {
        let event = |user: &String| [opened(user, "evaluator-a", 9, 0), completed(user, 5, "q1")][event].clone();
        assert_eq!(evaluate(&function, &users.each_ref().map(event)).await, [0; 0]);
        let mut expected: Vec<&str> = each.iter().flat_map(|operation| [*operation; 10]).chain([READ_ALL]).collect();
        expected.extend((each.len() > 1).then_some(SEND));
        let mut calls = calls(fixture, &proxy);
        calls.sort();
        expected.sort_unstable();
        assert_eq!(calls, expected);
    }
    for user in &users {
        assert_eq!(fixture.messages(&delivery_id("evaluator-a", "quest", user)).await.len(), 1);
    }
}

#[tokio::test]
async fn a_failed_read_fails_exactly_the_users_that_it_concerns() {
    let fixture = Fixture::shared().await;
    let (proxy, function) = fixture.behind_a_proxy().await;
    let (user, other) = (fresh("u"), fresh("u"));
    let batch = [completed(&user, 5, "q1"), opened(&user, "evaluator-a", 9, 0), opened(&other, "evaluator-a", 9, 0)];
    let is_read = |words: &str| [READ, READ_ALL].contains(&words);
    proxy.on(move |call| if is_read(&fixture.stack.words(call)) { Action::Throttle } else { Action::Forward });
    assert_eq!(evaluate(&function, &batch).await, [0, 1, 2]);
    // DynamoDB leaves one user unprocessed, and then throttles the second read.
    let table = fixture.stack.table("participants");
    let left = json!({table: {"Keys": [{"user_id": {"S": user}}], "ConsistentRead": true}});
    let answer = json!({"Responses": {table: []}, "UnprocessedKeys": left});
    proxy.on(move |call| match fixture.stack.words(call).as_str() {
        READ_ALL => Action::Answer(answer.clone()),
        READ => Action::Throttle,
        _ => Action::Forward,
    });
    assert_eq!(evaluate(&function, &batch).await, [0, 1]);
    assert!(fixture.participant(&user).await.version.is_none());
    assert!(fixture.participant(&other).await.version.is_some());
    let answer = json!({"Responses": {table: []}, "UnprocessedKeys": {table: {"Keys": [{"user_id": {"S": user}}]}}});
    proxy.take_calls();
    proxy.on(move |call| match fixture.stack.words(call).as_str() {
        READ_ALL => Action::Answer(answer.clone()),
        _ => Action::Forward,
    });
    // The answer leaves out the other user, so the evaluator treats that user as new. The evaluator's write then fails,
    // and the evaluator starts again with that user.
    assert_eq!(evaluate(&function, &batch).await, [0; 0]);
    assert_eq!(fixture.messages(&delivery_id("evaluator-a", "quest", &user)).await.len(), 1);
}
