//! Checks that every answer of `postback` fits the published description, and that the description lists no other
//! answers. The real use case makes the answers. Each answer also writes one log line, and a metric counts the line by
//! its outcome.

use std::{cell::Cell, collections::BTreeSet};

use app::{
    memory::{
        Trouble, World,
        partner::{get, known},
    },
    ports::{Erasures, KnownPartner},
};
use domain::{
    archive::ArchiveKey,
    inbound::{
        click::ClickKeys,
        parameters::{DRY_RUN, Parameters, SIGNATURE},
    },
    jiff::Timestamp,
    partner::{Partner, PartnerFile, Pauses},
    values::{
        ids::{Provider, TransactionId, TransactionKey, UserId},
        parameter_names::Field,
        signature::{self, Secret},
    },
};
use serde_json::{Value, json};

use super::*;
use crate::{
    log::tests::{counted, line},
    openapi::OpenApi,
};

const WITH_TOKEN: &str = "/postback/{provider}/{token}";
const SIGNED: &str = "/postback/{provider}";
const SAMPLE: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";

struct Rig {
    api: OpenApi,
    world: World,
    accept: AcceptPostback<World>,
    receipts: Cell<u8>,
    now: Timestamp,
    statuses: BTreeSet<u16>,
    codes: BTreeSet<String>,
    /// Holds the outcomes as the log lines were counted.
    outcomes: BTreeSet<String>,
}

fn partner(json: &str) -> KnownPartner {
    let file: PartnerFile = serde_json::from_str(json).unwrap();
    known(Partner::try_from(file).unwrap())
}

impl Rig {
    fn new() -> Self {
        let world = World::default();
        let partners = [
            r#"{"provider":"acme","postback":{"allow_from":["192.0.2.0/24"]}}"#,
            r#"{"provider":"strict","postback":{"require_click":true,"event_ids":["001"],"max_amount":{"USD":"99"},
                "click":{"valid_days":1}}}"#,
            r#"{"provider":"globex","postback":{"transaction_id":"derived"}}"#,
            r#"{"provider":"initech","postback":{"credential":"signature"}}"#,
            r#"{"provider":"umbrella","postback":{"status":{"parameter":"state","pending":["2"],"rejected":["3"],
                "ignored":["test"]},"negative_amounts":"reverse","reference":"ref"}}"#,
            r#"{"provider":"hooli","postback":{"rate":{"per_second":1,"burst":1}}}"#,
            r#"{"provider":"soylent","postback":{"answer":{"format":"text","duplicate":"AGAIN"},
                "status":{"parameter":"state","ignored":["test"]}}}"#,
        ];
        let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
        let file: PartnerFile = serde_json::from_str(r#"{"provider":"paused"}"#).unwrap();
        let pauses = Pauses { postbacks_since: Some(Timestamp::UNIX_EPOCH), webhooks_since: None };
        let waiting = known(Partner::try_from(file).unwrap().with_pauses(pauses));
        let accept = world.accept_postback(partners.map(partner).into_iter().chain([waiting]), keys);
        let (api, receipts) = (OpenApi::published(), Cell::new(0));
        let (statuses, codes, outcomes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { api, world, accept, receipts, now: Timestamp::UNIX_EPOCH, statuses, codes, outcomes }
    }

    /// Makes a call and checks its answer against the description.
    async fn call(&mut self, path: &str, call: &Call<'_>) -> Value {
        self.receipts.set(self.receipts.get() + 1);
        let receipt_id = ReceiptId::from_random([self.receipts.get(); 16]);
        let answered = self.accept.handle(call, self.now, receipt_id).await;
        self.outcomes.extend(counted_outcome(&answered));
        let response = respond(answered, path_hint(call.provider, call.token));
        let method = if call.is_post { "post" } else { "get" };
        self.api.assert_describes(path, method, &response);
        self.statuses.insert(response.status().as_u16());
        let text = std::str::from_utf8(response.body()).unwrap();
        let body: Value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        let faults = body["faults"].as_array().into_iter().flatten();
        self.codes.extend(faults.map(|fault| fault["code"].as_str().unwrap().to_owned()));
        body
    }

    /// Makes one call of a port fail, after this number of calls succeed.
    fn failing_in(&mut self, calls: usize) -> &mut Self {
        let next = self.world.state().calls.len();
        self.world.state().trouble.insert(next + calls, Trouble::Before);
        self
    }

    async fn get(&mut self, provider: &str, query: &str) -> Value {
        self.call(WITH_TOKEN, &get(provider, query)).await
    }
}

