//! Tests that items expire as the template's parameters say. The local stack sets other values than the defaults.

use std::collections::HashMap;

use adapters::dynamodb::clicks::DynamoClicks;
use app::ports::Clicks;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    inbound::click::Click,
    jiff::Timestamp,
    retention::Expiring,
    values::ids::{ClickId, LandingName, Provider, UserId},
};
use tests::{eventually, stack::Stack};

use crate::{
    command::postbackctl,
    fixture::{Fixture, fresh},
    partner::Partner,
};

const DAY: i64 = 24 * 60 * 60;

type Item = HashMap<String, AttributeValue>;

/// Returns the items of a table that contain this text.
pub(crate) async fn items(stack: &Stack, noun: &str, text: &str) -> Vec<Item> {
    let scan = stack.dynamodb().scan().table_name(stack.table(noun)).consistent_read(true);
    let (mut pages, mut found) = (scan.into_paginator().send(), Vec::new());
    while let Some(page) = pages.next().await {
        found.extend(
            page.unwrap().items.unwrap_or_default().into_iter().filter(|item| format!("{item:?}").contains(text)),
        );
    }
    found
}

/// Returns the Unix second at which an item expires.
pub(crate) fn end(item: &Item) -> i64 {
    item["expires_at"].as_n().unwrap().parse().unwrap()
}

fn second(item: &Item, name: &str) -> i64 {
    item[name].as_s().unwrap().parse::<Timestamp>().unwrap().as_second()
}

/// Returns the items once there are some.
async fn written(stack: &Stack, noun: &str, text: &str) -> Vec<Item> {
    let found = async || Some(items(stack, noun, text).await).filter(|found| !found.is_empty());
    eventually("the items are written", found).await
}

#[tokio::test]
async fn items_expire_as_the_parameters_say_and_lookups_with_them() {
    let (fixture, user) = (Fixture::new(), fresh("kept"));
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    assert_eq!(partner.postback(&fixture, &format!("user_id={user}")).await.status, 400);
    let refusal = &items(stack, "refusals", &user).await[0];
    assert_eq!(end(refusal), second(refusal, "last_received_at") + 31 * DAY);
    for entry in written(stack, "lookups", &user).await {
        // The same call may come until the end of the hour, and the entry is not written again then.
        assert_eq!(end(&entry), end(refusal) + 60 * 60);
    }

    let location = fixture.send(fixture.http.get(&stack.partner("acme").landings["welcome"])).await.location.unwrap();
    let click_id = location.split_once("click_id=").unwrap().1.split(['&', '#']).next().unwrap();
    let click = &items(stack, "clicks", click_id).await[0];
    assert_eq!(end(click), second(click, "clicked_at") + 401 * DAY);
    let entry = &written(stack, "lookups", click_id).await[0];
    assert_eq!(end(entry), end(click));

    let record = &items(stack, "audit", &partner.name).await[0];
    assert_eq!(end(record), second(record, "at") + 403 * DAY);
}

#[tokio::test]
async fn an_expired_click_is_not_shown_before_it_is_deleted() {
    let fixture = Fixture::new();
    let (stack, retention) = (&fixture.stack, Expiring::Click.default_retention());
    for (ago, is_shown) in [(400 * DAY - 3_600, true), (400 * DAY + 1, false)] {
        let click = Click {
            click_id: ClickId::new(fresh("expired")).unwrap(),
            provider: Provider::new("acme").unwrap(),
            landing: LandingName::new("welcome").unwrap(),
            user_id: UserId::new(fresh("u")).unwrap(),
            clicked_at: Timestamp::from_second(tests::now().as_second() - ago).unwrap(),
        };
        let clicks = DynamoClicks::new(stack.dynamodb(), stack.table("clicks").to_owned(), retention);
        clicks.record(&click).await.unwrap();
        let shown = postbackctl(stack, &["trace", "--click", click.click_id.as_str()]);
        assert_eq!(shown.out.contains(click.user_id.as_str()), is_shown, "{}{}", shown.out, shown.err);
    }
}
