//! A partner's tasks, from the link to the result.

use crate::{
    DESKTOP, PHONE,
    command::postbackctl,
    driver::{Browser, Size},
    fixture::{Fixture, fresh, sample},
    partner::Partner,
};

async fn a_partners_tasks(size: Size) {
    let fixture = Fixture::new();
    let Some(mut browser) = Browser::open("portal", size).await else { return };
    let partner = Partner::with_token(&fixture.stack, "");
    let transaction = fresh("t");
    assert_eq!(partner.postback(&fixture, &sample(&transaction)).await.status, 200);
    assert_eq!(partner.postback(&fixture, "user_id=12345").await.status, 400);
    let made = ["portal", &partner.name, "--api-url", &fixture.stack.api_url, "--why", "asked by mail", "--json"];
    let made = postbackctl(&fixture.stack, &made).json();
    let link = made["link"].as_str().unwrap();

    browser.go(link).await;
    browser.look("door", &["This link can be used once"]).await;
    browser.click("Open the portal").await;
    browser.look("integration", &["Your postback URL", "Try a call"]).await;
    browser.fill("user_id", "12345").await;
    browser.fill("click_id", "67890").await;
    browser.fill("transaction_id", &transaction).await;
    browser.fill("currency", "USD").await;
    browser.fill("amount_decimal", "1,5").await;
    browser.click("Try it").await;
    browser.look("tried-in-vain", &["amount_decimal"]).await;
    browser.fill("amount_decimal", "100.00").await;
    browser.click("Try it").await;
    browser.look("tried", &["a duplicate"]).await;

    browser.go_until(&format!("{}/log", fixture.stack.console.url), &transaction).await;
    browser.look("log", &["Refused calls", "Cure:"]).await;
    browser.click("Webhooks").await;
    browser.look("webhooks", &["Webhooks"]).await;
    browser.click("Sign out").await;
    browser.look("signed-out", &["Sign in"]).await;
    browser.go(link).await;
    browser.click("Open the portal").await;
    assert!(browser.text().await.contains("This link was used before"), "a link works once");
}

#[tokio::test]
async fn a_partner_integrates_at_a_desk() {
    a_partners_tasks(DESKTOP).await;
}

#[tokio::test]
async fn a_partner_integrates_on_a_phone() {
    a_partners_tasks(PHONE).await;
}
