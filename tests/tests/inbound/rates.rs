//! Tests the rates of partners' and of strangers' calls, at the wire of one function and through the API.

use reqwest::header::RETRY_AFTER;

use crate::{
    fixture::{Fixture, fresh, sample},
    wire::Rig,
};

const SLOW: &str = "postback: {rate: {per_second: 1, burst: 1}}\n";
/// Limits the calls until one is over the rate. A machine that makes fewer than one call a second fails.
const PATIENCE: usize = 200;

#[tokio::test]
async fn one_partner_is_limited_and_another_is_not() {
    let rig = Rig::new().await;
    let (slow, free) = (rig.fixture.partner(SLOW), rig.fixture.partner(""));
    let call = async |partner: &(String, String), query: &str| {
        let (name, token) = partner;
        let (status, body) = rig.call_with((name, token), query).await;
        (status, body, rig.operations())
    };
    call(&slow, &sample(&fresh("t"))).await;
    call(&free, &sample(&fresh("t"))).await;
    let mut refused = Vec::new();
    for _ in 0..PATIENCE {
        let query = sample(&fresh("t"));
        let (status, body, operations) = call(&slow, &query).await;
        if status == 429 {
            assert_eq!((body["type"].as_str(), operations.len()), (Some("urn:gg3:problem:rate-exceeded"), 0));
            refused.push(query);
        }
        let (status, _, operations) = call(&free, &sample(&fresh("t"))).await;
        assert_eq!((status, &operations[..]), (200, &["PutItem".to_owned()][..]));
        if refused.len() == 3 {
            break;
        }
    }
    assert_eq!(refused.len(), 3);
    // Nothing is lost: a refused call is recorded when it comes again.
    let (status, body) = loop {
        let (status, body, _) = call(&slow, &refused[0]).await;
        if status != 429 {
            break (status, body);
        }
    };
    assert_eq!((status, body["status"].as_str()), (200, Some("accepted")));
}

#[tokio::test]
async fn a_call_over_the_rate_is_told_when_to_come_again() {
    let fixture = Fixture::new();
    let (name, token) = fixture.partner(SLOW);
    let url = format!("{}/postback/{name}/{token}?{}", fixture.stack.api_url, sample(&fresh("t")));
    for _ in 0..PATIENCE {
        let response = fixture.http.get(&url).send().await.unwrap();
        if response.status() == 429 {
            assert_eq!(response.headers()[RETRY_AFTER], "1");
            return;
        }
        assert_eq!(response.status(), 200);
    }
    panic!("no call was over the rate");
}

#[tokio::test]
async fn an_address_that_guesses_is_limited_without_a_read() {
    let rig = Rig::new().await;
    let (name, token) = rig.fixture.partner("");
    assert_eq!(rig.call_with((&name, &token), &sample(&fresh("t"))).await.0, 200);
    rig.operations();
    for _ in 0..PATIENCE {
        let (status, body) = rig.call_with((&fresh("nobody"), "x"), "user_id=1").await;
        let operations = rig.operations();
        if status == 401 {
            assert_eq!(operations, ["BatchGetItem"]);
            continue;
        }
        assert_eq!((status, body["type"].as_str()), (429, Some("urn:gg3:problem:unauthorized-too-often")), "{body}");
        assert_eq!(operations.len(), 0, "{operations:?}");
        // A partner in memory is served from the same address.
        assert_eq!(rig.call_with((&name, &token), &sample(&fresh("t"))).await.0, 200);
        return;
    }
    panic!("no call was over the rate");
}
