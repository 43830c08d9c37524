//! Every page with every kind of visitor.

use axum::http::{Method, StatusCode, header};
use domain::{
    lookup::{Kind, Place},
    session::{Role, Token},
};

use super::rig::{InMemory, Rig, now};
use crate::{
    guard::Access,
    routes::{Route, routes},
};

async fn open(rig: &Rig, route: &Route<InMemory>, session: Option<&Token>) -> super::rig::Reply {
    match route.method {
        Method::POST => rig.post(route.path, session, &[]).await,
        _ => rig.get(route.path, session).await,
    }
}

/// Returns the pages that not everybody may open.
pub(super) fn restricted() -> impl Iterator<Item = Route<InMemory>> {
    routes::<InMemory>().into_iter().filter(|route| !matches!(route.access, Access::File | Access::Anybody))
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let rig = Rig::new();
    for route in restricted() {
        let reply = open(&rig, &route, None).await;
        if route.method == Method::POST {
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{}", route.path);
        } else {
            assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", route.path);
            let back = route.path.replace('/', "%2F");
            let back = if back.is_empty() { back } else { format!("?to={back}") };
            assert_eq!(reply.header(header::LOCATION), format!("/console/sign-in{back}"), "{}", route.path);
        }
        assert!(!reply.text.contains("acme"), "{}", route.path);
    }
}

#[tokio::test]
async fn a_viewer_sees_every_page_and_changes_nothing() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    for route in restricted() {
        let Access::Operators(wanted) = route.access else { continue };
        let reply = open(&rig, &route, Some(&viewer)).await;
        let is_forbidden = reply.status == StatusCode::FORBIDDEN;
        assert_eq!(is_forbidden, wanted > Role::Viewer, "{} {}", route.method, route.path);
        assert!(route.method != Method::POST || is_forbidden, "{}", route.path);
    }
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn a_partner_finds_no_page_of_operators() {
    let rig = Rig::new();
    rig.conflict("globex", "T-1").await;
    rig.conflict("acme", "T-2").await;
    let acme = rig.partner("acme").await;
    for route in restricted().filter(|route| route.path != "/sign-out") {
        let reply = open(&rig, &route, Some(&acme)).await;
        if matches!(route.access, Access::Operators(_)) {
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{} {}", route.method, route.path);
        }
        assert!(!reply.text.contains("globex"), "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn after_the_sign_out_a_session_opens_nothing() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    assert_eq!(rig.get("", Some(&admin)).await.status, StatusCode::OK);
    let out = rig.post("/sign-out", Some(&admin), &[]).await;
    assert_eq!((out.status, out.cookie("__Host-session").as_deref()), (StatusCode::SEE_OTHER, Some("")));
    for route in restricted() {
        let reply = open(&rig, &route, Some(&admin)).await;
        assert!([StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED].contains(&reply.status), "{}", route.path);
    }
}

#[tokio::test]
async fn every_response_forbids_scripts_frames_and_storing() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    let mut replies = vec![rig.get("/nowhere", None).await, rig.get("/nowhere", Some(&admin)).await];
    for route in routes::<InMemory>() {
        replies.push(open(&rig, &route, None).await);
        replies.push(open(&rig, &route, Some(&admin)).await);
    }
    for reply in replies {
        let policy = reply.header(header::CONTENT_SECURITY_POLICY);
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        // With no-referrer, a browser sends `Origin: null` with our own forms.
        assert_eq!(reply.header(header::REFERRER_POLICY), "same-origin");
        let is_file = reply.header(header::CACHE_CONTROL) == "public, max-age=3600";
        assert!(is_file || reply.header(header::CACHE_CONTROL) == "no-store");
        for forbidden in ["<script", " style=", " onclick", "javascript:", "<style"] {
            assert!(!reply.text.contains(forbidden), "{forbidden}");
        }
    }
}

#[tokio::test]
async fn no_id_of_another_partner_shows_a_partner_anything_of_it() {
    const HIDDEN: &str = "only-globex-knows";
    let rig = Rig::new();
    let conflict = rig.conflict("globex", HIDDEN).await;
    let refusal = rig.refusal("globex", &format!("user_id={HIDDEN}")).await;
    let delivery = rig.delivery("globex", HIDDEN).await;
    rig.conflict("acme", "T-1").await;
    let acme = rig.partner("acme").await;
    let place = Place::new(now(), Kind::Delivery, delivery.as_str()).to_string();
    let ids = [conflict.as_str(), refusal.as_str(), delivery.as_str(), "globex", &place];
    let names = [
        "id",
        "key",
        "name",
        "provider",
        "partner",
        "q",
        "after",
        "following",
        "refused",
        "accepted",
        "webhook-id",
        "file",
        "status",
    ];
    let mut opened = 0;
    for route in restricted().filter(|route| route.path != "/sign-out") {
        for (name, id) in names.into_iter().flat_map(|name| ids.map(|id| (name, id))) {
            let why = [("why", "x"), ("do", "check"), (name, id)];
            let reply = if route.method == Method::POST {
                rig.post(route.path, Some(&acme), &why).await
            } else {
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, id).finish();
                rig.get(&format!("{}?{query}", route.path), Some(&acme)).await
            };
            assert!(!reply.text.contains(HIDDEN), "{} {name}={id}", route.path);
            opened += usize::from(reply.status == StatusCode::OK);
        }
    }
    // The pages that it may open were opened, and nothing of globex was changed.
    assert!(opened > 100, "{opened}");
    let state = rig.world.state();
    assert_eq!(state.deliveries[&delivery].round(), 1);
    assert!(state.audit.iter().all(|record| !record.subject.concerns(&super::rig::provider("globex"))));
}
