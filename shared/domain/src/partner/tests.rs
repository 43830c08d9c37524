use super::*;
use crate::values::parameter_names::Field;

fn file(json: &str) -> PartnerFile {
    serde_json::from_str(json).unwrap()
}

fn paths(json: &str) -> Vec<String> {
    Partner::try_from(file(json)).unwrap_err().into_iter().map(|fault| fault.path).collect()
}

#[test]
fn a_partner_needs_only_its_name() {
    let partner = Partner::try_from(file(r#"{"provider":"acme"}"#)).unwrap();
    assert_eq!(partner.rules().names.of(Field::ClickId), "click_id");
    assert!(partner.admits("8.8.8.8".parse().unwrap()));
    assert_eq!(partner.credential(), CredentialKind::Token);
}

#[test]
fn every_fault_of_a_file_is_reported_at_once() {
    let faults = paths(
        r#"{"provider":"Acme!","parameters":{"click":"x","user_id":"signature","currency":"amount_decimal"},
            "postback":{"currencies":["usdt","USDT","USDT"],"event_ids":["1","1"],"allow_from":["10.0.0.1/8","x"],
            "max_amount":{"USD":"-1","WOOF":"5"}},
            "landings":{"Bad Name":"https://a.example/","ftp":"ftp://a.example/"}}"#,
    );
    for path in [
        "provider",
        "parameters.click",
        "parameters.user_id",
        "parameters.amount_decimal",
        "postback.currencies[0]",
        "postback.currencies[2]",
        "postback.event_ids[1]",
        "postback.allow_from[0]",
        "postback.allow_from[1]",
        "postback.max_amount.USD",
        "postback.max_amount.WOOF",
        "landings.Bad Name",
        "landings.ftp",
    ] {
        assert!(faults.iter().any(|fault| fault == path), "{path} in {faults:?}");
    }
    assert_eq!(faults.len(), 13);
}

#[test]
fn two_names_may_be_swapped_but_not_shared() {
    let swapped = file(r#"{"provider":"acme","parameters":{"user_id":"click_id","click_id":"user_id"}}"#);
    assert_eq!(Partner::try_from(swapped).unwrap().rules().names.of(Field::UserId), "click_id");
    assert_eq!(paths(r#"{"provider":"acme","parameters":{"user_id":"click_id"}}"#), ["parameters.click_id"]);
}

#[test]
fn an_allow_list_admits_only_its_networks() {
    let json = r#"{"provider":"acme","postback":{"allow_from":["203.0.113.0/24","2001:db8::/32","198.51.100.7"]}}"#;
    let partner = Partner::try_from(file(json)).unwrap();
    for (address, admitted) in [
        ("203.0.113.9", true),
        ("::ffff:203.0.113.9", true),
        ("2001:db8::1", true),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
        ("::1", false),
    ] {
        assert_eq!(partner.admits(address.parse().unwrap()), admitted, "{address}");
    }
}

#[test]
fn an_ipv4_network_that_is_written_as_ipv6_admits_its_callers() {
    for (net, inside, outside) in [
        ("::ffff:127.0.0.0/104", "127.0.0.1", "128.0.0.1"),
        ("::ffff:7f00:0/104", "127.0.0.1", "::1"),
        ("0:0:0:0:0:FFFF:203.0.113.0/120", "203.0.113.9", "203.0.114.9"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("::ffff:0:0/96", "8.8.8.8", "2001:db8::1"),
        ("::203.0.113.0/120", "::ffff:203.0.113.9", "203.0.114.9"),
        ("::1", "::1", "127.0.0.1"),
        ("::/0", "2001:db8::1", "8.8.8.8"),
    ] {
        let json = format!(r#"{{"provider":"acme","postback":{{"allow_from":["{net}"]}}}}"#);
        let partner = Partner::try_from(file(&json)).unwrap();
        let admits = |address: &str| partner.admits(address.parse().unwrap());
        assert!(admits(inside) && !admits(outside), "{net}");
    }
}

#[test]
fn a_landing_page_with_a_macro_is_refused_but_a_stored_one_works() {
    for (page, words) in [
        ("https://a.example/lp?click_id={click_id}", "has {click_id}, which nobody replaces"),
        ("https://a.example/lp/{{x}}", "has {{x}}, which nobody replaces"),
        ("https://a.example/lp?c=%7Bclick_id%7D", "has %7Bclick_id%7D, which nobody replaces"),
        ("https://a.example/lp#[x]", "has [x], which nobody replaces"),
        ("https://a.example/lp?a=1&amp;b=2", "has &amp; or another HTML escape"),
        ("https://a.example/lp?user_id=5", "has a user_id of its own"),
        ("https://a.example/lp?a=1&click_id=#top", "has a click_id of its own"),
        ("https://YOUR_DOMAIN/", "has YOUR_DOMAIN, which a template has for you to replace"),
    ] {
        let file = file(&format!(r#"{{"provider":"acme","landings":{{"welcome":"{page}"}}}}"#));
        let faults = Partner::check(file.clone(), Allowance::PublicOnly).unwrap_err();
        assert!(faults.len() == 1 && faults[0].message.starts_with(words), "{page}: {faults:?}");
        assert_eq!(faults[0].path, "landings.welcome");
        assert!(Partner::try_from(file).is_ok(), "{page}");
    }
}

#[test]
fn misleading_words_are_refused_but_stored_ones_work() {
    for (json, path, words) in [
        (r#""postback":{"keep":["DRY_RUN"]}"#, "postback.keep[0]", "is nearly dry_run"),
        (r#""postback":{"keep":["order_status"]}"#, "postback.keep[0]", "means a status"),
        (r#""parameters":{"event_id":"dry-run"}"#, "parameters.event_id", "is nearly dry_run"),
        (
            r#""postback":{"status":{"parameter":"Dry_Run","approved":["1"]}}"#,
            "postback.status.parameter",
            "is nearly dry_run",
        ),
        (r#""postback":{"event_ids":["1","{x}"]}"#, "postback.event_ids[1]", "is a macro"),
        (r#""postback":{"event_ids":["undefined"]}"#, "postback.event_ids[0]", "stands for no value"),
        (
            r#""postback":{"status":{"parameter":"s","approved":["{approved}"]}}"#,
            "postback.status.approved[0]",
            "is a macro",
        ),
        (
            r#""media_buying":{"macros":{"click_id":"YOUR_CLICK_ID"}}"#,
            "media_buying.macros.click_id",
            "has no macro, but a word",
        ),
        (r#""postback":{"currencies":["HRK"]}"#, "postback.currencies[0]", "HRK was withdrawn on 2023-01-14; agree"),
    ] {
        let file = file(&format!(r#"{{"provider":"acme",{json}}}"#));
        let faults = Partner::check(file.clone(), Allowance::PublicOnly).unwrap_err();
        assert!(faults.len() == 1 && faults[0].message.starts_with(words), "{json}: {faults:?}");
        assert_eq!(faults[0].path, path);
        assert!(Partner::try_from(file).is_ok(), "{json}");
    }
    assert_eq!(
        paths(r#"{"provider":"acme","postback":{"click":{"valid_days":100000}}}"#),
        ["postback.click.valid_days"]
    );
}

#[test]
fn ignored_names_are_free_and_forms_are_of_ids() {
    let postback = |json: &str| paths(&format!(r#"{{"provider":"acme","postback":{{{json}}}}}"#));
    for name in ["user_id", "signature", "dry_run", "DRY-RUN", "sub1", "", "a\u{1}"] {
        let faults = postback(&format!(r#""keep":["sub1"],"ignore":[{}]"#, serde_json::json!(name)));
        assert_eq!(faults, ["postback.ignore[0]"], "{name}");
    }
    assert_eq!(postback(r#""ignore":["a","a"]"#), ["postback.ignore[1]"]);
    assert_eq!(postback(r#""ids":{"currency":"digits"}"#), ["postback.ids.currency"]);
    let good = r#"{"provider":"acme","postback":{"ignore":["state","data[status]"],"ids":{"click_id":"uuid"}}}"#;
    let partner = Partner::try_from(file(good)).unwrap();
    assert!(partner.rules().ignores("state") && !partner.rules().ignores("State"));
    assert_eq!(serde_json::to_string(&file(good)).unwrap().matches("uuid").count(), 1);
}

#[test]
fn statuses_and_negative_amounts_are_checked_together() {
    let status = r#""status":{"parameter":"state","approved":["ok"]}"#;
    let postback = |json: &str| paths(&format!(r#"{{"provider":"acme","postback":{{{json}}}}}"#));
    assert_eq!(postback(r#""amount_may_change":["approved"]"#), ["postback.amount_may_change"]);
    assert_eq!(postback(r#""reference":"ref""#), ["postback.reference"]);
    assert_eq!(postback(r#""status":{"parameter":"state"}"#), ["postback.status"]);
    for name in ["user_id", "signature", "dry_run", "provider", "a b", ""] {
        let faults = postback(&status.replace(r#""state""#, &format!("{name:?}")));
        assert_eq!(faults, ["postback.status.parameter"], "{name}");
    }
    let both = format!(r#"{status},"negative_amounts":"reverse","reference":"state""#);
    assert_eq!(postback(&both), ["postback.reference"]);
    let good = format!(
        r#"{{"provider":"acme","postback":{{{status},"amount_may_change":["approved"],"negative_amounts":"reverse",
            "reference":"ref"}}}}"#
    );
    let partner = Partner::try_from(file(&good)).unwrap();
    assert_eq!(partner.rules().names.of(Field::Status), "state");
    assert!(partner.rules().names.has(Field::Reference));
    let stored = serde_json::to_string(&file(&good)).unwrap();
    assert_eq!(file(&stored), file(&good));
}

#[test]
fn the_words_of_plain_answers_are_printable_ascii() {
    let answer = |json: &str| format!(r#"{{"provider":"acme","postback":{{"answer":{{"format":"text"{json}}}}}}}"#);
    let partner = Partner::try_from(file(&answer(""))).unwrap();
    let agreed = partner.rules().answer.clone().unwrap();
    assert_eq!((agreed.accepted.as_str(), agreed.duplicate.as_str()), ("OK", "DUP"));
    assert!(Partner::try_from(file(&answer(r#","accepted":"status=1 ok","duplicate":"OK""#))).is_ok());
    for word in [String::new(), "a\\nb".to_owned(), "\u{e9}".to_owned(), "x".repeat(65)] {
        let json = answer(&format!(r#","accepted":"{word}","duplicate":"{word}""#));
        assert_eq!(paths(&json), ["postback.answer.accepted", "postback.answer.duplicate"]);
    }
}

#[test]
fn kept_parameters_have_names_of_their_own() {
    let json = |names: &[&str]| {
        let keep = serde_json::json!(names);
        format!(r#"{{"provider":"acme","parameters":{{"click_id":"aff_sub"}},"postback":{{"keep":{keep}}}}}"#)
    };
    let kept = Partner::try_from(file(&json(&["sub1", "click_id", "goal"]))).unwrap();
    assert_eq!(kept.rules().keep.iter().map(String::as_str).collect::<Vec<_>>(), ["click_id", "goal", "sub1"]);
    for name in ["aff_sub", "user_id", "event_name", "signature", "dry_run", "provider", "Status", "is-test", "a b", ""]
    {
        let faults = Partner::check(file(&json(&[name])), Allowance::PublicOnly).unwrap_err();
        let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["postback.keep[0]"], "{name}");
    }
    assert_eq!(paths(&json(&["a", "a"])), ["postback.keep[1]"]);
    let many = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
    assert!(Partner::try_from(file(&json(&many[..10]))).is_ok());
    assert_eq!(paths(&json(&many)), ["postback.keep"]);
}
