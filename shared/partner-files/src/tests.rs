use std::sync::LazyLock;

use domain::outbound::campaign::GoalFile;
use proptest::prelude::*;

use super::*;

mod junk;

pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::published().unwrap());

fn parse(path: &str, text: &str) -> Result<ValidFile, Vec<String>> {
    super::parse(Path::new(path), text, &SCHEMA, Allowance::PublicOnly)
}

#[test]
fn every_fault_is_told_with_its_file_and_line() {
    let text = "provider: acme\npostback:\n  currencies: [usdt]\n  allow_from:\n    - nonsense\nlandings:\n  welcome: http://a.example/\n";
    let faults = parse("acme.yaml", text).unwrap_err();
    assert_eq!(faults.len(), 3);
    assert!(faults[0].starts_with("acme.yaml:3: postback.currencies[0]: "), "{faults:?}");
    assert!(faults[1].starts_with("acme.yaml:5: postback.allow_from[0]: "), "{faults:?}");
    assert!(faults[2].starts_with("acme.yaml:7: landings.welcome: "), "{faults:?}");
}

#[test]
fn a_campaigns_fault_is_told_with_the_line_in_that_campaign() {
    let text = "provider: acme
media_buying:
  ids: [click_id]
  campaigns:
    - name: first
      goal: {type: main_quests, quests: [a, a]}
      active_from: on_publish
      webhook: {url: \"https://a.example/\"}

    - name: second
      goal:
        type: main_quests
        quests:
          - a
          - b
          - a
      active_from: soon
      webhook:
        url: https://a.example/?u={userId}
";
    let faults = parse("acme.yaml", text).unwrap_err();
    let lines: Vec<&str> = faults.iter().map(|fault| fault.rsplit_once(": ").unwrap().0).collect();
    assert!(
        faults.iter().any(|fault| fault.starts_with("acme.yaml:6: media_buying.campaigns[0].goal.quests[1]: ")),
        "{lines:?}"
    );
    assert!(
        faults.iter().any(|fault| fault.starts_with("acme.yaml:16: media_buying.campaigns[1].goal.quests[2]: ")),
        "{lines:?}"
    );
    assert!(
        faults.iter().any(|fault| fault.starts_with("acme.yaml:17: media_buying.campaigns[1].active_from: ")),
        "{lines:?}"
    );
    assert!(
        faults.iter().any(|fault| fault.starts_with("acme.yaml:19: media_buying.campaigns[1].webhook.url: ")),
        "{lines:?}"
    );
}

#[test]
fn a_fault_of_a_goal_or_an_end_is_told_at_its_own_place() {
    let campaign = |goal: &str, more: &str| {
        let text = format!(
            "provider: acme\nmedia_buying:\n  campaigns:\n    - name: first\n      goal: {goal}\n      active_from: on_publish\n      webhook: {{url: 'https://a.example/'}}\n{more}"
        );
        parse("acme.yaml", &text).unwrap_err().join("\n")
    };
    for clicks in ["ten", "1.5", "-1", "true", "[10]", "''"] {
        let told = campaign(&format!("{{type: ggstrike, clicks: {clicks}}}"), "");
        assert!(told.starts_with("acme.yaml:5: media_buying.campaigns[0].goal.clicks: must be "), "{told}");
    }
    let told = campaign("{type: registration}", "      active_to: on_publish\n");
    let expected = "acme.yaml:8: media_buying.campaigns[0].active_to: must be an instant such as 2026-11-23T12:00:00Z, not \"on_publish\". Leave it out for no end";
    assert_eq!(told, expected);
    let told = parse("acme.yaml", "{}\n").unwrap_err();
    assert_eq!(told, ["acme.yaml:1: provider: is missing. Add provider: here"]);
}

#[test]
fn an_id_in_the_path_of_a_webhook_gets_a_note() {
    let text = "provider: acme
media_buying:
  campaigns:
    - name: first
      goal: {type: registration}
      active_from: on_publish
      webhook: {url: 'https://a.example/{event}?c={clickId}'}
    - name: second
      goal: {type: registration}
      active_from: on_publish
      webhook: {url: 'https://a.example/{clickId}/done'}
";
    let notes = parse("acme.yaml", text).unwrap().notes();
    assert!(
        notes.len() == 1 && notes[0].starts_with("acme.yaml:11: media_buying.campaigns[1].webhook.url: has {clickId}"),
        "{notes:?}"
    );
}

#[test]
fn a_file_is_named_after_its_partner_and_has_no_unknown_key() {
    assert!(parse("acme.yaml", "provider: acme\n").is_ok());
    assert!(parse("other.yaml", "provider: acme\n").is_err());
    let unknown = parse("acme.yaml", "provider: acme\npostbck: {}\n").unwrap_err();
    assert!(unknown[0].contains("postbck"), "{unknown:?}");
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    let text = "provider: acme
name: 2024
postback:
  credential: password
  require_click: perhaps
  currencis: [USDT]
landings:
  welcome: http://a.example/
media_buying:
  campaigns:
    - name: first
      goal: {type: purchase}
      active_from: on_publish
      webhook: {url: 'https://a.example/'}
    - name: second
      goal: {type: registration}
      active_from: on_publish
    - name: third
      goal: {type: registration}
      active_from: soon
      initial_interval_seconds: often
      webhook: {url: 'https://a.example/'}
    - name: fourth
      goal: {type: registration}
      active_from: soon
      webhook: {url: 'https://a.example/'}
";
    let faults = parse("acme.yaml", text).unwrap_err();
    let expected = [
        "acme.yaml:4: postback.credential: ",
        "acme.yaml:5: postback.require_click: ",
        "acme.yaml:6: postback.currencis: ",
        "acme.yaml:12: media_buying.campaigns[0].goal.type: ",
        "acme.yaml:15: media_buying.campaigns[1].webhook: is missing. Add webhook: here",
        "acme.yaml:21: media_buying.campaigns[2].initial_interval_seconds: ",
        "acme.yaml:8: landings.welcome: ",
        "acme.yaml:20: media_buying.campaigns[2].active_from: ",
        "acme.yaml:25: media_buying.campaigns[3].active_from: ",
    ];
    for expected in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected} in {faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "each once, and none that only another explains: {faults:#?}");
}

