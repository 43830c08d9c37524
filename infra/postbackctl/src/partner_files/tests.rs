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
        "acme.yaml:15: media_buying.campaigns[1]: missing field `webhook`",
        "acme.yaml:21: media_buying.campaigns[2].initial_interval_seconds: ",
        "acme.yaml:8: landings.welcome: ",
        "acme.yaml:25: media_buying.campaigns[3].active_from: ",
    ];
    for expected in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected} in {faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "each once, and none that only another explains: {faults:#?}");
}

#[test]
fn a_file_without_a_provider_or_that_is_no_yaml_is_told_of_as_that() {
    let nameless = parse("acme.yaml", "postback: {credential: password}\n").unwrap_err();
    assert_eq!(nameless.len(), 2, "{nameless:?}");
    assert!(nameless.iter().any(|fault| fault.contains("missing field `provider`")), "{nameless:?}");
    for broken in ["provider: [\n", "- a\n", "provider: acme\nprovider: acme\n", ""] {
        assert_eq!(parse("acme.yaml", broken).unwrap_err().len(), 1, "{broken}");
    }
}
