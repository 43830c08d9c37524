use std::{fs, path::Path, sync::LazyLock};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::outbound::agreed_ids::{AgreedIds, PartnerIds, TrackingId};
use crate::values::ids::{ClickId, PartnerUserId, Provider};

/// Makes an event of the user `u`.
pub(crate) fn event(id: &str, millisecond: i64, kind: EventKind) -> Event {
    let (id, user_id) = (ReportId::new(id).unwrap(), UserId::new("u").unwrap());
    Event { id, user_id, occurred_at: UnixMillis::from_millisecond(millisecond), kind }
}

/// Makes the tracking of this partner's link. Both ids contain the partner and the mark.
pub(crate) fn tracking(provider: &str, mark: u64) -> Tracking {
    let click_id = ClickId::new(format!("c-{provider}-{mark}")).ok();
    let user_id = PartnerUserId::new(format!("p-{provider}-{mark}")).ok();
    let (provider, ids) = (Provider::new(provider).unwrap(), PartnerIds { click_id, user_id });
    Tracking { provider, ids, faults: Vec::new() }
}

/// Makes an opening of this partner's link at this total.
pub(crate) fn opened(provider: &str, total_clicks: u64) -> EventKind {
    EventKind::LinkOpened { tracking: tracking(provider, total_clicks), total_clicks }
}

const RECEIVED: &str = "2026-11-23T12:00:00Z";

fn parse(message: &[u8]) -> Result<Parsed, Vec<EventFault>> {
    let received: Timestamp = RECEIVED.parse().unwrap();
    Event::parse(message, received.into(), &Timing::default())
}

fn parse_value(value: &Value) -> Result<Parsed, Vec<EventFault>> {
    parse(value.to_string().as_bytes())
}

fn read(value: &Value) -> Event {
    match parse_value(value) {
        Ok(Parsed::Event(event)) => event,
        other => panic!("{value}: {other:?}"),
    }
}

fn faults(value: &Value) -> Vec<(String, EventFaultCode)> {
    sorted(parse_value(value).unwrap_err())
}

fn sorted(faults: Vec<EventFault>) -> Vec<(String, EventFaultCode)> {
    let mut faults: Vec<_> = faults.into_iter().map(|fault| (fault.path, fault.code)).collect();
    faults.sort();
    faults
}

fn one_fault(value: &Value) -> (String, EventFaultCode) {
    let faults = faults(value);
    assert_eq!(faults.len(), 1, "{value}: {faults:?}");
    faults[0].clone()
}

fn sample(kind: &str) -> Value {
    let mut value = json!({"id": "evt-1", "type": kind, "user_id": "gg3-42", "occurred_at": "2026-11-23T12:00:00Z"});
    let fields = value.as_object_mut().unwrap();
    match kind {
        "tracking_link.opened" => {
            fields.insert("tracking".into(), json!({"provider": "acme", "click_id": "c-1", "user_id": "p-9"}));
            fields.insert("total_clicks".into(), json!(40));
        }
        "gg_button.clicked" => {
            fields.insert("total_clicks".into(), json!(250));
        }
        "main_quest.completed" => {
            fields.insert("quest_id".into(), json!("complete-50-quests"));
        }
        _ => {}
    }
    value
}

const KINDS: [&str; 4] = ["tracking_link.opened", "user.registered", "gg_button.clicked", "main_quest.completed"];

/// Returns the sample with one value replaced. A `null` removes the value.
fn with(kind: &str, path: &str, new: Value) -> Value {
    let mut value = sample(kind);
    match path.split_once('.') {
        Some((outer, inner)) => value[outer][inner] = new,
        None => value[path] = new,
    }
    value
}

#[test]
fn the_contracts_examples_are_read() {
    let opened = read(&sample("tracking_link.opened"));
    assert_eq!((opened.id.as_str(), opened.user_id.as_str()), ("evt-1", "gg3-42"));
    assert_eq!(opened.occurred_at, UnixMillis::from(RECEIVED.parse::<Timestamp>().unwrap()));
    let EventKind::LinkOpened { tracking, total_clicks: 40 } = opened.kind else { panic!("an opening") };
    assert_eq!(tracking.provider.as_str(), "acme");
    assert_eq!(tracking.ids.click_id.unwrap().as_str(), "c-1");
    assert_eq!(tracking.ids.user_id.unwrap().as_str(), "p-9");

    let registered = read(&sample("user.registered")).kind;
    assert_eq!(registered, EventKind::Registered { tracking: None, total_clicks: 0 });
    assert_eq!(read(&sample("gg_button.clicked")).kind, EventKind::ButtonClicked { total_clicks: 250 });
    let quest = QuestId::new("complete-50-quests").unwrap();
    assert_eq!(read(&sample("main_quest.completed")).kind, EventKind::QuestCompleted { quest });
}

