use domain::{
    outbound::catalogue::{Catalogue, PartnerGoals},
    values::time::UnixMillis,
};

use super::*;
use crate::{deliver_webhooks::tests as sender, memory::World};

fn catalogue() -> Catalogue {
    let goals = sender::partner("").media_buying().goals();
    let other = Provider::new("other").unwrap();
    let partners = BTreeMap::from([(sender::provider(), goals), (other, PartnerGoals::default())]);
    Catalogue::from(Snapshot { version: 1, published_at: UnixMillis::from_millisecond(1), partners })
}

async fn of(world: &World, user: &str, provider: Option<&Provider>) -> UserProgress {
    of_user(world, world, world, (&UserId::new(user).unwrap(), provider)).await.unwrap()
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
    let owed = OwedDelivery { delivery_id: delivery.id().clone(), status: Status::Pending };
    assert_eq!(line.delivery, Some(owed));
    // The other user has no delivery, and nothing is stored about this user.
    let nobody = of(&world, "nobody", None).await;
    assert_eq!((nobody.participant, nobody.campaigns[0].delivery.clone()), (None, None));
}

#[tokio::test]
async fn progress_of_one_partner_leaves_out_the_others() {
    let world = World::default();
    assert_eq!(of(&world, "u", None).await.campaigns, [], "nothing is published");
    world.state().catalogue = Some(catalogue());
    assert_eq!(of(&world, "u", Some(&sender::provider())).await.campaigns.len(), 1);
    assert_eq!(of(&world, "u", Some(&Provider::new("other").unwrap())).await.campaigns, []);
}
