use std::collections::BTreeMap;

use domain::{
    audit::{Author, Channel},
    outbound::catalogue::Snapshot,
};

use super::*;
use crate::{
    deliver_webhooks::tests as sender,
    memory::{Trouble, World},
};

/// Returns a catalogue with acme's campaign `welcome` for registrations from noon on.
fn catalogue() -> Catalogue {
    let partners = BTreeMap::from([(sender::provider(), sender::partner("").media_buying().goals())]);
    Catalogue::from(Snapshot { version: 1, published_at: UnixMillis::from_millisecond(1), partners })
}

fn registered(provider: &str, at: &str) -> String {
    format!(
        r#"{{"id":"e-1","type":"user.registered","user_id":"u","occurred_at":"2026-11-23T{at}Z","method":"email",
            "tracking":{{"provider":"{provider}","click_id":"c-1","user_id":"p-1"}}}}"#
    )
}

fn checked(message: &str) -> Checked {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    check(message.as_bytes(), &catalogue(), now.into(), &Timing::default())
}

#[test]
fn a_registration_names_the_campaign_and_its_time() {
    for (at, is_within) in [("12:00:00", true), ("11:59:59", false)] {
        let Checked::Sound { campaigns, .. } = checked(&registered("acme", at)) else { panic!("{at}") };
        let [Candidate { provider, campaign, time }] = &campaigns[..] else { panic!("{campaigns:?}") };
        assert_eq!((provider.as_str(), campaign.as_str()), ("acme", "welcome"));
        assert_eq!(*time == InTime::Within, is_within, "{time:?}");
    }
}

#[test]
fn faults_of_the_reader_and_of_the_catalogue_are_told() {
    let paths = |message: &str| match checked(message) {
        Checked::Faulty(faults) | Checked::Spoiled(SpoiledTracking { faults, .. }) => {
            faults.into_iter().map(|fault| (fault.path, fault.code)).collect()
        }
        other => panic!("{other:?}"),
    };
    let unknown: Vec<(String, EventFaultCode)> = paths(&registered("nobody", "12:00:00"));
    assert_eq!(unknown, [("tracking.provider".to_owned(), EventFaultCode::UnknownProvider)]);
    let several = r#"{"type":"gg_button.clicked","user_id":"","occurred_at":"today"}"#;
    let mut found: Vec<String> = paths(several).into_iter().map(|(path, _)| path).collect();
    found.sort();
    assert_eq!(found, ["id", "occurred_at", "total_clicks", "user_id"]);
    let two = paths(&registered("nobody", "12:00:00").replace("e-1", ""));
    assert_eq!(two, [("id".to_owned(), EventFaultCode::Missing), unknown[0].clone()]);
    let Checked::UnknownType(UnknownType { name, .. }) = checked(r#"{"type":"user.renamed"}"#) else { panic!("known") };
    assert_eq!(name, "user.renamed");
}

#[test]
fn an_event_that_no_goal_asks_for_has_no_candidate() {
    let click =
        r#"{"id":"e","type":"gg_button.clicked","user_id":"u","occurred_at":"2026-11-23T12:00:00Z","total_clicks":1}"#;
    assert!(matches!(checked(click), Checked::Sound { campaigns, .. } if campaigns.is_empty()));
}

#[tokio::test]
async fn an_event_is_sent_as_it_is_after_its_audit_record() {
    let world = World::default();
    let message = registered("acme", "12:00:00");
    let Checked::Sound { event, .. } = checked(&message) else { panic!("{message}") };
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [1; 8]);
    send(&world, &world, (&operation, Timestamp::UNIX_EPOCH), &event, &message).await.unwrap();
    assert_eq!(world.state().events, [message.as_str()]);
    assert_eq!(world.state().audit.len(), 1);
    // Without an audit record, nothing is sent.
    let world = World::default();
    world.state().trouble = BTreeMap::from([(0, Trouble::Before)]);
    assert!(send(&world, &world, (&operation, Timestamp::UNIX_EPOCH), &event, &message).await.is_err());
    assert!(world.state().events.is_empty());
}
