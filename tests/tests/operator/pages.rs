//! Tests lists of deliveries that are read a page at a time.

use std::{collections::BTreeSet, time::Duration};

use adapters::dynamodb::deliveries::DynamoNewDeliveries;
use app::ports::{NewDeliveries, Put};
use domain::{outbound::delivery::Delivery, values::time::UnixMillis};
use serde_json::{Value, json};

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh},
    owed::{gone, owed},
    partner::{self, Partner},
};

#[tokio::test]
async fn deliveries_of_one_instant_are_each_on_one_page() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let (deliveries, now) =
        (DynamoNewDeliveries::new(stack.dynamodb(), stack.table("deliveries").to_owned()), tests::now());
    let made: Vec<Delivery> = (0..7).map(|_| gone(&owed(&partner.name, now.into()))).collect();
    for delivery in &made {
        assert_eq!(deliveries.put_if_absent(delivery).await, Ok(Put::Fresh));
    }
    let made: BTreeSet<&str> = made.iter().map(|delivery| delivery.id().as_str()).collect();
    for status in [&[][..], &["--status", "gone"]] {
        let list = [&["deliveries", "--provider", &partner.name, "--json"], status].concat();
        let is_complete = |found: &Value| found["deliveries"].as_array().is_some_and(|all| all.len() == made.len());
        eventually(stack, &list, is_complete).await;
        let (mut listed, mut after) = (Vec::new(), Vec::<String>::new());
        loop {
            let more: Vec<&str> = after.iter().map(String::as_str).collect();
            let page = postbackctl(stack, &[&list[..], &["--limit", "2"], &more].concat()).json();
            let ids =
                page["deliveries"].as_array().unwrap().iter().map(|it| it["delivery_id"].as_str().unwrap().to_owned());
            listed.extend(ids);
            let Some(place) = page["next"][&partner.name].as_str() else { break };
            after = vec!["--after".to_owned(), place.to_owned()];
        }
        assert_eq!(listed.len(), made.len(), "{status:?}");
        assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), made, "{status:?}");
    }
}

#[tokio::test]
async fn a_paused_delivery_is_shown_as_paused_and_never_as_overdue() {
    let fixture = Fixture::new();
    let (stack, name) = (&fixture.stack, fresh("p"));
    let file = format!(
        "media_buying:\n  campaigns:\n    - name: welcome\n      goal: {{type: registration}}\n      \
         active_from: on_publish\n      paused: true\n      webhook: {{url: \"{}/hook?click={{clickId}}\"}}\n",
        stack.partner_simulator().webhook_url(&name)
    );
    partner::apply_for_loopback(stack, &name, &file);
    let at = UnixMillis::from(tests::now()).minus(Duration::from_mins(1));
    let delivery = owed(&name, at);
    let deliveries = DynamoNewDeliveries::new(stack.dynamodb(), stack.table("deliveries").to_owned());
    assert_eq!(deliveries.put_if_absent(&delivery).await, Ok(Put::Fresh));
    let list = ["deliveries", "--provider", &name, "--json"];
    let found = eventually(stack, &list, |found| found["deliveries"][0].is_object()).await;
    let shown_at = format!("{:.3}", at.timestamp());
    let expected = json!({
        "delivery_id": delivery.id(), "provider": name, "campaign": "welcome", "user_id": delivery.participant(),
        "partner_ids": {"click_id": "c-1"}, "status": "pending", "paused": true, "waits_for_endpoint": false, "occurred_at": shown_at,
        "created_at": shown_at, "round": 1, "opened_at": shown_at, "attempts": [], "next_due_at": shown_at,
    });
    assert_eq!(found["deliveries"][0], expected);
    assert!(postbackctl(stack, &list[..3]).out.contains("paused with its campaign"));
    let trace = postbackctl(stack, &["trace", "--delivery", delivery.id().as_str(), "--json"]).json();
    assert_eq!((&trace[0]["record"], &trace[1]["record"]["paused"]), (&expected, &true.into()));
    let overdue = ["deliveries", "--provider", &name, "--overdue", "--grace", "1s", "--json"];
    assert_eq!(postbackctl(stack, &overdue).json()["deliveries"], json!([]));

    let period = ["--status", "pending", "--owed-since", "1h", "--owed-before", "now"];
    let resend = [&["resend", "--provider", &name], &period[..]].concat();
    let preview = postbackctl(stack, &[&resend[..], &["--preview", "--json"]].concat()).json();
    assert_eq!(preview, json!({"deliveries": [expected], "gaps": []}));
    let unasked = postbackctl(stack, &resend);
    let asked = format!("Send 1 pending delivery of {name} again?");
    assert!(
        unasked.code == Some(1) && unasked.err.contains(&asked) && unasked.err.contains("--yes"),
        "{}",
        unasked.err
    );
    let sent = postbackctl(stack, &[&resend[..], &["--yes"]].concat());
    assert_eq!(
        sent.out, "1 round opened; 1 of them wait until their campaign is not paused any more\n",
        "{}",
        sent.err
    );
}
