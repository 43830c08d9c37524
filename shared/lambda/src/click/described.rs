//! Checks that every answer of `click` fits the published description, and that the description lists no other answers.
//! The real use case makes the answers. Each answer also writes one log line, and a metric counts the line by its
//! outcome.

use std::collections::BTreeSet;

use app::{
    cache::CachePolicy,
    memory::{Held, Trouble, World},
    ports::SystemKeys,
};
use domain::{
    inbound::{click::ClickKeys, tracking_link::ClickLink},
    jiff::Timestamp,
    partner::{Partner, PartnerFile},
    values::{
        ids::{LandingName, Provider, UserId},
        signature::Secret,
    },
};

use super::*;
use crate::{
    log::tests::{counted, line},
    openapi::OpenApi,
};

const PATH: &str = "/click/{provider}/{landing}";

fn follow(world: &World) -> FollowClick<World> {
    let file = r#"{"provider":"acme","landings":{"welcome":"https://a.example/"}}"#;
    let partner = Partner::try_from(serde_json::from_str::<PartnerFile>(file).unwrap()).unwrap();
    let click = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let keys = SystemKeys { click, link: vec![Secret::new("l")] };
    FollowClick {
        partners: Cache::new(Held::new(world, [(partner.provider().clone(), partner)]), CachePolicy::default()),
        keys: Cache::new(Held::new(world, [((), keys)]), CachePolicy::default()),
        clicks: world.clone(),
    }
}

fn signed(expires: i64) -> String {
    let link = ClickLink {
        provider: Provider::new("acme").unwrap(),
        landing: LandingName::new("welcome").unwrap(),
        user_id: UserId::new("12345").unwrap(),
        expires,
    };
    link.signed("", &Secret::new("l")).split_once('?').unwrap().1.to_owned()
}

#[tokio::test]
async fn the_description_lists_exactly_the_answers_given() {
    let api = OpenApi::published();
    let mut statuses = BTreeSet::new();
    let strange = signed(1).replace("12345", "54321");
    for (landing, query, failing_call, status, outcome) in [
        ("welcome", signed(1), None, 302, "redirected"),
        ("welcome", signed(1), Some(2), 302, "unrecorded"),
        ("welcome", signed(-1), None, 410, "expired"),
        ("welcome", strange, None, 403, "bad_signature"),
        ("welcome", "user_id=1".to_owned(), None, 400, "malformed"),
        ("nowhere", signed(1), None, 404, "unknown"),
        ("welcome", signed(1), Some(0), 503, "unavailable"),
    ] {
        let world = World::default();
        if let Some(call) = failing_call {
            world.state().trouble.insert(call, Trouble::Before);
        }
        let led = follow(&world).handle("acme", landing, query.as_bytes(), Timestamp::UNIX_EPOCH, [7; 9]).await;
        let line = line(|| log("request", &led));
        assert_eq!((line["outcome"].as_str(), line["clicks"].as_u64()), (Some(outcome), Some(1)));
        assert_eq!(counted(&line), ["clicks by outcome"]);
        for is_person in [true, false] {
            let response = respond(led.clone(), is_person);
            api.assert_describes(PATH, "get", &response);
            assert_eq!(response.status(), status, "{query}");
            let content_type = response.headers()["content-type"].to_str().unwrap();
            assert_eq!(content_type.starts_with("text/html"), is_person && status != 302, "{content_type}");
        }
        statuses.insert(status);
    }
    assert_eq!(statuses, api.statuses(PATH, "get"));
}

#[test]
fn the_description_lists_exactly_the_parameters_of_a_link() {
    let api = OpenApi::published();
    let described = api.operation(PATH, "get")["parameters"].as_array().unwrap();
    let described: BTreeSet<&str> = described.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let link = signed(1);
    let built: BTreeSet<&str> = link.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(described, built);
}
