use std::fs;

use domain::{
    jiff::Timestamp,
    partner::{Partner, PartnerFile},
};

use super::*;

/// Returns a catalogue with the campaigns of acme's sample file, published at noon.
fn catalogue() -> Catalogue {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let file = fs::read_to_string(format!("{root}/infra/partners/acme.yaml")).unwrap();
    let file: PartnerFile = serde_saphyr::from_str(&file).unwrap();
    let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let partner = Partner::try_from(file.dated(&domain::outbound::campaign::Campaigns::new(), noon.into())).unwrap();
    let partners = [(partner.provider().clone(), partner.media_buying().goals())].into();
    Catalogue::from(Snapshot { version: 1, published_at: noon.into(), partners })
}

fn told_of(message: &str) -> String {
    let now: Timestamp = "2026-11-23T14:00:00Z".parse().unwrap();
    told(&judged("e.json".to_owned(), message.to_owned(), &catalogue(), now.into()))
}

#[test]
fn every_published_example_is_sound_and_names_its_campaigns() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/domain/examples/events");
    for (name, said) in [
        ("tracking_link.opened", "what user gg3-42 does counts for the campaigns of acme"),
        ("user.registered", "  acme, sign-up: counts"),
        ("user.registered.untracked", "no link brought the user"),
        ("gg_button.clicked", "  acme, ten-clicks: counts, if the user opened the partner's link before"),
        ("main_quest.completed", "  acme, fifty-quests: counts, if the user"),
    ] {
        let told = told_of(fs::read_to_string(format!("{folder}/{name}.json")).unwrap().trim());
        assert!(told.starts_with("e.json: sound\n") && told.contains(said), "{name}: {told}");
    }
}

#[test]
fn every_fault_is_told_in_words_with_the_value() {
    let message = r#"{"id":"e-1","type":"user.registered","user_id":7,"occurred_at":"2026-11-23 12:00","method":"email",
        "tracking":{"provider":"Acme!","click_id":"c"}}"#;
    let told = told_of(message);
    for line in [
        "e.json: 3 faults; the event would go to gg3-events-dead-letters",
        "  user_id is 7; expected ",
        "  occurred_at is \"2026-11-23 12:00\"; expected an instant of RFC 3339 such as 2026-11-23T12:00:00Z",
        "  tracking.provider is \"Acme!\"; expected a partner's name",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    for (message, said) in [
        ("no", "e.json: 1 fault; the event would go to gg3-events-dead-letters\n  the file is not JSON in UTF-8"),
        (r#"{"type":"gg_button.clicked"}"#, "\n  total_clicks is missing\n"),
        (r#"{"id":"","type":"gg_button.clicked"}"#, "\n  id is empty\n"),
        (r#"{"type":"a.b"}"#, "the type a.b is unknown; the event would be counted and set aside"),
        (
            r#"{"id":"e","type":"user.registered","user_id":"u","occurred_at":"2026-11-23T12:00:00Z","method":"email","tracking":{"provider":"nobody"}}"#,
            "tracking.provider is \"nobody\"; expected the name of a known partner",
        ),
    ] {
        let told = told_of(message);
        assert!(told.contains(said), "{said} in {told}");
    }
}

#[test]
fn a_campaign_that_has_not_begun_says_when_it_does() {
    let early = r#"{"id":"e","type":"main_quest.completed","user_id":"u","occurred_at":"2026-11-23T11:00:00Z","quest_id":"complete-50-quests"}"#;
    let told = told_of(early);
    assert!(
        told.contains("  acme, fifty-quests: does not count; the campaign begins at 2026-11-23T12:00:00"),
        "{told}"
    );
}
