//! Tests that a partner's postbacks and webhooks can be paused and resumed.

use std::time::{Duration, Instant};

use adapters::dynamodb::deliveries::DynamoNewDeliveries;
use app::ports::{NewDeliveries, Put};
use domain::{partner::PAUSED_RETRY_SECONDS, values::time::UnixMillis};
use serde_json::{Value, json};

use crate::{
    command::{PATIENCE, eventually, postbackctl},
    fixture::{Fixture, fresh, sample},
    owed::owed,
    partner::{self, Partner},
};

/// Sends postbacks until one is answered with this status. Returns its query, the header `Retry-After` and the body.
async fn answered(
    fixture: &Fixture,
    partner: &Partner,
    query: impl Fn() -> String,
    status: u16,
) -> (String, String, Value) {
    let begun = Instant::now();
    loop {
        let query = query();
        let url = format!("{}/postback/{}/{}?{query}", fixture.stack.api_url, partner.name, partner.token);
        let response = fixture.http.get(url).send().await.unwrap();
        let found = response.status().as_u16();
        let after = response.headers().get("retry-after").map(|after| after.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        if found == status {
            return (query, after.unwrap_or_default(), body);
        }
        assert!(begun.elapsed() < PATIENCE, "within {PATIENCE:?}, the answer is {found} {body}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn new_one() -> String {
    sample(&fresh("t"))
}

fn actions(fixture: &Fixture, name: &str) -> Vec<String> {
    let records = postbackctl(&fixture.stack, &["audit", "--provider", name, "--json"]).json();
    let action = |record: &Value| record["action"].as_str().unwrap().to_owned();
    records["records"].as_array().unwrap().iter().map(action).collect()
}

#[tokio::test]
async fn paused_postbacks_are_answered_503_until_resumed() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let name = partner.name.as_str();
    let (before, ..) = answered(&fixture, &partner, new_one, 200).await;
    let pause = ["pause", name, "--inbound", "--why", "its tracker loops", "--json"];
    let paused = postbackctl(stack, &pause).json();
    let [part, is_paused, changed] = ["part", "paused", "changed"].map(|field| paused[field].clone());
    assert_eq!((part, is_paused, changed), (json!("postbacks"), json!(true), json!(true)));
    assert_eq!(postbackctl(stack, &pause).json()["changed"], false);
    let (refused, after, body) = answered(&fixture, &partner, new_one, 503).await;
    assert_eq!((&body["type"], after), (&json!("urn:gg3:problem:paused"), PAUSED_RETRY_SECONDS.to_string()));
    assert!(body["detail"].as_str().unwrap().contains("Nothing is lost if you send it again"), "{body}");

    // Neither the file nor another pause's end ends this pause.
    partner.apply(stack, "name: Another\n");
    assert_eq!(postbackctl(stack, &["resume", name]).code, Some(0));
    let stored = postbackctl(stack, &pause).json();
    assert_eq!((&stored["changed"], &stored["since"]), (&json!(false), &paused["since"]));

    let resumed = postbackctl(stack, &["resume", name, "--inbound", "--json"]).json();
    assert_eq!((&resumed["changed"], &resumed["since"]), (&json!(true), &paused["since"]));
    for (query, status) in [(refused, "accepted"), (before, "duplicate")] {
        assert_eq!(answered(&fixture, &partner, || query.clone(), 200).await.2["status"], status);
    }
    assert_eq!(actions(&fixture, name), ["resume_partner", "change_partner", "pause_partner", "create_partner"]);
}

#[tokio::test]
async fn paused_webhooks_wait_in_every_campaign_until_resumed() {
    let fixture = Fixture::new();
    let (stack, name) = (&fixture.stack, fresh("p"));
    let file = format!(
        "media_buying:\n  campaigns:\n    - name: welcome\n      goal: {{type: registration}}\n      \
         active_from: on_publish\n      webhook: {{url: \"{}/hook?click={{clickId}}\"}}\n",
        stack.partner_simulator().webhook_url(&name)
    );
    partner::apply_for_loopback(stack, &name, &file);
    assert_eq!(postbackctl(stack, &["pause", &name]).code, Some(0));
    // The delivery has no message, so only the sweep could send it.
    let delivery = owed(&name, UnixMillis::from(tests::now()).minus(Duration::from_mins(1)));
    let deliveries = DynamoNewDeliveries::new(stack.dynamodb(), stack.table("deliveries").to_owned());
    assert_eq!(deliveries.put_if_absent(&delivery).await, Ok(Put::Fresh));
    let list = ["deliveries", "--provider", &name, "--json"];
    let overdue = ["deliveries", "--provider", &name, "--overdue", "--grace", "1s", "--json"];
    let trace = ["trace", "--delivery", delivery.id().as_str(), "--json"];
    for paused in [true, false] {
        let found = eventually(stack, &list, |found| found["deliveries"][0].is_object()).await;
        assert_eq!(found["deliveries"][0]["paused"], paused);
        assert_eq!(postbackctl(stack, &trace).json()[1]["record"]["paused"], paused);
        let late = postbackctl(stack, &overdue).json()["deliveries"].as_array().unwrap().len();
        assert_eq!(late, usize::from(!paused));
        assert_eq!(postbackctl(stack, &["resume", &name]).code, Some(0));
    }
    let unknown = postbackctl(stack, &["pause", &fresh("nobody")]);
    assert!(unknown.code == Some(1) && unknown.err.contains("there is no partner"), "{}", unknown.err);
}