#[test]
fn unknown_fields_are_ignored_and_unknown_types_named() {
    for kind in KINDS {
        assert_eq!(read(&with(kind, "new_field", json!({"a": [1, null]}))), read(&sample(kind)));
    }
    let unknown = |name: &str, meant| Ok(Parsed::UnknownType(UnknownType { name: name.to_owned(), meant }));
    assert_eq!(parse_value(&json!({"type": "quest.started"})), unknown("quest.started", None));
    assert_eq!(parse_value(&json!({"type": "user.registred"})), unknown("user.registred", Some("user.registered")));
    let long = parse_value(&json!({"type": "é".repeat(5000)}));
    assert!(matches!(long, Ok(Parsed::UnknownType(UnknownType { name, meant: None })) if name.len() == 254));
}

#[test]
fn every_fault_is_reported_at_once() {
    use EventFaultCode::{ControlCharacter, Missing, NotACount, NotASlug, NotAnInstant, TooLong, WrongType};
    let value = json!({"id": "x".repeat(10_000), "type": "tracking_link.opened", "user_id": 7, "occurred_at": "noon",
        "total_clicks": -1, "tracking": {"provider": "Acme!", "click_id": "a\nb", "user_id": "   "}});
    let expected = [
        ("id", TooLong),
        ("occurred_at", NotAnInstant),
        ("total_clicks", NotACount),
        ("tracking.click_id", ControlCharacter),
        ("tracking.provider", NotASlug),
        ("tracking.user_id", Missing),
        ("user_id", WrongType),
    ];
    assert_eq!(faults(&value), expected.map(|(path, code)| (path.to_owned(), code)));
}

#[test]
fn absent_null_and_empty_required_values_are_missing() {
    let required = |kind: &str| match kind {
        "user.registered" => &["id", "user_id", "occurred_at"][..],
        "tracking_link.opened" | "gg_button.clicked" => &["id", "user_id", "occurred_at", "total_clicks"][..],
        _ => &["id", "user_id", "occurred_at", "quest_id"][..],
    };
    for kind in KINDS {
        for path in required(kind) {
            let missing = ((*path).to_owned(), EventFaultCode::Missing);
            assert_eq!(one_fault(&with(kind, path, Value::Null)), missing, "{kind}");
            if *path != "total_clicks" {
                assert_eq!(one_fault(&with(kind, path, json!(""))), missing, "{kind}");
            }
        }
        assert_eq!(one_fault(&with(kind, "type", Value::Null)).0, "type");
    }
    let untracked = with("tracking_link.opened", "tracking", Value::Null);
    assert_eq!(one_fault(&untracked), ("tracking".into(), EventFaultCode::Missing));
}

/// Returns the reasons why a tracking with this value is spoiled for a partner that agreed on both ids. They are the same
/// in an opening and in a registration.
fn spoiled(path: &str, value: &Value) -> Vec<(String, EventFaultCode)> {
    let mut tracking = json!({"provider": "acme", "click_id": "c-1", "user_id": "p-9"});
    tracking[path] = value.clone();
    let reasons = |kind: &str| match parse_value(&with(kind, "tracking", tracking.clone())) {
        Ok(Parsed::Spoiled(spoiled)) => sorted(spoiled.faults),
        Ok(Parsed::Event(event)) => {
            let both = AgreedIds::try_from(TrackingId::ALL.into_iter().collect::<alloc::collections::BTreeSet<_>>());
            event.tracking().unwrap().clone().agree(&both.unwrap()).map_or_else(sorted, |()| Vec::new())
        }
        other => panic!("{tracking}: {other:?}"),
    };
    let found = reasons("tracking_link.opened");
    assert_eq!(reasons("user.registered"), found);
    found
}

