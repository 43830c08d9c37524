//! Test webhooks, which operators, partners and programs send.

use std::time::Duration;

use app::memory::Trouble;
use axum::http::{StatusCode, header};
use domain::{
    audit::{Action, Channel},
    outbound::attempt::AttemptOutcome,
    session::Role,
};
use serde_json::json;

use super::{
    api::described::{Api, Call},
    rig::Rig,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn answers(rig: &Rig, status: u16) {
    rig.world.state().answers.push_back((AttemptOutcome::Status(status), None, Duration::ZERO));
}

fn requested(rig: &Rig) -> Vec<String> {
    rig.world.state().requests.iter().map(|(_, _, url)| url.clone()).collect()
}

#[tokio::test]
async fn a_partner_tests_its_own_url_and_nobody_elses() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    let form = rig.get("/sent-test", Some(&acme)).await.text;
    assert!(form.contains(r#"<option value="welcome""#) && form.contains(r#"value="test-click""#), "{form}");
    answers(&rig, 401);
    let fields =
        [("campaign", "welcome"), ("click_id", "c 1"), ("provider", "globex"), ("url", "https://evil.example/")];
    let page = rig.post("/sent-test", Some(&acme), &fields).await.text;
    for wanted in ["answered 401", "Give your secret", "https://acme.example/?c=c%201", "webhook-id: test-"] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    assert_eq!(requested(&rig), ["https://acme.example/?c=c%201"]);
    let state = rig.world.state();
    let record = &state.audit[0];
    assert_eq!((state.audit.len(), record.action, record.channel), (1, Action::SendTestWebhook, Channel::Console));
    assert_eq!((record.author.as_str(), record.details["campaign"].as_str()), ("partner acme", "welcome"));
    assert!(state.deliveries.is_empty() && state.postbacks.is_empty());
}

#[tokio::test]
async fn a_given_secret_signs_one_test_and_is_kept_nowhere() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    answers(&rig, 200);
    let page = rig.post("/sent-test", Some(&acme), &[("campaign", "welcome"), ("secret", SECRET)]).await.text;
    assert!(page.contains("A real webhook would be delivered.") && !page.contains(SECRET), "{page}");
    answers(&rig, 200);
    let page = rig.post("/sent-test", Some(&acme), &[("campaign", "welcome")]).await.text;
    assert!(page.contains("does not verify"), "{page}");
    for bad in ["whsec_", "hunter2", "<b>"] {
        let refused = rig.post("/sent-test", Some(&acme), &[("campaign", "welcome"), ("secret", bad)]).await;
        assert!(refused.status == StatusCode::BAD_REQUEST && refused.text.contains("Nothing was sent"), "{bad}");
    }
    assert_eq!(requested(&rig).len(), 2);
    assert!(!format!("{:?}", rig.world.state()).contains(SECRET));
}

#[tokio::test]
async fn nothing_is_sent_without_a_campaign_a_form_or_a_record() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    for fields in [&[("campaign", "no-such")][..], &[], &[("campaign", "welcome"), ("click_id", "a\u{200b}")]] {
        let refused = rig.post("/sent-test", Some(&acme), fields).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{fields:?}");
    }
    let forged = rig.post_forged("/sent-test", Some(&acme), &[("campaign", "welcome")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    // The session and the partner are read first, and then the record is stored.
    let next = rig.world.state().calls.len() + 2;
    rig.world.state().trouble = [(next, Trouble::Before)].into();
    let failed = rig.post("/sent-test", Some(&acme), &[("campaign", "welcome")]).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((requested(&rig).len(), rig.world.state().audit.len()), (0, 0));
}

#[tokio::test]
async fn operators_and_the_partner_share_three_tests_a_minute() {
    let api = Api::new(Rig::new());
    let rig = &api.rig;
    let (acme, operator) = (rig.partner("acme").await, rig.operator(Role::Operator).await);
    let fields = [("provider", "acme"), ("campaign", "welcome"), ("why", "they asked")];
    let page = rig.post("/webhooks-test", Some(&operator), &fields).await;
    assert!(page.status == StatusCode::OK && page.text.contains("Send acme a test"), "{}", page.text);
    assert_eq!(rig.post("/sent-test", Some(&acme), &fields).await.status, StatusCode::OK);
    answers(rig, 500);
    let body = r#"{"campaign": "welcome", "click_id": "c-2", "why": "ticket 7"}"#;
    let path = "/partners/acme/webhook-tests";
    let call = || Call { body, headers: vec![("idempotency-key", "k")], ..Call::post(path) };
    let tested = api.json(call()).await;
    assert_eq!((&tested["http_status"], &tested["is_good"]), (&json!(500), &json!(false)), "{tested}");
    assert_eq!(tested["request"]["url"], "https://acme.example/?c=c-2");
    // The same call gets the same answer, and sends nothing.
    assert_eq!(api.json(call()).await, tested);
    let fourth = rig.post("/sent-test", Some(&acme), &fields).await;
    assert!(fourth.status == StatusCode::TOO_MANY_REQUESTS && fourth.text.contains("Try again in a minute"));
    let fourth = api.send(Call { body, ..Call::post(path) }).await;
    assert_eq!((fourth.status, fourth.header(header::RETRY_AFTER)), (StatusCode::TOO_MANY_REQUESTS, "60"));
    assert_eq!((requested(rig).len(), rig.world.state().audit.len()), (3, 3));
    // Another partner has permits of its own.
    let globex = rig.partner("globex").await;
    assert_eq!(rig.post("/sent-test", Some(&globex), &fields).await.status, StatusCode::OK);
}

#[tokio::test]
async fn hostile_ids_of_a_test_are_shown_as_text() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    for hostile in super::attacks::HOSTILE {
        rig.world.state().test_permits.clear();
        let fields = [("campaign", "welcome"), ("click_id", *hostile), ("user_id", hostile)];
        let reply = rig.post("/sent-test", Some(&acme), &fields).await;
        assert!([StatusCode::OK, StatusCode::BAD_REQUEST].contains(&reply.status), "{hostile}");
        super::attacks::assert_harmless(&reply.text);
        let campaign = rig.post("/sent-test", Some(&acme), &[("campaign", hostile)]).await;
        super::attacks::assert_harmless(&campaign.text);
    }
    assert!(requested(&rig).iter().all(|url| url.starts_with("https://acme.example/?c=")), "{:?}", requested(&rig));
}
