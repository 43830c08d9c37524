//! A partner's tasks, from the link to the result.

use adapters::dynamodb::deliveries::DynamoNewDeliveries;
use app::ports::NewDeliveries as _;
use tests::{now, partner_simulator::Answer, stack::Stack};

use crate::{
    DESKTOP, PHONE,
    command::postbackctl,
    driver::{Browser, Size},
    fixture::{Fixture, fresh, sample},
    owed::{gone, owed},
    partner::{self, Partner},
};

/// Applies a new partner with a campaign whose webhooks lead to the partner simulator.
fn with_webhooks(stack: &Stack) -> Partner {
    let name = fresh("p");
    let url = format!("{}/hook?click={{clickId}}", stack.partner_simulator().webhook_url(&name));
    let campaign = format!(
        "media_buying:\n  campaigns:\n    - name: welcome\n      goal: {{type: registration}}\n      active_from: \
         on_publish\n      webhook: {{url: \"{url}\"}}\n"
    );
    let report = partner::apply_for_loopback(stack, &name, &campaign);
    let token = report["partners"][0]["token"].as_str().unwrap().to_owned();
    Partner { name, token }
}

async fn a_partners_tasks(size: Size) {
    let fixture = Fixture::new();
    let Some(mut browser) = Browser::open("portal", size).await else { return };
    let partner = with_webhooks(&fixture.stack);
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
    follow_the_log(&mut browser, &fixture, &partner).await;
    browser.click("Webhooks").await;
    browser.look("webhooks", &["Webhooks"]).await;
    test_a_webhook(&mut browser, &fixture, &partner.name).await;
    browser.click("Code").await;
    browser.look("code", &["Send us your calls", "Python"]).await;
    browser.click("Numbers").await;
    browser.look("numbers", &["refused"]).await;
    browser.click("Go live").await;
    browser.look("go-live", &["A call was accepted", "A webhook was answered 2xx"]).await;
    check_a_signature(&mut browser, &fixture, &partner.name).await;
    browser.click("Sign out").await;
    browser.look("signed-out", &["Sign in"]).await;
    browser.fill("url", &format!("{}/postback/{}/{}", fixture.stack.api_url, partner.name, partner.token)).await;
    browser.click("Open the portal").await;
    browser.look("read-only", &["read only", "Try a call"]).await;
    browser.click("Webhooks").await;
    assert!(!browser.text().await.contains("Send a test"), "a reader sends nothing");
    browser.go(link).await;
    browser.click("Open the portal").await;
    assert!(browser.text().await.contains("This link was used before"), "a link works once");
}

/// Sees a new call appear without loading the page again.
async fn follow_the_log(browser: &mut Browser, fixture: &Fixture, partner: &Partner) {
    browser.click("Follow new calls").await;
    let transaction = fresh("t");
    assert_eq!(partner.postback(fixture, &sample(&transaction)).await.status, 200);
    browser.until(&transaction).await;
    browser.click("Stop following").await;
    browser.look("log-stopped", &["Follow new calls"]).await;
}

/// Sends a test to a server that refuses its signature, and another that it accepts.
async fn test_a_webhook(browser: &mut Browser, fixture: &Fixture, partner: &str) {
    let simulator = fixture.stack.partner_simulator();
    simulator.answer(partner, [Answer::status(401), Answer::status(200)]).await;
    browser.click("Send a test").await;
    browser.look("test", &["Its webhook-id begins with test-", "At most 3 tests a minute"]).await;
    browser.click("Send the test").await;
    browser.look("test-refused", &["answered 401", "which is right if it verifies signatures"]).await;
    browser.fill("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
    browser.click("Send the test").await;
    browser.look("test-accepted", &["answered 200", "A real webhook would be delivered."]).await;
}

/// Pastes a webhook that was never sent, signed with another secret.
async fn check_a_signature(browser: &mut Browser, fixture: &Fixture, partner: &str) {
    let delivery = gone(&owed(partner, now().into()));
    let deliveries = DynamoNewDeliveries::new(fixture.stack.dynamodb(), fixture.stack.table("deliveries").to_owned());
    deliveries.put_if_absent(&delivery).await.unwrap();
    browser.click("Signature").await;
    browser.look("signature", &["Check a signature"]).await;
    browser.fill("webhook-id", delivery.id().as_str()).await;
    browser.fill("webhook-timestamp", &delivery.created_at().timestamp().as_second().to_string()).await;
    browser.fill("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=").await;
    browser.fill("payload", "/hook?click=1").await;
    browser.fill("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
    browser.click("Check").await;
    browser
        .look("signature-checked", &["This is a webhook of yours.", "Your secret does not make this signature"])
        .await;
}

#[tokio::test]
async fn a_partner_integrates_at_a_desk() {
    a_partners_tasks(DESKTOP).await;
}

#[tokio::test]
async fn a_partner_integrates_on_a_phone() {
    a_partners_tasks(PHONE).await;
}
