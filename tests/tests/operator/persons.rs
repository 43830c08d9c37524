//! Tests that a person is shown and erased, and that no id of the person is left anywhere.

use std::{fs, path::PathBuf, time::Duration};

use adapters::dynamodb::clicks::DynamoClicks;
use app::ports::Clicks;
use domain::{
    inbound::click::Click,
    jiff::Timestamp,
    retention::Expiring,
    values::ids::{ClickId, LandingName, Provider, UserId},
};
use serde_json::{Value, json};
use tests::{
    eventually as until,
    partner_simulator::Answer,
    stack::{STACK_FILE, Stack},
};

use crate::{
    command::{eventually, postbackctl},
    fixture::{Conversions, Fixture, fresh},
    partner,
    retention::items,
};

/// The dead-letter queues.
const QUEUES: [&str; 8] = [
    "conversion-dead-letters",
    "gg3-conversions-dead-letters",
    "gg3-events-dead-letters",
    "gg3-events-broken-links",
    "gg3-events-unknown-types",
    "webhooks-dead-letters",
    "webhook-retries-dead-letters",
    "lookup-dead-letters",
];

/// A person, all of whose ids have one unmistakable text in them.
struct Person {
    mark: String,
    partner: String,
    url: String,
}

impl Person {
    fn id(&self, kind: &str) -> String {
        format!("{}-{kind}", self.mark)
    }

    fn query(&self, transaction: &str, amount: &str) -> String {
        let (user, click, transaction) = (self.id("u"), self.id("c"), self.id(transaction));
        format!("user_id={user}&click_id={click}&transaction_id={transaction}&currency=USD&amount_decimal={amount}")
    }

    async fn postback(&self, fixture: &Fixture, query: &str) -> Value {
        let reply = fixture.send(fixture.http.get(format!("{}?{query}", self.url))).await;
        json!([reply.status, reply.body])
    }
}

/// Makes every kind of record of a person: an accepted postback with a step, a negative amount, a conflict, a refusal, a
/// click, an opening, a delivery that failed and was sent again, and events on two dead-letter queues.
async fn person(fixture: &Fixture) -> Person {
    let (stack, name) = (&fixture.stack, fresh("p"));
    let simulator = stack.partner_simulator();
    let url = format!("{}/hook?click={{clickId}}", simulator.webhook_url(&name));
    let file = format!(
        "postback:\n  keep: [goal]\n  status: {{parameter: state, pending: [wait], approved: [ok], rejected: [no]}}\n  \
         negative_amounts: reverse\n  reference: ref\nmedia_buying:\n  campaigns:\n    - name: sign-up\n      \
         goal: {{type: registration}}\n      active_from: on_publish\n      initial_interval_seconds: 1\n      \
         webhook: {{url: \"{url}\"}}\n"
    );
    let report = partner::apply_for_loopback(stack, &name, &file);
    let token = report["partners"][0]["token"].as_str().unwrap();
    let url = format!("{}/postback/{name}/{token}", stack.api_url);
    let person = Person { mark: fresh("person"), partner: name.clone(), url };
    simulator.answer(&name, [Answer::status(410)]).await;

    for (query, status) in [
        (person.query("t", "100.00&state=wait&goal=7"), 200),
        (person.query("t", "100.00&state=ok"), 200),
        (person.query("r", "-30&state=ok").replace("&currency", &format!("&ref={}&currency", person.id("t"))), 200),
        (person.query("t", "90.00&state=ok"), 409),
        (person.query("bad", "1e3&state=ok"), 400),
    ] {
        assert_eq!(person.postback(fixture, &query).await[0], status, "{query}");
    }
    let click = Click {
        click_id: ClickId::new(person.id("k")).unwrap(),
        provider: Provider::new(&*name).unwrap(),
        landing: LandingName::new("welcome").unwrap(),
        user_id: UserId::new(person.id("u")).unwrap(),
        clicked_at: tests::now(),
    };
    DynamoClicks::new(stack.dynamodb(), stack.table("clicks").to_owned(), Expiring::Click.default_retention())
        .record(&click)
        .await
        .unwrap();

    // The campaign begins some seconds after it was published.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let (now, user) = (Timestamp::now().to_string(), person.id("u"));
    let tracking = json!({"provider": name, "click_id": person.id("o")});
    for (queue, event) in [
        ("gg3-events", json!({"type": "user.registered", "method": "google", "total_clicks": 0, "tracking": tracking})),
        ("gg3-events", json!({"type": "user.sneezed"})),
        ("gg3-events-dead-letters", json!({"type": "user.registered"})),
    ] {
        let mut event = event;
        for (member, value) in [("id", fresh("evt")), ("user_id", user.clone()), ("occurred_at", now.clone())] {
            event[member] = value.into();
        }
        let send = stack.sqs().send_message().queue_url(stack.queue(queue)).message_body(event.to_string());
        send.send().await.unwrap();
    }
    let gone = ["deliveries", "--provider", &name, "--status", "gone", "--json"];
    let found = eventually(stack, &gone, |found| found["deliveries"][0].is_object()).await;
    let id = found["deliveries"][0]["delivery_id"].as_str().unwrap();
    // The attempt of the first round moves to the table of attempts.
    assert_eq!(postbackctl(stack, &["resend", id, "--yes", "--json"]).json()["opened"], 1);
    person
}

