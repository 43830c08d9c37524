mod stray;

use proptest::prelude::*;

use super::*;
use crate::inbound::doubt;
use crate::inbound::fault::FaultCode;
use crate::inbound::parameters::MAX_VALUE_BYTES;
use crate::partner::PartnerFile;
use crate::values::ids::MAX_ID_BYTES;
use crate::values::placeholder;
use crate::values::signature::Secret;

const SAMPLE: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";
const MULTI_EVENT: &str =
    "user_id=12345&click_id=67890&currency=USD&amount_decimal=100.00&event_id=001&event_name=purchase";

fn acme() -> Provider {
    Provider::new("acme").unwrap()
}

fn keys() -> ClickKeys {
    ClickKeys::new([Secret::new("click key")].into()).unwrap()
}

fn rules(json: &str) -> PostbackRules {
    let file: PartnerFile = serde_json::from_str(json).unwrap();
    crate::partner::Partner::try_from(file).unwrap().rules().clone()
}

fn derived() -> PostbackRules {
    rules(r#"{"provider":"acme","postback":{"transaction_id":"derived"}}"#)
}

fn parse_by(rules: &PostbackRules, query: &str) -> Result<ParsedPostback, Vec<Fault>> {
    ParsedPostback::parse(&Parameters::split(query.as_bytes(), b""), &acme(), rules, &keys())
}

fn parse(query: &str) -> Result<ParsedPostback, Vec<Fault>> {
    parse_by(&PostbackRules::default(), query)
}

fn codes(result: Result<ParsedPostback, Vec<Fault>>) -> Vec<(String, FaultCode)> {
    let mut codes: Vec<_> =
        result.unwrap_err().into_iter().map(|fault| (fault.parameter.unwrap_or_default(), fault.code)).collect();
    codes.sort();
    codes
}

fn one_fault(query: &str) -> Fault {
    let faults = parse(query).unwrap_err();
    assert_eq!(faults.len(), 1, "{query}: {faults:?}");
    faults.into_iter().next().unwrap()
}

/// Returns the sample with one parameter's raw value replaced.
fn with(name: &str, raw: &str) -> String {
    let pairs = SAMPLE.split('&').map(|pair| match pair.split_once('=') {
        Some((n, _)) if n == name => format!("{n}={raw}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[test]
fn the_documents_samples_are_accepted_as_printed() {
    let single = parse(SAMPLE).unwrap();
    assert_eq!(single.postback.transaction_id.as_str(), "123123123");
    assert_eq!(single.postback.content.amount_decimal.to_string(), "100.00");
    assert_eq!(single.postback.click, ClickOrigin::Foreign);
    assert!(!single.dry_run && single.ignored.is_empty());

    let multi = parse_by(&derived(), MULTI_EVENT).unwrap();
    assert!(multi.postback.transaction_id.as_str().starts_with(DERIVED_PREFIX));
    assert_eq!(multi.postback.content.event_name.unwrap().as_str(), "purchase");
}

#[test]
fn every_fault_is_reported_at_once() {
    let query = "user_id={user_id}&click_id=a%0Ab&transaction_id=derived:x&currency=usd&amount_decimal=-1\
                 &event_id=%ff&event_name=%&dry_run=yes&x=1&x=2&signature=1&signature=2";
    assert_eq!(
        codes(parse(query)),
        [
            ("amount_decimal".into(), FaultCode::NegativeAmount),
            ("click_id".into(), FaultCode::ControlCharacter),
            ("currency".into(), FaultCode::UnknownCurrency),
            ("dry_run".into(), FaultCode::NotABoolean),
            ("event_id".into(), FaultCode::NotUtf8),
            ("event_name".into(), FaultCode::BadPercentEncoding),
            ("signature".into(), FaultCode::Repeated),
            ("transaction_id".into(), FaultCode::ReservedTransactionId),
            ("user_id".into(), FaultCode::MacroNotReplaced),
        ]
    );
}

#[test]
fn an_empty_request_names_every_required_parameter() {
    let missing = |names: &[&str]| names.iter().map(|n| ((*n).into(), FaultCode::Missing)).collect::<Vec<_>>();
    assert_eq!(codes(parse("")), missing(&["amount_decimal", "click_id", "currency", "transaction_id", "user_id"]));
    assert_eq!(
        codes(parse_by(&derived(), "")),
        missing(&["amount_decimal", "click_id", "currency", "event_id", "user_id"])
    );
}

#[test]
fn a_url_cut_by_a_raw_hash_is_recognised() {
    for cut in ["user_id=12345&click_id=", "user_id=12345", "user_id=1&click_id=2&transaction_id=3&currency="] {
        assert!(parse(cut).unwrap_err().iter().all(|fault| fault.fix.contains("%23")), "{cut}");
    }
    let in_the_middle = "user_id=1&transaction_id=3&currency=USD&amount_decimal=1";
    assert!(!one_fault(in_the_middle).fix.contains('#'));
}

#[test]
fn an_id_with_something_invisible_around_it_is_refused() {
    for name in ["user_id", "click_id", "transaction_id"] {
        for raw in ["T%20", "+T", "T%C2%A0", "T%E2%80%8B", "%EF%BB%BFT", "T%E3%80%80"] {
            let fault = one_fault(&with(name, raw));
            assert_eq!((fault.parameter.as_deref(), fault.code), (Some(name), FaultCode::WhiteSpaceAround), "{raw}");
        }
        assert_eq!(one_fault(&with(name, "%E2%80%8B")).code, FaultCode::Missing);
    }
    let fault = one_fault(&with("transaction_id", "%EF%BB%BFT"));
    assert!(fault.expected.contains("begins with U+FEFF (a byte order mark)"), "{fault:?}");
}

#[test]
fn each_fault_of_an_amount_or_a_currency_is_told_exactly() {
    for (raw, told, fix) in [
        (".5", "no digit before the point", "0.5"),
        ("100.", "no digit after the point", "leave the point out"),
        ("1,000.00", "a separator", "1000.00"),
        ("1e3", "an exponent", "1000 instead of 1e3"),
        ("%2B1", "a plus sign", "plus sign"),
        ("USD+1", "a currency", "digits alone"),
    ] {
        let fault = one_fault(&with("amount_decimal", raw));
        assert_eq!(fault.code, FaultCode::NotAnAmount);
        assert!(fault.expected.contains(told) && fault.fix.contains(fix), "{raw}: {fault:?}");
    }
    for (raw, told, fix) in [
        ("HRK", "HRK was withdrawn on 2023-01-14", "in EUR, which replaced it"),
        ("XTS", "XTS is no money; it stands for: Codes specifically reserved for testing", "three-letter code"),
        ("%24", "$ is a sign", "three-letter code"),
        ("usd", "usd must be written USD", "send USD"),
        ("840", "840 must be written USD", "send USD"),
    ] {
        let fault = one_fault(&with("currency", raw));
        assert_eq!(fault.code, FaultCode::UnknownCurrency);
        assert!(fault.expected.contains(told) && fault.fix.contains(fix), "{raw}: {fault:?}");
    }
    for amount in ["1.5000000000", "1.000000000000000000"] {
        assert!(parse(&with("amount_decimal", amount)).is_ok(), "{amount}");
    }
}

#[test]
fn an_unreplaced_macro_is_refused_by_name_in_any_parameter() {
    for name in ["user_id", "click_id", "transaction_id", "currency", "amount_decimal"] {
        for raw in ["{x_y}", "%7Bx_y%7D", "{{x_y}}", "%x_y%", "[sub_1]", "%23sub_1%23", "$sub_1$", "%ad_id%"] {
            let fault = one_fault(&with(name, raw));
            assert_eq!((fault.parameter.as_deref(), fault.code), (Some(name), FaultCode::MacroNotReplaced), "{raw}");
        }
    }
}

#[test]
fn a_word_for_no_value_is_refused_in_any_parameter() {
    for name in ["user_id", "click_id", "transaction_id", "currency", "amount_decimal"] {
        let own = name.to_uppercase();
        for raw in ["undefined", "NULL", "None", "NaN", "%5Bobject%20Object%5D", "REPLACE_ME", "your_click_id", &own] {
            let fault = one_fault(&with(name, raw));
            assert_eq!((fault.parameter.as_deref(), fault.code), (Some(name), FaultCode::PlaceholderValue), "{raw}");
        }
        assert!(one_fault(&with(name, "undefined")).expected.contains("undefined came, which JavaScript writes"));
    }
    for (sent, refused) in [
        ("event_id=null", true),
        ("event_name=null", true),
        ("event_name=sample", false),
        ("event_id=event_id", true),
        ("dry_run=undefined", true),
        ("sub1=null", false),
    ] {
        let parsed = parse(&format!("{SAMPLE}&{sent}"));
        let code = parsed.err().map(|faults| faults[0].code);
        assert_eq!(code, refused.then_some(FaultCode::PlaceholderValue), "{sent}");
    }
}

#[test]
fn a_value_beyond_its_limit_is_not_searched() {
    for unit in ["{+", "%7B", "a"] {
        let long: String = unit.chars().cycle().take(MAX_VALUE_BYTES + 1).collect();
        for name in ["user_id", "click_id", "transaction_id", "currency", "amount_decimal"] {
            assert_eq!(one_fault(&with(name, &long)).code, FaultCode::TooLong, "{name}={unit}…");
        }
        assert_eq!(one_fault(&format!("{SAMPLE}&dry_run={long}")).code, FaultCode::NotABoolean);
    }
    let encoded = "%c3%a9".repeat(MAX_ID_BYTES / 2);
    assert!(parse(&with("user_id", &encoded)).is_ok(), "the greatest id, encoded");
}

#[test]
fn empty_optional_values_are_none_and_required_ones_missing() {
    let without = parse(SAMPLE).unwrap();
    assert_eq!(parse(&format!("{SAMPLE}&event_id=&event_name=")).unwrap(), without);
    assert_eq!(one_fault(&with("user_id", "")).code, FaultCode::Missing);
    assert_eq!(one_fault(&with("user_id", "%20")).code, FaultCode::Missing);
}

#[test]
fn unknown_parameters_are_ignored_and_named() {
    assert_eq!(parse(&format!("{SAMPLE}&b=&a%20b=2&dry_run=false")).unwrap().ignored, ["a b", "b"]);
}

#[test]
fn what_means_nothing_is_ignored_however_it_is_spelt() {
    let long = "n".repeat(70);
    for (more, ignored) in [
        ("tags[]=1&tags[]=2", "tags[]"),
        ("sub=1&sub=1", "sub"),
        ("=x", ""),
        ("&=", ""),
        ("%zz=1", "%zz"),
        ("x%0a=1", "x%0a"),
        (&format!("{long}=1"), &format!("{}…", &long[..61])),
    ] {
        let parsed = parse(&format!("{SAMPLE}&{more}")).unwrap_or_else(|faults| panic!("{more}: {faults:?}"));
        assert_eq!(parsed.ignored.join(","), ignored, "{more}");
    }
    assert_eq!(one_fault(&format!("{SAMPLE}&%75ser_id=1")).code, FaultCode::Repeated);
}

#[test]
fn a_name_near_dry_run_is_never_ignored() {
    for name in ["DRY_RUN", "dry-run", "dryrun", "dry_run%20", "amp;dry_run", "?dry_run", "dry_rnu", "Dry.Run", "dry"] {
        for value in ["true", "false", ""] {
            let fault = one_fault(&format!("{SAMPLE}&{name}={value}"));
            assert_eq!(fault.code, FaultCode::NearDryRun, "{name}");
        }
    }
    for more in ["sub=1;dry_run=true", "sub=1?dry_run=true", "sub=1%26dryRun%3Dtrue"] {
        assert_eq!(one_fault(&format!("{SAMPLE}&{more}")).code, FaultCode::NearDryRun, "{more}");
    }
    assert_eq!(one_fault(&with("user_id", "1;dry_run=true")).code, FaultCode::SwallowedParameter);
    // A partner may have agreed on a parameter with such a name.
    let kept = rules(r#"{"provider":"acme","postback":{"keep":["dryrun"]}}"#);
    assert!(parse_by(&kept, &format!("{SAMPLE}&dryrun=1")).is_ok());
}

#[test]
fn a_missing_parameter_is_looked_for_under_other_names() {
    for came in
        ["Click_ID", "clickid", "click-id", "click_id%20", "%3Fclick_id", "?click_id", "amp;click_id", "clikc_id"]
    {
        let fault = one_fault(&SAMPLE.replace("click_id", came));
        assert_eq!((fault.parameter.as_deref(), fault.code), (Some("click_id"), FaultCode::Missing), "{came}");
        let shown = came.replace("%20", " ").replace("%3F", "?");
        assert!(fault.fix.starts_with(&format!("`{shown}` came; it must be `click_id`")), "{came}: {fault:?}");
    }
    assert!(one_fault(&SAMPLE.replace("click_id", "amp;click_id")).fix.contains("not by &amp;"));
    let agreed = rules(r#"{"provider":"acme","parameters":{"click_id":"aff_sub"}}"#);
    let faults = parse_by(&agreed, &SAMPLE.replace("click_id", "Aff-Sub")).unwrap_err();
    assert!(faults[0].fix.starts_with("`Aff-Sub` came; it must be `aff_sub`"), "{faults:?}");
}

#[test]
fn every_parameter_behind_a_wrong_separator_is_found() {
    for separator in ["&amp;", ";", "?", "&?", "&&amp;", "%26", "%3B"] {
        let faults = parse(&SAMPLE.replace('&', separator)).unwrap_err();
        let missing: Vec<_> = faults.iter().filter(|fault| fault.code == FaultCode::Missing).collect();
        assert_eq!(missing.len(), 4, "{separator}: {faults:?}");
        assert!(missing.iter().all(|fault| fault.fix.contains("came")), "{separator}: {missing:?}");
    }
    let second = one_fault(&format!("?{SAMPLE}"));
    assert!(second.fix.contains("`?user_id` came; it must be `user_id`; a URL has one ?"), "{second:?}");
}

#[test]
fn a_name_that_html_mutilated_is_told() {
    let eaten = SAMPLE.replace("&currency", "%C2%A4cy");
    for query in [eaten.clone(), eaten.replace("%C2%A4", "%A4"), eaten.replace("%C2%A4", "%25C2%25A4")] {
        let mut faults = parse(&query).unwrap_err();
        faults.sort_by_key(|fault| fault.code);
        let codes: Vec<FaultCode> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, [FaultCode::Missing, FaultCode::HtmlEntity], "{query}");
        assert!(
            faults[0].fix.contains("inside the value of transaction_id: HTML read &curren of &currency"),
            "{faults:?}"
        );
        assert!(faults[1].expected.contains("¤cy inside it was &currency"), "{faults:?}");
    }
    // The partner adds what was missing, and the id is still not its own.
    let added = format!("{eaten}&currency=USD");
    assert_eq!(one_fault(&added).code, FaultCode::HtmlEntity);
    let agreed = rules(r#"{"provider":"acme","parameters":{"event_id":"region"}}"#);
    let faults = parse_by(&agreed, &with("amount_decimal", "1.00%C2%AEion=7")).unwrap_err();
    assert_eq!((faults[0].parameter.as_deref(), faults[0].code), (Some("amount_decimal"), FaultCode::HtmlEntity));
}

#[test]
fn agreed_names_replace_ours() {
    let rules = rules(r#"{"provider":"acme","parameters":{"click_id":"aff_sub","amount_decimal":"payout"}}"#);
    let query = SAMPLE.replace("click_id", "aff_sub").replace("amount_decimal", "payout");
    assert_eq!(parse_by(&rules, &query).unwrap().postback, parse(SAMPLE).unwrap().postback);

    let faults = parse_by(&rules, SAMPLE).unwrap_err();
    assert_eq!(faults.len(), 2);
    assert!(faults.iter().any(|f| f.parameter.as_deref() == Some("aff_sub") && f.fix.contains("it came as click_id")));
}

#[test]
fn agreed_events_and_agreed_clicks_are_enforced() {
    let events = rules(r#"{"provider":"acme","postback":{"event_ids":["001","002"]}}"#);
    assert!(parse_by(&events, SAMPLE).is_ok());
    assert!(parse_by(&events, &format!("{SAMPLE}&event_id=002")).is_ok());
    let refused = codes(parse_by(&events, &format!("{SAMPLE}&event_id=003")));
    assert_eq!(refused, [("event_id".into(), FaultCode::EventNotAgreed)]);

    let strict = rules(r#"{"provider":"acme","postback":{"require_click":true}}"#);
    assert_eq!(codes(parse_by(&strict, SAMPLE)), [("click_id".into(), FaultCode::ClickNotOurs)]);
    let user = UserId::new("12345").unwrap();
    let ours = keys().mint(&acme(), &user, jiff::Timestamp::UNIX_EPOCH, [7; 9]);
    let parsed = parse_by(&strict, &with("click_id", ours.as_str())).unwrap();
    assert_eq!(parsed.postback.click, ClickOrigin::Verified);
}

#[test]
fn an_amount_above_the_agreed_maximum_is_refused() {
    let rules =
        rules(r#"{"provider":"acme","postback":{"currencies":["USDT"],"max_amount":{"USD":"5000","USDT":"0.5"}}}"#);
    for (currency, amount, good) in [
        ("USD", "5000", true),
        ("USD", "5000.00", true),
        ("USD", "5000.00000001", false),
        ("USD", "999999999999999", false),
        ("USDT", "0.50", true),
        ("USDT", "0.51", false),
        ("EUR", "999999999999999", true),
    ] {
        let query = SAMPLE.replace("USD", currency).replace("100.00", amount);
        match parse_by(&rules, &query) {
            Ok(_) => assert!(good, "{query}"),
            Err(faults) => {
                assert!(!good && faults.len() == 1, "{query}: {faults:?}");
                assert_eq!(faults[0].code, FaultCode::AmountAboveMaximum);
                let maximum = if currency == "USD" { "at most 5000 USD," } else { "at most 0.5 USDT," };
                assert!(faults[0].expected.starts_with(maximum), "{faults:?}");
            }
        }
    }
}

#[test]
fn a_derived_id_depends_on_user_click_and_event() {
    let id = |query: &str| parse_by(&derived(), query).unwrap().postback.transaction_id;
    let first = id(MULTI_EVENT);
    assert_eq!(first, id(&MULTI_EVENT.replace("100.00", "7").replace("purchase", "sale")));
    for changed in [("12345", "12346"), ("67890", "67891"), ("001", "002")] {
        assert_ne!(first, id(&MULTI_EVENT.replace(changed.0, changed.1)));
    }
    // The parts are length-prefixed, so moving a character from one part to the next makes another transaction.
    let moved = MULTI_EVENT.replace("user_id=12345", "user_id=1234").replace("click_id=67890", "click_id=567890");
    assert_ne!(first, id(&moved));
    assert_eq!(id(SAMPLE).as_str(), "123123123");
}

fn content() -> impl Strategy<Value = Content> {
    let id = || "[!-~][ -~]{0,6}[a-z]";
    (
        id(),
        id(),
        prop::sample::select(&["USD", "EUR"][..]),
        0u32..300,
        0usize..3,
        prop::option::of(id()),
        prop::option::of(id()),
    )
        .prop_map(|(user, click, currency, cents, zeros, event_id, event_name)| Content {
            user_id: UserId::new(user).unwrap(),
            click_id: ClickId::new(click).unwrap(),
            currency: Currency::parse(currency, &crate::values::money::ExtraCurrencies::default()).unwrap(),
            amount_decimal: Amount::parse(&format!("{}.{:02}{}", cents / 100, cents % 100, "0".repeat(zeros))).unwrap(),
            event_id: event_id.map(|id| EventId::new(id).unwrap()),
            event_name: event_name.map(|name| EventName::new(name).unwrap()),
        })
}

fn printed(content: &Content, transaction_id: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> =
        content.texts().into_iter().map(|(field, text)| (field.to_string(), text)).collect();
    pairs.push(("transaction_id".into(), transaction_id.into()));
    pairs
}

fn encoded(pairs: &[(String, String)]) -> String {
    crate::values::signature::canonical(pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
}

proptest! {
    #[test]
    fn a_printed_postback_parses_to_itself(content in content(), transaction in "t7[a-z0-9]{1,6}") {
        prop_assume!(content.texts().iter().all(|(_, text)| placeholder::find(crate::values::signature::canonical([(&b""[..], text.as_bytes())]).get(1..).unwrap().as_bytes(), placeholder::Place::Id).is_none()));
        let parsed = parse(&encoded(&printed(&content, &transaction)));
        // An id such as `0:ok=a` may hold a status, which is refused on purpose.
        let holds_status = |faults: &Vec<Fault>| faults.iter().all(|fault| fault.code == FaultCode::StatusNotAgreed);
        prop_assume!(!parsed.as_ref().is_err_and(holds_status));
        let parsed = parsed.unwrap();
        prop_assert_eq!(parsed.postback.content, content);
        prop_assert_eq!(parsed.postback.transaction_id.as_str(), transaction);
    }

    #[test]
    fn equal_content_has_no_difference_and_one_fingerprint(a in content(), b in content()) {
        prop_assert_eq!(a.differences(&b).is_empty(), a == b);
        prop_assert_eq!(a.fingerprint() == b.fingerprint(), a == b);
        prop_assert!(a.differences(&a).is_empty());
    }

    #[test]
    fn the_order_of_parameters_never_changes_the_postback(pairs in Just(SAMPLE.split('&').collect::<Vec<_>>()).prop_shuffle()) {
        prop_assert_eq!(parse(&pairs.join("&")), parse(SAMPLE));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(query in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ParsedPostback::parse(&Parameters::split(&query, b""), &acme(), &derived(), &keys());
    }

    #[test]
    fn a_broken_value_never_makes_the_parser_panic(name in prop::sample::select(Field::ALL.to_vec()), raw in prop::collection::vec(any::<u8>(), 0..40)) {
        let query = [name.as_str().as_bytes(), b"=", &raw, b"&", SAMPLE.as_bytes()].concat();
        let _ = ParsedPostback::parse(&Parameters::split(&query, b""), &acme(), &PostbackRules::default(), &keys());
    }
}

fn statuses(more: &str) -> PostbackRules {
    rules(&format!(
        r#"{{"provider":"acme","postback":{{"status":{{"parameter":"state","pending":["2"],"approved":["ok"],
            "rejected":["no"],"ignored":["test"]}}{more}}}}}"#
    ))
}

#[test]
fn a_status_or_transaction_under_another_spelling_is_a_fault() {
    let codes_of = |rules: &PostbackRules, more: &str| codes(parse_by(rules, &format!("{SAMPLE}{more}")));
    let rules = statuses("");
    for more in ["&amp;state=no", "&state%20=no", "&?state=no", "&state[]=no", "&%E2%80%8Bstate=no", "&sub=1;state=no"]
    {
        let faults = codes_of(&rules, more);
        assert!(faults.contains(&("state".to_owned(), FaultCode::Missing)), "{more}: {faults:?}");
    }
    let sample = SAMPLE.replace("transaction_id", "tid");
    for more in ["&amp;transaction_id=1", "&Transaction_ID=1", "&transactionid=1", "&sub=1%26transaction_id=1"] {
        let faults = codes(parse_by(&derived(), &format!("{sample}&event_id=1{more}")));
        assert_eq!(faults, [("transaction_id".to_owned(), FaultCode::Missing)], "{more}");
    }
    for more in ["&status%20=declined", "&status[]=declined", "&isChargeback=1", "&charge-back=1", "&isTest=1"] {
        let faults = codes_of(&PostbackRules::default(), more);
        assert_eq!(faults.len(), 1, "{more}: {faults:?}");
        assert_eq!(faults[0].1, FaultCode::StatusNotAgreed, "{more}");
    }
}

#[test]
fn a_name_at_the_beginning_of_a_value_is_found() {
    for value in ["user_id=1", "click_id=1", "USER-ID=1"] {
        let query = SAMPLE.replace("user_id=12345", &format!("user_id={value}"));
        assert_eq!(codes(parse(&query)), [("user_id".to_owned(), FaultCode::SwallowedParameter)], "{value}");
    }
}

#[test]
fn an_agreed_event_is_taken_whatever_word_it_is() {
    let rules = rules(r#"{"provider":"acme","postback":{"event_ids":["enter","sample"]}}"#);
    for event in ["enter", "sample"] {
        assert!(parse_by(&rules, &format!("{SAMPLE}&event_id={event}")).is_ok(), "{event}");
    }
}

#[test]
fn an_agreed_status_gives_the_state() {
    let rules = statuses("");
    for (sent, state) in [
        ("", State::Approved),
        ("&state=", State::Approved),
        ("&state=OK", State::Approved),
        ("&state=2", State::Pending),
        ("&state=%6eo", State::Rejected),
    ] {
        let parsed = parse_by(&rules, &format!("{SAMPLE}{sent}")).unwrap();
        assert_eq!((parsed.postback.state, parsed.ignored.len()), (Some(state), 0), "{sent}");
    }
    assert_eq!(parse(SAMPLE).unwrap().postback.state, None);
    let unknown = parse_by(&rules, &format!("{SAMPLE}&state=paid")).unwrap_err();
    assert_eq!((unknown.len(), unknown[0].code), (1, FaultCode::UnknownStatus));
    assert!(unknown[0].expected.contains("2 (pending), ok (approved), no (rejected), test (ignored)"), "{unknown:?}");
    let not_replaced = format!("{SAMPLE}&state={{state}}");
    assert_eq!(codes(parse_by(&rules, &not_replaced)), [("state".into(), FaultCode::MacroNotReplaced)]);
}

#[test]
fn a_status_agreed_to_be_ignored_is_the_only_fault() {
    let rules = statuses("");
    for query in [format!("{SAMPLE}&state=Test"), "state=test".into(), "state=test&amount_decimal=x".into()] {
        assert_eq!(codes(parse_by(&rules, &query)), [("state".into(), FaultCode::StatusIgnored)], "{query}");
    }
    let twice = codes(parse_by(&rules, &format!("{SAMPLE}&state=test&state=ok")));
    assert_eq!(twice, [("state".into(), FaultCode::Repeated)]);
}

#[test]
fn a_status_that_nobody_agreed_on_is_told_with_its_cure() {
    let ignored = parse(&format!("{SAMPLE}&status=approved&state=CA")).unwrap().ignored;
    assert_eq!(ignored, ["state", "status"]);
    let fault = one_fault(&format!("{SAMPLE}&state=rejected"));
    assert!(
        fault.fix.contains("if state says nothing about the conversion, ask GG3 to list it under ignore"),
        "{fault:?}"
    );
    // If another name was agreed for the status, the fault tells it.
    let faults = parse_by(&statuses(""), &format!("{SAMPLE}&state=ok&status=rejected")).unwrap_err();
    assert_eq!((faults[0].parameter.as_deref(), faults[0].code), (Some("status"), FaultCode::StatusNotAgreed));
    assert!(faults[0].fix.contains("as state"), "{faults:?}");
    // A parameter that the file ignores is ignored in silence.
    let ignoring = rules(r#"{"provider":"acme","postback":{"ignore":["state"]}}"#);
    let parsed = parse_by(&ignoring, &format!("{SAMPLE}&state=rejected&b=1")).unwrap();
    assert_eq!(parsed.ignored, ["b"]);
}

proptest! {
    #[test]
    fn a_value_that_may_not_mean_approval_never_repeats_a_call(
        name in prop::sample::select(&["status", "State", "approve", "is-rejected", "test"][..]), value in "[a-z0-9]{0,10}"
    ) {
        match parse(&format!("{SAMPLE}&{name}={value}")) {
            // Only a clear value is accepted like a missing status.
            Ok(parsed) => {
                prop_assert_eq!(doubt::judge(name, &value), None);
                prop_assert_eq!(parsed.postback, parse(SAMPLE).unwrap().postback);
            }
            Err(faults) => prop_assert_eq!(faults[0].code, FaultCode::StatusNotAgreed),
        }
    }
}

#[test]
fn a_negative_amount_is_read_only_where_agreed() {
    let json = r#"{"provider":"acme","postback":{"negative_amounts":"reverse","reference":"ref"}}"#;
    let sent = format!("{}&ref=t1&is_chargeback=1", with("amount_decimal", "-7.50"));
    let parsed = parse_by(&rules(json), &sent).unwrap().postback;
    assert_eq!(parsed.content.amount_decimal.to_string(), "-7.50");
    assert_eq!(parsed.reference.unwrap().as_str(), "t1");
    let positive = parse_by(&rules(json), &format!("{SAMPLE}&ref=t1")).unwrap_err();
    assert_eq!((positive.len(), positive[0].code), (1, FaultCode::AmountNotNegative));
    assert!(positive[0].fix.contains("with its minus; otherwise leave ref out"), "{positive:?}");
    assert_eq!(codes(parse_by(&rules(json), &format!("{SAMPLE}&refund=1")))[0].1, FaultCode::StatusNotAgreed);
    assert!(one_fault(&with("amount_decimal", "-7.50")).fix.contains("agree"));
    let both = format!("{}&state=no", with("amount_decimal", "-1"));
    let faults = codes(parse_by(&statuses(r#","negative_amounts":"reverse""#), &both));
    assert_eq!(faults, [("amount_decimal".into(), FaultCode::NegativeAmount)]);
}

#[test]
fn kept_parameters_are_read_and_are_no_content() {
    let rules = rules(r#"{"provider":"acme","postback":{"keep":["sub1","goal"]}}"#);
    let plain = parse_by(&rules, SAMPLE).unwrap();
    assert!(plain.postback.extra.is_empty());
    let (longest, two) = ("x".repeat(255), "%C3%A9".repeat(127));
    for (value, extra) in [("a+b%2F%20", "a b/ "), ("%20", " "), (&longest, &longest), (&two, &"é".repeat(127))] {
        let parsed = parse_by(&rules, &format!("{SAMPLE}&sub1={value}&goal=&sub2=x")).unwrap();
        assert_eq!(parsed.postback.extra, Extra::from([("sub1".to_owned(), extra.to_owned())]));
        assert_eq!(
            (&parsed.postback.content, parsed.ignored),
            (&plain.postback.content, Vec::from(["sub2".to_owned()]))
        );
    }
    for (value, code) in [
        (format!("{longest}x"), FaultCode::TooLong),
        ("%C3%A9".repeat(128), FaultCode::TooLong),
        ("a%0Ab".to_owned(), FaultCode::ControlCharacter),
        ("%ff".to_owned(), FaultCode::NotUtf8),
        ("{sub1}".to_owned(), FaultCode::MacroNotReplaced),
    ] {
        let faults = parse_by(&rules, &format!("{SAMPLE}&goal=1&sub1={value}")).unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| (fault.parameter.as_deref(), fault.code)).collect();
        assert_eq!(told, [(Some("sub1"), code)], "{value}");
    }
}
