//! The console as a function of its own. A proxy sees its AWS calls, so that its role can be compared with them.

use std::time::Duration;

use adapters::dynamodb::deliveries::DynamoNewDeliveries;
use app::ports::NewDeliveries as _;
use domain::{outbound::delivery::Delivery, values::ids::DeliveryId};
use tests::{
    eventually,
    partner_simulator::{Answer, Script},
    proxy::{Action, Proxy},
    runtime_api::{Function, Settings},
    stack::{Stack, http_client},
};

use crate::{
    browser::{Browser, Console, Page, attribute, decoded},
    command::postbackctl,
    fixture::{Fixture, fresh, sample},
    owed::{gone, owed},
    partner::{self, Partner},
};

/// Describes a campaign whose webhooks reach nobody.
const CAMPAIGN: &str = "media_buying:\n  campaigns:\n    - name: welcome\n      goal: {type: registration}\n      \
                        active_from: on_publish\n      webhook: {url: \"http://127.0.0.1:9/hook?click={clickId}\"}\n";

const TABLES: [&str; 13] = [
    "partners",
    "secrets",
    "postbacks",
    "refusals",
    "clicks",
    "lookups",
    "catalogue",
    "participants",
    "deliveries",
    "attempts",
    "endpoints",
    "audit",
    "sessions",
];

pub(crate) async fn function(stack: &Stack, proxy: &Proxy) -> Function {
    let endpoint = &stack.aws_endpoint_url;
    let outside = reqwest_location(stack).await;
    let pool = &stack.console.user_pool;
    let mut settings = Settings::built("console")
        .variables(stack.aws_environment(&proxy.endpoint_url()))
        .variable("FUNCTION_TIMEOUT_SECONDS", "60")
        .variable("REPORTS_WORK_GROUP", &stack.archive["work_group"])
        .variable("ARCHIVE_DATABASE", &stack.archive["database"])
        .variable("CAMPAIGN_LEAD_SECONDS", "4")
        .variable("STACK_NAME", &stack.stack_name)
        .variable("CONSOLE_URL", &stack.console.url)
        .variable(
            "WEBHOOK_RETRIES_QUEUE_URL",
            stack.create_queue("webhook-retries").await.replace(endpoint, &proxy.endpoint_url()),
        )
        .variable("OIDC_ISSUER", format!("https://cognito-idp.{}.amazonaws.com/{pool}", stack.region))
        .variable("OIDC_CLIENT_ID", attribute_of_query(&outside, "client_id"))
        .variable("OIDC_KEYS_URL", format!("{endpoint}/{pool}/.well-known/jwks.json"))
        .variable("OIDC_AUTHORIZE_URL", format!("{endpoint}/oauth2/authorize"))
        .variable("OIDC_TOKEN_URL", format!("{endpoint}/oauth2/token"))
        .timeout(Duration::from_mins(1));
    for noun in TABLES {
        settings = settings.variable(format!("{}_TABLE", noun.to_uppercase()), stack.table(noun));
    }
    let function = settings.spawn().await;
    function.wait_until_ready().await.unwrap();
    function
}

/// Returns the URL of the issuer to which the deployed console leads.
async fn reqwest_location(stack: &Stack) -> String {
    Browser::new(stack, Console::Deployed).open("/sign-in/start").await.location.unwrap()
}

fn attribute_of_query(url: &str, name: &str) -> String {
    let pair = url.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    decoded(pair)
}

/// Makes a transaction with this many conflicts.
async fn conflicts(fixture: &Fixture, partner: &Partner, count: u32) -> String {
    let transaction = fresh("t");
    assert_eq!(partner.postback(fixture, &sample(&transaction)).await.status, 200);
    for amount in 1..=count {
        let other = sample(&transaction).replace("100.00", &format!("{amount}.00"));
        assert_eq!(partner.postback(fixture, &other).await.status, 409);
    }
    transaction
}

/// Stores a delivery. A sweep would send its message much later.
async fn put(stack: &Stack, delivery: &Delivery) -> DeliveryId {
    let deliveries = DynamoNewDeliveries::new(stack.dynamodb(), stack.table("deliveries").to_owned());
    deliveries.put_if_absent(delivery).await.unwrap();
    delivery.id().clone()
}