/// Returns what `person show` prints, once lookups lead to every kind of record and to so many dead letters.
async fn shown_whole(fixture: &Fixture, user: &str, letters: usize) -> Value {
    let is_whole = |shown: &Value| {
        let all = ["postbacks", "refusals", "clicks", "deliveries", "attempts", "dead_letters"];
        let counts = all.map(|name| shown[name].as_array().map_or(0, Vec::len));
        counts == [3, 2, 1, 1, 1, letters] && shown["participants"][user].is_object()
    };
    eventually(&fixture.stack, &["person", "show", "--user", user], is_whole).await
}

/// Returns every item of every table and every dead letter that contains the mark.
async fn left(stack: &Stack, mark: &str) -> Vec<String> {
    let mut left = Vec::new();
    for (noun, table) in &stack.tables {
        let mut pages = stack.dynamodb().scan().table_name(table).consistent_read(true).into_paginator().send();
        while let Some(page) = pages.next().await {
            let items = page.unwrap().items.unwrap_or_default().into_iter().map(|item| format!("{noun}: {item:?}"));
            left.extend(items.filter(|item| item.contains(mark)));
        }
    }
    for queue in QUEUES {
        let receive = stack.sqs().receive_message().queue_url(stack.queue(queue)).max_number_of_messages(10);
        let receive = receive.visibility_timeout(2);
        loop {
            let messages = receive.clone().send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            let bodies = messages.into_iter().filter_map(|message| message.body);
            left.extend(bodies.filter(|body| body.contains(mark)).map(|body| format!("{queue}: {body}")));
        }
    }
    left
}

/// Runs this command until no id of the person is left. A function that was at work may write once more, and erasing
/// again is the cure.
async fn nothing_is_left(stack: &Stack, mark: &str, command: &[&str]) {
    let gone = until("no id of the person is left", async || {
        let left = left(stack, mark).await;
        if !left.is_empty() {
            postbackctl(stack, command);
        }
        left.is_empty().then_some(())
    });
    gone.await;
}

/// Returns the lines with the mark in the logs of the functions, which the local stack keeps beside its file.
fn logged(mark: &str) -> Vec<String> {
    let stack_file = PathBuf::from(std::env::var_os(STACK_FILE).unwrap());
    let (mut found, mut lines) = (Vec::new(), 0);
    for function in ["postback", "conversion-relay", "event-evaluator", "webhook-sender", "lookup-writer"] {
        let log = fs::read_to_string(stack_file.with_file_name(format!("logs/{function}.log"))).unwrap();
        lines += log.lines().count();
        found.extend(log.lines().filter(|line| line.contains(mark)).map(str::to_owned));
    }
    assert!(lines > 10, "the logs have lines");
    found
}

