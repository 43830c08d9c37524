//! Tests that the published schema of partner files agrees with `apply`. The schema must accept every partner file of
//! the repository, and must refuse each kind of fault that a schema can express.

use super::{tests::SCHEMA, *};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn taken(provider: &str, text: &str) -> Result<ValidFile, Vec<String>> {
    parse(Path::new(&format!("{provider}.yaml")), text, &SCHEMA, Allowance::PublicOnly)
}

/// Returns the example of docs/partner-files.md: everything that a partner file may say.
fn example() -> String {
    let page = fs::read_to_string(folder("../../docs/partner-files.md")).unwrap();
    let (_, rest) = page.split_once("```yaml\nprovider:").unwrap();
    format!("provider:{}", rest.split_once("```").unwrap().0)
}

#[test]
fn the_samples_and_the_pages_example_match_the_schema() {
    let schema = &SCHEMA.validator;
    let samples = read(&[folder("../../infra/partners")], Allowance::PublicOnly).unwrap();
    assert!(samples.len() >= 4);
    for sample in samples {
        let faults: Vec<String> = schema.iter_errors(&sample.document.value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", sample.path.display());
        let stored = serde_json::to_value(&sample.file).unwrap();
        assert!(schema.is_valid(&stored), "as it is stored: {stored}");
    }
    let example = example();
    let read = taken("acme", &example).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(schema.is_valid(&yaml(&example)));
    assert_eq!(read.partner.media_buying().campaigns().len(), 4, "a campaign of each kind of goal");
}

#[test]
fn what_the_schema_refuses_apply_refuses_too() {
    let schema = &SCHEMA.validator;
    let campaign = |change: &str| {
        let mut fields: Vec<String> = [
            "name: a",
            "goal: {type: registration}",
            "active_from: on_publish",
            "webhook: {url: 'https://a.example/{clickId}'}",
        ]
        .map(str::to_owned)
        .into();
        let key = change.split(':').next().unwrap_or_default();
        fields.retain(|field| field.split(':').next() != Some(key));
        fields.extend(change.contains(": ").then(|| change.to_owned()));
        format!("provider: acme\nmedia_buying: {{campaigns: [{{{}}}]}}\n", fields.join(", "))
    };
    let section = |text: &str| format!("provider: acme\nmedia_buying: {{{text}}}\n");
    let max_amount = "provider: acme\npostback: {max_amount: {USD: '5000', EUR: '0.5'}}\n".to_owned();
    let click = "provider: acme\npostback: {click: {valid_days: 1}, max_kept_per_day: 1}\n".to_owned();
    let macros = section("macros: {click_id: '%c%'}");
    let rate = "provider: acme\npostback: {rate: {per_second: 10000, burst: 100000}}\n".to_owned();
    for good in [rate, campaign("paused: true"), section("ids: [user_id]"), macros, max_amount, click] {
        assert!(schema.is_valid(&yaml(&good)), "{good}");
        assert!(taken("acme", &good).is_ok(), "{good}");
    }
    let eleven = (0..11).map(|n| format!("q{n}")).collect::<Vec<_>>().join(", ");
    let bad = [
        "name: Nobody\n".to_owned(),
        "provider: Acme\n".to_owned(),
        "provider: acme\nextra: 1\n".to_owned(),
        "provider: acme\npostback: {credential: none}\n".to_owned(),
        "provider: acme\npostback: {event_ids: []}\n".to_owned(),
        "provider: acme\npostback: {max_amount: {usd: '5'}}\n".to_owned(),
        "provider: acme\npostback: {max_amount: {USD: '5e3'}}\n".to_owned(),
        "provider: acme\npostback: {max_amount: {USD: [5]}}\n".to_owned(),
        "provider: acme\npostback: {click: {valid_days: 0}}\n".to_owned(),
        "provider: acme\npostback: {click: {valid_days: 3651}}\n".to_owned(),
        "provider: acme\npostback: {click: {once: true}}\n".to_owned(),
        "provider: acme\npostback: {max_kept_per_day: 0}\n".to_owned(),
        "provider: acme\npostback: {max_kept_per_day: 1000001}\n".to_owned(),
        "provider: acme\npostback: {rate: {per_second: 0}}\n".to_owned(),
        "provider: acme\npostback: {rate: {per_second: 10001}}\n".to_owned(),
        "provider: acme\npostback: {rate: {burst: 100001}}\n".to_owned(),
        "provider: acme\npostback: {rate: {minute: 1}}\n".to_owned(),
        "provider: acme\nparameters: {click: x}\n".to_owned(),
        "provider: acme\nparameters: {click_id: 'a b'}\n".to_owned(),
        "provider: acme\nparameters: {click_id: provider}\n".to_owned(),
        "provider: acme\nlandings: {a: 'http://a.example/'}\n".to_owned(),
        section("ids: []"),
        section("ids: [clickId]"),
        section("ids: [click_id, click_id]"),
        section("macros: {click_id: 'a&b'}"),
        section("macros: {click_id: ''}"),
        section("macros: {quest: '{q}'}"),
        section("goals: []"),
        campaign("name"),
        campaign("goal"),
        campaign("active_from"),
        campaign("webhook"),
        campaign("name: 'A b'"),
        campaign("goal: {type: purchase}"),
        campaign("goal: {type: registration, clicks: 1}"),
        campaign("goal: {type: ggstrike, clicks: 0}"),
        campaign("goal: {type: ggstrike, clicks: 1000000001}"),
        campaign("goal: {type: main_quest, quest: ''}"),
        campaign("goal: {type: main_quests, quests: [a]}"),
        campaign("goal: {type: main_quests, quests: [a, a]}"),
        campaign(&format!("goal: {{type: main_quests, quests: [{eleven}]}}")),
        campaign("active_from: tomorrow"),
        campaign("active_to: later"),
        campaign("initial_interval_seconds: 0"),
        campaign("initial_interval_seconds: 21601"),
        campaign("webhook: {url: ''}"),
        campaign("webhook: {url: 'https://a.example/{click_id}'}"),
        campaign("webhook: {url: 'https://{event}.example/'}"),
        campaign("webhook: {url: 'https://a.example/#x'}"),
        campaign("webhook: {url: 'https://a.example/', method: PUT}"),
        campaign("webhook: {url: 'https://a.example/', headers: {}}"),
        campaign("event: ''"),
        campaign("retries: 9"),
    ];
    for bad in bad {
        assert!(!schema.is_valid(&yaml(&bad)), "the schema takes\n{bad}");
        assert!(taken("acme", &bad).is_err(), "apply takes\n{bad}");
    }
}
