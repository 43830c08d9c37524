//! Signing in through the issuer.

use app::ports::Unavailable;
use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use domain::session::{Role, Token};

use super::rig::{Reply, Rig, request};
use crate::issuer::{IdentityFault, STATE};

/// Begins a sign-in and returns the browser's secret, with the state that the issuer sends back.
async fn begin(rig: &Rig) -> (Token, String) {
    let begun = rig.get("/sign-in/start", None).await;
    let secret = Token::parse(&begun.cookie("__Host-sign-in").unwrap()).unwrap();
    let to = begun.header(header::LOCATION).to_owned();
    assert!(to.starts_with("https://issuer.example/authorize?state="));
    let state = to.split_once("state=").unwrap().1.to_owned();
    assert_eq!(state, secret.derive(STATE));
    (secret, state)
}

async fn come_back(rig: &Rig, secret: Option<&Token>, state: &str, code: &str) -> Reply {
    let mut back = request(Method::GET, &format!("/signed-in?state={state}&code={code}"), None);
    if let Some(secret) = secret {
        back = back.header(header::COOKIE, format!("__Host-sign-in={}", secret.reveal()));
    }
    rig.send(back.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_person_with_a_role_gets_a_session() {
    let rig = Rig::new();
    rig.person("jo", Some(Role::Operator));
    let (secret, state) = begin(&rig).await;
    let back = come_back(&rig, Some(&secret), &state, "jo").await;
    assert_eq!((back.status, back.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/console"));
    assert_eq!(back.cookie("__Host-sign-in").as_deref(), Some(""));
    let token = Token::parse(&back.cookie("__Host-session").unwrap()).unwrap();
    let page = rig.get("", Some(&token)).await;
    assert!(page.status == StatusCode::OK && page.text.contains("jo@gg3.example · operator"), "{}", page.text);
    // The table holds the hash of the token, and not the token.
    assert!(!format!("{:?}", rig.world.state().sessions).contains(&token.reveal()));
}

#[tokio::test]
async fn cookies_are_for_this_host_and_unreadable_by_scripts() {
    let rig = Rig::new();
    rig.person("jo", Some(Role::Viewer));
    let (secret, state) = begin(&rig).await;
    let replies = [rig.get("/sign-in/start", None).await, come_back(&rig, Some(&secret), &state, "jo").await];
    for cookie in replies.iter().flat_map(|reply| reply.headers.get_all(header::SET_COOKIE)) {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for part in ["; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[tokio::test]
async fn a_return_that_this_browser_did_not_begin_is_refused() {
    let rig = Rig::new();
    let (secret, state) = begin(&rig).await;
    let (other, other_state) = begin(&rig).await;
    for (secret, state) in
        [(None, &state), (Some(&secret), &other_state), (Some(&other), &state), (Some(&secret), &String::new())]
    {
        rig.person("jo", Some(Role::Admin));
        let back = come_back(&rig, secret, state, "jo").await;
        assert_eq!((back.status, back.cookie("__Host-session")), (StatusCode::FORBIDDEN, None));
    }
    assert!(rig.world.state().sessions.is_empty());
}

#[tokio::test]
async fn a_code_is_good_once() {
    let rig = Rig::new();
    rig.person("jo", Some(Role::Admin));
    let (secret, state) = begin(&rig).await;
    assert_eq!(come_back(&rig, Some(&secret), &state, "jo").await.status, StatusCode::SEE_OTHER);
    assert_eq!(come_back(&rig, Some(&secret), &state, "jo").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_person_without_a_group_gets_no_session() {
    let rig = Rig::new();
    rig.person("jo", None);
    let (secret, state) = begin(&rig).await;
    let back = come_back(&rig, Some(&secret), &state, "jo").await;
    assert!(back.status == StatusCode::FORBIDDEN && back.text.contains("viewer, operator and admin"), "{}", back.text);
    assert!(rig.world.state().sessions.is_empty());
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_told() {
    let rig = Rig::new();
    let fault = Unavailable { service: "issuer's token endpoint", reason: "timed out".into() };
    rig.fault("jo", IdentityFault::Unavailable(fault));
    let (secret, state) = begin(&rig).await;
    let back = come_back(&rig, Some(&secret), &state, "jo").await;
    assert!(back.status == StatusCode::SERVICE_UNAVAILABLE && back.text.contains("try again"), "{}", back.text);
}
