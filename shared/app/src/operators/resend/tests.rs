use std::{collections::BTreeMap, ops::ControlFlow};

use domain::{
    audit::{Author, Channel, Why},
    lookup::LookupEntry,
    outbound::attempt::AttemptOutcome,
    values::ids::ChainTicket,
};

use super::*;
use crate::{
    cache::CachePolicy,
    deliver_webhooks::tests as sender,
    memory::{Held, Trouble, World},
    ports::Lookups,
};

type UseCase = ResendDeliveries<Held<Provider, Partner>, World, World, World, World>;

fn use_case(world: &World, known: Option<Partner>) -> UseCase {
    let partners = Held::new(world, known.map(|known| (sender::provider(), known)));
    ResendDeliveries {
        partners: Cache::new(partners, CachePolicy::default()),
        rounds: world.clone(),
        resends: world.clone(),
        clock: world.clone(),
        randomness: world.clone(),
        operation: operation(),
    }
}

fn operation() -> Operation {
    Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, Why::new("it was down").ok(), [1; 8])
}

/// Allows this many steps, and counts the steps that were taken.
struct Steps {
    left: usize,
    taken: usize,
}

impl Steps {
    fn at_most(left: usize) -> Self {
        Self { left, taken: 0 }
    }
}

impl Pace for Steps {
    async fn turn(&mut self) -> ControlFlow<()> {
        if self.left == self.taken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn most_at_once(&self) -> usize {
        1
    }

    fn taken(&mut self, steps: usize) {
        self.taken += steps;
    }
}

/// Returns a world in which a delivery for each of these users has ended with 410.
async fn world(users: &[&str]) -> World {
    let world = World::default();
    world.state().millisecond = sender::start().as_millisecond();
    for user in users {
        let delivery = sender::delivery(user, "p-9");
        world
            .state()
            .resends
            .push((delivery.first_message(ChainTicket::from_random([1; 8])).unwrap(), sender::start()));
        world.state().answers.push_back((AttemptOutcome::Status(410), None, std::time::Duration::ZERO));
        world.state().deliveries.insert(delivery.id().clone(), delivery);
    }
    sender::run(&world, &sender::use_case(&world, Some(sender::recipient("")))).await;
    world
}

fn gone() -> Selection {
    let period = Period::Failed(Ended::ever());
    Selection { provider: sender::provider(), campaign: None, status: Status::Gone, period }
}

async fn count(world: &World, selection: &Selection) -> usize {
    let (mut count, now) = (0, UnixMillis::from_millisecond(i64::MAX));
    assert_eq!(preview((world, world), selection, now, |_| count += 1).await, Ok(Vec::new()));
    count
}

fn ids(users: &[&str]) -> BTreeSet<DeliveryId> {
    users.iter().map(|user| sender::delivery(user, "p-9").id().clone()).collect()
}

fn rounds(world: &World) -> Vec<u32> {
    world.state().deliveries.values().map(Delivery::round).collect()
}

#[tokio::test]
async fn a_named_delivery_gets_a_round_whatever_its_state() {
    let world = world(&["a"]).await;
    let use_case = use_case(&world, Some(sender::partner("")));
    for round in [2, 3] {
        let (resent, done) = use_case.named(&ids(&["a"]), &mut Steps::at_most(9)).await;
        assert_eq!((resent, done), (Resent { opened: 1, waiting: 0 }, Ok(())));
        let state = world.state();
        let last = &state.resends.last().unwrap().0;
        assert_eq!((last.round, last.n), (round, 1));
    }
    let audit: Vec<_> = world.state().audit.iter().map(|record| record.details["round"].clone()).collect();
    assert_eq!(audit, ["2", "3"]);
    assert_eq!(world.state().attempts.len(), 1, "the old round's attempt is kept beside it");
}

#[tokio::test]
async fn of_two_requests_that_saw_the_same_round_one_opens_the_next() {
    let world = world(&["a"]).await;
    let use_case = use_case(&world, Some(sender::partner("")));
    let id = ids(&["a"]).pop_first().unwrap();
    let (mut one, mut other) = (Steps::at_most(9), Steps::at_most(9));
    let both = tokio::join!(use_case.after_round(&id, 1, &mut one), use_case.after_round(&id, 1, &mut other));
    let done: Vec<_> = [both.0, both.1].into_iter().map(|(resent, done)| (resent.opened, done)).collect();
    assert!(done.contains(&(1, Ok(()))) && done.contains(&(0, Err(Stopped::Reopened(id.clone(), 2)))), "{done:?}");
    assert_eq!((rounds(&world), world.state().audit.len()), (vec![2], 1));
    let (resent, done) = use_case.after_round(&id, 2, &mut Steps::at_most(9)).await;
    assert_eq!((resent.opened, done, rounds(&world)), (1, Ok(()), vec![3]));
}

#[tokio::test]
async fn a_round_whose_answer_was_lost_is_not_opened_twice() {
    for call in 0..8 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world(&["a"]).await;
            let use_case = use_case(&world, Some(sender::partner("")));
            let id = ids(&["a"]).pop_first().unwrap();
            let begun = world.state().calls.len();
            world.state().trouble = BTreeMap::from([(begun + call, trouble)]);
            for _ in 0..2 {
                let _ = use_case.after_round(&id, 1, &mut Steps::at_most(9)).await;
            }
            assert_eq!((rounds(&world), world.state().audit.len()), (vec![2], 1), "call {call}, {trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_range_is_counted_and_sent_again_over_all_its_pages_once() {
    let world = world(&["a", "b", "c", "d", "e"]).await;
    let use_case = use_case(&world, Some(sender::partner("")));
    assert_eq!(count(&world, &gone()).await, 5);
    for opened in [5, 0] {
        let (resent, done) = use_case.selected((&world, &world), &gone(), &mut Steps::at_most(9)).await;
        assert_eq!((resent.opened, done), (opened, Ok(())));
    }
    assert_eq!(rounds(&world), [2; 5]);
    let other = Selection { campaign: CampaignName::new("other").ok(), ..gone() };
    assert_eq!(count(&world, &other).await, 0);
    let earlier = Ended { before: sender::start(), ..Ended::ever() };
    assert_eq!(count(&world, &Selection { period: Period::Failed(earlier), ..gone() }).await, 0);
}

#[tokio::test]
async fn an_interrupted_range_goes_on_where_it_was() {
    let world = world(&["a", "b", "c"]).await;
    let use_case = use_case(&world, Some(sender::partner("")));
    let (resent, done) = use_case.selected((&world, &world), &gone(), &mut Steps::at_most(1)).await;
    assert_eq!((resent.opened, done), (1, Err(Stopped::Interrupted)));
    let (resent, done) = use_case.selected((&world, &world), &gone(), &mut Steps::at_most(9)).await;
    assert_eq!((resent.opened, done), (2, Ok(())));
    assert_eq!(rounds(&world), [2; 3]);
}

#[tokio::test]
async fn a_repeated_resend_opens_the_rest_and_no_round_twice() {
    for call in 0..12 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world(&["a", "b", "c"]).await;
            let use_case = use_case(&world, Some(sender::partner("")));
            let calls = world.state().calls.len();
            world.state().trouble = BTreeMap::from([(calls + call, trouble)]);
            let _ = use_case.selected((&world, &world), &gone(), &mut Steps::at_most(9)).await;
            world.state().trouble.clear();
            let (_, done) = use_case.selected((&world, &world), &gone(), &mut Steps::at_most(9)).await;
            assert_eq!((done, rounds(&world)), (Ok(()), vec![2; 3]), "call {call}, {trouble:?}");
            // Each round has an audit record, and each audit record has a round.
            assert_eq!(world.state().audit.len(), 3, "call {call}, {trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_delivery_that_cannot_be_sent_says_why_and_stays_as_it_is() {
    let paused = sender::partner(r#","paused":true"#);
    let archived = sender::partner(r#","archived":true"#);
    let (provider, campaign) = (sender::provider(), CampaignName::new("welcome").unwrap());
    let stopped = Err(Stopped::Archived(provider.clone(), campaign.clone()));
    for (partner, waiting, expected) in [
        (Some(paused), 1, Ok(())),
        (Some(archived), 0, stopped),
        (None, 0, Err(Stopped::NoCampaign(provider, campaign))),
    ] {
        let world = world(&["a"]).await;
        let (resent, done) = use_case(&world, partner).named(&ids(&["a"]), &mut Steps::at_most(9)).await;
        assert_eq!((resent.waiting, &done), (waiting, &expected));
        assert_eq!(rounds(&world), [if done.is_ok() { 2 } else { 1 }]);
    }
    let world = World::default();
    let (_, done) = use_case(&world, None).named(&ids(&["x"]), &mut Steps::at_most(9)).await;
    assert_eq!(done, Err(Stopped::Unknown(sender::delivery("x", "p-9").id().clone())));
}

#[tokio::test]
async fn deliveries_are_selected_by_when_they_became_owed() {
    let world = World::default();
    world.state().millisecond = sender::start().as_millisecond();
    let made = [("a", 1), ("b", 2), ("c", 3)].map(|(user, second)| {
        sender::delivery_at(user, "p-9", sender::start().plus(std::time::Duration::from_secs(second)))
    });
    for delivery in &made {
        world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
        let put = Lookups::put(&world, &LookupEntry::of_delivery(delivery)).await;
        assert!(put.iter().all(Result::is_ok));
    }
    let (from, before) = (made[1].created_at(), made[2].created_at());
    let owed = Selection { status: Status::Pending, period: Period::Owed { from, before }, ..gone() };
    let mut found = Vec::new();
    let gaps = preview((&world, &world), &owed, before, |delivery| found.push(delivery)).await;
    assert_eq!((gaps, &found[..]), (Ok(Vec::new()), &made[1..2]));
    assert_eq!(count(&world, &Selection { status: Status::Delivered, ..owed.clone() }).await, 0);
    assert_eq!(rounds(&world), [1; 3], "a preview opens no round");
    let ready = use_case(&world, Some(sender::partner("")));
    world.state().millisecond = before.as_millisecond();
    for opened in [1, 0] {
        let (resent, done) = ready.selected((&world, &world), &owed, &mut Steps::at_most(9)).await;
        assert_eq!((resent.opened, done, world.state().audit.len()), (opened, Ok(()), 1));
    }
    assert_eq!(world.state().deliveries[made[1].id()].round(), 2);
}