/// Returns the outcome under which the metric counts this answer's line, or `None` in a dry run.
fn counted_outcome(answered: &HandledCall) -> Option<String> {
    let line = line(|| log("request", answered));
    let outcome = line["outcome"].as_str().unwrap();
    let (all, partners) = ("postbacks by outcome", "postbacks by outcome, provider");
    let faults = line["faults"].as_str().unwrap_or_default();
    let codes = ["status_not_agreed", "unknown_status", "negative_amount", "amount_not_negative"];
    let not_agreed = codes.into_iter().any(|code| faults.contains(code));
    let expected: &[&str] = match outcome {
        _ if answered.dry_run => &[],
        "malformed" if not_agreed => &[all, "statuses_not_agreed by outcome, provider"],
        "conflict" | "rate_exceeded" => &[all, partners],
        "unauthorized" | "unauthorized_too_often" if answered.claimed.is_some() => {
            &["credentials_wrong by outcome, provider", all]
        }
        _ => &[all],
    };
    assert_eq!(counted(&line), expected, "{line}");
    if answered.dry_run {
        return None;
    }
    assert_eq!(line["postbacks"], 1);
    Some(outcome.to_owned())
}

/// Lists every code, as serde knows them.
fn all_codes() -> BTreeSet<String> {
    let told = serde_json::from_str::<domain::inbound::fault::FaultCode>(r#""none""#).unwrap_err().to_string();
    let names = told.split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

/// Erases the person of the sample, and makes the calls that are answered for it then.
async fn erased(rig: &mut Rig) {
    let (acme, sample) = (Provider::new("acme").unwrap(), TransactionId::new("123123123").unwrap());
    let (transaction, key) = (TransactionKey::of(&acme, &sample), ArchiveKey::new(Secret::new("a")));
    rig.world.erase_transaction(&transaction, &key).await.unwrap();
    assert_eq!(rig.get("acme", SAMPLE).await["status"], "duplicate");
    for query in [SAMPLE.replace("100.00", "7"), format!("{}&dry_run=true", SAMPLE.replace("100.00", "7"))] {
        let erased = rig.get("acme", &query).await;
        assert_eq!((&erased["status"], &erased["type"]), (&409.into(), &"urn:gg3:problem:transaction-erased".into()));
    }
}

/// Lists the outcomes that a log line may have.
const OUTCOMES: [&str; 12] = [
    "accepted",
    "conflict",
    "duplicate",
    "erased",
    "forbidden",
    "ignored",
    "malformed",
    "paused",
    "rate_exceeded",
    "unauthorized",
    "unauthorized_too_often",
    "unavailable",
];

/// Makes calls that are answered 429 or 503 because of a limit or a pause.
async fn limited(rig: &mut Rig) {
    // These calls come too fast.
    rig.get("hooli", SAMPLE).await;
    assert_eq!(rig.get("hooli", SAMPLE).await["status"], 429);
    assert_eq!(rig.get("hooli", &format!("{SAMPLE}&dry_run=true")).await["dry_run"], true);

    // These calls guess tokens and names too often.
    for guess in ["acme", "nobody", "acme", "nobody"].into_iter().cycle().take(70) {
        let call = Call { token: Some("guess"), source: [7, 7, 7, 7].into(), ..get(guess, SAMPLE) };
        rig.call(WITH_TOKEN, &call).await;
    }

    // An operator has paused this partner's postbacks.
    assert_eq!(rig.get("paused", SAMPLE).await["type"], "urn:gg3:problem:paused");
    assert_eq!(rig.get("paused", &format!("{SAMPLE}&dry_run=true")).await["dry_run"], true);
}

#[tokio::test]
async fn the_description_lists_exactly_the_answers_given() {
    let mut rig = Rig::new();
    // These calls are a new postback, a duplicate and a conflict. Each call is also made as a dry run.
    let dry = |query: &str| format!("{query}&dry_run=true");
    assert_eq!(rig.get("acme", &dry(SAMPLE)).await["would_be"], "accepted");
    assert_eq!(rig.get("acme", &format!("{SAMPLE}&x=1")).await["status"], "accepted");
    assert_eq!(rig.get("acme", SAMPLE).await["status"], "duplicate");
    assert_eq!(rig.get("acme", &dry(SAMPLE)).await["would_be"], "duplicate");
    for query in [SAMPLE.replace("100.00", "7"), format!("{SAMPLE}&event_id=001")] {
        let conflict = rig.get("acme", &query).await;
        assert_eq!((&conflict["status"], &conflict["conflict"]["kept"]), (&409.into(), &true.into()));
        assert_eq!(rig.get("acme", &dry(&query)).await["dry_run"], true);
    }
    let derived = SAMPLE.replace("transaction_id=123123123", "event_id=001");
    assert!(rig.get("globex", &derived).await["transaction_id"].as_str().unwrap().starts_with("derived:"));

    // These calls change the state of a transaction, or are ignored.
    let said = |state: &str| format!("{SAMPLE}&state={state}");
    for (state, status) in [("2", "accepted"), ("3", "accepted"), ("2", "duplicate"), ("test", "ignored")] {
        let dry_run = rig.get("umbrella", &dry(&said(state))).await;
        assert_eq!(dry_run["would_be"], status, "{state}");
        assert_eq!(rig.get("umbrella", &said(state)).await["status"], status, "{state}");
    }
    assert_eq!(rig.get("umbrella", SAMPLE).await["conflict"]["original"]["state"], "rejected");
    let taken_back = SAMPLE.replace("123123123", "r-1").replace("100.00", "-100.00");
    assert_eq!(rig.get("umbrella", &taken_back).await["status"], "accepted");
    let paid = SAMPLE.replace("123123123", "paid");
    assert_eq!(rig.get("umbrella", &paid).await["status"], "accepted");
    let too_much = SAMPLE.replace("123123123", "r-2").replace("100.00", "-100.01");
    let too_much = rig.get("umbrella", &format!("{too_much}&ref=paid")).await;
    let detail = too_much["detail"].as_str().unwrap();
    assert!(
        detail.contains("transaction r-2 is not recorded, because its amount_decimal contradicts transaction paid;")
    );
    assert_eq!(rig.get("umbrella", &said("4")).await["status"], 400);
    assert_eq!(rig.get("acme", &said("3")).await["status"], 400);

    // These calls are answered with the agreed words. Errors and dry runs are answered with JSON.
    assert_eq!(rig.get("soylent", SAMPLE).await, "OK");
    assert_eq!(rig.get("soylent", SAMPLE).await, "AGAIN");
    assert_eq!(rig.get("soylent", &said("test")).await, "OK");
    assert_eq!(rig.get("soylent", &dry(SAMPLE)).await["would_be"], "duplicate");
    assert_eq!(rig.get("soylent", &SAMPLE.replace("100.00", "7")).await["status"], 409);
    assert_eq!(rig.get("soylent", "").await["status"], 400);

    // These calls are refused.
    let elsewhere = dry(SAMPLE);
    for query in [SAMPLE, &elsewhere] {
        let call = Call { source: [8, 8, 8, 8].into(), ..get("acme", query) };
        assert_eq!(rig.call(WITH_TOKEN, &call).await["status"], 403);
    }
    assert_eq!(rig.call(WITH_TOKEN, &Call { token: Some("bad"), ..get("acme", SAMPLE) }).await["status"], 401);
    let (long, many) = ("x".repeat(300), "a=1&".repeat(65));
    let large = "x".repeat(9000);
    for query in [
        String::new(),
        "user_id=1&user_id=2&click_id=100%&transaction_id=%ff&currency=usd&amount_decimal={payout}&dry_run=yes"
            .to_owned(),
        format!("user_id={long}&click_id=a%0ab&transaction_id=derived:1&currency=USD&amount_decimal=-1"),
        SAMPLE.replace("100.00", "1e3"),
        SAMPLE.replace("12345", "undefined"),
        SAMPLE.replace("12345", "12345%20"),
        SAMPLE.replace("&click_id", ";click_id"),
        SAMPLE.replace("&currency", "%C2%A4cy"),
        format!("{SAMPLE}&DRY_RUN=true"),
        dry(&SAMPLE.replace("100.00", "1.123456789")),
        many,
        large,
    ] {
        assert_eq!(rig.get("acme", &query).await["status"], 400, "{query}");
    }
    assert_eq!(rig.get("strict", &format!("{SAMPLE}&event_id=7")).await["status"], 400);
    assert_eq!(rig.get("umbrella", &format!("{SAMPLE}&ref=1")).await["status"], 400);
    let pixel = Call { page_part: Some("image"), ..get("acme", SAMPLE) };
    assert_eq!(rig.call(WITH_TOKEN, &pixel).await["status"], 400);
    let shouted = rig.call(WITH_TOKEN, &get("ACME", SAMPLE)).await;
    assert!(shouted["detail"].as_str().unwrap().contains("upper-case letters"), "{shouted}");
    let json = Call { content_type: Some("application/json"), is_post: true, ..get("acme", "") };
    for body in [&br#"{"user_id":null,"click_id":[1],"transaction_id":1e5}"#[..], b"[]"] {
        assert_eq!(rig.call(WITH_TOKEN, &Call { body, ..json }).await["status"], 400);
    }

    // These calls cannot be kept, but are still answered.
    let unkept = format!("{SAMPLE}&event_id=002");
    let conflict = rig.failing_in(1).get("acme", &unkept).await;
    assert_eq!((&conflict["status"], &conflict["conflict"]["kept"]), (&409.into(), &false.into()));
    assert!(conflict["detail"].as_str().unwrap().contains("could not be kept"), "{conflict}");
    let faults = (0..40).map(|at| format!("status_{at}=x")).collect::<Vec<_>>().join("&");
    let malformed = rig.failing_in(0).get("acme", &faults).await;
    assert_eq!((&malformed["status"], malformed["faults"].as_array().unwrap().len()), (&400.into(), 16));
    let call = Call { source: [8, 8, 8, 8].into(), ..get("acme", SAMPLE) };
    assert_eq!(rig.failing_in(0).call(WITH_TOKEN, &call).await["status"], 403);

    limited(&mut rig).await;

    // This call meets an unavailable service.
    assert_eq!(rig.failing_in(0).get("acme", SAMPLE).await["status"], 503);

    // This call comes two days after the click.
    let (strict, user_id) = (Provider::new("strict").unwrap(), UserId::new("12345").unwrap());
    let click = ClickKeys::new(vec![Secret::new("k")]).unwrap().mint(&strict, &user_id, rig.now, [1; 9]);
    let late = SAMPLE.replace("67890", click.as_str()).replace("100.00", "5");
    rig.now = Timestamp::from_second(2 * 24 * 60 * 60).unwrap();
    assert_eq!(rig.get("strict", &format!("{late}&event_id=001")).await["faults"][0]["code"], "click_expired");

    erased(&mut rig).await;

    assert_eq!(rig.statuses, rig.api.statuses(WITH_TOKEN, "get"));
    // This code marks a kept call and is never answered.
    rig.codes.insert("status_ignored".to_owned());
    assert_eq!(rig.codes, all_codes(), "each code is met");
    assert_eq!(rig.outcomes.iter().map(String::as_str).collect::<Vec<_>>(), OUTCOMES);
    let described = rig.api.at("/components/schemas/FaultCode/enum").as_array().unwrap();
    let described: BTreeSet<String> = described.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(described, all_codes());
}

#[tokio::test]
async fn a_signed_call_is_described_like_one_with_a_token() {
    let mut rig = Rig::new();
    let canonical = Parameters::split(SAMPLE.as_bytes(), b"").canonical(&[("provider", "initech")]);
    let signed = format!("{SAMPLE}&signature={}", signature::sign(&Secret::new("s"), &canonical));
    let form = Some("application/x-www-form-urlencoded");
    let in_query = Call { token: None, ..get("initech", &signed) };
    let in_body = Call { query: b"", body: signed.as_bytes(), content_type: form, is_post: true, ..in_query };
    assert_eq!(rig.call(SIGNED, &in_query).await["status"], "accepted");
    assert_eq!(rig.call(SIGNED, &in_body).await["status"], "duplicate");
    assert_eq!(rig.call(SIGNED, &Call { query: b"user_id=1", ..in_query }).await["status"], 401);
    assert_eq!(rig.call(SIGNED, &Call { query: b"a=1&provider=x", ..in_query }).await["status"], 400);
    for (path, method) in [(WITH_TOKEN, "post"), (SIGNED, "get"), (SIGNED, "post")] {
        assert_eq!(rig.api.statuses(path, method), rig.api.statuses(WITH_TOKEN, "get"));
    }
}

#[test]
fn the_description_lists_exactly_the_parameters_read() {
    let api = OpenApi::published();
    let ours: BTreeSet<&str> = Field::ALL.into_iter().map(Field::as_str).chain([DRY_RUN]).collect();
    for path in [WITH_TOKEN, SIGNED] {
        let parameters = api.operation(path, "get")["parameters"].as_array().unwrap();
        let parameters = parameters.iter().map(|parameter| api.resolved(parameter));
        let names: BTreeSet<&str> = parameters.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(names, ours);
    }
    let form = api.at("/components/schemas/Form/properties").as_object().unwrap();
    let form: BTreeSet<&str> = form.keys().map(String::as_str).collect();
    assert_eq!(form, ours.into_iter().chain([SIGNATURE]).collect());
    assert_eq!(api.at("/components/securitySchemes/signature")["name"], SIGNATURE);
    let json = api.validator(api.at("/components/schemas/Json"));
    assert!(json.is_valid(&json!({"user_id": 12345, "currency": "USD", "flag": true})));
    for unreadable in [json!({"user_id": null}), json!({"user_id": [1]}), json!([])] {
        assert!(!json.is_valid(&unreadable), "{unreadable}");
    }
}

#[tokio::test]
async fn a_value_that_the_description_refuses_is_refused() {
    let mut rig = Rig::new();
    let values: [(&str, &str, &[&str], &[&str]); 4] = [
        (
            "Amount",
            "amount_decimal=100.00",
            &["0", "0.00000001", "999999999999999", "01.5000000000"],
            &["", "-1", "1.", ".5", "1e3", "1,0"],
        ),
        ("Currency", "currency=USD", &["USD", "EUR"], &["", "usd", "U", "US-D"]),
        ("TransactionId", "transaction_id=123123123", &["a", "Derived:1"], &["", "derived:", "derived:1"]),
        ("Id", "click_id=67890", &["a"], &[""]),
    ];
    for (schema, sent, good, bad) in values {
        let name = sent.split('=').next().unwrap();
        let validator = rig.api.validator(rig.api.at(&format!("/components/schemas/{schema}")));
        for value in good.iter().chain(bad) {
            let taken = good.contains(value);
            assert_eq!(validator.is_valid(&Value::from(*value)), taken, "{schema} {value}");
            let query = format!("{}&dry_run=true", SAMPLE.replace(sent, &format!("{name}={value}")));
            assert_eq!(rig.get("acme", &query).await["faults"].is_null(), taken, "{query}");
        }
    }
}
