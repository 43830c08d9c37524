use super::*;

fn parse(path: &str, text: &str) -> Result<ValidFile, Vec<String>> {
    super::parse(Path::new(path), text, Allowance::PublicOnly)
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
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(line_of(&lines, "media_buying.campaigns.second.goal"), Some(11), "by name as well");
}

#[test]
fn a_file_is_named_after_its_partner_and_has_no_unknown_key() {
    assert!(parse("acme.yaml", "provider: acme\n").is_ok());
    assert!(parse("other.yaml", "provider: acme\n").is_err());
    let unknown = parse("acme.yaml", "provider: acme\npostbck: {}\n").unwrap_err();
    assert!(unknown[0].contains("postbck"), "{unknown:?}");
}

#[test]
fn every_fault_of_a_files_shape_is_told_at_once_with_what_else_is_wrong() {
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
        "acme.yaml:15: media_buying.campaigns[1]: webhook is missing",
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
        "acme.yaml:5: postback.event_ids[0]: must be a text, not a list",
        "acme.yaml:7: parameters.click_id: must be a text, not a list",
        "acme.yaml:10: media_buying.ids: must be a list, not keys and values",
        "acme.yaml:14: media_buying.campaigns[0]: name is missing",
        "acme.yaml:14: media_buying.campaigns[0].goal.type: there is no such value; there is registration, ggstrike, \
         main_quest, main_quests",
        "acme.yaml:19: media_buying.campaigns[1].goal: must be a whole number, 0 or more, not \"many\"",
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
    // What the ids decide, the macros and URLs, is told once they are known.
    assert_eq!(faults.len(), expected.len(), "each once, and none that only another explains: {faults:#?}");
}

#[test]
fn what_is_no_partner_file_at_all_is_told_in_our_words() {
    for (text, told) in [
        ("", "acme.yaml: the file is empty; it must say at least provider: and the partner's name"),
        ("# nothing yet\n", "acme.yaml: the file is empty; it must say at least provider: and the partner's name"),
        ("- a\n", "acme.yaml: a partner file is keys and values, provider: and the partner's name first"),
        ("acme", "acme.yaml: a partner file is keys and values, provider: and the partner's name first"),
        (
            "provider: acme\n---\nprovider: acme\n",
            "acme.yaml:3: --- begins another document; each partner has a file of its own",
        ),
    ] {
        assert_eq!(parse("acme.yaml", text).unwrap_err(), [told]);
    }
    for (text, told) in
        [("provider: [\n", "acme.yaml:1: "), ("provider: acme\n\tname: x\n", "acme.yaml:1: this is no YAML: ")]
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
        "acme.yaml:5: landings.a: stands more than once",
        "acme.yaml:9: media_buying.campaigns[0].name: stands more than once",
        "acme.yaml:4: landings: stands more than once",
        "acme.yaml:3: postback.require_click: ",
        "acme.yaml:4: landings.b: ",
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
    for part in ["acme.yaml: cannot be read: ", "globex.yaml:2: name: must be a text", "must be called initech.yaml"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_file_without_a_provider_is_judged_as_if_it_had_one() {
    let nameless =
        parse("acme.yaml", "postback: {credential: password}\nlandings: {a: 'http://a.example/'}\n").unwrap_err();
    assert_eq!(nameless.len(), 3, "{nameless:?}");
    for part in [
        "provider is missing",
        "postback.credential: there is no such value; there is token, signature",
        "landings.a: ",
    ] {
        assert!(nameless.iter().any(|fault| fault.contains(part)), "{part} in {nameless:?}");
    }
}
