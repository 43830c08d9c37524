//! An operator's tasks, from the sign-in to the result.

use adapters::dynamodb::deliveries::DynamoNewDeliveries;
use app::ports::NewDeliveries as _;
use tests::{now, partner_simulator::Script, stack::Stack};

use crate::{
    DESKTOP, PHONE,
    driver::{Browser, Size},
    fixture::{Fixture, fresh, sample},
    owed::{gone, owed},
    partner::{Partner, apply_for_loopback},
};

/// Signs in at Cognito's own page as the local stack's person with this role.
async fn sign_in(browser: &mut Browser, stack: &Stack, role: &str) {
    browser.go(&stack.console.url).await;
    browser.look("sign-in", &["Sign in"]).await;
    browser.click("Sign in as an operator").await;
    browser.fill("username", &format!("{role}@example.com")).await;
    browser.fill("password", &stack.console.password).await;
    browser.click("Sign in").await;
    browser.look("overview", &[&format!("{role}@example.com · {role}")]).await;
}

async fn an_operators_tasks(size: Size) {
    let fixture = Fixture::new();
    let Some(mut browser) = Browser::open("operator", size).await else { return };
    let partner = Partner::with_token(&fixture.stack, "");
    let transaction = fresh("t");
    assert_eq!(partner.postback(&fixture, &sample(&transaction)).await.status, 200);
    assert_eq!(partner.postback(&fixture, &sample(&transaction).replace("100.00", "999.00")).await.status, 409);
    let hostile = "<script>alert(1)</script>";
    assert_eq!(partner.postback(&fixture, &format!("user_id={hostile}&amount_decimal={hostile}")).await.status, 400);
    sign_in(&mut browser, &fixture.stack, "operator").await;
    let url = |page: &str| format!("{}{page}", fixture.stack.console.url);
    let of = |page: &str| url(&format!("{page}?provider={}", partner.name));

    browser.go_until(&of("/conflicts"), &transaction).await;
    browser.look("conflicts", &["Open conflicts"]).await;
    browser.click("Compare and decide").await;
    browser.look("conflict", &["999.00", "Accept what came, for ever"]).await;
    browser.fill("why", "they confirmed it").await;
    browser.click("Accept what came").await;
    browser.look("conflict-accepted", &["GG3 receives it"]).await;

    browser.fill("q", &format!("{}/{transaction}", partner.name)).await;
    browser.click("Search").await;
    browser.look("search", &[&transaction]).await;
    browser.fill("q", &format!("\">{hostile}")).await;
    browser.click("Search").await;
    browser.look("search-hostile", &[hostile]).await;

    browser.go_until(&of("/refusals"), "Look closer").await;
    browser.look("refusals", &["Refused calls"]).await;
    browser.click("Look closer").await;
    browser.look("refusal", &["Handle it again"]).await;
    browser.fill("why", "the partner asked").await;
    browser.click("Handle it again").await;
    browser.look("refusal-handled-again", &["The answer now"]).await;

    browser.go_until(&of("/postbacks"), &transaction).await;
    browser.look("postbacks", &["Postbacks"]).await;

    browser.click("Reports").await;
    browser.look("reports", &["Divided by"]).await;
    browser.go_until(&url(&format!("/reports?name=refusals&provider={}", partner.name)), "missing").await;
    browser.look("report", &["missing", "CSV", "contents"]).await;
    browser.go(&url("")).await;
    browser.look("overview-pictures", &["The last 14 days", "Alarms and dead letters"]).await;
    browser.click("All queues of dead letters").await;
    browser.look("dead-letters", &["webhooks-dead-letters"]).await;
    browser.go_until(&of("/days"), "approved").await;
    browser.look("days", &["By day", "Amounts of these days", "refused"]).await;
    browser.click("Partners").await;
    browser.look("partners", &["as agreed"]).await;
    browser.go(&url(&format!("/partner?name={}", partner.name))).await;
    browser.look("partner", &["How it does", "A link to its portal"]).await;
    browser.fill("why", "they move house").await;
    browser.click("Pause webhooks").await;
    browser.look("partner-paused", &["its webhooks are paused since"]).await;
    browser.fill("why", "they moved").await;
    browser.click("Resume webhooks").await;
    browser.go(&of("/audit")).await;
    browser.look("changes", &["pause partner", "resume partner", "they move house"]).await;
    browser.click("Sign out").await;
    browser.look("signed-out", &["Sign in as an operator"]).await;
    browser.go(&of("/postbacks")).await;
    browser.look("signed-out-still", &["Sign in as an operator"]).await;
    browser.click("Sign in as an operator").await;
    browser.fill("username", "operator@example.com").await;
    browser.fill("password", &fixture.stack.console.password).await;
    browser.click("Sign in").await;
    browser.look("signed-in-again", &["Postbacks", &transaction]).await;
}

