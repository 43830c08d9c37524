//! Tests the content of pages and the changes that an operator's decision makes.

use app::{memory::Trouble, ports::Lookups as _};
use axum::http::{StatusCode, header};
use domain::{
    audit::{Action, Channel},
    session::Role,
};

use super::rig::{Rig, entries_of};

#[tokio::test]
async fn the_overview_counts_by_partner_and_links_to_the_lists() {
    let rig = Rig::new();
    rig.conflict("acme", "T-1").await;
    rig.refusal("globex", "user_id=u").await;
    let page = rig.get("", Some(&rig.operator(Role::Viewer).await)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains(r#"<a class="count" href="/console/conflicts?provider=acme">1</a>"#), "{}", page.text);
    assert!(page.text.contains("<strong>1</strong>"));
}

#[tokio::test]
async fn a_search_shows_the_history_of_a_transaction() {
    let rig = Rig::new();
    rig.conflict("acme", "T-1").await;
    let viewer = rig.operator(Role::Viewer).await;
    let page = rig.get("/search?q=acme/T-1", Some(&viewer)).await.text;
    for wanted in ["Accepted from acme, transaction T-1: 100 USD", "another content came", "100 is recorded, 999 came"]
    {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    let user = rig.get("/search?q=user+of+T-1", Some(&viewer)).await.text;
    assert!(user.contains("another content came"), "{user}");
    let nothing = rig.get("/search?q=nobody", Some(&viewer)).await;
    assert!(nothing.status == StatusCode::OK && nothing.text.contains("Nothing is recorded under this"));
    let unknown = rig.get("/search?q=hooli/T-1", Some(&viewer)).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_operator_accepts_a_conflict_and_is_recorded() {
    let rig = Rig::new();
    let key = rig.conflict("acme", "T-1").await;
    let operator = rig.operator(Role::Operator).await;
    let fields = [("key", key.as_str()), ("why", "acme confirmed"), ("decision", "accept")];
    let reply = rig.post("/conflict", Some(&operator), &fields).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
    let page = rig.get(reply.header(header::LOCATION).trim_start_matches("/console"), Some(&operator)).await.text;
    assert!(page.contains("Accepted") && !page.contains("<form class=\"card\""), "{page}");
    let audit = rig.world.state().audit.clone();
    assert_eq!(audit.len(), 1);
    assert_eq!((audit[0].action, audit[0].channel), (Action::AcceptConflict, Channel::Console));
    assert_eq!(audit[0].author.as_str(), "subject-operator");
    assert_eq!(audit[0].why.as_ref().unwrap().as_str(), "acme confirmed");
    // A second operator sees what the first did.
    let again = rig.post("/conflict", Some(&rig.operator(Role::Admin).await), &fields).await;
    assert!(again.status == StatusCode::CONFLICT && again.text.contains("accepted this conflict before"));
    assert_eq!(rig.world.state().audit.len(), 1);
}

#[tokio::test]
async fn an_operator_keeps_the_original_and_is_recorded() {
    let rig = Rig::new();
    let key = rig.conflict("acme", "T-1").await;
    let operator = rig.operator(Role::Operator).await;
    let fields = [("key", key.as_str()), ("why", "a mistake"), ("decision", "keep")];
    assert_eq!(rig.post("/conflict", Some(&operator), &fields).await.status, StatusCode::SEE_OTHER);
    assert!(rig.get("/conflicts", Some(&operator)).await.text.contains("No open conflicts"));
    assert_eq!(rig.world.state().audit[0].action, Action::KeepOriginal);
}

#[tokio::test]
async fn a_decision_needs_a_reason() {
    let rig = Rig::new();
    let key = rig.conflict("acme", "T-1").await;
    let operator = rig.operator(Role::Operator).await;
    let fields = [("key", key.as_str()), ("why", " "), ("decision", "keep")];
    assert_eq!(rig.post("/conflict", Some(&operator), &fields).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn a_page_whose_service_fails_says_so() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    for page in ["", "/conflicts", "/search?q=u"] {
        // The first call of each visit reads the session.
        for call in 0..2 {
            let calls = rig.world.state().calls.len();
            rig.world.state().trouble = [(calls + call, Trouble::Before)].into();
            let reply = rig.get(page, Some(&viewer)).await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{page} {call}");
            assert!(reply.text.contains("try again in a minute"), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_refused_call_is_shown_with_its_cure_and_handled_again() {
    let rig = Rig::new();
    let request = "user_id=u&click_id=c&transaction_id=t&currency=USD&amount_decimal=1";
    let key = rig.refusal("acme", request).await;
    let operator = rig.operator(Role::Operator).await;
    let list = rig.get("/refusals", Some(&operator)).await.text;
    assert!(list.contains("/console/refusal?key=acme%23"), "{list}");
    let encoded = key.as_str().replace('#', "%23");
    let page = rig.get(&format!("/refusal?key={encoded}"), Some(&operator)).await.text;
    assert!(page.contains("curl -i") && page.contains("transaction_id=t"), "{page}");
    let fields = [("key", key.as_str()), ("why", "mended")];
    let done = rig.post("/refusal", Some(&operator), &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let audit = rig.world.state().audit.clone();
    assert_eq!((audit[0].action, audit[0].channel), (Action::ResubmitRefusal, Channel::Console));
    assert!(rig.get(&format!("/refusal?key={encoded}"), Some(&operator)).await.text.contains("Recorded after all"));
}

#[tokio::test]
async fn a_call_that_is_refused_again_is_explained() {
    let rig = Rig::new();
    let key = rig.refusal("acme", "user_id=u").await;
    let operator = rig.operator(Role::Operator).await;
    let answered = rig.post("/refusal", Some(&operator), &[("key", key.as_str()), ("why", "x")]).await;
    assert_eq!(answered.status, StatusCode::OK);
    for wanted in ["<strong>400</strong>", "click_id", "Cure:"] {
        assert!(answered.text.contains(wanted), "{wanted} in {}", answered.text);
    }
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn webhooks_are_listed_by_status() {
    let rig = Rig::new();
    let id = rig.delivery("acme", "no such hook").await;
    let viewer = rig.operator(Role::Viewer).await;
    for list in ["/webhooks", "/webhooks?status=failed", "/webhooks?status=gone", "/webhooks?provider=acme"] {
        assert!(rig.get(list, Some(&viewer)).await.text.contains(id.as_str()), "{list}");
    }
    for list in ["/webhooks?status=delivered", "/webhooks?provider=globex"] {
        assert!(!rig.get(list, Some(&viewer)).await.text.contains(id.as_str()), "{list}");
    }
    let page = rig.get(&format!("/webhook?id={id}"), Some(&viewer)).await.text;
    assert!(page.contains("answered 410") && page.contains("no such hook"), "{page}");
    assert!(!page.contains("Send it again"), "{page}");
}

#[tokio::test]
async fn a_second_click_opens_no_second_round() {
    let rig = Rig::new();
    let id = rig.delivery("acme", "").await;
    let operator = rig.operator(Role::Operator).await;
    let page = rig.get(&format!("/webhook?id={id}"), Some(&operator)).await.text;
    assert!(page.contains(r#"name="round" value="1""#), "{page}");
    let fields = |round| [("id", id.as_str()), ("round", round), ("why", "x")];
    assert_eq!(rig.post("/webhook", Some(&operator), &fields("one")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.post("/webhook", Some(&operator), &fields("1")).await.status, StatusCode::SEE_OTHER);
    let again = rig.post("/webhook", Some(&operator), &fields("1")).await;
    assert!(again.status == StatusCode::CONFLICT && again.text.contains("Round 2 of this webhook"), "{}", again.text);
    let state = rig.world.state();
    assert_eq!((state.deliveries[&id].round(), state.audit.len()), (2, 1));
}

#[tokio::test]
async fn postbacks_are_listed_by_state() {
    let rig = Rig::new();
    rig.conflict("acme", "T-1").await;
    let original = rig.world.state().postbacks.values().next().unwrap().clone();
    rig.world.put(&entries_of(&original)).await;
    let viewer = rig.operator(Role::Viewer).await;
    assert!(rig.get("/postbacks?state=approved", Some(&viewer)).await.text.contains("/search?q=acme%2FT-1"));
    assert!(rig.get("/postbacks?state=rejected", Some(&viewer)).await.text.contains("No accepted postbacks"));
}
