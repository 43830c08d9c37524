//! Forged, foreign, expired and hostile requests and values.

use app::sign_in;
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use domain::{
    jiff::SignedDuration,
    session::{Role, Token, Visitor},
};

use super::{
    rig::{InMemory, Rig, now, provider, request},
    visitors::restricted,
};
use crate::{guard::Access, routes::routes, visit::FORM};

/// Would run a script, leave an attribute, end an element or turn the text around if a page took it as it is.
pub(super) const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</td></table><form action=//evil.example>",
    "a\u{202e}gnp.exe",
    "&lt;script&gt;",
    "{{7*7}}",
];

pub(super) fn assert_harmless(text: &str) {
    for hostile in ["<script", "<img src=x", "<form action=//"] {
        assert!(!text.contains(hostile), "{hostile} in {text}");
    }
    // A field of a form repeats its value as it is. Text beside it must not be turned around.
    let mut shown = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, shown)| shown));
    assert!(shown.all(|shown| !shown.contains('\u{202e}')), "{text}");
    // All attributes of our pages are in double quotes. No name of an attribute begins a handler.
    for tag in text.split('<').filter_map(|piece| piece.split_once('>')).map(|(tag, _)| tag) {
        let names = tag.split('"').step_by(2).flat_map(str::split_whitespace);
        assert!(names.filter(|name| name.ends_with('=')).all(|name| !name.starts_with("on")), "{tag}");
    }
}

#[tokio::test]
async fn a_form_without_the_sessions_secret_changes_nothing() {
    let rig = Rig::new();
    let key = rig.conflict("acme", "T-1").await;
    let (operator, other) = (rig.operator(Role::Operator).await, rig.operator(Role::Operator).await);
    let fields = [("key", key.as_str()), ("why", "x"), ("decision", "keep")];
    let (of_other, of_nobody) = (other.derive(FORM), operator.derive("form2"));
    for secret in ["", "x", &of_other, &of_nobody, &operator.reveal()] {
        let sent = [&fields[..], &[(FORM, secret)]].concat();
        let reply = rig.post_forged("/conflict", Some(&operator), &sent).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{secret}");
    }
    assert_eq!(rig.post_forged("/sign-out", Some(&operator), &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(rig.world.state().audit, []);
    assert_eq!(rig.get("", Some(&operator)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_from_another_site_is_refused() {
    let rig = Rig::new();
    let (operator, partner) = (rig.operator(Role::Operator).await, rig.partner("acme").await);
    for origin in ["https://evil.example", "http://gg3.example", "https://gg3.example.evil.example", "null", ""] {
        for route in routes::<InMemory>().into_iter().filter(|route| route.method == Method::POST) {
            let is_of_partners = matches!(route.access, Access::Partners | Access::PartnersByLink);
            let visitor = if is_of_partners { &partner } else { &operator };
            let form = format!("{FORM}={}", visitor.derive(FORM));
            let foreign = request(Method::POST, route.path, Some(visitor));
            let mut foreign = foreign.body(Body::from(form)).unwrap();
            foreign.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
            assert_eq!(rig.send(foreign).await.status, StatusCode::FORBIDDEN, "{origin} {}", route.path);
        }
    }
}

#[tokio::test]
async fn forged_and_expired_cookies_open_nothing() {
    let rig = Rig::new();
    let expired = Token::from_random([200; 32]);
    let visitor = Visitor::Partner { provider: provider("acme"), reads_only: false };
    let before = now() - SignedDuration::from_hours(8);
    sign_in::open(&rig.world, &expired, visitor, before).await.unwrap();
    let unknown = Token::from_random([201; 32]);
    let stored = rig.world.state().sessions.keys().next().unwrap().as_str().to_owned();
    let cookies = [
        format!("__Host-session={}", expired.reveal()),
        format!("__Host-session={}", unknown.reveal()),
        format!("__Host-session={stored}"),
        "__Host-session=".to_owned(),
        "__Host-session=admin; role=admin".to_owned(),
        format!("session={}", expired.reveal()),
        ";;;===".to_owned(),
    ];
    for cookie in cookies {
        for route in restricted() {
            let sent = Request::builder().method(route.method.clone()).uri(format!("/console{}", route.path));
            let reply = rig.send(sent.header(header::COOKIE, &cookie).body(Body::empty()).unwrap()).await;
            let refused = [StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED];
            assert!(refused.contains(&reply.status), "{cookie} {}", route.path);
        }
    }
}

#[tokio::test]
async fn hostile_ids_are_shown_as_text() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Operator).await;
    for hostile in HOSTILE {
        let key = rig.conflict("acme", hostile).await;
        let refusal = rig.refusal("acme", hostile).await;
        let refusal: String = url::form_urlencoded::byte_serialize(refusal.as_str().as_bytes()).collect();
        let delivery = rig.delivery("acme", hostile).await;
        let encoded: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
        let key: String = url::form_urlencoded::byte_serialize(key.as_str().as_bytes()).collect();
        let pages = [
            String::new(),
            "/conflicts".to_owned(),
            format!("/conflict?key={key}"),
            format!("/conflict?key={encoded}"),
            format!("/search?q={encoded}"),
            "/refusals".to_owned(),
            format!("/refusal?key={refusal}"),
            "/postbacks".to_owned(),
            format!("/postbacks?state={encoded}"),
            "/webhooks".to_owned(),
            format!("/webhooks?status=failed&provider={encoded}"),
            format!("/webhook?id={delivery}"),
            format!("/webhook?id={encoded}"),
            format!("/search?q=acme/{encoded}"),
            "/search?q=u".to_owned(),
            format!("/conflicts?provider={encoded}"),
            format!("/conflicts?provider=acme&after={encoded}"),
        ];
        for page in pages {
            let reply = rig.get(&page, Some(&viewer)).await;
            assert_ne!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{page}");
            assert_harmless(&reply.text);
        }
    }
    let conflicts = rig.get("/conflicts", Some(&viewer)).await.text;
    assert!(conflicts.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{conflicts}");
}

#[tokio::test]
async fn hostile_fields_of_a_form_are_answered_as_text() {
    let rig = Rig::new();
    let key = rig.conflict("acme", "T-1").await;
    let operator = rig.operator(Role::Operator).await;
    for hostile in HOSTILE {
        for field in ["key", "why", "decision"] {
            let mut fields = vec![("key", key.as_str()), ("why", ""), ("decision", "nothing")];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, hostile));
            let reply = rig.post("/conflict", Some(&operator), &fields).await;
            assert!(reply.status.is_client_error(), "{field} {hostile}: {}", reply.status);
            assert_harmless(&reply.text);
        }
    }
}

#[tokio::test]
async fn no_field_can_add_a_header_or_lead_elsewhere() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    for hostile in ["%0d%0aSet-Cookie:%20a=b", "//evil.example", "https://evil.example", "%00"] {
        for page in [
            "/search?q=",
            "/conflict?key=",
            "/conflicts?provider=acme&after=",
            "/signed-in?state=",
            "/sign-in/start?to=",
        ] {
            let reply = rig.get(&format!("{page}{hostile}"), Some(&operator)).await;
            assert!(!reply.headers.get_all(header::SET_COOKIE).iter().any(|cookie| cookie == "a=b"), "{page}{hostile}");
            assert!(!reply.header(header::LOCATION).contains("evil.example"), "{page}{hostile}");
        }
    }
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let long = "x".repeat(70_000);
    let reply = rig.post("/conflict", Some(&operator), &[("why", &long)]).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}
