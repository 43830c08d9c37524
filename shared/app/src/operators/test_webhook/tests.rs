use domain::{
    audit::{Author, Channel},
    jiff::SignedDuration,
    partner::PartnerFile,
};

use super::*;
use crate::memory::{Trouble, World};

fn partner() -> Partner {
    let file = r#"{"provider":"acme","media_buying":{"campaigns":[{"name":"welcome","goal":{"type":"registration"},
        "active_from":"2026-11-23T12:00:00Z","webhook":{"url":"https://a.example/hook?c={clickId}","method":"POST"}}]}}"#;
    Partner::check(serde_json::from_str::<PartnerFile>(file).unwrap(), Allowance::PublicOnly).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn made(which: Which<'_>, signing: Signing) -> Result<TestWebhook, TestFault> {
    let ids = (CLICK_ID, USER_ID);
    TestWebhook::make(&partner(), which, ids, signing, Allowance::PublicOnly, ([7; 8], at(1_800_000_000)))
}

fn throwaway() -> Signing {
    Signing::throwaway([1; 32])
}

async fn sent(world: &World, after: SignedDuration) -> Result<TestedWebhook, TestFault> {
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Console, None, [2; 8]);
    let test = made(Which::Campaign("welcome"), throwaway()).unwrap();
    let provider = Provider::new("acme").unwrap();
    test.send_permitted(&provider, world, world, (&operation, at(1_800_000_000) + after)).await
}

#[test]
fn a_test_is_the_campaigns_webhook_with_the_agreed_ids() {
    let test = made(Which::Campaign("welcome"), throwaway()).unwrap();
    assert_eq!(test.request.url().as_str(), "https://a.example/hook?c=test-click");
    let body = test.request.body().unwrap();
    assert!(body.contains(r#""click_id":"test-click""#) && !body.contains("user_id"), "{body}");
    assert!(body.contains(&format!(r#""delivery_id":"{}""#, test.id)) && test.id.as_str().starts_with("test-"));
}

#[test]
fn a_webhook_that_a_real_one_could_not_be_is_not_made() {
    let unknown = made(Which::Campaign("no-such"), throwaway()).unwrap_err();
    assert_eq!(unknown.to_string(), "acme has no campaign no-such");
    for url in ["http://a.example/?c={clickId}", "https://a.example:22/?c={clickId}", "https://{clickId}/", "x"] {
        let refused = made(Which::Url { url, method: "GET" }, throwaway()).unwrap_err();
        assert!(matches!(&refused, TestFault::Unmade(why) if why.contains("the URL")), "{url}: {refused}");
    }
    let refused = made(Which::Url { url: "https://a.example/?c={clickId}", method: "PUT" }, throwaway()).unwrap_err();
    assert_eq!(refused.to_string(), "the method must be GET or POST");
    let partner = partner();
    let ids = ("a\nb", USER_ID);
    let which = Which::Campaign("welcome");
    let made = TestWebhook::make(&partner, which, ids, throwaway(), Allowance::PublicOnly, ([7; 8], at(0)));
    assert!(made.unwrap_err().to_string().starts_with("the click id"));
}

#[tokio::test]
async fn a_partners_server_gets_three_tests_a_minute() {
    let world = World::default();
    let second = SignedDuration::from_secs;
    for after in [0, 1, 2] {
        assert_eq!(sent(&world, second(after)).await.unwrap().answered.outcome, AttemptOutcome::Status(200));
    }
    assert_eq!(sent(&world, second(59)).await, Err(TestFault::TooOften));
    assert_eq!(world.state().requests.len(), 3);
    assert!(sent(&world, second(60)).await.is_ok());
    assert_eq!(sent(&world, second(60)).await, Err(TestFault::TooOften));
    // The audit record comes first, and a test that was not allowed has none.
    let state = world.state();
    assert_eq!((state.requests.len(), state.audit.len()), (4, 4));
    let record = &state.audit[0];
    assert_eq!((record.action, record.details["campaign"].as_str()), (Action::SendTestWebhook, "welcome"));
}

#[tokio::test]
async fn without_a_permit_nothing_is_sent() {
    for trouble in [Trouble::Before, Trouble::After] {
        let world = World::default();
        world.state().trouble = [(0, trouble)].into();
        assert!(matches!(sent(&world, SignedDuration::ZERO).await, Err(TestFault::Unavailable(_))));
        assert!(world.state().requests.is_empty());
    }
}

#[tokio::test]
async fn a_refused_throwaway_signature_is_right_and_an_accepted_one_is_not() {
    for (status, signing, is_good, word) in [
        (200, Signing::Own(Vec::new()), true, "delivered"),
        (401, Signing::Own(Vec::new()), false, "uses another secret"),
        (401, throwaway(), true, "Give your secret"),
        (204, throwaway(), false, "does not verify"),
        (302, throwaway(), false, "never followed"),
        (410, throwaway(), false, "never want"),
        (500, Signing::Own(Vec::new()), false, "up to 5 times"),
    ] {
        let world = World::default();
        world.state().answers.push_back((AttemptOutcome::Status(status), None, std::time::Duration::ZERO));
        let tested = made(Which::Campaign("welcome"), signing).unwrap().send(&world, at(0)).await;
        assert_eq!((tested.is_good(), tested.advice().contains(word)), (is_good, true), "{status} {}", tested.advice());
    }
}

#[test]
fn a_secret_is_not_printed() {
    assert_eq!(format!("{:?}", throwaway()), "Signing::Throwaway(1)");
}
