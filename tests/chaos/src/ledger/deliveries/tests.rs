use serde_json::{Value, json};

use super::*;

const ID_OF: (&str, &str, &str) = ("user-1", "acme", "quest");

fn id() -> String {
    let (user, provider, campaign) = ID_OF;
    let names = (Provider::new(provider).unwrap(), CampaignName::new(campaign).unwrap());
    DeliveryId::of(&names.0, &names.1, &UserId::new(user).unwrap()).to_string()
}

fn attempt(n: u64, due_at: i64, sent_at: i64, status: u64) -> Value {
    json!({"n": n, "due_at": due_at, "sent_at": sent_at, "duration_ms": 10, "outcome": {"status": status}})
}

/// Returns a delivery that ended in this way after these attempts.
fn ended(ending: &str, attempts: &[Value]) -> Delivery {
    let (user, provider, campaign) = ID_OF;
    serde_json::from_value(json!({
        "delivery_id": id(), "provider": provider, "campaign": campaign, "user_id": user, "ids": {},
        "occurred_at": 0, "created_at": 0, "revision": 9, "round": 1, "opened_at": 0, "attempts": attempts,
        "life": {"ended": {"ending": ending, "at": 99}},
    }))
    .unwrap()
}

fn request(answered: &str, webhook_id: &str) -> Request {
    serde_json::from_value(json!({
        "number": 1, "at_ms": 0, "method": "GET", "target": "/", "headers": {"webhook-id": webhook_id}, "body": "",
        "answered": answered, "signature": "verified",
    }))
    .unwrap()
}

/// Counts the differences if exactly this delivery is owed and the partner got these requests.
fn differences(delivery: Delivery, requests: Vec<(String, Vec<Request>)>, kills: u64) -> usize {
    let stored = BTreeMap::from([(id(), delivery)]);
    let requests = requests.into_iter().collect();
    let deliveries =
        Deliveries { stored, late: Vec::new(), requests, dead_letters: Vec::new(), malformed: BTreeSet::new() };
    let (user, provider, campaign) = ID_OF;
    let owed = BTreeSet::from([(user.to_owned(), provider.to_owned(), campaign.to_owned())]);
    let story = Story { messages: Vec::new(), different: 0, malformed: BTreeSet::new(), owed };
    let mut ledger = Ledger::default();
    deliveries.check(&story, &BTreeMap::from([(id(), kills)]), &mut ledger);
    ledger.differences().len()
}

fn in_order() -> Delivery {
    ended("delivered", &[attempt(1, 0, 5, 500), attempt(2, 1015, 1015, 200)])
}

fn answers(answered: &[&str]) -> Vec<(String, Vec<Request>)> {
    vec![(id(), answered.iter().map(|answered| request(answered, &id())).collect())]
}

#[test]
fn a_kill_excuses_one_repeated_request() {
    assert_eq!(differences(in_order(), answers(&["500", "200"]), 0), 0);
    assert_eq!(differences(in_order(), answers(&["500", "500", "200"]), 1), 0);
    assert_eq!(differences(in_order(), answers(&["500", "500", "200"]), 0), 1, "a repeated request without a kill");
}

#[test]
fn each_fault_is_a_difference() {
    let both = || answers(&["500", "200"]);
    let early = ended("delivered", &[attempt(1, 0, 5, 500), attempt(2, 1015, 1014, 200)]);
    let hurried = ended("delivered", &[attempt(1, 0, 5, 500), attempt(2, 1014, 1020, 200)]);
    let given_up = ended("exhausted", &[attempt(1, 0, 5, 500), attempt(2, 1015, 1015, 500)]);
    assert_eq!(differences(early, both(), 0), 1, "an attempt before it was due");
    assert_eq!(differences(hurried, both(), 0), 1, "a resend that was due too soon");
    assert_eq!(differences(given_up, both(), 0), 1, "exhausted after two attempts");
    assert_eq!(
        differences(in_order(), answers(&["500"]), 0),
        2,
        "a recorded answer that the partner never gave, and no 200"
    );
    let mut strangers = both();
    strangers.push(("dl_of-nobody".into(), vec![request("200", "dl_of-nobody")]));
    assert_eq!(differences(in_order(), strangers, 0), 1, "a request without a delivery");
}