#[test]
fn anything_that_a_visitor_can_type_only_spoils_the_tracking() {
    use EventFaultCode::{
        ControlCharacter, MacroNotReplaced, Missing, NotASlug, PlaceholderValue, TooLong, WhiteSpaceAround, WrongType,
    };
    let long = "x".repeat(256);
    for path in ["provider", "click_id", "user_id"] {
        let too_long = if path == "provider" { NotASlug } else { TooLong };
        for (value, code) in [
            (json!("{clickId}"), MacroNotReplaced),
            (json!("%7BclickId%7D"), MacroNotReplaced),
            (json!("${x}"), MacroNotReplaced),
            (json!("[x]"), MacroNotReplaced),
            (json!("__CLICK_ID__"), MacroNotReplaced),
            (json!("(clickid)"), MacroNotReplaced),
            (json!("undefined"), PlaceholderValue),
            (json!("c-1 "), if path == "provider" { NotASlug } else { WhiteSpaceAround }),
            (json!("a_{{x}}"), MacroNotReplaced),
            (json!(long), too_long),
            (json!("a\nb"), if path == "provider" { NotASlug } else { ControlCharacter }),
            (json!(""), if path == "provider" { NotASlug } else { Missing }),
            (json!("   "), if path == "provider" { NotASlug } else { Missing }),
            (Value::Null, Missing),
            (json!(["a", "b"]), WrongType),
            (json!({"a": "b"}), WrongType),
        ] {
            assert_eq!(spoiled(path, &value), [(format!("tracking.{path}"), code)], "{path}: {value}");
        }
    }
    assert_eq!(spoiled("provider", &json!("Acme!")), [("tracking.provider".to_owned(), NotASlug)]);
    assert_eq!(spoiled("sub", &json!("{clickId}")), []);
}

#[test]
fn what_only_the_platform_can_get_wrong_is_a_fault_of_the_event() {
    for path in ["tracking.provider", "tracking.click_id", "tracking.user_id", "tracking"] {
        for value in [json!(7), json!(true)] {
            assert_eq!(
                one_fault(&with("tracking_link.opened", path, value)),
                (path.to_owned(), EventFaultCode::WrongType)
            );
        }
    }
    // If the tracking of a faulty event is spoiled too, all faults are reported.
    let mut both = with("tracking_link.opened", "tracking.provider", json!("Acme!"));
    both["id"] = Value::Null;
    assert_eq!(faults(&both).len(), 2);
}

#[test]
fn an_id_that_stands_for_nothing_is_a_fault() {
    for path in ["id", "user_id"] {
        for word in ["undefined", "null", "[object Object]", "00000000-0000-0000-0000-000000000000"] {
            let fault = one_fault(&with("gg_button.clicked", path, json!(word)));
            assert_eq!(fault, (path.to_owned(), EventFaultCode::PlaceholderValue), "{word}");
        }
    }
    for quest in ["complete-50-quests ", "\u{a0}q"] {
        let fault = one_fault(&with("main_quest.completed", "quest_id", json!(quest)));
        assert_eq!(fault, ("quest_id".to_owned(), EventFaultCode::WhiteSpaceAround), "{quest}");
    }
    read(&with("main_quest.completed", "quest_id", json!("sample")));
}

#[test]
fn a_tracking_under_nearly_its_name_is_a_fault() {
    let tracking = json!({"provider": "acme", "click_id": "c-1"});
    for name in ["Tracking", "traking", "trackings", "_tracking"] {
        let fault = one_fault(&with("user.registered", name, tracking.clone()));
        assert_eq!(fault, ("tracking".to_owned(), EventFaultCode::Missing), "{name}");
    }
    for (name, value) in [("tracing", json!({"trace_id": "1"})), ("Tracking", json!(null)), ("track", tracking.clone())]
    {
        read(&with("user.registered", name, value));
    }
    read(&with("tracking_link.opened", "Tracking", tracking));
}

#[test]
fn an_id_that_is_not_agreed_spoils_nothing() {
    for value in [json!("{userId}"), json!("x".repeat(256)), json!(["a"]), Value::Null] {
        let event = read(&with("tracking_link.opened", "tracking.user_id", value));
        let mut tracking = event.tracking().unwrap().clone();
        assert_eq!(tracking.agree(&AgreedIds::default()), Ok(()));
        assert_eq!((tracking.ids.click_id.unwrap().as_str(), tracking.ids.user_id), ("c-1", None));
    }
}

