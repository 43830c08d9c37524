//! Checks what becomes of calls as partners really send them: each line of `tests/calls` is a call and its outcome.
//!
//! A call is the sample of the partners' page with the parameters of the line, which replace the sample's. A line that
//! begins with `?` is the whole query, and a JSON object is sent as the body. Lines that begin with `agreed` say what a
//! partner's file has for the lines below. The outcome is `accepted`, or the codes of all faults.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path};

use domain::{
    inbound::{
        body::{Body, JSON},
        click::ClickKeys,
        parameters::Parameters,
        postback::ParsedPostback,
    },
    partner::{Partner, PartnerFile},
    values::signature::Secret,
};
use serde_json::{Map, Value, json};

const SAMPLE: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";

/// Returns the outcome of a call.
fn outcome(partner: &Partner, call: &str) -> String {
    let (query, body) =
        if call.starts_with('{') { (String::new(), in_json(call)) } else { (in_query(call), String::new()) };
    let body = Body::read(body.as_bytes(), Some(JSON), true);
    let sent = Parameters::of(query.as_bytes(), &body);
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    match ParsedPostback::parse(&sent, partner.provider(), partner.rules(), &keys) {
        Ok(_) => "accepted".to_owned(),
        Err(faults) => {
            let codes: BTreeSet<String> =
                faults.iter().map(|fault| json!(fault.code).as_str().unwrap().to_owned()).collect();
            codes.into_iter().collect::<Vec<_>>().join(", ")
        }
    }
}

fn in_query(call: &str) -> String {
    if let Some(whole) = call.strip_prefix('?') {
        return whole.to_owned();
    }
    let name = |pair: &str| pair.split('=').next().unwrap().to_owned();
    let sent: Vec<&str> = call.split('&').collect();
    let kept = SAMPLE.split('&').filter(|pair| !sent.iter().any(|sent| name(sent) == name(pair)));
    kept.chain(sent.iter().copied()).collect::<Vec<_>>().join("&")
}

fn in_json(call: &str) -> String {
    let sent: Map<String, Value> = serde_json::from_str(call).unwrap();
    let pairs = SAMPLE.split('&').filter_map(|pair| pair.split_once('='));
    let kept = pairs.filter(|(name, _)| !sent.contains_key(*name)).map(|(name, value)| format!("{name:?}:{value:?}"));
    // The text of the call stays as it is, with the digits of its numbers.
    let own = call.trim().trim_start_matches('{').trim_end_matches('}');
    let own =
        if call.ends_with("}}") { call.trim().strip_prefix('{').unwrap().strip_suffix('}').unwrap() } else { own };
    format!("{{{},{own}}}", kept.collect::<Vec<_>>().join(","))
}

#[test]
fn each_call_has_the_outcome_of_its_line() {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls")).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let partner = |agreed: &str| {
            let file: Map<String, Value> = serde_json::from_str(agreed).unwrap();
            let mut whole = json!({"provider": "acme"});
            whole.as_object_mut().unwrap().extend(file);
            Partner::try_from(serde_json::from_value::<PartnerFile>(whole).unwrap()).unwrap()
        };
        let mut agreed = partner("{}");
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("# ")) {
            if let Some(file) = line.strip_prefix("agreed ") {
                agreed = partner(file);
                continue;
            }
            let (call, expected) = line.rsplit_once(" -> ").unwrap_or_else(|| panic!("{path:?}: {line}"));
            let found = outcome(&agreed, call.trim_end());
            lines += 1;
            if found != expected.trim() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                wrong.push(format!("{name}:{}: {} is {found}, not {}", at + 1, call.trim_end(), expected.trim()));
            }
        }
    }
    assert!(wrong.is_empty() && lines > 300, "{} of {lines} lines:\n{}", wrong.len(), wrong.join("\n"));
}