#[tokio::test]
async fn the_pages_make_the_calls_that_the_role_allows() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    let transaction = conflicts(&fixture, &partner, 2).await;
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let function = function(&fixture.stack, &proxy).await;
    let mut browser = Browser::new(&fixture.stack, Console::Function(&function));
    assert_eq!(browser.sign_in("operator").await.status, 303);
    assert_eq!(browser.open("").await.status, 200);
    let list = format!("/conflicts?provider={}", partner.name);
    let listed = eventually("both conflicts are listed", async || {
        let page = browser.open(&list).await;
        (page.text.matches("/conflict?key=").count() == 2).then_some(page)
    })
    .await;
    for subject in [format!("{}/{transaction}", partner.name), "12345".to_owned()] {
        let found = browser.open(&format!("/search?q={subject}")).await;
        assert!(found.status == 200 && found.text.contains(&transaction), "{found:?}");
    }
    let owed = put(&fixture.stack, &owed(&partner.name, tests::now().into())).await;
    let found = browser.open(&format!("/search?q={owed}")).await;
    assert!(found.text.contains("A webhook is owed to"), "{found:?}");
    let mut keys = listed.text.split("/conflict?key=").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    let (first, second) = (keys.next().unwrap(), keys.next().unwrap());
    let one = browser.open(&format!("/conflict?key={first}")).await;
    let key = decoded(first);
    let kept = [("key", key.as_str()), ("why", "x"), ("decision", "keep")];
    assert_eq!(browser.send(&one, "/conflict", &kept).await.status, 303);
    // The answer of the transaction is lost, and so are those of the client's own repeats. The audit record shows that
    // the change was made.
    proxy.on(|call| if call.operation == "TransactWriteItems" { Action::CutAfter } else { Action::Forward });
    let key = decoded(second);
    let accepted = [("key", key.as_str()), ("why", "x"), ("decision", "accept")];
    assert_eq!(browser.send(&one, "/conflict", &accepted).await.status, 303);
    proxy.on(|_| Action::Forward);

    let lists = ["/refusals", "/postbacks", "/webhooks", "/webhooks?status=failed&"];
    for list in lists.map(|list| if list.contains('?') { list.to_owned() } else { format!("{list}?") }) {
        let listed = browser.open(&format!("{list}provider={}", partner.name)).await;
        assert_eq!(listed.status, 200, "{listed:?}");
    }
    let failed = [("provider", partner.name.as_str()), ("status", "gone"), ("why", "x")];
    let resent = browser.send(&one, "/webhooks-resend", &failed).await;
    assert!(resent.text.contains("Nothing of this period is left"), "{resent:?}");
    let examined = browser.open(&format!("/partner?name={}", partner.name)).await;
    assert!(examined.text.contains("How it does"), "{examined:?}");
    for wanted in ["pause", "resume"] {
        let change = [("name", partner.name.as_str()), ("part", "webhooks"), ("do", wanted), ("why", "x")];
        assert_eq!(browser.send(&examined, "/partner", &change).await.status, 303);
    }
    let named = [("name", partner.name.as_str()), ("why", "x")];
    assert_eq!(browser.send(&examined, "/partners-link", &named).await.status, 200);
    let report = browser.open(&format!("/reports?name=refusals&provider={}", partner.name)).await;
    let report = browser.open(report.location.unwrap().strip_prefix("/console").unwrap_or_default()).await;
    assert_eq!(report.status, 200, "{report:?}");
    let letters = browser.open("/dead-letters").await;
    assert!(letters.status == 200 && letters.text.contains("lookup-dead-letters"), "{letters:?}");
    let days = browser.open(&format!("/days?provider={}", partner.name)).await;
    assert!(days.status == 200 && days.text.contains("Postbacks by day"), "{days:?}");
    let picture = browser.open("/days-picture?of=webhooks").await;
    assert!(picture.status == 200 && picture.text.starts_with("<svg "), "{picture:?}");
    let changes = browser.open(&format!("/audit?provider={}", partner.name)).await;
    assert!(changes.text.contains("resume partner"), "{changes:?}");
    let again = [("id", owed.as_str()), ("why", "x")];
    // The partner has no such campaign, so the webhook cannot be sent.
    assert_eq!(browser.send(&one, "/webhook", &again).await.status, 409);
    assert_eq!(browser.send(&one, "/sign-out", &[]).await.status, 303);

    assert_eq!(browser.sign_in("admin").await.status, 303);
    for wanted in ["add", "drop"] {
        let examined = browser.open(&format!("/partner?name={}", partner.name)).await;
        let change = [("name", partner.name.as_str()), ("do", wanted), ("why", "x")];
        for status in [200, 409] {
            assert_eq!(browser.send(&examined, "/partners-token", &change).await.status, status);
        }
    }
}

/// Makes a call of the emulated CloudWatch, and returns what stands in its answer after this tag.
async fn cloudwatch(stack: &Stack, call: &str, tag: &str) -> Option<String> {
    let request = http_client().post(&stack.aws_endpoint_url).body(call.to_owned());
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/monitoring/aws4_request");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{call}");
    let text = response.text().await.unwrap();
    text.split_once(tag).map(|(_, rest)| rest.split_once('<').unwrap().0.to_owned())
}

