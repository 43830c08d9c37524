use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::outbound::event::tests::{event, opened};

fn catalogue(json: &str) -> Catalogue {
    serde_json::from_str(json).unwrap()
}

fn sample() -> Catalogue {
    catalogue(
        r#"{"version":7,"published_at":1000,"partners":{
            "acme":{"ids":["click_id","user_id"],"campaigns":{
                "strike":{"goal":{"type":"ggstrike","clicks":5},"active_from":2000,"active_to":3000},
                "group":{"goal":{"type":"main_quests","quests":["a","b"]},"active_from":2000}}},
            "globex":{"campaigns":{"one":{"goal":{"type":"main_quest","quest":"a"},"active_from":4000}}},
            "initech":{}}}"#,
    )
}

fn at(millisecond: i64) -> UnixMillis {
    UnixMillis::from_millisecond(millisecond)
}

#[test]
fn a_stored_catalogue_reads_back_unchanged() {
    let json = serde_json::to_string(&sample()).unwrap();
    assert_eq!(catalogue(&json), sample());
    assert_eq!((sample().version(), sample().published_at()), (7, at(1000)));
}

#[test]
fn needed_events_are_found_within_a_campaigns_time_only() {
    let (catalogue, timing) = (sample(), Timing::default());
    let fresh = catalogue.fresh(at(0), at(0), &timing).unwrap();
    let needs =
        |kind: EventKind, millisecond: i64| fresh.could_need(&fresh.admit(event("e", millisecond, kind)).unwrap());
    let clicked = || EventKind::ButtonClicked { total_clicks: 1 };
    let quest = |id: &str| EventKind::QuestCompleted { quest: QuestId::new(id).unwrap() };
    let wanted = [1999, 2000, 3000, 3001].map(|millisecond| needs(clicked(), millisecond));
    assert_eq!(wanted, [false, true, true, false]);
    assert!(!needs(quest("a"), 1999) && needs(quest("a"), 2000) && needs(quest("b"), 9000));
    assert!(!needs(quest("c"), 9000));
    assert!(needs(opened("initech", 0), 0), "openings of known partners are kept, campaign or none");
    assert!(!needs(EventKind::Registered { tracking: None, total_clicks: 0 }, 2500));
}

#[test]
fn an_opening_keeps_only_the_agreed_ids() {
    let catalogue = sample();
    let fresh = catalogue.fresh(at(0), at(0), &Timing::default()).unwrap();
    let admit = |provider: &str, click: bool, user: bool| {
        let mut kind = opened(provider, 0);
        let EventKind::LinkOpened { tracking, .. } = &mut kind else { panic!("an opening") };
        tracking.ids.click_id = tracking.ids.click_id.take().filter(|_| click);
        tracking.ids.user_id = tracking.ids.user_id.take().filter(|_| user);
        let faults = |spoiled: SpoiledTracking| {
            let faults = spoiled.faults.into_iter().map(|fault| (fault.path, fault.code));
            (spoiled.provider.map(String::from), faults.collect::<Vec<_>>())
        };
        fresh.admit(event("e", 0, kind)).map_err(faults)
    };
    let missing = |path: &str| (path.to_owned(), EventFaultCode::Missing);
    assert!(admit("acme", true, true).is_ok());
    let of = |name: &str| Some(name.to_owned());
    let both = [missing("tracking.click_id"), missing("tracking.user_id")];
    assert_eq!(admit("acme", false, false), Err((of("acme"), both.into())));
    assert_eq!(admit("globex", false, true), Err((of("globex"), [missing("tracking.click_id")].into())));
    let unknown = ("tracking.provider".to_owned(), EventFaultCode::UnknownProvider);
    assert_eq!(admit("hooli", true, true), Err((None, [unknown].into())));
    let kept = admit("globex", true, true).unwrap();
    let EventKind::LinkOpened { tracking, .. } = &kept.event().kind else { panic!("an opening") };
    assert!(tracking.ids.click_id.is_some() && tracking.ids.user_id.is_none());
}

#[test]
fn at_least_one_id_must_be_agreed() {
    assert!(serde_json::from_str::<AgreedIds>("[]").is_err());
    assert_eq!(serde_json::from_str::<AgreedIds>(r#"["click_id"]"#).unwrap(), AgreedIds::default());
}

proptest! {
    #[test]
    fn a_catalogue_is_fresh_from_loading_until_its_maximum_age(
        loaded in -1_000_000i64..1_000_000, age in -300_000i64..300_000,
    ) {
        let catalogue = sample();
        let fresh = catalogue.fresh(at(loaded), at(loaded + age), &Timing::default());
        prop_assert_eq!(fresh.is_some(), (0..=120_000).contains(&age));
    }

    #[test]
    fn a_lead_is_at_least_maximum_age_plus_dating_ahead(lead in 0u64..500, age in 0u64..500, ahead in 0u64..500) {
        let [l, a, h] = [lead, age, ahead].map(Duration::from_secs);
        prop_assert_eq!(Timing::try_new(l, a, h).is_ok(), lead >= age + ahead);
    }
}