#[test]
fn a_fault_of_a_section_hides_no_other_of_it() {
    let text = "provider: acme
postback:
  require_click: perhaps
  currencies: [usdt]
  event_ids: [[x], a, a]
parameters:
  click_id: [aff_sub]
  user_id: a b
media_buying:
  ids: {}
  macros:
    click_id: 'a&b'
  campaigns:
    - goal: {type: purchase}
      active_from: soon
      initial_interval_seconds: 0
      webhook: {url: 'https://a.example/', method: PUT}
    - name: second
      goal: {type: ggstrike, clicks: many}
      active_from: on_publish
      webhook: {url: 'https://{event}.example/', method: PUT}
";
    let faults = parse("acme.yaml", text).unwrap_err();
    let expected = [
        "acme.yaml:3: postback.require_click: must be true or false, not \"perhaps\"",
        "acme.yaml:5: postback.event_ids[0]: must be text, not a list",
        "acme.yaml:7: parameters.click_id: must be text, not a list",
        "acme.yaml:10: media_buying.ids: must be a list, not keys and values",
        "acme.yaml:12: media_buying.macros.click_id: ",
        "acme.yaml:14: media_buying.campaigns[0].name: is missing. Add name: here",
        "acme.yaml:14: media_buying.campaigns[0].goal.type: must be registration, ggstrike, main_quest or main_quests, \
         not \"purchase\"",
        "acme.yaml:19: media_buying.campaigns[1].goal.clicks: must be a whole number, not \"many\"",
        "acme.yaml:4: postback.currencies[0]: ",
        "acme.yaml:5: postback.event_ids[2]: ",
        "acme.yaml:8: parameters.user_id: ",
        "acme.yaml:15: media_buying.campaigns[0].active_from: ",
        "acme.yaml:16: media_buying.campaigns[0].initial_interval_seconds: ",
        "acme.yaml:17: media_buying.campaigns[0].webhook.method: ",
        "acme.yaml:21: media_buying.campaigns[1].webhook.method: ",
    ];
    for expected in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected} in {faults:#?}");
    }
    // The file's ids are faulty, so its URLs are not checked: the ids decide which macros a URL may contain.
    assert_eq!(faults.len(), expected.len(), "each once, and none that only another explains: {faults:#?}");
}

