//! The partners' portal.

use app::sign_in;
use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use domain::{
    audit::{Author, Channel, Operation},
    inbound::credential::TokenHash,
    jiff::SignedDuration,
    session::{Role, Token},
};

use super::rig::{InMemory, Rig, entries_of, now, provider, request};
use crate::{guard::Access, routes::routes};

/// Makes a link to acme's portal this long ago.
async fn link(rig: &Rig, byte: u8, ago: SignedDuration) -> Token {
    let link = Token::from_random([byte; 32]);
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [byte; 8]);
    sign_in::make_link(&rig.world, &link, &provider("acme"), (&operation, now() - ago)).await.unwrap();
    link
}

#[tokio::test]
async fn a_link_opens_the_portal_once_and_looking_uses_nothing_up() {
    let rig = Rig::new();
    let link = link(&rig, 1, SignedDuration::ZERO).await.reveal();
    for _ in 0..3 {
        let page = rig.get(&format!("/portal?link={link}"), None).await;
        assert!(page.status == StatusCode::OK && page.text.contains(&link), "{}", page.text);
        assert_eq!(page.cookie("__Host-session"), None);
    }
    let opened = rig.post_forged("/portal", None, &[("link", &link)]).await;
    assert_eq!((opened.status, opened.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/console"));
    let token = Token::parse(&opened.cookie("__Host-session").unwrap()).unwrap();
    let home = rig.get("", Some(&token)).await.text;
    assert!(home.contains("https://gg3.example/postback/acme/{token}"), "{home}");
    let again = rig.post_forged("/portal", None, &[("link", &link)]).await;
    assert_eq!((again.status, again.cookie("__Host-session")), (StatusCode::FORBIDDEN, None));
}

#[tokio::test]
async fn forged_and_expired_links_open_nothing() {
    let rig = Rig::new();
    let expired = link(&rig, 2, SignedDuration::from_mins(15)).await.reveal();
    let session = rig.partner("acme").await.reveal();
    let unknown = Token::from_random([3; 32]).reveal();
    for link in [expired.as_str(), &session, &unknown, "", "acme", "' OR 1=1"] {
        let opened = rig.post_forged("/portal", None, &[("link", link)]).await;
        assert_eq!((opened.status, opened.cookie("__Host-session")), (StatusCode::FORBIDDEN, None), "{link}");
    }
}

#[tokio::test]
async fn another_site_cannot_use_a_link_in_a_visitors_browser() {
    let rig = Rig::new();
    let link = link(&rig, 4, SignedDuration::ZERO).await.reveal();
    let mut foreign = request(Method::POST, "/portal", None).body(Body::from(format!("link={link}"))).unwrap();
    foreign.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(rig.send(foreign).await.status, StatusCode::FORBIDDEN);
    assert_eq!(rig.post_forged("/portal", None, &[("link", &link)]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_partner_sees_its_own_and_nobody_elses() {
    let rig = Rig::new();
    for partner in ["acme", "globex"] {
        rig.conflict(partner, &format!("T-of-{partner}")).await;
        rig.refusal(partner, &format!("user_id=of-{partner}")).await;
    }
    let all: Vec<_> = rig.world.state().postbacks.values().cloned().collect();
    for one in &all {
        rig.list(&entries_of(one)).await;
    }
    let own = rig.delivery("acme", "answer of acme").await;
    let other = rig.delivery("globex", "answer of globex").await;
    let acme = rig.partner("acme").await;
    let mut pages = vec![format!("/sent-webhook?id={own}"), format!("/sent-webhook?id={other}")];
    for route in routes::<InMemory>().iter().filter(|route| route.method == Method::GET) {
        for query in ["", "?provider=globex", "?q=globex/T-of-globex", "?following=acme"] {
            pages.push(format!("{}{query}", route.path));
        }
    }
    for page in pages {
        let reply = rig.get(&page, Some(&acme)).await;
        assert!(!reply.text.contains("of-globex") && !reply.text.contains("answer of globex"), "{page}");
        assert!(!reply.text.replace("of globex", "").contains("globex"), "{page}: {}", reply.text);
    }
    assert_eq!(rig.get(&format!("/sent-webhook?id={other}"), Some(&acme)).await.status, StatusCode::NOT_FOUND);
    let log = rig.get("/log", Some(&acme)).await.text;
    assert!(log.contains("T-of-acme") && log.contains("user_id=of-acme"), "{log}");
    let sent = rig.get("/sent", Some(&acme)).await.text;
    assert!(sent.contains(own.as_str()), "{sent}");
    let one = rig.get(&format!("/sent-webhook?id={own}"), Some(&acme)).await.text;
    // GG3's own id of the user is not the partner's business.
    assert!(one.contains("answer of acme") && !one.contains("user of acme"), "{one}");
}

#[tokio::test]
async fn an_operator_has_no_partners_pages() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    for route in
        routes::<InMemory>().iter().filter(|route| matches!(route.access, Access::Partners | Access::PartnersByLink))
    {
        let reply = match route.method {
            Method::POST => rig.post(route.path, Some(&admin), &[]).await,
            _ => rig.get(route.path, Some(&admin)).await,
        };
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{}", route.path);
    }
}

#[tokio::test]
async fn a_tried_call_is_explained_and_records_nothing() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    let good = [
        ("user_id", "u"),
        ("click_id", "c"),
        ("transaction_id", "T-9"),
        ("currency", "USD"),
        ("amount_decimal", "1"),
        ("dry_run", "false"),
    ];
    let page = rig.post("/try", Some(&acme), &good).await.text;
    assert!(page.contains("would be accepted") && page.contains("T-9"), "{page}");
    let bad = rig.post("/try", Some(&acme), &[("user_id", "{user}"), ("currency", "XXY")]).await.text;
    for wanted in ["<strong>400</strong>", "amount_decimal", "Cure:", "value=\"{user}\""] {
        assert!(bad.contains(wanted), "{wanted} in {bad}");
    }
    rig.conflict("acme", "T-1").await;
    let other =
        rig.post("/try", Some(&acme), &[&good[..2], &[("transaction_id", "T-1")], &good[3..]].concat()).await.text;
    assert!(other.contains("<strong>409</strong>"), "{other}");
    let state = rig.world.state();
    assert_eq!((state.postbacks.len(), state.refusals.len(), state.conflicts.len()), (1, 0, 1));
}

#[tokio::test]
async fn hostile_values_of_a_tried_call_are_shown_as_text() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    for hostile in super::attacks::HOSTILE {
        let fields = [("user_id", *hostile), ("click_id", hostile), ("currency", hostile), ("amount_decimal", hostile)];
        let reply = rig.post("/try", Some(&acme), &fields).await;
        assert_eq!(reply.status, StatusCode::OK, "{hostile}");
        super::attacks::assert_harmless(&reply.text);
    }
}

#[tokio::test]
async fn a_signature_is_checked_against_ones_own_webhooks_only() {
    let rig = Rig::new();
    let (acme, own, other) =
        (rig.partner("acme").await, rig.delivery("acme", "").await, rig.delivery("globex", "").await);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for (id, is_known) in [(own.as_str(), true), (other.as_str(), false), ("nonsense", false), ("", false)] {
        let fields = [
            ("webhook-id", id),
            ("webhook-timestamp", "1796040000"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ("payload", "<script>"),
            ("secret", secret),
        ];
        let page = rig.post("/signature", Some(&acme), &fields).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert_eq!(page.text.contains("This is a webhook of yours."), is_known, "{id}");
        assert_eq!(page.text.contains("No webhook of yours has this id."), !is_known, "{id}");
        assert!(!page.text.contains(secret) && !page.text.contains("globex"), "{}", page.text);
    }
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn steps_are_done_by_what_really_came() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    let done = async || rig.get("/go-live", Some(&acme)).await.text.matches(">done<").count();
    rig.conflict("globex", "T-1").await;
    assert_eq!(done().await, 0);
    rig.refusal("acme", "user_id=u").await;
    assert_eq!(done().await, 1);
    rig.conflict("acme", "T-1").await;
    assert_eq!(done().await, 2);
    // A webhook that the partner refused is no step.
    rig.delivery("acme", "").await;
    assert_eq!(done().await, 2);
}

#[tokio::test]
async fn numbers_count_ones_own_calls_by_day() {
    let rig = Rig::new();
    rig.refusal("acme", "user_id=u").await;
    rig.refusal("globex", "user_id=u").await;
    rig.delivery("acme", "").await;
    let page = rig.get("/numbers", Some(&rig.partner("acme").await)).await.text;
    let today = page.split_once("2026-11-30</th>").unwrap().1.split_once("</tr>").unwrap().0;
    let numbers: Vec<&str> =
        today.split(r#"<td class="number">"#).skip(1).map(|cell| cell.split_once('<').unwrap().0).collect();
    assert_eq!(numbers, ["0", "1", "1"]);
    assert_eq!(page.matches(r#"<th scope="row">"#).count(), 14);
}

#[tokio::test]
async fn code_is_shown_for_the_agreed_credential() {
    let rig = Rig::new();
    let page = rig.get("/code", Some(&rig.partner("acme").await)).await.text;
    for wanted in ["curl", "Go", "Node", "PHP", "Python", "/postback/acme/{token}", "standardwebhooks"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("hmac.new(secret"), "a partner with a token signs nothing");
}

#[tokio::test]
async fn an_operator_is_asked_before_a_link_ends_the_own_session() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let link = link(&rig, 9, SignedDuration::ZERO).await.reveal();
    let page = rig.get(&format!("/portal?link={link}"), Some(&operator)).await.text;
    assert!(page.contains("jo@gg3.example") && page.contains("Sign out and open the portal"), "{page}");
    // The form of a page that was opened before the sign-in does not say that the session may end.
    let asked = rig.post("/portal", Some(&operator), &[("link", &link)]).await;
    assert_eq!((asked.status, asked.cookie("__Host-session")), (StatusCode::OK, None));
    assert!(asked.text.contains("Sign out and open the portal") && asked.text.contains(&link), "{}", asked.text);
    assert_eq!(rig.get("", Some(&operator)).await.status, StatusCode::OK);
    let opened = rig.post("/portal", Some(&operator), &[("link", &link), ("leave", "1")]).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.text);
    assert_eq!(rig.get("", Some(&operator)).await.status, StatusCode::SEE_OTHER);
    let partner = Token::parse(&opened.cookie("__Host-session").unwrap()).unwrap();
    assert_eq!(rig.get("/log", Some(&partner)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_partner_sees_how_its_own_hosts_do_and_no_others() {
    use app::ports::{EndpointKey, StoredEndpoint};
    use domain::{
        outbound::{
            attempt::AttemptOutcome,
            endpoint::{Endpoint, Observation},
        },
        values::{ids::DeliveryId, time::UnixMillis},
    };
    let rig = Rig::new();
    let seen = |number: i64, status| Observation {
        delivery_id: DeliveryId::new(format!("d-{number}")).unwrap(),
        outcome: AttemptOutcome::Status(status),
        at: UnixMillis::from(now() - SignedDuration::from_secs(400 - 40 * number)),
    };
    let down = Endpoint::default().after_all(&[seen(0, 503), seen(1, 503), seen(2, 503)]).unwrap();
    let store = |endpoint: &Endpoint| {
        let key = EndpointKey { provider: provider("acme"), host: "hooks.acme.example".into() };
        let stored = StoredEndpoint { endpoint: endpoint.clone(), next_place: None };
        rig.world.state().endpoints.insert(key, stored);
    };
    let [acme, globex] = [rig.partner("acme").await, rig.partner("globex").await];
    assert!(!rig.get("/sent", Some(&acme)).await.text.contains("Hosts"), "nothing is known yet");
    store(&down);
    let page = rig.get("/sent", Some(&acme)).await.text;
    for words in ["hooks.acme.example", "is down since", "answered 503", "sent up to six times"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!rig.get("/sent", Some(&globex)).await.text.contains("hooks.acme.example"));
    let operator = rig.operator(Role::Viewer).await;
    assert!(rig.get("/webhooks?provider=acme", Some(&operator)).await.text.contains("is down since"));
    store(&down.after(&seen(3, 200)).unwrap());
    assert!(rig.get("/sent", Some(&acme)).await.text.contains("is up again since"));
}

/// Gives acme the token `good`.
fn give_a_token(rig: &Rig) {
    let mut state = rig.world.state();
    state.partners.get_mut(&provider("acme")).unwrap().token_hashes = vec![TokenHash::of("good")];
}

#[tokio::test]
async fn ones_own_postback_url_opens_a_portal_that_changes_nothing() {
    let rig = Rig::new();
    give_a_token(&rig);
    let door = rig.get("/sign-in", None).await.text;
    assert!(door.contains(r#"action="/console/portal-url""#), "{door}");
    let url = [("url", "https://gg3.example/postback/acme/good?user_id={user_id}")];
    let opened = rig.post_from([192, 0, 2, 1], "/portal-url", &url).await;
    assert_eq!((opened.status, opened.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/console"));
    let token = Token::parse(&opened.cookie("__Host-session").unwrap()).unwrap();
    let home = rig.get("", Some(&token)).await.text;
    assert!(home.contains("acme · read only") && !home.contains("good?"), "{home}");
    let tried = rig.post("/try", Some(&token), &[("user_id", "u")]).await;
    assert!(tried.text.contains("<strong>400</strong>"), "{}", tried.text);
    let again = rig.post("/portal-url", Some(&token), &url).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.text);
    let token = Token::parse(&again.cookie("__Host-session").unwrap()).unwrap();
    let operator = rig.operator(Role::Operator).await;
    assert_eq!(rig.post("/portal-url", Some(&operator), &url).await.status, StatusCode::CONFLICT);
    let sent = rig.get("/sent", Some(&token)).await.text;
    assert!(!sent.contains("Send a test") && !sent.contains("Send failed"), "{sent}");
}

#[tokio::test]
async fn a_reader_opens_what_a_partner_may_and_changes_nothing() {
    let rig = Rig::new();
    let delivery = rig.delivery("acme", "").await;
    let (reader, calls) = (rig.reader("acme").await, rig.world.state().sessions.clone());
    for route in
        routes::<InMemory>().iter().filter(|route| route.path != "/sign-out" && !route.path.starts_with("/portal"))
    {
        let fields = [("campaign", "welcome"), ("status", "gone"), ("why", "x"), ("id", delivery.as_str())];
        let reply = match route.method {
            Method::POST => rig.post(route.path, Some(&reader), &fields).await,
            _ => rig.get(route.path, Some(&reader)).await,
        };
        match route.access {
            Access::PartnersByLink => assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", route.path),
            Access::Operators(_) => assert_eq!(reply.status, StatusCode::NOT_FOUND, "{}", route.path),
            Access::Partners if route.path != "/sent-webhook" => {
                assert_eq!(reply.status, StatusCode::OK, "{}", route.path);
            }
            _ => {}
        }
    }
    let state = rig.world.state();
    assert!(state.audit.is_empty() && state.requests.is_empty() && state.resends.is_empty());
    assert_eq!((state.deliveries[&delivery].round(), state.sessions.clone()), (1, calls));
}

#[tokio::test]
async fn a_wrong_url_is_refused_in_the_same_words_and_limited_by_address() {
    let rig = Rig::new();
    give_a_token(&rig);
    let mut answers = std::collections::BTreeSet::new();
    for url in ["", "acme", "/postback/acme/bad", "/postback/hooli/good", "/postback/globex/good", "<script>"] {
        let refused = rig.post_from([192, 0, 2, 1], "/portal-url", &[("url", url)]).await;
        assert_eq!((refused.status, refused.cookie("__Host-session")), (StatusCode::FORBIDDEN, None), "{url}");
        answers.insert(refused.text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let wrong = [("url", "/postback/acme/bad")];
    let tried = async |host| rig.post_from([192, 0, 2, host], "/portal-url", &wrong).await.status;
    while tried(2).await == StatusCode::FORBIDDEN {}
    let right = rig.post_from([192, 0, 2, 2], "/portal-url", &[("url", "/postback/acme/good")]).await;
    assert_eq!((right.status, right.cookie("__Host-session")), (StatusCode::TOO_MANY_REQUESTS, None));
    assert_eq!(tried(3).await, StatusCode::FORBIDDEN);
    let mut foreign = request(Method::POST, "/portal-url", None).body(Body::from("url=/postback/acme/good")).unwrap();
    foreign.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(rig.send(foreign).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_log_is_followed_until_it_is_stopped_or_15_minutes_are_over() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    rig.refusal("acme", "user_id=u").await;
    let refreshed = async |query: &str| {
        let page = rig.get(&format!("/log{query}"), Some(&acme)).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        (page.headers.contains_key("refresh"), page.text)
    };
    let (is_followed, page) = refreshed("").await;
    assert!(!is_followed && page.contains("Follow new calls"), "nobody is followed unasked: {page}");
    let link = page.split_once("/log?follow=").unwrap().1.split_once('"').unwrap().0;
    assert_eq!(link, now().as_second().to_string());
    let (is_followed, page) = refreshed(&format!("?follow={link}")).await;
    assert!(is_followed && page.contains("1 refused, 0 accepted"), "{page}");
    assert!(page.contains("Stop following") && !page.contains("http-equiv"), "{page}");
    let ago = |seconds: i64| format!("?follow={}", now().as_second() - seconds);
    assert!(refreshed(&ago(899)).await.0);
    let (is_followed, page) = refreshed(&ago(900)).await;
    assert!(!is_followed && page.contains("Following has ended"), "{page}");
    for odd in
        [ago(-1), "?follow=soon".to_owned(), "?follow=-9999999999999999999".to_owned(), "?follow=%3Cb%3E".to_owned()]
    {
        let (is_followed, page) = refreshed(&odd).await;
        assert!(!is_followed && page.contains("Follow new calls") && !page.contains("<b>"), "{odd}");
    }
}
