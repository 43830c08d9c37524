//! Tests the commands that an operator uses when a partner misses a webhook: trace, probe and resend.

use std::time::{Duration, Instant};

use domain::jiff::Timestamp;
use serde_json::{Value, json};
use tests::{
    partner_simulator::{Answer, Script},
    stack::Stack,
};

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh},
    partner,
    retention::{end, items},
    traces::kinds,
};

#[tokio::test]
async fn an_operator_traces_a_lost_webhook_and_resends_it() {
    let fixture = Fixture::new();
    let (simulator, name) = (fixture.stack.partner_simulator(), fresh("p"));
    let url = format!("{}/hook?click={{clickId}}&event={{event}}", simulator.webhook_url(&name));
    let file = format!(
        "media_buying:\n  campaigns:\n    - name: sign-up\n      goal: {{type: registration}}\n      \
         active_from: on_publish\n      initial_interval_seconds: 1\n      webhook: {{url: \"{url}\"}}\n"
    );
    let report = partner::apply_for_loopback(&fixture.stack, &name, &file);
    let secret = report["partners"][0]["webhook_secret"].as_str().unwrap();
    let script = Script { secrets: Some(vec![secret.parse().unwrap()]), ..Script::answers([Answer::status(410)]) };
    simulator.set_script(&name, &script).await;

    // Once the campaign has begun, the user opens the partner's link and registers.
    let begins = Instant::now() + Duration::from_secs(11);
    tokio::time::sleep_until(begins.into()).await;
    let (user, click) = (fresh("gg3"), fresh("c-77"));
    let event = json!({"id": fresh("evt"), "type": "user.registered", "user_id": user, "method": "google",
        "occurred_at": Timestamp::now().to_string(), "total_clicks": 0,
        "tracking": {"provider": name, "click_id": click}});
    let queue = fixture.stack.queue("gg3-events");
    fixture.stack.sqs().send_message().queue_url(queue).message_body(event.to_string()).send().await.unwrap();

    // The partner's server answered 410, so the webhook was not sent again.
    let gone = ["deliveries", "--provider", &name, "--status", "gone", "--json"];
    let found =
        eventually(&fixture.stack, &gone, |found| found["deliveries"].as_array().is_some_and(|all| all.len() == 1))
            .await;
    let id = found["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned();
    let trace = ["trace", "--click", &click, "--json"];
    let timeline = eventually(&fixture.stack, &trace, |found| kinds(found).contains(&"attempt")).await;
    assert_eq!(kinds(&timeline), ["opening", "delivery", "attempt"]);
    assert!(timeline[2]["what"].as_str().unwrap().contains("answered 410"), "{timeline}");
    let curl = timeline[1]["details"].to_string();
    assert!(curl.contains(&format!("click={click}&event=registration")) && !curl.contains(secret), "{curl}");

    let progress = ["progress", "--user", &user, "--provider", &name, "--json"];
    let shown = postbackctl(&fixture.stack, &progress).json();
    let reached = &shown["campaigns"][0];
    assert_eq!((&reached["campaign"], &reached["state"]), (&"sign-up".into(), &"reached".into()));
    assert_eq!(
        reached["delivery"],
        json!({"delivery_id": id, "status": "gone", "paused": false, "waits_for_endpoint": false})
    );

    // The partner repairs its server. A probe shows the server's answer, and the failed deliveries of the last hour are
    // sent again under the same id.
    simulator.answer(&name, [Answer::status(500), Answer::status(200)]).await;
    let probe = postbackctl(&fixture.stack, &["probe", &name, "--campaign", "sign-up", "--json"]);
    assert_eq!((probe.code, probe.out.contains("answered 500")), (Some(1), true), "{}{}", probe.out, probe.err);
    let resend = ["resend", "--provider", &name, "--status", "gone", "--since", "1h", "--yes", "--json"];
    assert_eq!(postbackctl(&fixture.stack, &resend).json(), json!({"opened": 1, "stopped": null}));
    let delivered = ["trace", "--delivery", &id, "--json"];
    let is_delivered = |found: &Value| found.to_string().contains("1 of round 2: answered 200");
    let timeline = eventually(&fixture.stack, &delivered, is_delivered).await;
    assert_eq!(kinds(&timeline), ["delivery", "attempt", "attempt"]);
    // The same command does not send the delivered webhook again. No delivery of this partner is overdue.
    assert_eq!(postbackctl(&fixture.stack, &resend).json(), json!({"opened": 0, "stopped": null}));
    let overdue = postbackctl(&fixture.stack, &["deliveries", "--provider", &name, "--overdue", "--json"]).json();
    assert_eq!(overdue["deliveries"], json!([]));

    let requests = simulator.until(&name, |requests| requests.len() == 3).await;
    let of_delivery: Vec<_> = requests.iter().filter(|request| request.header("webhook-id") == Some(&id)).collect();
    assert_eq!(of_delivery.len(), 2, "one request a round; the probe has an id of its own");
    let kept = &items(&fixture.stack, "attempts", &id).await[0];
    let sent_at: i64 = kept["sent_at"].as_n().unwrap().parse().unwrap();
    assert_eq!(end(kept), sent_at / 1000 + 402 * 24 * 60 * 60);
    let signed = serde_json::to_value(&requests[..]).unwrap();
    assert!(signed.as_array().unwrap().iter().all(|request| request["signature"] == "verified"), "{signed}");
}

#[test]
fn every_command_reports_a_missing_stack() {
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
        let output = postbackctl(&stack, arguments);
        assert_eq!((output.code, output.out.as_str()), (Some(code), ""), "{arguments:?}: {}", output.err);
        assert!(output.err.starts_with("postbackctl: there is no stack no-such in "), "{arguments:?}: {}", output.err);
    }
}

#[test]
fn a_probe_needs_a_campaign_or_a_url() {
    let output = postbackctl(&Fixture::new().stack, &["probe", "acme"]);
    assert_eq!(
        (output.code, output.err.contains("<--campaign <CAMPAIGN>|--url <URL>>")),
        (Some(2), true),
        "{}",
        output.err
    );
}

#[test]
fn an_impossible_resend_or_probe_says_why() {
    let stack = Fixture::new().stack;
    for (arguments, why) in [
        (&["resend", "no-such-delivery", "--yes"][..], "there is no delivery"),
        (&["resend", "no-such-delivery"], "--yes"),
        (&["resend", "--provider", "acme", "--status", "delivered", "--yes"], "exhausted, gone or unsendable"),
        (&["probe", "nobody", "--campaign", "x"], "apply its file first"),
        (&["probe", "acme", "--campaign", "no-such"], "has no campaign"),
        (&["probe", "acme", "--url", "https://10.0.0.1/?c={clickId}"], "not sent"),
        (&["trace", "--partner-user", "acme"], "the partner's name"),
        (&["progress", "--user", "nobody-known"], "nothing is known of GG3 user nobody-known"),
        (&["progress", "--user", "nobody-known", "--json"], "nothing is known"),
    ] {
        let output = postbackctl(&stack, arguments);
        assert_eq!(output.code, Some(1), "{arguments:?}: {}{}", output.out, output.err);
        assert!(output.err.contains(why), "{arguments:?}: {}", output.err);
    }
}
