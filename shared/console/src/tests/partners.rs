//! Tests the pages about partners and the list of changes.

use app::memory::Trouble;
use axum::http::{StatusCode, header};
use domain::{
    audit::{Action, Channel},
    inbound::credential::TokenHash,
    partner::Side,
    session::{Role, Token},
};

use super::rig::{Rig, provider};

fn paused(rig: &Rig, side: Side) -> bool {
    rig.world.state().partners[&provider("acme")].pauses.since(side).is_some()
}

/// Returns the name of the first form on the page of a partner that can be sent once.
async fn once(rig: &Rig, session: &Token) -> String {
    let page = rig.get("/partner?name=acme", Some(session)).await.text;
    page.split_once(r#"name="once" value=""#).unwrap().1.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_token_is_replaced_once_whatever_is_sent_again() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    for what in ["add", "add", "replace"] {
        let once = once(&rig, &admin).await;
        let fields = |what, why| [("name", "acme"), ("once", once.as_str()), ("do", what), ("why", why)];
        // A form that changed nothing may be mended and sent again.
        assert_eq!(rig.post("/partners-token", Some(&admin), &fields(what, "")).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(rig.post("/partners-token", Some(&admin), &fields(what, "leaked")).await.status, StatusCode::OK);
        let hashes = rig.world.state().partners[&provider("acme")].token_hashes.clone();
        for other in [what, "drop"] {
            let again = rig.post("/partners-token", Some(&admin), &fields(other, "leaked")).await;
            assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
        }
        assert_eq!(rig.world.state().partners[&provider("acme")].token_hashes, hashes);
    }
    assert_eq!(rig.world.state().audit.len(), 3);
    for bad in ["", "x", "form:x"] {
        let fields = [("name", "acme"), ("once", bad), ("do", "replace"), ("why", "leaked")];
        assert_eq!(rig.post("/partners-token", Some(&admin), &fields).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_partner_is_examined_and_what_to_do_is_told() {
    let rig = Rig::new();
    rig.refusal("acme", "user_id=u").await;
    rig.conflict("globex", "T-1").await;
    let viewer = rig.operator(Role::Viewer).await;
    let page = rig.get("/partner?name=acme", Some(&viewer)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("refusals") && page.text.contains(r#"class="cure""#), "{}", page.text);
    assert!(!page.text.contains("globex"), "{}", page.text);
    // A viewer is offered no change.
    assert!(!page.text.contains(r#"<form class="card""#), "{}", page.text);
    for unknown in ["/partner", "/partner?name=hooli", "/partner?name=%3Cb%3E"] {
        assert_eq!(rig.get(unknown, Some(&viewer)).await.status, StatusCode::NOT_FOUND, "{unknown}");
    }
    let list = rig.get("/partners", Some(&viewer)).await.text;
    assert!(list.contains("/console/partner?name=acme") && list.contains("/console/partner?name=globex"), "{list}");
}

#[tokio::test]
async fn a_pause_and_its_end_are_stored_with_their_reasons() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    for (part, side) in [("webhooks", Side::Webhooks), ("postbacks", Side::Postbacks)] {
        for (wanted, is_paused) in [("pause", true), ("pause", true), ("resume", false)] {
            let fields = [("name", "acme"), ("part", part), ("do", wanted), ("why", "they move house")];
            let reply = rig.post("/partner", Some(&operator), &fields).await;
            assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
            assert_eq!(reply.header(header::LOCATION), "/console/partner?name=acme");
            assert_eq!(paused(&rig, side), is_paused);
        }
    }
    let audit = rig.world.state().audit.clone();
    let actions: Vec<Action> = audit.iter().map(|record| record.action).collect();
    let once = [Action::PausePartner, Action::ResumePartner];
    assert_eq!(actions, [once, once].concat());
    assert!(audit.iter().all(|record| record.channel == Channel::Console && record.why.is_some()));
}

#[tokio::test]
async fn an_incomplete_form_pauses_nothing() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let whole = [("name", "acme"), ("part", "webhooks"), ("do", "pause"), ("why", "x")];
    for (missing, wanted) in [
        ("name", StatusCode::NOT_FOUND),
        ("part", StatusCode::BAD_REQUEST),
        ("do", StatusCode::BAD_REQUEST),
        ("why", StatusCode::BAD_REQUEST),
    ] {
        let fields: Vec<_> = whole.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(rig.post("/partner", Some(&operator), &fields).await.status, wanted, "{missing}");
    }
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn a_pause_that_may_not_be_stored_is_told() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let fields = [("name", "acme"), ("part", "webhooks"), ("do", "pause"), ("why", "x")];
    // The session is read first, then the partner, and then both are written.
    rig.world.state().trouble = [(2, Trouble::Before)].into();
    let reply = rig.post("/partner", Some(&operator), &fields).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text);
    assert!(!paused(&rig, Side::Webhooks) && rig.world.state().audit.is_empty());
}

#[tokio::test]
async fn a_link_made_here_opens_the_portal_once() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let once = once(&rig, &operator).await;
    let fields = [("name", "acme"), ("once", once.as_str()), ("why", "asked by mail")];
    let made = rig.post("/partners-link", Some(&operator), &fields).await;
    assert_eq!((made.status, made.header(header::CACHE_CONTROL)), (StatusCode::OK, "no-store"), "{}", made.text);
    let link = made.text.split_once("/portal?link=").unwrap().1.split_once('<').unwrap().0.to_owned();
    for wanted in [StatusCode::SEE_OTHER, StatusCode::FORBIDDEN] {
        assert_eq!(rig.post("/portal", None, &[("link", &link)]).await.status, wanted);
    }
    // A reload sends the form again.
    let again = rig.post("/partners-link", Some(&operator), &fields).await;
    assert!(again.status == StatusCode::CONFLICT && again.text.contains("was sent before"), "{}", again.text);
    assert!(!again.text.contains("portal?link="), "{}", again.text);
    let audit = rig.world.state().audit.clone();
    assert_eq!((audit.len(), audit[0].action), (1, Action::MakePortalLink));
    assert!(!serde_json::to_string(&audit).unwrap().contains(&link));
    let new = super::partners::once(&rig, &operator).await;
    let nobody = [("name", "hooli"), ("once", new.as_str()), ("why", "x")];
    let nobody = rig.post("/partners-link", Some(&operator), &nobody).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_admin_rotates_a_token_and_sees_it_once() {
    let rig = Rig::new();
    let (operator, admin) = (rig.operator(Role::Operator).await, rig.operator(Role::Admin).await);
    let send = async |who: &Token, what: &str| {
        let once = once(&rig, who).await;
        let fields = [("name", "acme"), ("once", &once), ("do", what), ("why", "leaked")];
        rig.post("/partners-token", Some(who), &fields).await
    };
    assert_eq!(send(&operator, "add").await.status, StatusCode::FORBIDDEN);
    let hashes = || rig.world.state().partners[&provider("acme")].token_hashes.clone();
    let mut made = Vec::new();
    for _ in 0..2 {
        let page = send(&admin, "add").await;
        assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
        let token = page.text.split_once("<pre><code>").unwrap().1.split_once('<').unwrap().0;
        made.insert(0, TokenHash::of(token));
        assert_eq!(hashes(), made);
    }
    let third = send(&admin, "add").await;
    assert!(third.status == StatusCode::CONFLICT && third.text.contains("already has two valid tokens"));
    assert_eq!(send(&admin, "drop").await.status, StatusCode::OK);
    assert_eq!(hashes(), [made[0].clone()]);
    let actions: Vec<Action> = rig.world.state().audit.iter().map(|record| record.action).collect();
    assert_eq!(actions, [Action::RotateSecret, Action::RotateSecret, Action::DropOldSecret]);
}

#[tokio::test]
async fn changes_are_listed_with_their_authors_and_reasons() {
    let rig = Rig::new();
    let key = rig.conflict("globex", "T-1").await;
    let operator = rig.operator(Role::Operator).await;
    let pause = [("name", "acme"), ("part", "webhooks"), ("do", "pause"), ("why", "<b>they asked</b>")];
    rig.post("/partner", Some(&operator), &pause).await;
    rig.post("/conflict", Some(&operator), &[("key", key.as_str()), ("why", "x"), ("decision", "keep")]).await;
    let page = rig.get("/audit", Some(&operator)).await.text;
    for wanted in [
        "pause partner: ",
        "keep original: ",
        "jo@gg3.example",
        "(<bdi>subject-operator</bdi>)",
        "through console",
        "/console/conflict?key=",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    assert!(page.contains("&lt;b&gt;they asked") && !page.contains("<b>they"), "{page}");
    let acme = rig.get("/audit?provider=acme", Some(&operator)).await.text;
    assert!(acme.contains("pause partner") && !acme.contains("globex"), "{acme}");
    let before = acme.split_once("until=").unwrap().1.split_once('"').unwrap().0;
    let older = rig.get(&format!("/audit?provider=acme&until={before}"), Some(&operator)).await;
    assert!(older.status == StatusCode::OK && older.text.contains("Nobody changed anything"), "{}", older.text);
    for bad in ["/audit?until=yesterday", "/audit?provider=%3Cb%3E"] {
        let reply = rig.get(bad, Some(&operator)).await;
        assert!(reply.status == StatusCode::BAD_REQUEST && !reply.text.contains("<b>"), "{bad}");
    }
}

#[tokio::test]
async fn a_kit_is_the_partners_own_zip_file() {
    let rig = Rig::new();
    let (viewer, acme) = (rig.operator(Role::Viewer).await, rig.partner("acme").await);
    let own = rig.get("/kit?name=globex", Some(&acme)).await;
    let by_operator = rig.get("/partners-kit?name=acme", Some(&viewer)).await;
    for kit in [&own, &by_operator] {
        assert_eq!((kit.status, kit.header(header::CONTENT_TYPE)), (StatusCode::OK, "application/zip"));
        let named = kit.header(header::CONTENT_DISPOSITION);
        assert_eq!(named, r#"attachment; filename="gg3-kit-acme.zip""#);
        assert!(kit.bytes.starts_with(b"PK\x03\x04"));
        for wanted in ["README.md", "examples/webhook.py", "https://gg3.example/postback/acme/{token}?user_id="] {
            assert!(kit.text.contains(wanted), "{wanted}");
        }
        assert!(!kit.text.contains("globex"));
    }
    assert_eq!(own.bytes, by_operator.bytes);
    for name in ["hooli", "", "%3Cb%3E"] {
        let nobody = rig.get(&format!("/partners-kit?name={name}"), Some(&viewer)).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{name}");
    }
}