#[test]
fn what_is_no_partner_file_at_all_is_told_in_our_words() {
    for (text, told) in [
        ("", "acme.yaml: is empty. Write at least provider: and the partner's name"),
        ("# nothing yet\n", "acme.yaml: is empty. Write at least provider: and the partner's name"),
        ("- a\n", "acme.yaml: is not a partner file. Write keys and values, such as provider: acme"),
        ("acme", "acme.yaml: is not a partner file. Write keys and values, such as provider: acme"),
        (
            "provider: acme\n---\nprovider: acme\n",
            "acme.yaml:3: --- begins a second document. Write each partner into a file of its own",
        ),
    ] {
        assert_eq!(parse("acme.yaml", text).unwrap_err(), [told]);
    }
    for (text, told) in
        [("provider: [\n", "acme.yaml:1: "), ("provider: acme\n\tname: x\n", "acme.yaml:1: is not YAML: ")]
    {
        let faults = parse("acme.yaml", text).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(told) && !faults[0].contains('\n'), "{faults:?}");
    }
}

#[test]
fn every_key_that_stands_twice_is_told_with_what_else_is_wrong() {
    let text = "provider: acme
postback:
  require_click: perhaps
landings:
  a: https://a.example/
  a: https://b.example/
media_buying:
  campaigns:
    - name: first
      name: second
      goal: {type: registration}
      active_from: soon
      webhook: {url: 'https://a.example/'}
landings:
  b: http://b.example/
";
    let faults = parse("acme.yaml", text).unwrap_err();
    let expected = [
        "acme.yaml:6: landings.a: appears twice, also in line 5. Keep one of them",
        "acme.yaml:10: media_buying.campaigns[0].name: appears twice, also in line 9. Keep one of them",
        "acme.yaml:14: landings: appears twice, also in line 4. Keep one of them",
        "acme.yaml:3: postback.require_click: ",
        "acme.yaml:15: landings.b: ",
        "acme.yaml:12: media_buying.campaigns[0].active_from: ",
    ];
    for expected in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected} in {faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn a_file_that_cannot_be_read_hides_none_of_the_others_faults() {
    let folder = std::env::temp_dir().join(format!("partner-files-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("acme.yaml"), b"provider: \xff\n").unwrap();
    fs::write(folder.join("globex.yaml"), "provider: initech\nname: [x]\n").unwrap();
    let told = read(std::slice::from_ref(&folder), Allowance::PublicOnly).unwrap_err().to_string();
    fs::remove_dir_all(&folder).unwrap();
    for part in ["acme.yaml: cannot be read: ", "globex.yaml:2: name: must be text", "Call the file initech.yaml"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_file_without_a_provider_is_judged_as_if_it_had_one() {
    let nameless =
        parse("acme.yaml", "postback: {credential: password}\nlandings: {a: 'http://a.example/'}\n").unwrap_err();
    assert_eq!(nameless.len(), 3, "{nameless:?}");
    for part in [
        "acme.yaml:1: provider: is missing. Add provider: here",
        "postback.credential: must be token or signature, not \"password\"",
        "landings.a: ",
    ] {
        assert!(nameless.iter().any(|fault| fault.contains(part)), "{part} in {nameless:?}");
    }
}

#[test]
fn numbers_are_text_where_text_is_wanted() {
    let text = "provider: 12
name: 1.50
postback: {event_ids: [001, 1_0, yes, 0x1f, 0o7, 99999999999999999999, -1, .5, 12e4567]}
media_buying:
  campaigns:
    - {name: a, goal: {type: main_quest, quest: 001}, active_from: on_publish, webhook: {url: 'https://a.example/'}}
    - {name: b, goal: {type: ggstrike, clicks: 1_000}, active_from: on_publish, webhook: {url: 'https://a.example/'}}
";
    let file = parse("12.yaml", text).unwrap_or_else(|faults| panic!("{faults:#?}")).file;
    assert_eq!((file.provider.as_str(), file.name.as_str()), ("12", "1.50"));
    assert_eq!(
        file.postback.event_ids.unwrap(),
        ["001", "1_0", "yes", "0x1f", "0o7", "99999999999999999999", "-1", ".5", "12e4567"]
    );
    let goals: Vec<GoalFile> = file.media_buying.unwrap().campaigns.into_iter().map(|campaign| campaign.goal).collect();
    assert_eq!(goals, [GoalFile::MainQuest { quest: "001".to_owned() }, GoalFile::Ggstrike { clicks: 1000 }]);
    for doubtful in ["010", "'10'", "ten", "1.5", "-1", "", "1e30", "1e999", "99999999999999999999"] {
        let text = text.replace("1_000", doubtful);
        let faults = parse("12.yaml", &text).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("12.yaml:7: media_buying.campaigns[1].goal.clicks: must be "), "{faults:?}");
    }
}

#[test]
fn a_number_is_the_text_that_was_written_wherever_it_stands() {
    let text = "provider: acme
name: &seven !!int 7   # a comment
parameters: {user_id: *seven, click_id : 1.10 ,currency: &x 2.50
  , event_id: 3}
landings: &l
  a: https://a.example/
postback:
  event_ids:
    - *x
    - !!float 4.0
    - é
    - true # yes
    -   1e2
    - 0x1F\r
";
    let text = text.replace("\\r", "\r");
    let file = parse("acme.yaml", &text).unwrap_or_else(|faults| panic!("{faults:#?}")).file;
    assert_eq!(file.name, "7");
    let names: Vec<(&str, &str)> = file.parameters.iter().map(|(ours, its)| (ours.as_str(), its.as_str())).collect();
    assert_eq!(names, [("click_id", "1.10"), ("currency", "2.50"), ("event_id", "3"), ("user_id", "7")]);
    assert_eq!(file.postback.event_ids.unwrap(), ["2.50", "4.0", "é", "true", "1e2", "0x1F"]);
}

#[test]
fn an_unknown_key_is_told_with_the_key_that_was_meant() {
    let text = "provider: acme
postback: {curencies: [USDT], goals: []}
parameters: {clik_id: x}
media_buying:
  campaing: []
  campaigns:
    - {name: a, goal: {type: main_quest, quests: a}, active_from: on_publish, webhook: {url: 'https://a.example/'}}
";
    let expected = [
        "acme.yaml:2: postback.curencies: unknown key. Did you mean `currencies`?",
        "acme.yaml:2: postback.goals: unknown key. Allowed here: allow_from, amount_may_change, answer, click, credential, \
         currencies, event_ids, ids, ignore, keep, max_amount, max_kept_per_day, negative_amounts, rate, reference, \
         require_click, status, transaction_id",
        "acme.yaml:3: parameters.clik_id: unknown key. Did you mean `click_id`?",
        "acme.yaml:5: media_buying.campaing: unknown key. Did you mean `campaigns`?",
        "acme.yaml:7: media_buying.campaigns[0].goal.quests: unknown key. Did you mean `quest`?",
        "acme.yaml:7: media_buying.campaigns[0].goal.quest: is missing. Add quest: here",
    ];
    assert_eq!(parse("acme.yaml", text).unwrap_err(), expected);
}

#[test]
fn a_campaign_is_found_by_its_name() {
    let text = "provider: acme
media_buying:
  campaigns:
    - {name: first, goal: {type: registration}, active_from: on_publish, webhook: {url: 'https://a.example/'}}
    - name: second
      goal: {type: registration}
      active_from: on_publish
      webhook: {url: 'https://a.example/'}
";
    let file = parse("acme.yaml", text).unwrap();
    let fault = |path: &str| ConfigFault { path: path.to_owned(), message: "m".to_owned() };
    let paths = ["media_buying.campaigns.second.goal", "media_buying.campaigns.gone", "media_buying.campaigns.first"];
    let expected = [
        "acme.yaml:6: media_buying.campaigns.second.goal: m",
        "acme.yaml:3: media_buying.campaigns.gone: m",
        "acme.yaml:4: media_buying.campaigns.first: m",
    ];
    assert_eq!(file.located(&paths.map(fault)), expected);
}

#[test]
fn a_sample_that_is_written_again_says_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/partners");
    for sample in read(&[folder], Allowance::PublicOnly).unwrap() {
        let again = parse(&format!("{}.yaml", sample.file.provider), &yaml(&sample.file).unwrap()).unwrap();
        assert_eq!(again.file, sample.file);
    }
}

proptest! {
    #[test]
    fn any_text_survives_being_written(text in "\\PC{0,24}", word in prop::sample::select(vec![
        "no", "1", "1e3", "~", "null", "- x", "a: b", "#x", "'", "\"", "{x}", "[x", "&a", "*a", "!x", "%x", "@x", "2026-11-30", " x ", "x\ny", "0x1F", "=", "<<",
    ])) {
        for name in [text.clone(), word.to_owned(), format!("{word}{text}")] {
            let file = PartnerFile { name: name.clone(), ..good_file() };
            let read: PartnerFile = serde_saphyr::from_str(&yaml(&file).unwrap()).unwrap();
            prop_assert_eq!(&read, &file, "{}", name);
        }
    }
}

fn good_file() -> PartnerFile {
    parse("acme.yaml", "provider: acme\npostback:\n  currencies: [USD]\n").unwrap().file
}
