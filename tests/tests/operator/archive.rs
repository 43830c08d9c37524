//! Tests that what happens becomes rows in the bucket of the archive, and that no row shows a clear id.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use domain::jiff::Timestamp;
use serde_json::{Value, json};
use tests::partner_simulator::Answer;

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh},
    partner::{Partner, apply_for_loopback},
};

const TABLES: [&str; 6] = ["transactions", "refusals", "clicks", "openings", "deliveries", "attempts"];

/// Reads a partner's rows of the archive.
struct Archive<'a> {
    fixture: &'a Fixture,
    provider: &'a str,
    /// Orders before the objects of this test. The name of an object begins with the time at which it was written.
    begun: String,
}

impl<'a> Archive<'a> {
    fn of(fixture: &'a Fixture, provider: &'a str) -> Self {
        Self { fixture, provider, begun: Timestamp::now().strftime("%Y-%m-%d-%H-%M-%S").to_string() }
    }

    async fn get(&self, path: &str) -> String {
        let stack = &self.fixture.stack;
        let url = format!("{}/{}{path}", stack.aws_endpoint_url, stack.archive["bucket"]);
        let reply = self.fixture.http.get(url).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{path}");
        reply.text().await.unwrap()
    }

    /// Returns the lines of a table about the partner.
    async fn lines(&self, table: &str) -> Vec<String> {
        let prefix = format!("{table}/day={}/", &self.begun[..10]);
        let stream = format!("{}-archive-{table}-1-", self.fixture.stack.stack_name);
        let list = format!("?list-type=2&prefix={table}/&start-after={prefix}{stream}{}", self.begun);
        let listed = self.get(&list).await;
        let mut lines = Vec::new();
        for key in listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")) {
            let object = self.get(&format!("/{}", key.0)).await;
            assert!(object.ends_with('\n'), "{}", key.0);
            lines.extend(object.lines().filter(|line| line.contains(self.provider)).map(str::to_owned));
        }
        lines
    }

    /// Waits until a table has this many different rows, and returns them. A row may come more than once.
    async fn rows(&self, table: &str, count: usize) -> Vec<Value> {
        let lines = tests::eventually(&format!("{table} has {count} rows"), async || {
            let lines: BTreeSet<String> = self.lines(table).await.into_iter().collect();
            (lines.len() >= count).then_some(lines)
        })
        .await;
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Returns these columns of each row, in the order of their texts.
fn columns(rows: &[Value], names: &[&str]) -> Value {
    let mut rows: Vec<Vec<Value>> =
        rows.iter().map(|row| names.iter().map(|name| row[*name].clone()).collect()).collect();
    rows.sort_by_key(|row| json!(row).to_string());
    json!(rows)
}

#[tokio::test]
async fn what_happens_becomes_rows_without_a_clear_id() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let (simulator, hook) = (stack.partner_simulator(), fresh("hook"));
    simulator.answer(&hook, [Answer::status(500), Answer::status(200)]).await;
    let url = format!("{}/hook?click={{clickId}}", simulator.webhook_url(&hook));
    let file = format!(
        "landings: {{welcome: 'https://www.example.com/'}}\npostback:\n  status: {{parameter: state, pending: [wait], \
         approved: [ok]}}\nmedia_buying:\n  campaigns:\n    - name: sign-up\n      goal: {{type: registration}}\n      \
         active_from: on_publish\n      initial_interval_seconds: 1\n      webhook: {{url: \"{url}\"}}\n"
    );
    let name = fresh("p");
    let report = apply_for_loopback(stack, &name, &file);
    let begins = Instant::now() + Duration::from_secs(11);
    let partner = Partner { token: report["partners"][0]["token"].as_str().unwrap().to_owned(), name };
    let archive = Archive::of(&fixture, &partner.name);

    // A pending transaction is approved. A conflict is accepted, and a call without a currency is refused.
    let [user, click, transaction, newcomer, tag] = ["user", "click", "order", "gg3", "c-77"].map(fresh);
    let query = format!("user_id={user}&click_id={click}&transaction_id={transaction}");
    for (rest, status) in [
        ("&currency=USD&amount_decimal=1.50&state=wait", 200),
        ("&currency=USD&amount_decimal=1.50&state=ok", 200),
        ("&currency=USD&amount_decimal=2.50&state=ok", 409),
        ("&amount_decimal=1.50&state=ok", 400),
    ] {
        assert_eq!(partner.postback(&fixture, &format!("{query}{rest}")).await.status, status, "{rest}");
    }
    let list = ["conflicts", "--provider", &partner.name, "--json"];
    let open = eventually(stack, &list, |found| found["conflicts"][0].is_object()).await;
    let key = open["conflicts"][0]["provider_content"].as_str().unwrap();
    let accept = ["conflicts", "resolve", &partner.name, &transaction, key, "--accept", "--yes"];
    assert_eq!(postbackctl(stack, &accept).code, Some(0));

    // A user follows a tracking link. Another comes from the partner and registers, and the first webhook fails.
    let link = ["link", "click", &partner.name, "welcome", "--user", &user, "--api-url", &stack.api_url];
    let link = postbackctl(stack, &link).out;
    assert_eq!(fixture.send(fixture.http.get(link.trim())).await.status, 302);
    tokio::time::sleep_until(begins.into()).await;
    let event = json!({"id": fresh("evt"), "type": "user.registered", "user_id": newcomer, "method": "google",
        "occurred_at": Timestamp::now().to_string(), "total_clicks": 0,
        "tracking": {"provider": partner.name, "click_id": tag}});
    let queue = stack.queue("gg3-events");
    stack.sqs().send_message().queue_url(queue).message_body(event.to_string()).send().await.unwrap();

    let transactions = archive.rows("transactions", 3).await;
    let expected = json!([
        [0, "original", 0, "pending", "1.50"],
        [1, "step", 0, "approved", "1.50"],
        [2, "correction", 1, "approved", "2.50"],
    ]);
    assert_eq!(columns(&transactions, &["revision", "kind", "correction", "state", "amount"]), expected);
    let refusals = archive.rows("refusals", 3).await;
    let expected =
        json!([["conflict", "conflict", "accepted"], ["conflict", "conflict", null], ["refusal", "missing", null]]);
    assert_eq!(columns(&refusals, &["kind", "codes", "resolution"]), expected);
    let clicks = archive.rows("clicks", 1).await;
    assert_eq!(clicks[0]["landing"], "welcome");
    let openings = archive.rows("openings", 1).await;
    let deliveries = archive.rows("deliveries", 3).await;
    let expected = json!([["delivered", 1, 2], ["pending", 1, 0], ["retrying", 1, 1]]);
    assert_eq!(columns(&deliveries, &["status", "round", "attempts"]), expected);
    let attempts = archive.rows("attempts", 2).await;
    assert_eq!(
        columns(&attempts, &["n", "outcome", "verdict"]),
        json!([[1, "500", "failed"], [2, "200", "delivered"]])
    );

    // A person has the same hash in all tables.
    assert!(
        [&transactions[1], &refusals[0], &clicks[0]].iter().all(|row| row["user_hash"] == transactions[0]["user_hash"])
    );
    assert_eq!(openings[0]["user_hash"], deliveries[0]["user_hash"]);
    assert_eq!(openings[0]["click_hash"], deliveries[0]["click_hash"]);
    assert_eq!(attempts[0]["delivery_hash"], deliveries[0]["delivery_hash"]);
    let found = postbackctl(stack, &["deliveries", "--provider", &partner.name, "--json"]).json();
    let delivery = found["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned();
    let content = key.split_once('#').map_or(key, |(_, hash)| hash);
    for table in TABLES {
        for line in archive.lines(table).await {
            for id in
                [&user[..], &click, &transaction, &newcomer, &tag, &delivery, content, event["id"].as_str().unwrap()]
            {
                assert!(!line.contains(id), "{table} shows {id}: {line}");
            }
        }
    }
}
