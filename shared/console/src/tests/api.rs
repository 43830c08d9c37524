//! The management API: each answer is compared with its published description.

pub(super) mod described;

use app::memory::Trouble;
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use domain::{
    audit::{Action, Channel},
    outbound::delivery::Status,
    partner::Side,
    session::Role,
};
use serde_json::{Value, json};

use self::described::{Api, Call};
use super::rig::{Rig, provider};
use crate::{api::routes, guard::Access, issuer::IdentityFault, tests::rig::InMemory};

/// Returns a path with some name for each of its parts.
fn some(path: &str) -> String {
    let digest = "0".repeat(64);
    path.replace("{provider}", "acme").replace("{digest}", &digest).replace("{delivery_id}", &"a".repeat(32))
}

#[tokio::test]
async fn the_description_lists_exactly_the_calls() {
    let described = Api::published().operations();
    let served: Vec<(String, String)> =
        routes::<InMemory>().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    let mut sorted = served.clone();
    sorted.sort();
    assert_eq!(described, sorted);
}

#[tokio::test]
async fn an_address_without_a_call_leads_to_the_description() {
    let api = Api::new(Rig::new());
    for path in ["", "/", "/nothing", "/partners/acme/nothing"] {
        for token in [None, Some("viewer")] {
            let request = Request::builder().uri(format!("/v1{path}"));
            let request =
                token.into_iter().fold(request, |it, token| it.header("authorization", format!("Bearer {token}")));
            let reply = api.rig.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!((reply.status.as_u16(), reply.header(header::CONTENT_TYPE)), (404, "application/problem+json"));
            assert!(reply.text.contains("https://gg3.example/v1/openapi.yaml describes all calls"), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_answered() {
    let api = Api::new(Rig::new());
    api.rig.fault("down", IdentityFault::Unavailable(app::ports::Unavailable { service: "keys", reason: "x".into() }));
    api.rig.person("cook", None);
    for route in routes::<InMemory>().into_iter().filter(|route| route.access != Access::File) {
        let path = some(route.path);
        for (token, status) in [(None, 401), (Some("forged"), 401), (Some("down"), 503), (Some("cook"), 403)] {
            let reply = api.send(Call { token, ..Call::new(route.method.clone(), &path) }).await;
            assert_eq!(reply.status.as_u16(), status, "{path}");
            assert_eq!(reply.headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
        }
    }
    assert_eq!(api.rig.world.state().audit, []);
}

#[tokio::test]
async fn a_cookie_opens_no_call_and_a_token_opens_no_page() {
    let api = Api::new(Rig::new());
    let admin = api.rig.operator(Role::Admin).await;
    let cookie = format!("__Host-session={}", admin.reveal());
    let call = Call { headers: vec![("cookie", &cookie)], token: None, ..Call::get("/partners") };
    assert_eq!(api.send(call).await.status, StatusCode::UNAUTHORIZED);
    let page = super::rig::request(Method::GET, "", None).header("authorization", "Bearer admin");
    let page = api.rig.send(page.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn each_role_may_call_what_the_list_says() {
    let api = Api::new(Rig::new());
    for (token, role) in [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)] {
        for route in routes::<InMemory>() {
            let Access::Operators(wanted) = route.access else { continue };
            let path = some(route.path);
            let reply = api.send(Call { token: Some(token), ..Call::new(route.method.clone(), &path) }).await;
            assert_eq!(reply.status == StatusCode::FORBIDDEN, wanted > role, "{token} {path}");
        }
    }
    assert_eq!(api.rig.world.state().audit, []);
}

#[tokio::test]
async fn records_are_listed_and_shown_one_by_one() {
    let api = Api::new(Rig::new());
    let refusal = api.rig.refusal("acme", "user_id=u").await;
    let conflict = api.rig.conflict("acme", "T-1").await;
    let other = api.rig.conflict("globex", "T-2").await;
    let delivery = api.rig.delivery("acme", "no <b>").await;
    let [refusal, conflict, other] = [refusal, conflict, other].map(|key| key.as_str().replace('#', "/"));
    for (list, count) in [("refusals", 1), ("conflicts", 1), ("deliveries", 1), ("postbacks", 0)] {
        let listed = api.json(Call::get(&format!("/{list}?provider=acme"))).await;
        assert_eq!((listed[list].as_array().unwrap().len(), &listed["next"]), (count, &Value::Null), "{listed}");
    }
    let one = api.json(Call::get(&format!("/conflicts/{conflict}"))).await;
    assert_eq!((&one["transaction_id"], &one["content"]["amount_decimal"]), (&json!("T-1"), &json!("999")));
    assert_eq!(api.json(Call::get(&format!("/refusals/{refusal}"))).await["request"], "user_id=u");
    let shown = api.json(Call::get(&format!("/deliveries/{delivery}"))).await;
    assert_eq!(shown["delivery"]["status"], "gone");
    assert_eq!(shown["delivery"]["attempts"][0]["answer"], "no <b>");
    assert!(shown["events"].as_array().unwrap().iter().any(|event| event["kind"] == "delivery"), "{shown}");
    for path in [format!("/conflicts/{refusal}"), format!("/refusals/{other}"), "/conflicts/acme/x".to_owned()] {
        assert_eq!(api.send(Call::get(&path)).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let counts = api.json(Call::get("/partners/acme/counts")).await;
    assert_eq!((&counts["open_conflicts"], &counts["failed_webhooks_7d"]), (&json!(1), &json!(1)));
    let traced = api.json(Call::get("/trace?transaction=acme/T-1")).await;
    let kinds: Vec<&str> =
        traced["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"postback") && kinds.contains(&"conflict"), "{kinds:?}");
}

#[tokio::test]
async fn next_continues_a_list() {
    let api = Api::new(Rig::new());
    for transaction in ["T-1", "T-2", "T-3"] {
        api.rig.conflict("acme", transaction).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = api.json(Call::get(&format!("/conflicts?provider=acme&limit=1&after={after}"))).await;
        let conflicts = page["conflicts"].as_array().unwrap();
        assert_eq!(conflicts.len(), 1);
        seen.push(conflicts[0]["transaction_id"].as_str().unwrap().to_owned());
        after = url::form_urlencoded::byte_serialize(page["next"].as_str().unwrap_or_default().as_bytes()).collect();
    }
    seen.sort();
    assert_eq!(seen, ["T-1", "T-2", "T-3"]);
    let partners = api.json(Call::get("/partners?limit=1")).await;
    assert_eq!((&partners["partners"][0]["provider"], &partners["next"]), (&json!("acme"), &json!("acme")));
    let rest = api.json(Call::get("/partners?limit=1&after=acme")).await;
    assert_eq!((&rest["partners"][0]["provider"], &rest["next"]), (&json!("globex"), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let api = Api::new(Rig::new());
    let bad = [
        ("/refusals", "provider"),
        ("/refusals?provider=hooli", "hooli"),
        ("/refusals?provider=acme&limit=0", "limit"),
        ("/refusals?provider=acme&limit=101", "limit"),
        ("/refusals?provider=acme&after=x", "after"),
        ("/refusals?provider=acme&since=yesterday", "since"),
        ("/postbacks?provider=acme&state=paid", "state"),
        ("/deliveries?provider=acme&status=lost", "status"),
        ("/trace", "subject"),
        ("/trace?transaction=T-1", "transaction"),
        ("/reports?name=profits", "profits"),
        ("/reports?name=refusals&by=shoe", "shoe"),
        ("/audit?since=2026-01-01T00:00:00Z", "31 days"),
        ("/audit?since=2026-01-01T00:00:00Z&until=-009999-01-03T00:00:00Z", "31 days"),
    ];
    for (path, word) in bad {
        let reply = api.send(Call::get(path)).await;
        assert!(reply.status == StatusCode::BAD_REQUEST && reply.text.contains(word), "{path}: {}", reply.text);
    }
    for body in ["x", "[]", r#"{"part": 1}"#, r#"{"why": {}}"#, r#"{"part":"webhooks"}"#, r#"{"part":"all","why":"x"}"#]
    {
        let reply = api.send(Call { body, ..Call::post("/partners/acme/pause") }).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
    }
    for (method, path) in [(Method::POST, "/partners"), (Method::GET, "/partners/acme/pause")] {
        let reply = api.send(Call::new(method, path)).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(api.rig.world.state().audit, []);
    let nowhere = api.rig.send(described::request(&Call::get("/nowhere"))).await;
    assert_eq!(
        (nowhere.status, nowhere.header(header::CONTENT_TYPE)),
        (StatusCode::NOT_FOUND, "application/problem+json")
    );
}

#[tokio::test]
async fn a_change_is_made_with_its_reason_and_is_told_apart_in_the_audit_record() {
    let api = Api::new(Rig::new());
    let body = r#"{"part": "webhooks", "why": "their server is down"}"#;
    let paused = api.json(Call { body, ..Call::post("/partners/acme/pause") }).await;
    assert_eq!(paused, json!({"provider": "acme", "part": "webhooks", "paused": true}));
    assert!(api.rig.world.state().partners[&provider("acme")].pauses.since(Side::Webhooks).is_some());
    let shown = api.json(Call::get("/partners/acme")).await;
    assert!(shown["webhooks_paused_since"].is_string() && shown["postbacks_paused_since"].is_null(), "{shown}");
    api.json(Call { body, ..Call::post("/partners/acme/resume") }).await;
    let audit = api.rig.world.state().audit.clone();
    assert!(audit.iter().all(|record| record.channel == Channel::Api && record.author.as_str() == "subject-admin"));
    let records = api.json(Call::get("/audit?provider=acme")).await;
    assert_eq!(records["records"][1]["why"], "their server is down");
    assert_eq!(records["records"][0]["channel"], "api");
}

#[tokio::test]
async fn conflicts_refusals_and_webhooks_are_handled() {
    let api = Api::new(Rig::new());
    let conflict = api.rig.conflict("acme", "T-1").await.as_str().replace('#', "/");
    let path = format!("/conflicts/{conflict}/resolve");
    let body = r#"{"decision": "accept", "why": "the partner confirmed it"}"#;
    let resolved = api.json(Call { body, ..Call::post(&path) }).await;
    assert_eq!((&resolved["resolution"], &resolved["receipt"]["transaction_id"]), (&json!("accepted"), &json!("T-1")));
    let again = api.send(Call { body, ..Call::post(&path) }).await;
    assert!(
        again.status == StatusCode::CONFLICT && again.text.contains("accepted this conflict before"),
        "{}",
        again.text
    );

    let query = "user_id=u&click_id=c&currency=USD&amount_decimal=1&transaction_id=T-9";
    let refusal = api.rig.refusal("acme", query).await.as_str().replace('#', "/");
    let path = format!("/refusals/{refusal}/resubmit");
    let handled = api.json(Call { body: r#"{"why": "x"}"#, ..Call::post(&path) }).await;
    assert_eq!((&handled["outcome"], &handled["dry_run"]), (&json!("accepted"), &json!(false)), "{handled}");

    let delivery = api.rig.delivery("acme", "").await;
    let path = format!("/deliveries/{delivery}/resend");
    assert_eq!(api.json(Call { body: r#"{"why": "x"}"#, ..Call::post(&path) }).await["delivery_id"], delivery.as_str());
    assert_eq!(api.rig.world.state().deliveries[&delivery].status(), Status::Pending);
    for (round, status) in [("1", 409), ("2", 202), ("x", 400)] {
        let body = format!(r#"{{"why": "x", "round": "{round}"}}"#);
        assert_eq!(api.send(Call { body: &body, ..Call::post(&path) }).await.status.as_u16(), status);
    }
    assert_eq!(api.rig.world.state().deliveries[&delivery].round(), 3);
    api.rig.delivery("acme", "").await;
    let body = r#"{"status": "gone", "since": "2026-11-30T00:00:00Z", "why": "x"}"#;
    let sent = api.json(Call { body, ..Call::post("/partners/acme/resend") }).await;
    assert_eq!((&sent["sent_again"], &sent["is_done"]), (&json!(1), &json!(true)), "{sent}");
}

#[tokio::test]
async fn a_named_call_changes_something_once() {
    let api = Api::new(Rig::new());
    let delivery = api.rig.delivery("acme", "").await;
    let path = format!("/deliveries/{delivery}/resend");
    let named = |body| Call { body, headers: vec![("idempotency-key", "k-1")], ..Call::post(&path) };
    let first = api.send(named(r#"{"why": "x"}"#)).await;
    let second = api.send(named(r#"{"why": "x"}"#)).await;
    assert_eq!((first.status, first.text.clone()), (second.status, second.text));
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(api.rig.world.state().audit.len(), 1);
    let other = api.send(named(r#"{"why": "y"}"#)).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Another person may use the same name.
    let theirs = api.send(Call { token: Some("operator"), ..named(r#"{"why": "x"}"#) }).await;
    assert!(theirs.status.is_success() && !theirs.headers.contains_key("idempotent-replayed"), "{}", theirs.text);
    for bad in ["", "a b", &"x".repeat(256)] {
        let call = Call { headers: vec![("idempotency-key", bad)], ..named(r#"{"why": "x"}"#) };
        assert_eq!(api.send(call).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_refused_change_may_be_mended_under_the_same_name() {
    let api = Api::new(Rig::new());
    let call = || Call {
        body: r#"{"part": "all", "why": "x"}"#,
        headers: vec![("idempotency-key", "k")],
        ..Call::post("/partners/acme/pause")
    };
    assert_eq!(api.send(call()).await.status, StatusCode::BAD_REQUEST);
    let mended = Call { body: r#"{"part": "webhooks", "why": "x"}"#, ..call() };
    assert_eq!(api.json(mended).await["paused"], true);
}

#[tokio::test]
async fn a_call_that_a_service_failed_may_be_made_again_at_once() {
    let api = Api::new(Rig::new());
    let body = r#"{"part": "webhooks", "why": "x"}"#;
    let call = || Call { body, headers: vec![("idempotency-key", "k")], ..Call::post("/partners/acme/pause") };
    // The call is named first, and then the partner is read.
    api.rig.world.state().trouble = [(1, Trouble::Before)].into();
    let failed = api.send(call()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{}", failed.text);
    assert_eq!(api.json(call()).await["paused"], true);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_not_stored() {
    let api = Api::new(Rig::new());
    let call = |path, body| Call { body, headers: vec![("idempotency-key", path)], ..Call::post(path) };
    for (path, body) in
        [("/partners/acme/links", r#"{"why": "x"}"#), ("/partners/acme/tokens", r#"{"do": "add", "why": "x"}"#)]
    {
        let first = api.json(call(path, body)).await;
        let secret = first["url"].as_str().map(|url| url.rsplit_once('=').unwrap().1.to_owned());
        let secret = secret.unwrap_or_else(|| first["token"].as_str().unwrap().to_owned());
        let second = api.send(call(path, body)).await;
        assert!(second.status == StatusCode::CONFLICT && second.text.contains("only once"), "{}", second.text);
        assert!(!format!("{:?}", api.rig.world.state().named_requests).contains(&secret));
    }
    assert_eq!(api.rig.world.state().audit.iter().filter(|it| it.action == Action::MakePortalLink).count(), 1);
}

#[tokio::test]
async fn a_report_says_where_to_ask_again_while_its_query_is_under_way() {
    let api = Api::new(Rig::new());
    *api.rig.archive.answer.lock().unwrap() = Err(app::ports::ArchiveFault::TooSlow(5));
    let waiting = api.send(Call::get("/reports?name=refusals&by=partner,code&provider=acme")).await;
    assert_eq!((waiting.status, waiting.header(header::RETRY_AFTER)), (StatusCode::ACCEPTED, "4"));
    let location = waiting.header(header::LOCATION).to_owned();
    let path = location.strip_prefix("https://gg3.example/v1").unwrap();
    *api.rig.archive.answer.lock().unwrap() = Ok(Vec::new());
    let done = api.json(Call::get(path)).await;
    assert_eq!(done["columns"], json!(["partner", "code", "calls", "contents"]));
    let asked = api.rig.archive.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|label| *label == asked[0]), "{asked:?}");
}

#[tokio::test]
async fn the_files_of_a_kit_are_listed_with_their_texts() {
    let api = Api::new(Rig::new());
    let kit = api.json(Call::get("/partners/acme/kit")).await;
    assert_eq!(kit["files"][0]["path"], "README.md");
    assert!(kit["files"][0]["text"].as_str().unwrap().contains("/postback/acme/{token}?"), "{kit}");
    assert_eq!(api.send(Call::get("/partners/hooli/kit")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_file_is_checked_and_published() {
    let api = Api::new(Rig::new());
    let shown = api.json(Call::get("/partners/acme/file")).await;
    assert!(shown["file"].as_str().unwrap().contains("provider: acme"), "{shown}");
    let file = "provider: hooli\npostback:\n  currencies: [USD]\n";
    let check = json!({"do": "check", "file": file}).to_string();
    let checked = api.json(Call { body: &check, ..Call::post("/partners/hooli/file") }).await;
    assert_eq!((&checked["change"], &checked["replaces_version"]), (&json!("created"), &json!("0")), "{checked}");
    assert_eq!(api.rig.world.state().audit, []);
    let publish = json!({"do": "publish", "file": file, "version": "0", "why": "a new contract"}).to_string();
    let done = api.json(Call { body: &publish, ..Call::post("/partners/hooli/file") }).await;
    assert!(done["token"].is_string() && done["warnings"] == json!([]), "{done}");
    let again = api.send(Call { body: &publish, ..Call::post("/partners/hooli/file") }).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let faulty = json!({"do": "check", "file": "provider: acme\nlanding: x\n"}).to_string();
    let refused = api.send(Call { body: &faulty, ..Call::post("/partners/acme/file") }).await;
    assert!(refused.status == StatusCode::BAD_REQUEST && refused.text.contains("acme.yaml:2"), "{}", refused.text);
}

#[tokio::test]
async fn a_round_whose_message_is_not_sent_is_open_all_the_same() {
    let api = Api::new(Rig::new());
    let delivery = api.rig.delivery("acme", "").await;
    let path = format!("/deliveries/{delivery}/resend");
    let call = || Call { body: r#"{"why": "x"}"#, headers: vec![("idempotency-key", "k")], ..Call::post(&path) };
    let before = api.rig.world.state().calls.len();
    // The call is named, the partner and the delivery are read, the round is stored, and then its message is sent.
    let sends = api.rig.world.state().calls.len() + 4;
    api.rig.world.state().trouble = [(sends, Trouble::Before)].into();
    let first = api.send(call()).await;
    let made: Vec<_> = api.rig.world.state().calls[before..].to_vec();
    assert_eq!(first.status, StatusCode::ACCEPTED, "{} after {made:?}", first.text);
    assert_eq!(made[4], "send resend", "{made:?}");
    assert_eq!(api.send(call()).await.headers["idempotent-replayed"], "true");
    assert_eq!(api.rig.world.state().deliveries[&delivery].round(), 2);
}
