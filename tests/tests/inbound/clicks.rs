//! Tests tracking links as a user's browser opens them.

use crate::fixture::{Conversions, Fixture, fresh};

/// Returns the value of this parameter of a URL.
fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap().1.split('#').next().unwrap();
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("no {name} in {url}")).to_owned()
}

#[tokio::test]
async fn a_click_id_from_a_link_is_verified_in_the_conversion() {
    let fixture = Fixture::new();
    let link = fixture.stack.partner("acme").landings["welcome"].clone();
    let reply = fixture.send(fixture.http.get(&link)).await;
    assert_eq!(reply.status, 302);
    let location = reply.location.unwrap();
    assert!(location.starts_with("https://www.example.com/landing-page?user_id=12345&click_id="), "{location}");

    let (click_id, transaction) = (parameter(&location, "click_id"), fresh("t"));
    let again = fixture.send(fixture.http.get(&link)).await.location.unwrap();
    assert_ne!(parameter(&again, "click_id"), click_id, "each use of a link has its own click id");
    let postback = |user: &str, click: &str, transaction: &str| {
        format!("user_id={user}&click_id={click}&transaction_id={transaction}&currency=USD&amount_decimal=1")
    };
    fixture.postback("acme", &postback("12345", &click_id, &transaction)).await;
    assert_eq!(Conversions::shared().of("acme", &transaction).await[0]["click"], "verified");
    // Another user's conversion cannot use the click id.
    let borrowed = fresh("t");
    fixture.postback("acme", &postback("54321", &click_id, &borrowed)).await;
    assert_eq!(Conversions::shared().of("acme", &borrowed).await[0]["click"], "foreign");
}

#[tokio::test]
async fn a_partners_own_parameter_names_work_in_links_and_postbacks() {
    let fixture = Fixture::new();
    let link = fixture.stack.partner("umbrella").landings["offer"].clone();
    let location = fixture.send(fixture.http.get(link)).await.location.unwrap();
    assert_eq!(location.matches("aff_sub=").count(), 1, "the parameter is replaced: {location}");
    let postback = |click: &str| {
        let transaction = fresh("t");
        format!("user_id=12345&aff_sub={click}&transaction_id={transaction}&currency=USD&payout=3.50")
    };
    let reply = fixture.postback("umbrella", &postback(&parameter(&location, "aff_sub"))).await;
    assert_eq!((reply.status, reply.text("status")), (200, "accepted"));
    let invented = fixture.postback("umbrella", &postback("invented")).await;
    assert_eq!(invented.faults(), [("aff_sub".to_owned(), "click_not_ours".to_owned())]);
}

#[tokio::test]
async fn a_link_that_is_not_ours_leads_nowhere() {
    let fixture = Fixture::new();
    let link = fixture.stack.partner("acme").landings["welcome"].clone();
    let base = format!("{}/click", fixture.stack.api_url);
    let query = link.split_once('?').unwrap().1.to_owned();
    for (url, status) in [
        (link.replace("user_id=12345", "user_id=54321"), 403),
        (link.replace("expires=", "expires=9"), 403),
        (link.split("&sig=").next().unwrap().to_owned(), 403),
        (format!("{base}/globex/shop?{query}"), 403),
        (format!("{base}/acme/elsewhere?{query}"), 404),
        (format!("{base}/nobody/welcome?{query}"), 404),
        (format!("{base}/acme/welcome"), 400),
        (format!("{link}&user_id=1"), 400),
    ] {
        let reply = fixture.send(fixture.http.get(&url)).await;
        assert_eq!((reply.status, reply.location), (status, None), "{url}");
        assert_eq!(reply.content_type, "application/problem+json");
    }
}

#[tokio::test]
async fn a_slash_after_a_link_means_nothing_and_a_dead_link_is_a_page() {
    let fixture = Fixture::new();
    let link = fixture.stack.partner("acme").landings["welcome"].clone();
    let reply = fixture.send(fixture.http.get(link.replace("/welcome?", "/welcome/?"))).await;
    assert_eq!(reply.status, 302);
    for path in ["acme/welcome/more", "acme", "acme/", "nobody/x/y"] {
        let url = format!("{}/click/{path}", fixture.stack.api_url);
        let browser = fixture.http.get(url).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
        assert_eq!(browser.status(), 404, "{path}");
        assert_eq!(browser.headers()["content-type"], "text/html; charset=utf-8", "{path}");
    }
}

#[tokio::test]
async fn what_is_not_ours_cannot_spoil_a_link_and_a_person_sees_a_page() {
    let fixture = Fixture::new();
    let link = fixture.stack.partner("acme").landings["welcome"].clone();
    let long = "n".repeat(70);
    for more in ["utm_source=a&utm_source=b", "=", "=x", &format!("{long}=1"), "%zz=1"] {
        let reply = fixture.send(fixture.http.get(format!("{link}&{more}"))).await;
        assert_eq!(reply.status, 302, "{more}");
    }
    let broken = link.replace("user_id=12345", "user_id=54321");
    let browser = fixture.http.get(broken).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let reply = browser.send().await.unwrap();
    assert_eq!(reply.status(), 403);
    assert_eq!(reply.headers()["content-type"], "text/html; charset=utf-8");
    let page = reply.text().await.unwrap();
    assert!(
        page.contains("<h1>This link does not work</h1>") && !page.contains("script") && page.len() < 600,
        "{page}"
    );
}
