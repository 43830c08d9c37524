use proptest::prelude::*;

use super::*;

const LEAD: Duration = Duration::from_mins(3);

fn file(goal: &str) -> CampaignFile {
    let json = format!(
        r#"{{"name":"autumn","goal":{goal},"active_from":"2026-11-23T12:00:00Z","webhook":{{"url":"https://a.example/"}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn campaign(change: impl FnOnce(&mut CampaignFile)) -> Campaign {
    let mut file = file(r#"{"type":"ggstrike","clicks":10}"#);
    change(&mut file);
    Campaign::try_from(file).unwrap()
}

fn paths(file: CampaignFile) -> Vec<String> {
    Campaign::try_from(file).unwrap_err().into_iter().map(|fault| fault.path).collect()
}

fn group(quests: &[&str]) -> CampaignFile {
    let mut group = file(r#"{"type":"registration"}"#);
    group.goal = GoalFile::MainQuests { quests: quests.iter().map(|quest| (*quest).to_owned()).collect() };
    group
}

fn at(text: &str) -> UnixMillis {
    UnixMillis::from(text.parse::<Timestamp>().unwrap())
}

#[test]
fn a_campaign_needs_a_name_a_goal_a_beginning_and_a_webhook() {
    let campaign = campaign(|_| {});
    assert_eq!(campaign.event().as_str(), "ggstrike");
    assert_eq!(campaign.initial_interval(), Duration::from_mins(10));
    assert_eq!(campaign.webhook().method, "GET");
    assert!(!campaign.paused() && !campaign.archived());
    assert!(campaign.terms().contain(at("2026-11-23T12:00:00Z")), "its first instant included");
    assert!(!campaign.terms().contain(at("2026-11-23T11:59:59.999Z")));
    assert!(campaign.terms().contain(at("2999-01-01T00:00:00Z")), "without end");
}

#[test]
fn a_campaign_may_replace_its_goals_own_name() {
    for (goal, name) in [
        (r#"{"type":"registration"}"#, "registration"),
        (r#"{"type":"ggstrike","clicks":1}"#, "ggstrike"),
        (r#"{"type":"main_quest","quest":"q"}"#, "main_quest"),
        (r#"{"type":"main_quests","quests":["a","b"]}"#, "main_quests"),
    ] {
        assert_eq!(Campaign::try_from(file(goal)).unwrap().event().as_str(), name);
    }
    assert_eq!(campaign(|file| file.event = Some("lead".into())).event().as_str(), "lead");
}

#[test]
fn every_fault_of_a_campaign_is_reported_at_once() {
    let mut bad = file(r#"{"type":"ggstrike","clicks":0}"#);
    bad.name = "Autumn!".into();
    bad.active_from = "tomorrow".into();
    bad.active_to = Some("later".into());
    bad.initial_interval_seconds = 21_601;
    bad.webhook.url = " ".into();
    bad.event = Some(String::new());
    let expected =
        ["name", "goal.clicks", "active_from", "active_to", "initial_interval_seconds", "webhook.url", "event"];
    assert_eq!(paths(bad), expected);
}

#[test]
fn a_group_has_two_to_ten_different_quests() {
    let names: Vec<String> = (0..11).map(|n| format!("q{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(Campaign::try_from(group(&names[..10])).is_ok() && Campaign::try_from(group(&names[..2])).is_ok());
    assert_eq!(paths(group(&names)), ["goal.quests[10]"]);
    assert_eq!(paths(group(&names[..1])), ["goal.quests"]);
    assert_eq!(paths(group(&[])), ["goal.quests"]);
    assert_eq!(paths(group(&["a", "b", "a", ""])), ["goal.quests[2]", "goal.quests[3]"]);
}

#[test]
fn end_and_initial_interval_have_bounds() {
    let ends = |to: &str| {
        let mut ending = file(r#"{"type":"registration"}"#);
        ending.active_to = Some(to.to_owned());
        Campaign::try_from(ending)
    };
    assert!(ends("2026-11-23T12:00:00Z").is_err());
    let last = ends("2026-11-23T12:00:00.001Z").unwrap();
    assert!(last.terms().contain(at("2026-11-23T12:00:00.001Z")), "its last instant included");
    assert!(!last.terms().contain(at("2026-11-23T12:00:00.002Z")));
    for (seconds, good) in [(0, false), (1, true), (21_600, true), (21_601, false)] {
        let mut timed = file(r#"{"type":"registration"}"#);
        timed.initial_interval_seconds = seconds;
        assert_eq!(Campaign::try_from(timed).is_ok(), good, "{seconds}");
    }
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for json in [
        r#"{"type":"registration","clicks":1}"#,
        r#"{"type":"ggstrike"}"#,
        r#"{"type":"ggstrike","clicks":-1}"#,
        r#"{"type":"main_quest","quests":["a","b"]}"#,
        r#"{"type":"purchase"}"#,
    ] {
        assert!(serde_json::from_str::<GoalFile>(json).is_err(), "{json}");
    }
    assert!(serde_json::from_str::<WebhookFile>(r#"{"url":"https://a.example","headers":{}}"#).is_err());
}

#[test]
fn two_campaigns_of_a_partner_may_not_share_a_name() {
    let mut second = group(&["a"]);
    second.name = "winter".into();
    let first = file(r#"{"type":"registration"}"#);
    let faults = parse_campaigns([first.clone(), second, first].into()).unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["campaigns[1].goal.quests", "campaigns[2].name"]);
}

fn change(old: Option<&Campaign>, new: &Campaign, now: &str) -> Vec<String> {
    check_change(old, new, at(now), LEAD).into_iter().map(|fault| fault.path).collect()
}

#[test]
fn a_campaign_starts_at_least_its_lead_after_publishing() {
    let new = campaign(|_| {});
    assert!(change(None, &new, "2026-11-23T11:57:00Z").is_empty());
    assert_eq!(change(None, &new, "2026-11-23T11:57:00.001Z"), ["active_from"]);
    let archived = campaign(|file| file.archived = true);
    assert_eq!(change(None, &archived, "2026-11-23T11:00:00Z"), ["archived"]);
}

#[test]
fn only_the_goal_and_the_beginning_are_fixed() {
    let old = campaign(|_| {});
    let late = "2030-01-01T00:00:00Z";
    let goal = campaign(|file| file.goal = GoalFile::Ggstrike { clicks: 11 });
    assert_eq!(change(Some(&old), &goal, late), ["goal"]);
    let from = campaign(|file| file.active_from = "2026-11-24T12:00:00Z".into());
    assert_eq!(change(Some(&old), &from, late), ["active_from"]);
    let free = campaign(|file| {
        file.paused = true;
        file.initial_interval_seconds = 1;
        file.webhook.url = "https://b.example/".into();
        file.event = Some("lead".into());
    });
    assert!(change(Some(&old), &free, late).is_empty());
}

#[test]
fn an_end_moves_only_while_old_and_new_end_are_far_ahead() {
    let ending = |to: Option<&str>| campaign(|file| file.active_to = to.map(ToOwned::to_owned));
    let (ten, twelve) = (Some("2026-12-01T10:00:00Z"), Some("2026-12-01T12:00:00Z"));
    let (early, late, after) = ("2026-12-01T09:57:00Z", "2026-12-01T09:57:01Z", "2026-12-01T11:57:01Z");
    for (old, new) in [(ten, twelve), (twelve, ten), (ten, None), (None, ten)] {
        let moved = |now: &str| change(Some(&ending(old)), &ending(new), now);
        assert!(moved(early).is_empty(), "{old:?} to {new:?}");
        assert_eq!(moved(late), ["active_to"], "{old:?} to {new:?}");
    }
    assert!(change(Some(&ending(ten)), &ending(ten), after).is_empty(), "an end that stays may be past");
    assert!(change(Some(&ending(None)), &ending(twelve), late).is_empty(), "no end is far enough ahead");
}

#[test]
fn archived_names_are_not_reused_and_nothing_is_deleted() {
    let live = campaign(|_| {});
    let archived = campaign(|file| file.archived = true);
    let other = campaign(|file| {
        file.archived = true;
        file.goal = GoalFile::Registration {};
    });
    let now = "2026-11-01T00:00:00Z";
    assert!(change(Some(&live), &archived, now).is_empty());
    assert!(change(Some(&archived), &archived, now).is_empty());
    assert_eq!(change(Some(&archived), &live, now), ["name"]);
    assert_eq!(change(Some(&archived), &other, now), ["name"]);
    let all = |campaign: &Campaign| Campaigns::from([(campaign.name().clone(), campaign.clone())]);
    let faults = check_changes(&all(&live), &Campaigns::new(), at(now), LEAD);
    assert_eq!(faults[0].path, "campaigns.autumn");
    let faults = check_changes(&all(&archived), &all(&live), at(now), LEAD);
    assert_eq!(faults[0].path, "campaigns.autumn.name");
    assert!(check_changes(&Campaigns::new(), &all(&live), at(now), LEAD).is_empty());
}

proptest! {
    #[test]
    fn a_stored_goal_reads_back_unchanged(clicks in 1..=MAX_CLICKS, quests in prop::collection::btree_set("[a-z]{1,3}", 2..=10)) {
        let group = GoalFile::MainQuests { quests: quests.into_iter().collect() };
        for file in [GoalFile::Registration {}, GoalFile::Ggstrike { clicks }, GoalFile::MainQuest { quest: "q".into() }, group] {
            let goal = Goal::try_from(file).unwrap();
            let json = serde_json::to_string(&goal).unwrap();
            prop_assert_eq!(serde_json::from_str::<Goal>(&json).unwrap(), goal);
        }
    }

    #[test]
    fn an_archived_name_allows_no_other_campaign(now in 0i64..4_000_000_000_000, clicks in 1u64..20) {
        let archived = campaign(|file| file.archived = true);
        let other = campaign(|file| file.goal = GoalFile::Ggstrike { clicks });
        prop_assert!(!check_change(Some(&archived), &other, UnixMillis::from_millisecond(now), LEAD).is_empty());
    }
}
