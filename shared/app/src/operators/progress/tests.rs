use domain::outbound::catalogue::{Catalogue, PartnerGoals};

use super::*;
use crate::{
    deliver_webhooks::tests as sender,
    memory::{Held, World},
};

fn catalogue() -> Catalogue {
    let goals = sender::partner("").media_buying().goals();
    let other = Provider::new("other").unwrap();
    let partners = BTreeMap::from([(sender::provider(), goals), (other, PartnerGoals::default())]);
    Catalogue::from(Snapshot { version: 1, published_at: UnixMillis::from_millisecond(1), partners })
}

async fn of(world: &World, user: &str, provider: Option<&Provider>) -> UserProgress {
    of_with(world, "", user, provider).await
}

/// Explains the progress while acme's campaign has this text in its file.
async fn of_with(world: &World, more: &str, user: &str, provider: Option<&Provider>) -> UserProgress {
    let partners = Held::new(world, [(sender::provider(), sender::partner(more))]);
    {
        let ports = (world, &partners, world);
        of_user(world, world, ports, (&UserId::new(user).unwrap(), provider), UnixMillis::from_millisecond(0))
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn progress_names_every_campaign_and_the_delivery_it_led_to() {
    let world = World::default();
    world.state().catalogue = Some(catalogue());
    let delivery = sender::delivery("u", "p-9");
    world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
    world.state().participants.insert(UserId::new("u").unwrap(), (Participant::default(), 1));
    let found = of(&world, "u", None).await;
    assert_eq!(found.participant, Some(Participant::default()));
    let [line] = &found.campaigns[..] else { panic!("{found:?}") };
    assert_eq!((line.provider.as_str(), line.campaign.as_str()), ("acme", "welcome"));
    let owed = OwedDelivery { delivery_id: delivery.id().clone(), status: Status::Pending, wait: Wait::default() };
    assert_eq!(line.delivery, Some(owed.clone()));
    let waiting = of_with(&world, r#","paused":true"#, "u", None).await;
    assert_eq!(
        waiting.campaigns[0].delivery,
        Some(OwedDelivery { wait: Wait { paused: true, ..Wait::default() }, ..owed })
    );
    // The other user has no delivery, and nothing is stored about this user.
    let nobody = of(&world, "nobody", None).await;
    assert_eq!((nobody.participant, nobody.campaigns, nobody.left_out), (None, Vec::new(), 1));
    let asked = of(&world, "nobody", Some(&sender::provider())).await;
    assert_eq!((asked.campaigns[0].delivery.clone(), asked.left_out), (None, 0));
}

#[tokio::test]
async fn progress_of_one_partner_leaves_out_the_others() {
    let world = World::default();
    assert_eq!(of(&world, "u", None).await.campaigns, [], "nothing is published");
    world.state().catalogue = Some(catalogue());
    assert_eq!(of(&world, "u", Some(&sender::provider())).await.campaigns.len(), 1);
    assert_eq!(of(&world, "u", Some(&Provider::new("other").unwrap())).await.campaigns, []);
}

/// Returns a catalogue in which two partners ask for three clicks.
pub(crate) fn clicks_catalogue() -> Catalogue {
    let file = r#"{"provider":"p","media_buying":{"ids":["click_id"],"campaigns":[{"name":"clicks",
        "goal":{"type":"ggstrike","clicks":3},"active_from":"1970-01-01T00:00:00Z",
        "webhook":{"url":"https://a.example/?c={clickId}"}}]}}"#;
    let file: domain::partner::PartnerFile = serde_json::from_str(file).unwrap();
    let goals = domain::partner::Partner::try_from(file).unwrap().media_buying().goals();
    let partners = ["opened", "not-opened"].map(|name| (Provider::new(name).unwrap(), goals.clone())).into();
    Catalogue::from(Snapshot { version: 1, published_at: UnixMillis::from_millisecond(1), partners })
}

#[tokio::test]
async fn partners_whose_link_was_not_opened_are_left_out() {
    let world = World::default();
    world.state().catalogue = Some(clicks_catalogue());
    let opened = serde_json::json!({"opened": {"since": 1, "counts_from": 1, "baseline": 0,
        "latest": {"at": 1, "event": "evt-1", "click_id": "c-1"}}});
    for (openings, expected, left_out) in
        [(opened, &["opened"][..], 1), (serde_json::json!({}), &["not-opened", "opened"], 0)]
    {
        let participant = serde_json::json!({"partners": openings, "clicks": [[2, 1]]});
        let participant: Participant = serde_json::from_value(participant).unwrap();
        world.state().participants.insert(UserId::new("u").unwrap(), (participant, 1));
        let found = of(&world, "u", None).await;
        let named: Vec<&str> = found.campaigns.iter().map(|line| line.provider.as_str()).collect();
        assert_eq!((&named[..], found.left_out), (expected, left_out));
    }
}
