//! An operator's work in the deployed console, from the sign-in to the audit record.

use tests::eventually;

use crate::{
    browser::{Browser, Console, attribute, decoded},
    command::postbackctl,
    fixture::{Fixture, fresh, sample},
    partner::Partner,
};

#[tokio::test]
async fn an_operator_signs_in_and_resolves_a_conflict() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    let transaction = fresh("t");
    assert_eq!(partner.postback(&fixture, &sample(&transaction)).await.status, 200);
    let other = sample(&transaction).replace("100.00", "999.00");
    assert_eq!(partner.postback(&fixture, &other).await.status, 409);

    let mut browser = Browser::new(&fixture.stack, Console::Deployed);
    let outside = browser.open("").await;
    assert_eq!((outside.status, outside.location.unwrap().ends_with("/console/sign-in")), (303, true));
    let back = browser.sign_in("operator").await;
    assert_eq!(back.status, 303, "{back:?}");
    let overview = browser.open("").await;
    assert!(overview.status == 200 && overview.text.contains("operator@example.com · operator"), "{overview:?}");

    let list = format!("/conflicts?provider={}", partner.name);
    let listed = eventually("the conflict is listed", async || {
        let page = browser.open(&list).await;
        page.text.contains(&transaction).then_some(page)
    })
    .await;
    let key = decoded(attribute(&listed.text, "/conflict?key="));
    let found = browser.open(&format!("/search?q={}/{transaction}", partner.name)).await;
    assert!(found.text.contains("100.00 is recorded, 999.00 came"), "{found:?}");

    let one = browser.open(&format!("/conflict?key={}", attribute(&listed.text, "/conflict?key="))).await;
    assert!(one.text.contains("999.00") && one.text.contains("Accept what came"), "{one:?}");
    let fields = [("key", key.as_str()), ("why", "they confirmed it"), ("decision", "accept")];
    let done = browser.send(&one, "/conflict", &fields).await;
    assert_eq!(done.status, 303, "{done:?}");

    let audit = postbackctl(&fixture.stack, &["audit", "--provider", &partner.name, "--json"]).json();
    let record =
        audit["records"].as_array().unwrap().iter().find(|record| record["action"] == "accept_conflict").unwrap();
    assert_eq!((&record["channel"], &record["why"]), (&"console".into(), &"they confirmed it".into()));
    let trace = postbackctl(&fixture.stack, &["trace", "--provider", &partner.name, "--transaction", &transaction]);
    assert!(trace.out.contains("correction 1"), "{}", trace.out);

    let out = browser.send(&one, "/sign-out", &[]).await;
    assert_eq!(out.status, 303);
    assert_eq!(browser.open("").await.status, 303);
}

#[tokio::test]
async fn a_viewer_of_the_deployed_console_changes_nothing() {
    let fixture = Fixture::new();
    let mut browser = Browser::new(&fixture.stack, Console::Deployed);
    browser.sign_in("viewer").await;
    let overview = browser.open("").await;
    assert!(overview.text.contains("viewer@example.com · viewer"), "{overview:?}");
    let fields = [("key", "acme#0"), ("why", "x"), ("decision", "keep")];
    assert_eq!(browser.send(&overview, "/conflict", &fields).await.status, 403);
}

#[tokio::test]
async fn a_partner_comes_in_by_a_link_and_tries_a_call() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    assert_eq!(partner.postback(&fixture, "user_id=12345").await.status, 400);
    let made = ["portal", &partner.name, "--api-url", &fixture.stack.api_url, "--why", "asked by mail", "--json"];
    let made = postbackctl(&fixture.stack, &made).json();
    let link = made["link"].as_str().unwrap().strip_prefix(&fixture.stack.console.url).unwrap();

    let mut browser = Browser::new(&fixture.stack, Console::Deployed);
    let door = browser.open(link).await;
    let token = attribute(&door.text, r#"name="link" value=""#).to_owned();
    let opened = browser.send(&door, "/portal", &[("link", &token)]).await;
    assert_eq!(opened.status, 303, "{opened:?}");
    let home = browser.open("").await;
    assert!(home.text.contains(&format!("/postback/{}/{{token}}", partner.name)), "{home:?}");
    assert_eq!(browser.open("/conflicts").await.status, 404);

    let transaction = fresh("t");
    let fields = [
        ("user_id", "12345"),
        ("click_id", "67890"),
        ("transaction_id", transaction.as_str()),
        ("currency", "USD"),
        ("amount_decimal", "100.00"),
    ];
    let tried = browser.send(&home, "/try", &fields).await;
    assert!(tried.text.contains("would be accepted"), "{tried:?}");
    assert_eq!(partner.postback(&fixture, &sample(&transaction)).await.body["status"], "accepted");
    let again = browser.send(&home, "/try", &fields).await;
    assert!(again.text.contains("a duplicate"), "{again:?}");
    let log = eventually("the log has both calls", async || {
        let log = browser.open("/log").await;
        (log.text.contains(&transaction) && log.text.contains("user_id=12345")).then_some(log)
    })
    .await;
    assert!(log.text.contains("Cure:"), "{log:?}");
    for page in ["/sent", "/code", "/signature", "/numbers", "/go-live"] {
        assert_eq!(browser.open(page).await.status, 200, "{page}");
    }
    let kit = browser.open("/kit").await;
    let url = format!("{}/postback/{}/{{token}}?", fixture.stack.api_url, partner.name);
    assert!(kit.text.starts_with("PK") && kit.text.contains(&url), "{kit:?}");

    let mut reader = Browser::new(&fixture.stack, Console::Deployed);
    let door = reader.open("/sign-in").await;
    let url = format!("{}/postback/{}/{}", fixture.stack.api_url, partner.name, partner.token);
    for (url, status) in [(format!("{url}x"), 403), (format!("{url}?user_id={{user}}"), 303)] {
        assert_eq!(reader.send(&door, "/portal-url", &[("url", &url)]).await.status, status, "{url}");
    }
    let home = reader.open("").await;
    assert!(home.text.contains("read only") && !home.text.contains(&partner.token), "{home:?}");
    assert!(reader.send(&home, "/try", &fields).await.text.contains("a duplicate"));
    assert_eq!(reader.send(&home, "/sent-test", &[("campaign", "x")]).await.status, 403);

    let mut other = Browser::new(&fixture.stack, Console::Deployed);
    let door = other.open(link).await;
    assert_eq!(other.send(&door, "/portal", &[("link", &token)]).await.status, 403);
    let audit = postbackctl(&fixture.stack, &["audit", "--provider", &partner.name, "--json"]).json();
    let record = audit["records"].as_array().unwrap().iter().find(|record| record["action"] == "make_portal_link");
    assert_eq!(record.unwrap()["why"], "asked by mail");
}
