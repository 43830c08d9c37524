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

/// Opens a page without a session, and signs in by the links that follow. Returns the address at which the person
/// arrives.
async fn arrived(rig: &Rig, page: &str) -> String {
    let below = |reply: &Reply| reply.header(header::LOCATION).strip_prefix("/console").unwrap().to_owned();
    rig.person("jo", Some(Role::Operator));
    let asked = rig.get(&below(&rig.get(page, None).await), None).await;
    let (_, start) = asked.text.split_once(r#"class="button" href="/console"#).unwrap();
    let begun = rig.get(&start.split_once('"').unwrap().0.replace("&amp;", "&"), None).await;
    let [secret, back] = ["__Host-sign-in", "__Host-return"].map(|name| begun.cookie(name).unwrap());
    let state = Token::parse(&secret).unwrap().derive(STATE);
    let returns = request(Method::GET, &format!("/signed-in?state={state}&code=jo"), None);
    let cookies = format!("__Host-sign-in={secret}; __Host-return={back}");
    let done = rig.send(returns.header(header::COOKIE, cookies).body(Body::empty()).unwrap()).await;
    assert_eq!((done.status, done.cookie("__Host-return").as_deref()), (StatusCode::SEE_OTHER, Some("")));
    done.header(header::LOCATION).to_owned()
}

#[tokio::test]
async fn a_sign_in_leads_to_the_page_that_was_opened() {
    let rig = Rig::new();
    for page in ["/conflict?key=acme%23a%2Bb&x=%3Cb%3E", "/webhooks?status=failed&provider=acme", "/audit", ""] {
        assert_eq!(arrived(&rig, page).await, format!("/console{page}"));
    }
}

#[tokio::test]
async fn no_cookie_or_field_leads_a_sign_in_elsewhere() {
    let rig = Rig::new();
    for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "/../v1/partners", "/x#y", "nonsense"] {
        let encoded: String = url::form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        let asked = rig.get(&format!("/sign-in?to={encoded}"), None).await.text;
        assert!(asked.contains(r#"href="/console/sign-in/start""#), "{asked}");
        let begun = rig.get(&format!("/sign-in/start?to={encoded}"), None).await;
        assert_eq!(begun.cookie("__Host-return").as_deref(), Some(""), "{bad}");
        let secret = begun.cookie("__Host-sign-in").unwrap();
        for back in [bad.to_owned(), data_encoding::BASE64URL_NOPAD.encode(bad.as_bytes())] {
            rig.person("jo", Some(Role::Viewer));
            let state = Token::parse(&secret).unwrap().derive(STATE);
            let returns = request(Method::GET, &format!("/signed-in?state={state}&code=jo"), None);
            let cookies = format!("__Host-sign-in={secret}; __Host-return={back}");
            let done = rig.send(returns.header(header::COOKIE, cookies).body(Body::empty()).unwrap()).await;
            assert_eq!(done.header(header::LOCATION), "/console", "{bad}");
        }
    }
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