#[tokio::test]
async fn an_alarm_that_rings_is_on_the_overview() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let mine = format!("{}-SweepMissingAlarm", stack.stack_name);
    let call = format!("Action=DescribeAlarms&AlarmNamePrefix={mine}");
    let alarm = cloudwatch(stack, &call, "<AlarmName>").await.unwrap();
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let function = function(stack, &proxy).await;
    let mut browser = Browser::new(stack, Console::Function(&function));
    assert_eq!(browser.sign_in("viewer").await.status, 303);
    let set = |state: &str| format!("Action=SetAlarmState&AlarmName={alarm}&StateValue={state}&StateReason=test");
    // The emulator sets the state back when it looks at the alarm.
    eventually("the alarm is shown", async || {
        cloudwatch(stack, &set("ALARM"), "").await;
        let page = browser.open("").await;
        assert!(page.status == 200 && !page.text.contains("does not answer"), "{page:?}");
        (page.text.contains("SweepMissingAlarm") && page.text.contains(&format!("alarm/{alarm}"))).then_some(())
    })
    .await;
    cloudwatch(stack, &set("OK"), "").await;
}

#[tokio::test]
async fn a_file_is_published_with_its_campaigns() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let name = fresh("p");
    partner::apply_for_loopback(stack, &name, CAMPAIGN);
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let function = function(stack, &proxy).await;
    let mut browser = Browser::new(stack, Console::Function(&function));
    assert_eq!(browser.sign_in("admin").await.status, 303);
    // The third publication deletes what the first one replaced.
    for round in 1..=3 {
        let shown = browser.open(&format!("/partner-file?name={name}")).await;
        let (_, rest) = shown.text.split_once(r#"spellcheck="false">"#).unwrap();
        let file = rest.split_once("</textarea>").unwrap().0.replace("&quot;", "\"");
        let file = format!(
            "{}\n  - name: round-{round}\n    goal: {{type: registration}}\n    active_from: on_publish\n    \
             webhook: {{url: \"http://127.0.0.1:9/round?click={{clickId}}\"}}\n",
            file.trim()
        );
        let checked = browser.send(&shown, "/partner-file", &[("name", &name), ("do", "check"), ("file", &file)]).await;
        assert!(checked.text.contains("This would change"), "{file}\n{checked:?}");
        let version = attribute(&checked.text, r#"name="version" value=""#).to_owned();
        let publish =
            [("name", name.as_str()), ("do", "publish"), ("file", &file), ("version", &version), ("why", "x")];
        let done = browser.send(&checked, "/partner-file", &publish).await;
        assert!(done.text.contains("Published"), "{done:?}");
    }
    let audit = postbackctl(stack, &["audit", "--provider", &name, "--json"]).json();
    let records = audit["records"].as_array().unwrap();
    assert_eq!(records.iter().filter(|record| record["action"] == "change_partner").count(), 3, "{audit}");
}

/// Opens a partner's portal, and returns the browser with its first page.
async fn portal<'a>(stack: &'a Stack, function: &'a Function, partner: &str) -> (Browser<'a>, Page) {
    let made = postbackctl(stack, &["portal", partner, "--api-url", &stack.api_url]);
    let link = made.out.trim().strip_prefix(&stack.console.url).unwrap().to_owned();
    let mut browser = Browser::new(stack, Console::Function(function));
    let door = browser.open(&link).await;
    let token = attribute(&door.text, r#"name="link" value=""#).to_owned();
    assert_eq!(browser.send(&door, "/portal", &[("link", &token)]).await.status, 303);
    let home = browser.open("").await;
    (browser, home)
}

/// Tries a call of a transaction in the partner's portal.
async fn try_as_partner(stack: &Stack, function: &Function, partner: &Partner, transaction: &str) {
    let (mut browser, home) = portal(stack, function, &partner.name).await;
    let fields = [
        ("user_id", "12345"),
        ("click_id", "67890"),
        ("transaction_id", transaction),
        ("currency", "USD"),
        ("amount_decimal", "100.00"),
    ];
    let tried = browser.send(&home, "/try", &fields).await;
    assert!(tried.text.contains("would be accepted"), "{tried:?}");
    for page in ["/log", "/sent"] {
        assert_eq!(browser.open(page).await.status, 200);
    }
}

#[tokio::test]
async fn a_refused_call_is_recorded_once_the_partner_is_mended() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "postback: {currencies: [USDT]}\n");
    let transaction = fresh("t");
    partner.apply(&fixture.stack, "");
    let refused = eventually("the changed file is read", async || {
        let query = sample(&transaction).replace("USD", "USDT");
        let reply = partner.postback(&fixture, &query).await;
        (reply.status == 400).then_some(reply)
    })
    .await;
    assert_eq!(refused.faults()[0].1, "unknown_currency");
    partner.apply(&fixture.stack, "postback: {currencies: [USDT]}\n");
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let function = function(&fixture.stack, &proxy).await;
    let mut browser = Browser::new(&fixture.stack, Console::Function(&function));
    browser.sign_in("operator").await;
    let list = format!("/refusals?provider={}", partner.name);
    let listed = eventually("the refusal is listed", async || {
        let page = browser.open(&list).await;
        page.text.contains("/refusal?key=").then_some(page)
    })
    .await;
    let key = decoded(attribute(&listed.text, "/refusal?key="));
    try_as_partner(&fixture.stack, &function, &partner, &transaction).await;
    let done = browser.send(&listed, "/refusal", &[("key", &key), ("why", "agreed")]).await;
    assert_eq!(done.status, 303, "{done:?}");
    let page = browser.open(&format!("/refusal?key={}", attribute(&listed.text, "/refusal?key="))).await;
    assert!(page.text.contains("Recorded after all"), "{page:?}");
}