#[test]
fn a_registration_needs_neither_tracking_nor_clicks() {
    let tracked = with("user.registered", "tracking", json!({"provider": "acme", "click_id": "", "user_id": null}));
    let EventKind::Registered { tracking: Some(tracking), total_clicks: 0 } = read(&tracked).kind else {
        panic!("a registration")
    };
    assert_eq!(tracking.ids, PartnerIds::default());
    let counted = with("user.registered", "total_clicks", json!(3));
    assert_eq!(read(&counted).kind, EventKind::Registered { tracking: None, total_clicks: 3 });
}

#[test]
fn an_event_may_be_old_but_not_thirty_seconds_ahead() {
    for (text, ahead) in [
        ("2026-11-23T12:00:30Z", false),
        ("2026-11-23T12:00:30.000999Z", false),
        ("2026-11-23T12:00:30.001Z", true),
        ("2026-11-23T13:00:30+01:00", false),
        ("9998-12-31T23:59:59-23:59", true),
        ("1970-01-01T00:00:00Z", false),
        ("0001-01-01T00:00:00+23:59", false),
        ("2024-02-29T00:00:00Z", false),
        ("2000-02-29T00:00:00Z", false),
        ("2026-11-23t11:00:00z", false),
        ("2026-11-23T11:00:00.1234567890123456789-00:00", false),
        ("2016-12-31T23:59:60Z", false),
        ("2016-12-31T23:59:60.5-00:00", false),
    ] {
        let value = with("gg_button.clicked", "occurred_at", json!(text));
        if ahead {
            assert_eq!(one_fault(&value), ("occurred_at".into(), EventFaultCode::InTheFuture), "{text}");
        } else {
            read(&value);
        }
    }
    for bad in [
        "2026-11-23T12:00:00",
        "2026-13-01T00:00:00Z",
        "1763899200",
        "x",
        // Readers of instants often take these forms, but RFC 3339 does not have them.
        "2026-11-23 11:00:00Z",
        "2026-11-23T11:00Z",
        "2026-11-23T11Z",
        "20261123T110000Z",
        "2026-11-23T11:00:00,5Z",
        "2026-11-23T11:00:00.Z",
        "2026-11-23T11:00:00+01",
        "2026-11-23T11:00:00+0100",
        "2026-11-23T11:00:00+24:00",
        "2026-11-23T11:00:00+01:00:30",
        "2026-11-23T11:00:00+00:00[UTC]",
        "+002026-11-23T11:00:00Z",
        " 2026-11-23T11:00:00Z",
        "2026-11-23T11:59:60Z",
        "2016-12-31T22:59:60-01:00",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-23T11:00:00Z\n",
        "0000-01-01T00:00:00Z",
        "9999-12-30T00:00:00Z",
    ] {
        let value = with("gg_button.clicked", "occurred_at", json!(bad));
        assert_eq!(one_fault(&value).1, EventFaultCode::NotAnInstant, "{bad}");
    }
}

#[test]
fn a_count_is_a_whole_number_that_every_reader_holds() {
    for bad in [json!(-1), json!(1.5), json!("7"), json!(9_007_199_254_740_992_u64), json!(1e300), json!(true)] {
        let value = with("gg_button.clicked", "total_clicks", bad);
        assert_eq!(one_fault(&value), ("total_clicks".into(), EventFaultCode::NotACount));
    }
    read(&with("gg_button.clicked", "total_clicks", json!(MAX_TOTAL_CLICKS)));
    for spelled in ["250", "250.0", "2.5e2", "25E+1", "2500e-1"] {
        let message = sample("gg_button.clicked").to_string().replace("250", spelled);
        assert_eq!(parse(message.as_bytes()), parse_value(&sample("gg_button.clicked")), "{spelled}");
    }
}

/// Returns the sample with this text at the beginning of its object, or of its tracking.
fn beginning(kind: &str, inner: bool, text: &str) -> String {
    let (written, place) = (sample(kind).to_string(), if inner { "\"tracking\":{" } else { "{" });
    written.replacen(place, &[place, text, ","].concat(), 1)
}