#[tokio::test]
async fn an_operator_decides_and_replays_at_a_desk() {
    an_operators_tasks(DESKTOP).await;
}

#[tokio::test]
async fn an_operator_decides_and_replays_on_a_phone() {
    an_operators_tasks(PHONE).await;
}

async fn an_admins_tasks(size: Size) {
    let fixture = Fixture::new();
    let Some(mut browser) = Browser::open("admin", size).await else { return };
    let partner = Partner::with_token(&fixture.stack, "");
    let page = format!("{}/partner?name={}", fixture.stack.console.url, partner.name);
    sign_in(&mut browser, &fixture.stack, "admin").await;
    browser.go(&page).await;
    browser.fill_of("Make a link", "why", "asked by mail").await;
    browser.click("Make a link").await;
    browser.look("link", &["/console/portal?link=", "works once"]).await;
    browser.go(&page).await;
    browser.click("Its file").await;
    browser.look("file", &["YAML, in the form of"]).await;
    browser.fill("file", &format!("provider: {}\npostback:\n  currencys: [USD]\n", partner.name)).await;
    browser.click("Check").await;
    browser.look("file-faults", &["The file has faults", ":3:", "currencies"]).await;
    let file = format!("provider: {}\nname: Acme & Sons\npostback:\n  currencies: [USD, EUR]\n", partner.name);
    browser.fill("file", &file).await;
    browser.click("Check").await;
    browser.look("file-checked", &["This would change", "Acme & Sons"]).await;
    browser.fill("why", "they sell in euros now").await;
    browser.click(&format!("Publish {}", partner.name)).await;
    browser.look("file-published", &["Published. Calls and webhooks follow it within a minute."]).await;
    browser.go(&page).await;
    browser.fill_of("Make another token", "why", "it leaked").await;
    browser.click("Make another token").await;
    browser.look("token", &["shown only here"]).await;
    browser.click(&partner.name).await;
    browser.fill_of("Drop the older token", "why", "they changed over").await;
    browser.click("Drop the older token").await;
    browser.look("token-dropped", &["only the newest token is valid"]).await;
}

#[tokio::test]
async fn an_admin_lets_people_in_at_a_desk() {
    an_admins_tasks(DESKTOP).await;
}

#[tokio::test]
async fn an_admin_lets_people_in_on_a_phone() {
    an_admins_tasks(PHONE).await;
}

async fn a_failed_webhook_is_sent_again(size: Size) {
    let fixture = Fixture::new();
    let Some(mut browser) = Browser::open("webhooks", size).await else { return };
    let (stack, name) = (&fixture.stack, fresh("p"));
    let simulator = stack.partner_simulator();
    let url = format!("{}/hook?click={{clickId}}", simulator.webhook_url(&name));
    let campaign = "media_buying:\n  campaigns:\n    - name: welcome\n      goal: {type: registration}\n      active_from: on_publish\n";
    let report = apply_for_loopback(stack, &name, &format!("{campaign}      webhook: {{url: \"{url}\"}}\n"));
    let secret = report["partners"][0]["webhook_secret"].as_str().unwrap().parse().unwrap();
    simulator.set_script(&name, &Script::secrets([secret])).await;
    let failed = gone(&owed(&name, now().into()));
    let deliveries = DynamoNewDeliveries::new(stack.dynamodb(), stack.table("deliveries").to_owned());
    deliveries.put_if_absent(&failed).await.unwrap();

    sign_in(&mut browser, stack, "operator").await;
    browser.go_until(&format!("{}/webhooks?provider={name}", stack.console.url), failed.id().as_str()).await;
    browser.click("Send failed ones again").await;
    browser.go(&format!("{}/webhooks-resend?provider={name}&status=gone", stack.console.url)).await;
    browser.look("resend-preview", &["welcome: 1", "Send them again"]).await;
    browser.go(&format!("{}/webhooks?provider={name}", stack.console.url)).await;
    browser.look("webhooks", &["gone"]).await;
    browser.click(failed.id().as_str()).await;
    browser.look("webhook", &["410", "Send it again"]).await;
    browser.fill("why", "their server was replaced").await;
    browser.click("Send it again").await;
    browser.go_until(&format!("{}/webhook?id={}", stack.console.url, failed.id()), "200").await;
    browser.look("webhook-sent-again", &["410", "200"]).await;
}

#[tokio::test]
async fn an_operator_sends_a_webhook_again_at_a_desk() {
    a_failed_webhook_is_sent_again(DESKTOP).await;
}

#[tokio::test]
async fn an_operator_sends_a_webhook_again_on_a_phone() {
    a_failed_webhook_is_sent_again(PHONE).await;
}