#[tokio::test]
async fn a_partner_tests_its_own_server() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let (simulator, name) = (stack.partner_simulator(), fresh("p"));
    let url = format!("{}/hook?click={{clickId}}", simulator.webhook_url(&name));
    let file = CAMPAIGN.replace("http://127.0.0.1:9/hook?click={clickId}", &url);
    let applied = partner::apply_for_loopback(stack, &name, &file);
    let secret = applied["partners"][0]["webhook_secret"].as_str().unwrap();
    let script = Script { secrets: Some(vec![secret.parse().unwrap()]), ..Script::answers([Answer::status(204)]) };
    simulator.set_script(&name, &script).await;
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let function = function(stack, &proxy).await;
    let (mut browser, _) = portal(stack, &function, &name).await;
    let form = browser.open("/sent-test").await;
    let fields = [("campaign", "welcome"), ("click_id", "c 1"), ("secret", secret)];
    // The answer of the transaction is lost. The audit record shows that the permit was taken.
    proxy.on(|call| if call.operation == "TransactWriteItems" { Action::CutAfter } else { Action::Forward });
    let signed = browser.send(&form, "/sent-test", &fields).await;
    assert!(signed.text.contains("answered 204") && signed.text.contains("would be delivered."), "{signed:?}");
    proxy.on(|_| Action::Forward);
    let forged = browser.send(&form, "/sent-test", &fields[..2]).await;
    assert!(forged.text.contains("does not verify signatures"), "{forged:?}");
    assert_eq!(browser.send(&form, "/sent-test", &fields).await.status, 200);
    assert_eq!(browser.send(&form, "/sent-test", &fields).await.status, 429);
    let requests = simulator.requests(&name).await.requests;
    let requests = serde_json::to_value(&requests).unwrap();
    assert_eq!(requests.as_array().unwrap().len(), 3);
    assert_eq!(requests[0]["signature"], "verified");
    assert!(requests[0]["target"].as_str().unwrap().ends_with("/hook?click=c%201"), "{requests}");
    assert_ne!(requests[1]["signature"], "verified");
    let audit = postbackctl(stack, &["audit", "--provider", &name, "--json"]).json();
    let tests = audit["records"].as_array().unwrap().iter().filter(|record| record["action"] == "send_test_webhook");
    let authors: Vec<&str> = tests.map(|record| record["author"].as_str().unwrap()).collect();
    let author = format!("partner {name}");
    assert_eq!(authors, [author.as_str(); 3]);
}

#[tokio::test]
async fn a_webhook_that_failed_is_sent_again() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let name = fresh("p");
    partner::apply_for_loopback(stack, &name, CAMPAIGN);
    let id = put(stack, &gone(&owed(&name, tests::now().into()))).await;
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let function = function(stack, &proxy).await;
    let mut browser = Browser::new(stack, Console::Function(&function));
    browser.sign_in("operator").await;
    let page = browser.open(&format!("/webhook?id={id}")).await;
    assert!(page.text.contains("curl -i"), "{page:?}");
    let round = attribute(&page.text, r#"name="round" value=""#).to_owned();
    let fields = [("id", id.as_str()), ("round", &round), ("why", "their server is back")];
    // The second click comes from the same page.
    for status in [303, 409] {
        let done = browser.send(&page, "/webhook", &fields).await;
        assert_eq!(done.status, status, "{done:?}");
    }
    let page = browser.open(&format!("/webhook?id={id}")).await;
    assert!(page.text.contains("of round 2"), "{page:?}");
}
