use domain::{
    lookup::LookupEntry,
    outbound::{attempt::AttemptOutcome, delivery::Claim, retry::RetryPolicy},
    values::ids::ClaimMark,
};

use super::*;
use crate::{
    deliver_webhooks::tests as sender,
    memory::{Held, World},
    ports::Lookups,
};

fn at(second: i64) -> UnixMillis {
    sender::start().plus(Duration::from_secs(second.unsigned_abs()))
}

/// Returns a delivery for this user that was made at this second, and was answered with this status if one is given.
fn delivery(user: &str, second: i64, answered: Option<u16>) -> Delivery {
    let made = sender::delivery_at(user, "p-9", at(second));
    let Some(status) = answered else { return made };
    let next = made.next().unwrap().clone();
    let (mark, until) = (ClaimMark::new("m").unwrap(), at(second + 60));
    let claim = Claim { round: 1, n: 1, ticket: next.ticket, mark, due_at: next.due_at, until };
    let answered = domain::outbound::attempt::FinishedAttempt {
        sent_at: at(second),
        ended_at: at(second + 1),
        outcome: AttemptOutcome::Status(status),
        answer: domain::outbound::attempt::AnswerExcerpt::default(),
        retry_after: None,
    };
    let recorded = made.with_claim(claim.clone()).record(
        &claim,
        &answered,
        RetryPolicy::default(),
        ChainTicket::from_random([3; 8]),
    );
    match recorded {
        domain::outbound::delivery::AttemptDecision::Stored { delivery, .. } => delivery,
        other => panic!("{other:?}"),
    }
}

async fn world(deliveries: &[Delivery]) -> World {
    let world = World::default();
    for delivery in deliveries {
        world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
        let put = Lookups::put(&world, &LookupEntry::of_delivery(delivery)).await;
        assert!(put.iter().all(Result::is_ok));
    }
    world
}

fn page(most: usize) -> Page {
    Page { most, ..Page::default() }
}

/// Lists the users of the deliveries that are wanted, page after page.
async fn pages(world: &World, mut wanted: Wanted) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let listed = list(world, world, &[sender::provider()], &wanted, at(1_000).timestamp()).await.unwrap();
        pages.push(listed.deliveries.iter().map(|stored| stored.delivery.participant().to_string()).collect());
        wanted.page.after = listed.more.into_iter().map(|(_, place)| place).next();
        if wanted.page.after.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_a_page_at_a_time() {
    let world = world(&[delivery("a", 1, None), delivery("b", 2, Some(200)), delivery("c", 3, None)]).await;
    assert_eq!(pages(&world, Wanted { page: page(2), ..Wanted::default() }).await, [vec!["c", "b"], vec!["a"]]);
}

#[tokio::test]
async fn a_page_of_one_state_holds_no_more_than_was_asked_for() {
    // The newest two deliveries are read first, and one of them is pending. Both of the next two are pending.
    let made = [delivery("a", 1, None), delivery("b", 2, None), delivery("c", 3, Some(200)), delivery("d", 4, None)];
    let world = world(&made).await;
    let pending = Wanted { status: Some(Status::Pending), page: page(2), ..Wanted::default() };
    assert_eq!(pages(&world, pending).await, [vec!["d", "b"], vec!["a"]]);
}

#[tokio::test]
async fn deliveries_of_one_instant_are_each_listed_once() {
    let users = ["a", "b", "c", "d", "e"];
    for (answered, status) in [(None, None), (Some(410), Some(Status::Gone))] {
        let world = world(&users.map(|user| delivery(user, 1, answered))).await;
        let mut listed = pages(&world, Wanted { status, page: page(2), ..Wanted::default() }).await.concat();
        listed.sort();
        assert_eq!(listed, users, "{status:?}");
    }
}

#[tokio::test]
async fn failures_are_found_by_when_they_failed() {
    let world = world(&[delivery("a", 1, Some(410)), delivery("b", 2, None), delivery("c", 3, Some(410))]).await;
    let gone = Wanted { status: Some(Status::Gone), page: page(1), ..Wanted::default() };
    assert_eq!(pages(&world, gone.clone()).await.concat(), ["c", "a"]);
    // Each delivery failed a second after it was made.
    let before = Some(at(4).timestamp());
    assert_eq!(pages(&world, Wanted { before, ..gone.clone() }).await.concat(), ["a"]);
    let exhausted = Wanted { status: Some(Status::Exhausted), page: page(5), ..gone };
    assert_eq!(pages(&world, exhausted).await.concat(), [""; 0]);
}

#[tokio::test]
async fn overdue_deliveries_are_found_on_every_page_and_counted() {
    let users = ["a", "b", "c", "d", "e"];
    let made: Vec<Delivery> = users.iter().zip(1..).map(|(user, second)| delivery(user, second, None)).collect();
    let world = world(&made).await;
    world.state().unreadable_under_way = 1;
    let grace = Duration::from_secs(10);
    let open = Held::new(&world, [(sender::provider(), sender::partner(""))]);
    let found = overdue((&world, &open, &world), None, grace, at(14)).await.unwrap();
    let late: Vec<_> = found.deliveries.iter().map(|delivery| delivery.participant().as_str()).collect();
    // An attempt that was due exactly ten seconds ago is not overdue yet.
    assert_eq!(late, ["a", "b", "c"]);
    assert!(found.unreadable > 0);
    let other = Provider::new("other").unwrap();
    assert_eq!(overdue((&world, &open, &world), Some(&other), grace, at(14)).await.unwrap().deliveries, []);
    assert!(!world.state().calls.contains(&"send resend"));
}

#[tokio::test]
async fn a_delivery_of_a_paused_campaign_is_never_overdue() {
    let world = world(&[delivery("a", 1, None), delivery("b", 2, Some(200))]).await;
    let paused = Held::new(&world, [(sender::provider(), sender::partner(r#","paused":true"#))]);
    let found = overdue((&world, &paused, &world), None, Duration::from_secs(1), at(60)).await.unwrap();
    assert_eq!(found, Overdue::default());
    let all: Vec<Delivery> = world.state().deliveries.values().cloned().collect();
    let held = Waiting::of((&paused, &world), &all, at(60)).await;
    let users: Vec<&str> = all.iter().filter(|it| held.what(it).holds()).map(|it| it.participant().as_str()).collect();
    assert_eq!(users, ["a"], "a delivery that has ended waits for nothing");
    // A partner that cannot be read hides no delivery.
    let calls = world.state().calls.len();
    world.state().trouble = BTreeMap::from([(calls, crate::memory::Trouble::Before)]);
    let unread = Waiting::of((&paused, &world), &all, at(60)).await;
    assert!(!unread.unread.is_empty() && !all.iter().any(|it| unread.what(it).holds()), "{unread:?}");
}
