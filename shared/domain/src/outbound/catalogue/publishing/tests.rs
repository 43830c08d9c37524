use proptest::prelude::*;

use super::*;
use crate::outbound::campaign::{CampaignFile, parse_campaigns};

const LEAD: Duration = Duration::from_mins(3);

fn at(second: i64) -> UnixMillis {
    UnixMillis::from_millisecond(second * 1000)
}

fn campaigns(all: &[(&str, i64, Option<i64>, bool)]) -> Campaigns {
    let file = |(name, from, to, archived): &(&str, i64, Option<i64>, bool)| {
        let to = to.map(|to| format!(r#""active_to":"{}","#, at(to))).unwrap_or_default();
        let json = format!(
            r#"{{"name":"{name}","goal":{{"type":"registration"}},"active_from":"{}",{to}"archived":{archived},
                "webhook":{{"url":"https://a.example/"}}}}"#,
            at(*from)
        );
        serde_json::from_str::<CampaignFile>(&json).unwrap()
    };
    parse_campaigns(all.iter().map(file).collect()).unwrap()
}

fn goals(all: &Campaigns) -> PartnerGoals {
    PartnerGoals::of(crate::outbound::agreed_ids::AgreedIds::default(), all)
}

fn acme() -> Provider {
    Provider::new("acme").unwrap()
}

fn snapshot(all: &Campaigns) -> Snapshot {
    Snapshot { version: 1, published_at: at(0), partners: [(acme(), goals(all))].into() }
}

fn next(current: Option<&Snapshot>, stored: &Campaigns, now: i64) -> (PartnerGoals, Vec<CampaignName>) {
    let mut next = next_goals(current, [(acme(), goals(stored))].into(), at(now), LEAD);
    (next.partners.remove(&acme()).unwrap(), next.held.into_iter().map(|held| held.campaign).collect())
}

#[test]
fn every_partner_is_published_even_without_a_campaign() {
    let none = campaigns(&[]);
    assert_eq!(next(None, &none, 0), (PartnerGoals::default(), [].into()));
}

#[test]
fn a_late_campaign_is_held_back_without_its_neighbour() {
    let stored = campaigns(&[("late", 1179, None, false), ("soon", 1180, None, false)]);
    let (published, held) = next(None, &stored, 1000);
    assert_eq!(published, goals(&campaigns(&[("soon", 1180, None, false)])));
    assert_eq!(held, [CampaignName::new("late").unwrap()]);
}

#[test]
fn published_terms_stay_if_the_new_end_comes_too_late() {
    let old = campaigns(&[("a", 10, Some(1100), false)]);
    let moved = campaigns(&[("a", 10, Some(9000), false)]);
    let (published, held) = next(Some(&snapshot(&old)), &moved, 1000);
    assert_eq!((published, held.len()), (goals(&old), 1));
    assert_eq!(next(Some(&snapshot(&old)), &moved, 900), (goals(&moved), [].into()));
}

#[test]
fn an_archived_campaign_leaves_the_snapshot_at_once() {
    let old = campaigns(&[("a", 10, None, false)]);
    let archived = campaigns(&[("a", 10, None, true)]);
    assert_eq!(next(Some(&snapshot(&old)), &archived, 1000), (PartnerGoals::default(), [].into()));
}

#[test]
fn a_stored_but_unpublished_campaign_is_not_fixed() {
    let stored = campaigns(&[("told", 10, Some(500), false), ("untold", 10, None, false), ("over", 10, None, true)]);
    let published = goals(&campaigns(&[("told", 10, Some(400), false)]));
    let known = as_published(&stored, Some(&published));
    assert_eq!(known.keys().map(CampaignName::as_str).collect::<Vec<_>>(), ["over", "told"]);
    let told = known.get(&CampaignName::new("told").unwrap()).unwrap();
    assert_eq!(told.terms().active_to, Some(at(400)), "its terms are the snapshot's");
}

proptest! {
    #[test]
    fn publishing_again_changes_nothing_at_any_time(
        starts in prop::collection::vec(0i64..10_000, 0..6), now in 0i64..10_000, later in 0i64..100_000,
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let all: Vec<_> = starts.iter().zip(names).map(|(start, name)| (name, *start, None, false)).collect();
        let stored = campaigns(&all);
        let (first, _) = next(None, &stored, now);
        prop_assert!(first.campaigns.values().all(|terms| terms.active_from >= at(now + 180)));
        let published = Snapshot { version: 1, published_at: at(now), partners: [(acme(), first.clone())].into() };
        let (again, _) = next(Some(&published), &stored, now + later);
        prop_assert_eq!(again, first);
    }
}
