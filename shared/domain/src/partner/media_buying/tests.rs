use proptest::prelude::*;

use super::*;
use crate::outbound::campaign::WebhookFile;
use crate::partner::{Partner, PartnerFile};

fn file(section: &str) -> PartnerFile {
    serde_json::from_str(&format!(r#"{{"provider":"acme","media_buying":{section}}}"#)).unwrap()
}

fn checked(section: &str) -> Partner {
    Partner::check(file(section), Allowance::PublicOnly).unwrap()
}

fn paths(section: &str) -> Vec<String> {
    let faults = Partner::check(file(section), Allowance::PublicOnly).unwrap_err();
    faults.into_iter().map(|fault| fault.path).collect()
}

fn campaign(name: &str, goal: &str, url: &str) -> String {
    format!(r#"{{"name":"{name}","goal":{goal},"active_from":"2026-11-23T12:00:00Z","webhook":{{"url":"{url}"}}}}"#)
}

fn macros(partner: &Partner) -> Vec<(TrackingId, String)> {
    partner.media_buying().macros().map(|(id, text)| (id, text.as_str().to_owned())).collect()
}

#[test]
fn the_default_is_the_click_id_and_no_campaign() {
    let bare = Partner::try_from(serde_json::from_str::<PartnerFile>(r#"{"provider":"acme"}"#).unwrap()).unwrap();
    assert_eq!(bare.media_buying(), checked("{}").media_buying());
    assert_eq!(bare.media_buying().ids(), &AgreedIds::default());
    assert_eq!(macros(&bare), [(TrackingId::ClickId, "{clickId}".to_owned())]);
    assert_eq!(bare.media_buying().goals(), PartnerGoals::default());
}

#[test]
fn each_agreed_id_has_the_partners_or_the_default_macro() {
    let partner = checked(r#"{"ids":["user_id","click_id"],"macros":{"click_id":"%cid%"}}"#);
    let expected = [(TrackingId::ClickId, "%cid%".to_owned()), (TrackingId::UserId, "{userId}".to_owned())];
    assert_eq!(macros(&partner), expected);
    let other = checked(r#"{"ids":["user_id"]}"#);
    assert_eq!(macros(&other), [(TrackingId::UserId, "{userId}".to_owned())]);
}

#[test]
fn every_fault_of_the_section_is_reported_with_its_place() {
    let quests: Vec<String> = (0..11).map(|n| format!("\"q{n}\"")).collect();
    let group = format!(r#"{{"type":"main_quests","quests":[{}]}}"#, quests.join(","));
    let campaigns = [
        campaign("a", &group, "https://a.example/?c={clickId}"),
        campaign("a", r#"{"type":"ggstrike","clicks":0}"#, "http://{event}.example/"),
        campaign("b", r#"{"type":"registration"}"#, "https://10.0.0.1/?u={userId}&x={nothing}"),
    ];
    let section =
        format!(r#"{{"macros":{{"click_id":"a b","user_id":"x","id":"y"}},"campaigns":[{}]}}"#, campaigns.join(","));
    let faults = paths(&section);
    for (path, count) in [
        ("media_buying.macros.click_id", 1),
        ("media_buying.macros.user_id", 1),
        ("media_buying.macros.id", 1),
        ("media_buying.campaigns[0].goal.quests[10]", 1),
        ("media_buying.campaigns[1].name", 1),
        ("media_buying.campaigns[1].goal.clicks", 1),
        ("media_buying.campaigns[1].webhook.url", 1),
        ("media_buying.campaigns[2].webhook.url", 3),
    ] {
        assert_eq!(faults.iter().filter(|fault| *fault == path).count(), count, "{path} in {faults:?}");
    }
    assert_eq!(faults.len(), 10, "{faults:?}");
}

#[test]
fn ids_must_be_known_unique_and_at_least_one() {
    assert_eq!(paths(r#"{"ids":[]}"#), ["media_buying.ids"]);
    let faults = paths(r#"{"ids":["click_id","clickId","click_id"],"macros":{"user_id":"{u}"}}"#);
    assert_eq!(faults, ["media_buying.ids[1]", "media_buying.ids[2]"], "the macro may be meant for the id misspelt");
    let shared = paths(r#"{"ids":["click_id","user_id"],"macros":{"click_id":"{id}","user_id":"{id}"}}"#);
    assert_eq!(shared, ["media_buying.macros.user_id"]);
}

#[test]
fn a_webhook_uses_get_or_post_and_only_agreed_ids() {
    let method = |method: &str, names: &str| {
        let json = format!(
            r#"{{"provider":"acme","parameters":{names},"media_buying":{{"campaigns":[{{"name":"a",
                "goal":{{"type":"registration"}},"active_from":"2026-11-23T12:00:00Z",
                "webhook":{{"url":"https://a.example/?c={{clickId}}","method":"{method}"}}}}]}}}}"#
        );
        let file: PartnerFile = serde_json::from_str(&json).unwrap();
        Partner::check(file, Allowance::PublicOnly)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|f| f.path)
            .collect::<Vec<_>>()
    };
    assert!(method("GET", "{}").is_empty() && method("POST", "{}").is_empty());
    assert!(method("GET", r#"{"click_id":"campaign"}"#).is_empty());
    assert_eq!(method("PUT", "{}"), ["media_buying.campaigns[0].webhook.method"]);
    assert_eq!(method("POST", r#"{"click_id":"campaign"}"#), ["media_buying.campaigns[0].webhook.method"]);
}

#[test]
fn a_label_that_would_break_the_path_is_refused() {
    let checked = |event: &str, url: &str| {
        let labelled =
            campaign("a", r#"{"type":"registration"}"#, url).replacen('{', &format!("{{\"event\":{event:?},"), 1);
        let section = format!(r#"{{"campaigns":[{labelled}]}}"#);
        assert!(Partner::try_from(file(&section)).is_ok(), "what is stored is read");
        Partner::check(file(&section), Allowance::PublicOnly).err().map(|faults| faults[0].path.clone())
    };
    let refused = Some("media_buying.campaigns[0].event".to_owned());
    for event in [".", "..", "a/b", "%2e%2e", "..;x", "a\\b", "%252f"] {
        assert_eq!(checked(event, "https://a.example/hook/{event}"), refused, "{event}");
        assert_eq!(checked(event, "https://a.example/hook?e={event}"), None, "{event} in the query");
    }
    for event in ["sign up", "a.b", "100%", "регистрация", "a?b#c"] {
        assert_eq!(checked(event, "https://a.example/hook/{event}"), None, "{event}");
    }
    assert_eq!(checked("..", "https://a.example/hook/e-{event}"), None, "with something beside it, it leads nowhere");
    assert_eq!(checked(".", "https://a.example/hook/.{event}"), refused);
}

#[test]
fn a_stored_partner_is_read_despite_stricter_webhook_rules() {
    let section =
        format!(r#"{{"campaigns":[{}]}}"#, campaign("a", r#"{"type":"registration"}"#, "http://127.0.0.1:9/"));
    assert_eq!(paths(&section).len(), 3, "scheme, port and host");
    assert!(Partner::try_from(file(&section)).is_ok());
}

#[test]
fn on_publish_is_replaced_by_an_instant_once() {
    let section = |name: &str| {
        let text = campaign(name, r#"{"type":"registration"}"#, "https://a.example/")
            .replace("2026-11-23T12:00:00Z", "on_publish");
        serde_json::from_str::<MediaBuyingFile>(&format!(r#"{{"campaigns":[{text}]}}"#)).unwrap()
    };
    let (first, later) = (UnixMillis::from_millisecond(1_000), UnixMillis::from_millisecond(9_000));
    let undated = PartnerFile { media_buying: Some(section("a")), ..file("{}") };
    let faults = Partner::try_from(undated).unwrap_err();
    assert_eq!(faults[0].path, "media_buying.campaigns[0].active_from", "what is stored has an instant");
    let dated = section("a").dated(&Campaigns::new(), first);
    assert_eq!(dated.campaigns[0].active_from, "1970-01-01T00:00:01Z");
    let published = campaign::parse_campaigns(dated.campaigns.clone()).unwrap();
    assert_eq!(section("a").dated(&published, later), dated, "the same file again");
    assert_eq!(section("b").dated(&published, later).campaigns[0].active_from, "1970-01-01T00:00:09Z");
    assert_eq!(dated.clone().dated(&Campaigns::new(), later), dated, "an instant that was written stays");
}

proptest! {
    #[test]
    fn a_stored_section_reads_back_unchanged(
        ids in prop::option::of(prop::sample::subsequence(["click_id".to_owned(), "user_id".to_owned()].to_vec(), 1..=2)),
        clicks in prop::collection::vec(1u64..1000, 0..5),
    ) {
        let campaigns = clicks.iter().enumerate().map(|(at, clicks)| {
            campaign(&format!("c{at}"), &format!(r#"{{"type":"ggstrike","clicks":{clicks}}}"#), "https://a.example/{event}")
        });
        let campaigns = format!("[{}]", campaigns.collect::<Vec<_>>().join(","));
        let section = MediaBuyingFile { ids, macros: BTreeMap::new(), campaigns: serde_json::from_str(&campaigns).unwrap(), ..Default::default() };
        let file = PartnerFile { media_buying: Some(section), ..file("{}") };
        let stored = serde_json::to_string(&file).unwrap();
        let read: PartnerFile = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&read, &file);
        let (read, partner) = (Partner::try_from(read).unwrap(), Partner::check(file, Allowance::PublicOnly).unwrap());
        prop_assert_eq!(&read, &partner);
        prop_assert_eq!(partner.media_buying().goals().campaigns.len(), clicks.len());
    }

    #[test]
    fn no_text_makes_the_reader_panic(name in ".{0,20}", id in ".{0,9}", text in ".{0,30}", from in ".{0,20}") {
        let campaign = CampaignFile {
            name,
            goal: campaign::GoalFile::MainQuest { quest: text.clone() },
            active_from: from,
            active_to: Some(text.clone()),
            paused: false,
            archived: true,
            initial_interval_seconds: 0,
            webhook: WebhookFile { url: text.clone(), method: id.clone() },
            event: Some(text.clone()),
        };
        let section = MediaBuyingFile { ids: Some([id.clone()].into()), macros: [(id, text)].into(), campaigns: [campaign.clone(), campaign].into(), ..Default::default() };
        let partner = PartnerFile { media_buying: Some(section), ..file("{}") };
        prop_assert!(Partner::check(partner, Allowance::PublicOnly).is_err());
    }
}