#[tokio::test]
async fn an_erased_person_is_nowhere_and_a_resend_is_a_duplicate() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let person = person(&fixture).await;
    let (mark, user) = (person.mark.as_str(), person.id("u"));
    let shown = shown_whole(&fixture, &user, 2).await;
    assert!(shown["users"] == json!([user]) && !left(stack, mark).await.is_empty());
    Conversions::shared().of(&person.partner, &person.id("t")).await;

    let refused = postbackctl(stack, &["person", "erase", "--user", &user]);
    assert_eq!((refused.code, refused.err.contains("open conflict")), (Some(1), true), "{}", refused.err);
    let erase = ["person", "erase", "--user", &user, "--yes", "--why", "request 7", "--json"];
    let erased = postbackctl(stack, &erase);
    assert_eq!(erased.code, Some(0), "{}", erased.err);
    nothing_is_left(stack, mark, &erase).await;
    assert_eq!(logged(mark), [""; 0]);

    let same = person.postback(&fixture, &person.query("t", "100&state=ok")).await;
    assert_eq!((&same[0], &same[1]["status"]), (&200.into(), &"duplicate".into()), "{same}");
    assert_eq!(same[1]["transaction_id"], person.id("t"));
    let other = person.postback(&fixture, &person.query("t", "100&state=no")).await;
    assert_eq!((&other[0], &other[1]["type"]), (&409.into(), &"urn:gg3:problem:transaction-erased".into()));
    let range = ["--from", "1h", "--to", "2100-01-01T00:00:00Z", "--yes", "--json"];
    let replay = [&["conversions", "replay", "--provider", &person.partner], &range[..]].concat();
    let replayed = postbackctl(stack, &replay).json();
    assert_eq!((&replayed["sent"], &replayed["erased"]), (&0.into(), &3.into()), "{replayed}");
    let audit = postbackctl(stack, &["audit", "--since", "1h", "--json"]).out;
    assert!(audit.contains("erase_person") && audit.contains("request 7") && !audit.contains(mark), "{audit}");
    let again = postbackctl(stack, &erase);
    assert_eq!(again.code, Some(1), "{}{}", again.out, again.err);
    assert_eq!(left(stack, mark).await, [""; 0]);
}

/// The tables that a restore may bring back, each with the names of its keys.
const RESTORED: [(&str, &[&str]); 6] = [
    ("postbacks", &["provider_transaction", "revision"]),
    ("refusals", &["provider_content"]),
    ("clicks", &["click_id"]),
    ("participants", &["user_id"]),
    ("deliveries", &["delivery_id"]),
    ("attempts", &["delivery_id", "attempt"]),
];

#[tokio::test]
async fn a_restored_person_is_erased_again() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let person = person(&fixture).await;
    let (mark, user) = (person.mark.as_str(), person.id("u"));
    let shown = shown_whole(&fixture, &user, 2).await;
    let delivery = shown["deliveries"][0]["delivery_id"].as_str().unwrap();
    let mut copied = Vec::new();
    for (noun, keys) in RESTORED {
        let text = if noun == "attempts" { delivery } else { mark };
        copied.extend(items(stack, noun, text).await.into_iter().map(|item| (noun, keys, item)));
    }
    let erase = ["person", "erase", "--user", &user, "--yes", "--why", "request 8"];
    assert_eq!(postbackctl(stack, &erase).code, Some(0));
    nothing_is_left(stack, mark, &erase).await;

    // A restore puts back what is missing.
    for (noun, keys, item) in copied {
        let key = keys.iter().map(|name| ((*name).to_owned(), item[*name].clone())).collect();
        stack.dynamodb().delete_item().table_name(stack.table(noun)).set_key(Some(key)).send().await.unwrap();
        stack.dynamodb().put_item().table_name(stack.table(noun)).set_item(Some(item)).send().await.unwrap();
    }
    shown_whole(&fixture, &user, 0).await;
    let replay = ["person", "replay-erasures", "--since", "1h", "--rate", "100000", "--yes", "--json"];
    let replayed: Value = serde_json::from_str(&postbackctl(stack, &replay).out).unwrap();
    assert!(replayed["stopped"].is_null() && replayed["erased"].as_u64() >= Some(1), "{replayed}");
    nothing_is_left(stack, mark, &replay).await;
    let same = person.postback(&fixture, &person.query("t", "100&state=ok")).await;
    assert_eq!(same[1]["status"], "duplicate", "{same}");
    let audit = postbackctl(stack, &["audit", "--since", "1h", "--json"]).out;
    assert!(!audit.contains(mark), "{audit}");
}
