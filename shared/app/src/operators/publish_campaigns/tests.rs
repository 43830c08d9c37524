use domain::{
    audit::{Author, Channel},
    jiff::Timestamp,
    values::time::UnixMillis,
};

use super::*;
use crate::memory::World;

const LEAD: Duration = Duration::from_mins(3);

fn stored(provider: &str, from: &str) -> StoredPartner {
    let file = format!(
        r#"{{"provider":"{provider}","media_buying":{{"campaigns":[{{"name":"a","goal":{{"type":"registration"}},
            "active_from":"{from}","webhook":{{"url":"https://a.example/"}}}}]}}}}"#
    );
    let provider = Provider::new(provider).unwrap();
    let (token_hashes, pauses) = (Vec::new(), domain::partner::Pauses::default());
    StoredPartner { provider, version: 1, updated_at: Timestamp::UNIX_EPOCH, file, token_hashes, pauses }
}

/// Stores these partners, and publishes at this second.
async fn run(world: &World, partners: &[StoredPartner], second: i64) -> Publication {
    let named = |stored: &StoredPartner| (stored.provider.clone(), stored.clone());
    world.state().partners = partners.iter().map(named).collect();
    world.state().millisecond = second * 1000;
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8]);
    publish((world, world), world, LEAD, &operation).await.unwrap()
}

fn names(world: &World) -> Vec<String> {
    let state = world.state();
    state.campaigns.iter().flat_map(|snapshot| snapshot.partners.keys().map(ToString::to_string)).collect()
}

/// Returns the version in each audit record of a publication.
fn recorded(world: &World) -> Vec<String> {
    world.state().audit.iter().map(|record| record.details["version"].clone()).collect()
}

#[tokio::test]
async fn all_partners_are_published_once_and_again_when_one_differs() {
    let (world, acme) = (World::default(), stored("acme", "1970-01-01T01:00:00Z"));
    let first = run(&world, std::slice::from_ref(&acme), 0).await;
    assert_eq!((first.version, first.fresh), (Some(1), true));
    let again = run(&world, std::slice::from_ref(&acme), 9_000).await;
    assert_eq!((again.version, again.fresh, again.held.len()), (Some(1), false, 0));
    let more = run(&world, &[acme, stored("globex", "1970-01-01T10:00:00Z")], 9_000).await;
    assert_eq!((more.version, more.fresh), (Some(2), true));
    assert_eq!(names(&world), ["acme", "globex"]);
    assert_eq!(recorded(&world), ["1", "2"]);
}

#[tokio::test]
async fn a_lost_race_is_run_again_over_everything_as_it_is_now() {
    let (acme, globex) = (stored("acme", "1970-01-01T01:00:00Z"), stored("globex", "1970-01-01T01:00:00Z"));
    let (theirs, _) = goals(vec![globex.clone()], None);
    let world = World::default();
    let rival = |version, partners| Snapshot { version, published_at: UnixMillis::from_millisecond(0), partners };
    // The last rival in the list publishes first.
    world.state().rivals = vec![rival(3, theirs.clone()), rival(2, BTreeMap::new()), rival(1, theirs)];
    let outcome = run(&world, &[acme, globex], 0).await;
    let reads = world.state().calls.iter().filter(|call| **call == "read partners").count();
    assert_eq!((outcome.version, outcome.fresh, reads), (Some(4), true, 4));
    assert_eq!(names(&world), ["acme", "globex"]);
    assert_eq!(recorded(&world), ["4"], "a lost race leaves no record");
}

#[tokio::test]
async fn a_version_begun_and_never_finished_is_passed_over() {
    let world = World::default();
    world.state().begun_versions = [1, 2].into();
    let outcome = run(&world, &[stored("acme", "1970-01-01T01:00:00Z")], 0).await;
    assert_eq!((outcome.version, outcome.fresh), (Some(3), true));
}

#[tokio::test]
async fn a_late_campaign_is_held_and_the_others_are_published() {
    let world = World::default();
    let late = stored("acme", "1970-01-01T00:00:10Z");
    let outcome = run(&world, &[late, stored("globex", "1970-01-01T01:00:00Z")], 0).await;
    assert_eq!((outcome.version, outcome.held.len()), (Some(1), 1));
    assert_eq!(outcome.held[0].provider.as_str(), "acme");
    assert_eq!(names(&world), ["acme", "globex"], "its partner is known all the same");
}

#[tokio::test]
async fn an_unreadable_partner_keeps_its_campaigns_and_harms_nobody() {
    let (world, good) = (World::default(), stored("acme", "1970-01-01T01:00:00Z"));
    run(&world, std::slice::from_ref(&good), 0).await;
    let before = world.state().campaigns.as_ref().unwrap().partners.clone();
    let broken = StoredPartner { file: "{}".into(), ..good };
    let outcome = run(&world, &[broken, stored("globex", "1970-01-01T01:00:00Z")], 0).await;
    assert_eq!((outcome.fresh, outcome.unreadable.len()), (true, 1));
    let after = world.state().campaigns.as_ref().unwrap().partners.clone();
    let acme = Provider::new("acme").unwrap();
    assert_eq!((after.get(&acme), after.len()), (before.get(&acme), 2));
}
