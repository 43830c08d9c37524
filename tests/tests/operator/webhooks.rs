//! "You never told us about click c-77": a partner complains, and an operator finds out, mends and sends again.

use std::time::{Duration, Instant};

use domain::jiff::Timestamp;
use serde_json::{Value, json};
use tests::{
    partner_simulator::{Answer, Script},
    stack::Stack,
};

use crate::{
    command::postbackctl,
    fixture::{Fixture, fresh},
    partner,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// What `postbackctl` answers in JSON, once it says so.
async fn until(fixture: &Fixture, arguments: &[&str], done: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let said = postbackctl(&fixture.stack, arguments);
        if let Some(found) = serde_json::from_str(&said.out).ok().filter(|found| done(found)) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{arguments:?} never said so, last: {}\n{}", said.out, said.err);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn kinds(timeline: &Value) -> Vec<&str> {
    timeline.as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_complaint_about_a_click_is_answered_with_a_timeline_and_sent_again_by_hand() {
    let fixture = Fixture::new();
    let (simulator, name) = (fixture.stack.partner_simulator(), fresh("p"));
    let url = format!("{}/hook?click={{clickId}}&event={{event}}", simulator.webhook_url(&name));
    let file = format!(
        "media_buying:\n  campaigns:\n    - name: sign-up\n      goal: {{type: registration}}\n      \
         active_from: on_publish\n      initial_interval_seconds: 1\n      webhook: {{url: \"{url}\"}}\n"
    );
    let report = partner::apply_for_loopback(&fixture.stack, &name, &file);
    let secret = report["partners"][0]["webhook_secret"].as_str().unwrap();
    let told = Script { secrets: Some(vec![secret.parse().unwrap()]), ..Script::answers([Answer::status(410)]) };
    simulator.set_script(&name, &told).await;

    // Once the campaign has begun, the user opens the partner's link and registers.
    let begins = Instant::now() + Duration::from_secs(11);
    tokio::time::sleep_until(begins.into()).await;
    let (user, click) = (fresh("gg3"), fresh("c-77"));
    let event = json!({"id": fresh("evt"), "type": "user.registered", "user_id": user, "method": "google",
        "occurred_at": Timestamp::now().to_string(), "total_clicks": 0,
        "tracking": {"provider": name, "click_id": click}});
    let queue = fixture.stack.queue("gg3-events");
    fixture.stack.sqs().send_message().queue_url(queue).message_body(event.to_string()).send().await.unwrap();

    // The complaint: the partner's server said 410, so that it was never sent again.
    let gone = ["deliveries", "--provider", &name, "--status", "gone", "--json"];
    let found = until(&fixture, &gone, |found| found["deliveries"].as_array().is_some_and(|all| all.len() == 1)).await;
    let id = found["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned();
    let trace = ["trace", "--click", &click, "--json"];
    let timeline = until(&fixture, &trace, |found| kinds(found).contains(&"attempt")).await;
    assert_eq!(kinds(&timeline), ["opening", "delivery", "attempt"]);
    assert!(timeline[2]["what"].as_str().unwrap().contains("answered 410"), "{timeline}");
    let curl = timeline[1]["details"].to_string();
    assert!(curl.contains(&format!("click={click}&event=registration")) && !curl.contains(secret), "{curl}");

    let progress = ["progress", "--user", &user, "--provider", &name, "--json"];
    let told = postbackctl(&fixture.stack, &progress).json();
    let reached = &told["campaigns"][0];
    assert_eq!((&reached["campaign"], &reached["state"]), (&"sign-up".into(), &"reached".into()));
    assert_eq!(reached["delivery"], json!({"delivery_id": id, "status": "gone"}));

    // Mended on the partner's side: a probe says so, and the range is sent again, under the same id.
    simulator.answer(&name, [Answer::status(500), Answer::status(200)]).await;
    let probe = postbackctl(&fixture.stack, &["probe", &name, "--campaign", "sign-up", "--json"]);
    assert_eq!((probe.code, probe.out.contains("answered 500")), (Some(1), true), "{}{}", probe.out, probe.err);
    let resend = ["resend", "--provider", &name, "--status", "gone", "--since", "1h", "--yes", "--json"];
    assert_eq!(postbackctl(&fixture.stack, &resend).json(), json!({"opened": 1, "stopped": null}));
    let delivered = ["trace", "--delivery", &id, "--json"];
    let told = |found: &Value| found.to_string().contains("1 of round 2: answered 200");
    let timeline = until(&fixture, &delivered, told).await;
    assert_eq!(kinds(&timeline), ["delivery", "attempt", "attempt"]);
    // What is no failure any more is not sent again by the same command; nothing of this partner is late.
    assert_eq!(postbackctl(&fixture.stack, &resend).json(), json!({"opened": 0, "stopped": null}));
    let overdue = postbackctl(&fixture.stack, &["deliveries", "--provider", &name, "--overdue", "--json"]).json();
    assert_eq!(overdue["deliveries"], json!([]));

    let requests = simulator.until(&name, |requests| requests.len() == 3).await;
    let of_delivery: Vec<_> = requests.iter().filter(|request| request.header("webhook-id") == Some(&id)).collect();
    assert_eq!(of_delivery.len(), 2, "one a round, and the probe under an id of its own");
    let signed = serde_json::to_value(&requests[..]).unwrap();
    assert!(signed.as_array().unwrap().iter().all(|request| request["signature"] == "verified"), "{signed}");
}

#[test]
fn a_stack_that_there_is_not_is_told_as_that_whatever_was_asked_of_it() {
    let stack = Stack { stack_name: "no-such".to_owned(), ..Fixture::new().stack };
    let reconcile =
        ["reconcile", "acme", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--from", "2h", "--to", "1h"];
    for (arguments, code) in [
        (&["trace", "--click", "c"][..], 1),
        (&["conflicts"], 1),
        (&["progress", "--user", "u"], 1),
        (&["dead-letters"], 1),
        (&["redrive", "webhooks-dead-letters"], 1),
        (&["resend", "--provider", "acme", "--since", "1h"], 1),
        (&["kit", "acme"], 1),
        (&["apply", concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/partners"), "--yes"], 1),
        (&reconcile, 2),
    ] {
        let said = postbackctl(&stack, arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{arguments:?}: {}", said.err);
        assert!(said.err.starts_with("postbackctl: there is no stack no-such in "), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn a_probe_of_neither_a_campaign_nor_a_url_says_that_it_needs_one_of_them() {
    let said = postbackctl(&Fixture::new().stack, &["probe", "acme"]);
    assert_eq!((said.code, said.err.contains("<--campaign <CAMPAIGN>|--url <URL>>")), (Some(2), true), "{}", said.err);
}

#[test]
fn what_cannot_be_sent_again_or_probed_says_why_and_changes_nothing() {
    let stack = Fixture::new().stack;
    for (arguments, why) in [
        (&["resend", "no-such-delivery", "--yes"][..], "there is no delivery"),
        (&["resend", "no-such-delivery"], "--yes"),
        (&["resend", "--provider", "acme", "--status", "delivered", "--yes"], "exhausted or gone"),
        (&["probe", "nobody", "--campaign", "x"], "apply its file first"),
        (&["probe", "acme", "--campaign", "no-such"], "has no campaign"),
        (&["probe", "acme", "--url", "https://10.0.0.1/?c={clickId}"], "not sent"),
        (&["trace", "--partner-user", "acme"], "the partner's name"),
        (&["progress", "--user", "nobody-known"], "nothing is known of GG3 user nobody-known"),
        (&["progress", "--user", "nobody-known", "--json"], "nothing is known"),
    ] {
        let said = postbackctl(&stack, arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(why), "{arguments:?}: {}", said.err);
    }
}