#[test]
fn unknown_values_may_be_any_json() {
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    for (key, value) in [
        ("x", "1e400"),
        ("x", "-1e-400"),
        ("x", r#""\ud800""#),
        ("x", r#"{"\udc00": 1}"#),
        ("x", &deep),
        (r"\ud800", "1"),
        ("x", "1, \"x\": 2"),
        ("x", r#"{"id": 1, "id": 2}"#),
    ] {
        for (kind, inner) in KINDS.map(|kind| (kind, false)).into_iter().chain([("tracking_link.opened", true)]) {
            let message = beginning(kind, inner, &format!("\"{key}\": {value}"));
            assert_eq!(parse(message.as_bytes()), parse_value(&sample(kind)), "{kind} with {key}: {value:.30}");
        }
    }
    assert!(matches!(parse(br#"{"type":"quest.started","x":1e400}"#), Ok(Parsed::UnknownType(_))));
    for broken in ["\"x\": 01", "\"x\": \"\\q\"", "\"x\": [1,]", "\"x\": nul"] {
        let faults = parse(beginning("user.registered", false, broken).as_bytes()).unwrap_err();
        assert_eq!(faults[0].code, EventFaultCode::NotJson, "{broken}");
    }
}

#[test]
fn a_known_name_may_stand_only_once_in_any_spelling() {
    let repeated = |kind: &str, inner: bool, text: &str| -> Vec<(String, EventFaultCode)> {
        let faults = parse(beginning(kind, inner, text).as_bytes()).unwrap_err();
        faults.into_iter().map(|fault| (fault.path, fault.code)).collect()
    };
    let (opened, once) =
        ("tracking_link.opened", |path: &str| Vec::from([(path.to_owned(), EventFaultCode::Repeated)]));
    assert_eq!(repeated(opened, false, r#""id": "evt-2""#), once("id"));
    assert_eq!(repeated(opened, false, r#""\u0069d": "evt-1""#), once("id"), "the same value is no better");
    assert_eq!(repeated(opened, false, r#""total_clicks": null"#), once("total_clicks"));
    assert_eq!(repeated(opened, false, r#""type": "user.registered""#)[0], once("type")[0]);
    assert_eq!(repeated(opened, false, r#""tracking": {}"#), once("tracking"));
    assert_eq!(repeated(opened, true, r#""click_id": "c-2""#), once("tracking.click_id"));
    // Events of this type do not have the name, so it is unknown.
    let message = beginning("gg_button.clicked", false, r#""quest_id": "a", "quest_id": "b""#);
    assert_eq!(parse(message.as_bytes()), parse_value(&sample("gg_button.clicked")));
}

#[test]
fn half_a_surrogate_pair_is_a_fault_of_its_own_place() {
    let message = sample("user.registered").to_string().replace("gg3-42", r"\ud800");
    let faults = parse(message.as_bytes()).unwrap_err();
    assert_eq!((faults.len(), faults[0].path.as_str(), faults[0].code), (1, "user_id", EventFaultCode::WrongType));
}

#[test]
fn a_message_that_is_no_json_object_has_one_fault() {
    for (message, code) in [
        (&b""[..], EventFaultCode::NotJson),
        (b"{", EventFaultCode::NotJson),
        (b"\xff\xfe", EventFaultCode::NotJson),
        (b"[]", EventFaultCode::WrongType),
        (b"null", EventFaultCode::WrongType),
    ] {
        let faults = parse(message).unwrap_err();
        assert_eq!((faults.len(), faults[0].path.as_str(), faults[0].code), (1, "", code));
        assert!(std::format!("{}", faults[0]).starts_with("the message"));
    }
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    assert_eq!(parse(deep.as_bytes()).unwrap_err()[0].code, EventFaultCode::WrongType);
}

/// Holds a validator that reads `format`, and one that ignores it.
static SCHEMAS: LazyLock<[jsonschema::Validator; 2]> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../../schemas/event.json")).unwrap();
    [true, false].map(|formats| jsonschema::options().should_validate_formats(formats).build(&schema).unwrap())
});

/// Returns true if both validators accept the value, and false if both refuse it.
fn fits(value: &Value) -> bool {
    let [with, without] = SCHEMAS.each_ref().map(|schema| schema.is_valid(value));
    assert_eq!(with, without, "{value}");
    with
}

#[test]
fn every_published_example_parses_and_fits_the_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/events");
    let mut seen = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert!(fits(&value), "{value}");
        let received: Timestamp = value["occurred_at"].as_str().unwrap().parse().unwrap();
        let parsed = Event::parse(value.to_string().as_bytes(), received.into(), &Timing::default());
        assert!(matches!(parsed, Ok(Parsed::Event(_))), "{value}: {parsed:?}");
        seen.push(value["type"].as_str().unwrap().to_owned());
    }
    for kind in KINDS {
        assert!(seen.iter().any(|seen| seen == kind), "an example of {kind}");
    }
}

#[test]
fn schema_and_parser_refuse_the_same_values() {
    let values = [
        json!(null),
        json!(""),
        json!(7),
        json!(-7),
        json!(1.5),
        json!(9_007_199_254_740_992_u64),
        json!("x"),
        json!("a\u{7f}b"),
        json!("a\nb"),
        json!("Acme!"),
        json!("y".repeat(256)),
        json!("2026-11-23T11:00:00Z"),
        json!("2026-11-23 11:00:00"),
        json!("2026-02-30T11:00:00Z"),
        json!("x\n"),
        json!("x "),
        json!([]),
        json!({}),
        json!({"provider": "acme"}),
    ];
    let paths = ["id", "user_id", "occurred_at", "total_clicks", "quest_id", "tracking"];
    let inner = ["tracking.provider", "tracking.click_id", "tracking.user_id"];
    for kind in KINDS {
        let inner = inner.iter().filter(|_| kind == "tracking_link.opened");
        for path in paths.iter().chain(inner) {
            for value in &values {
                let changed = with(kind, path, value.clone());
                assert_eq!(fits(&changed), parse_value(&changed).is_ok(), "{changed}");
            }
        }
    }
    assert!(fits(&json!({"type": "quest.started"})), "of other types nothing is asked");
}

/// Makes texts of the characters that ids and instants may and must not have.
fn texts() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(
        &['\u{fffe}', '\u{ffff}', '\u{feff}', '\u{a0}', '\u{85}', '\u{3000}', '\u{200b}', '\t', ' ', 'a'][..],
    );
    let id = prop::collection::vec(odd, 0..5).prop_map(|chars| chars.into_iter().collect());
    let instant = "(2026|2016|1900|0000|0001|9999)-(11|12|02|13)-(23|29|30|31|1)[Tt ](11|23|24):(00|59|60)(:00|:59|:60|)(\\.[0-9]{1,12}|,5|\\.|)(Z|z|[+-](00|01|23|24):(00|59|60)|[+-]01|\\+0100|)";
    prop_oneof![id, instant, "[a-z0-9-]{0,70}"]
}

/// Makes JSON numbers. The schema's reader reads floats, so numbers that a float cannot hold are left out.
fn numbers() -> impl Strategy<Value = String> {
    let digits = "-?(0|[1-9][0-9]{0,7})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?";
    prop_oneof![digits.boxed(), any::<u64>().prop_map(|count| count.to_string()).boxed()]
}

proptest! {
    #[test]
    fn schema_and_parser_refuse_the_same_generated_messages(
        kind in prop::sample::select(&KINDS[..]),
        path in prop::sample::select(&["id", "user_id", "occurred_at", "total_clicks", "quest_id"][..]),
        inner in prop::sample::select(&["provider", "click_id", "user_id"][..]),
        text in texts(),
        inner_text in texts(),
        number in prop::option::of(numbers()),
    ) {
        let mut changed = with(kind, path, json!(text));
        if kind == "tracking_link.opened" {
            changed["tracking"][inner] = json!(inner_text);
        }
        let placeholder = json!(text).to_string();
        let message = changed.to_string();
        let message = match &number {
            Some(number) => message.replacen(&format!("\"{path}\":{placeholder}"), &format!("\"{path}\":{number}"), 1),
            None => message,
        };
        let value: Value = serde_json::from_str(&message).unwrap();
        let (fits, reads) = (fits(&value), parse(message.as_bytes()));
        // A schema cannot know that an instant lies in the future, and does not list the words for no value.
        let beyond = [EventFaultCode::InTheFuture, EventFaultCode::PlaceholderValue];
        let ahead = |faults: &Vec<EventFault>| faults.iter().all(|fault| beyond.contains(&fault.code));
        prop_assert_eq!(fits, reads.is_ok() || reads.as_ref().is_err_and(ahead), "{}: {:?}", message, reads);
    }

    #[test]
    fn no_message_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_changed_value_panics_and_parsed_ids_are_bounded(
        kind in prop::sample::select(&KINDS[..]),
        path in prop::sample::select(&["id", "type", "user_id", "occurred_at", "total_clicks", "quest_id", "tracking"][..]),
        text in ".{0,300}",
    ) {
        if let Ok(Parsed::Event(event)) = parse_value(&with(kind, path, json!(text))) {
            prop_assert!(event.id.as_str().len() <= MAX_ID_BYTES);
            prop_assert!(event.user_id.as_str().len() <= MAX_ID_BYTES);
        }
    }
}
