//! Tests that each change by an operator leaves a record with its author and reason.

use serde_json::Value;
use tests::stack::Stack;

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh, sample},
    partner::Partner,
};

/// Names the author of every change in tests: the caller of the local AWS, which accepts any credentials.
const AUTHOR: &str = "arn:aws:iam::000000000000:root";

/// Returns the action and the reason of each record of this partner, newest first.
fn records(stack: &Stack, partner: &str) -> Vec<(String, Value)> {
    let listed = postbackctl(stack, &["audit", "--provider", partner, "--json"]).json();
    let record = |record: &Value| {
        assert_eq!((&record["author"], &record["channel"]), (&AUTHOR.into(), &"postbackctl".into()), "{record}");
        (record["action"].as_str().unwrap().to_owned(), record["why"].clone())
    };
    listed["records"].as_array().unwrap().iter().map(record).collect()
}

#[tokio::test]
async fn a_changing_command_leaves_its_record_with_arn_and_why() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    let partner = Partner::with_token(&fixture.stack, "");
    let created = || ("create_partner".to_owned(), Value::Null);
    assert_eq!(records(&fixture.stack, &partner.name), [created()]);

    let rotated = postbackctl(&fixture.stack, &["rotate", &partner.name, "--why", "the token leaked"]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.err);
    let rotation = || ("rotate_secret".to_owned(), Value::from("the token leaked"));
    assert_eq!(records(&fixture.stack, &partner.name), [rotation(), created()]);
    // A refused command changes nothing and leaves no record.
    let refused = postbackctl(&fixture.stack, &["rotate", &partner.name, "--why", "once more"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert_eq!(records(&fixture.stack, &partner.name).len(), 2);

    partner.postback(&fixture, &sample(&transaction)).await;
    partner.postback(&fixture, &sample(&transaction).replace("100.00", "90")).await;
    let list = ["conflicts", "--provider", &partner.name, "--json"];
    let found = eventually(&fixture.stack, &list, |found| found["conflicts"][0].is_object()).await;
    let content_id = found["conflicts"][0]["provider_content"].as_str().unwrap();
    let resolve = ["conflicts", "resolve", &partner.name, &transaction, content_id, "--accept", "--yes"];
    for _ in 0..2 {
        postbackctl(&fixture.stack, &[&resolve[..], &["--why", "ticket 7", "--json"]].concat()).json();
    }
    // The second command finds the conflict already accepted, changes nothing and leaves no record.
    let accepted = || ("accept_conflict".to_owned(), Value::from("ticket 7"));
    assert_eq!(records(&fixture.stack, &partner.name), [accepted(), rotation(), created()]);

    let shown = postbackctl(&fixture.stack, &["audit", "--provider", &partner.name]).out;
    for part in [AUTHOR, "accept conflict", "why: ticket 7", content_id, "new_secrets: token"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(rotated.out.split_whitespace().nth(2).unwrap()), "a record holds no secret: {shown}");
}

#[tokio::test]
async fn a_resubmitted_call_leaves_a_record_once_it_is_recorded() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    let partner = Partner::with_token(&fixture.stack, "");
    partner.postback(&fixture, &sample(&transaction).replace("USD", "WOOF")).await;
    let list = ["refusals", "--provider", &partner.name, "--json"];
    let found = eventually(&fixture.stack, &list, |found| found["refusals"][0].is_object()).await;
    let content_id = found["refusals"][0]["provider_content"].as_str().unwrap();
    let resubmit =
        || postbackctl(&fixture.stack, &["refusals", "resubmit", content_id, "--why", "WOOF is agreed", "--json"]);
    let resubmissions = || {
        let of_calls = |(action, _): &(String, Value)| action == "resubmit_refusal";
        records(&fixture.stack, &partner.name).into_iter().filter(of_calls).count()
    };
    // The call is refused again and nothing changes.
    assert_eq!((resubmit().code, resubmissions()), (Some(1), 0));
    partner.apply(&fixture.stack, "postback:\n  currencies: [WOOF]\n");
    // The second time, the call is a duplicate and the refusal is already marked. No second record is written.
    for _ in 0..2 {
        assert_eq!((resubmit().code, resubmissions()), (Some(0), 1));
    }
}
