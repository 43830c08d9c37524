//! Lists the inputs at the limits that AWS and this project set.

use anyhow::Result;
use serde_json::{Value, json};
use tests::payload::{Change, HttpRequest, Message as Queued, queue_event, stream_event};

use crate::{
    contender::Program,
    job::Job,
    world::{TOKEN, World},
};

/// Bounds a postback's body, in bytes.
const BODY: usize = 16 * 1024;
/// Bounds the query that is read, in bytes.
const QUERY: usize = 8 * 1024;
/// Limits the body of a message, in bytes, so that SQS can hand over ten messages as one batch.
const MESSAGE: usize = 25_000;
/// Counts the messages of a batch from a queue, and the records of a batch from a stream.
const MESSAGES: usize = 10;
const RECORDS: usize = 100;

/// Says how a function must answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    Answered,
    Refused,
    /// The batch is acknowledged. Its bad messages have gone to a dead-letter queue.
    Acknowledged,
}

type Event = Box<dyn Fn(&World) -> Result<Value>>;

/// Holds an input of a function.
pub(super) struct Input {
    pub(super) program: Program,
    pub(super) kind: &'static str,
    pub(super) normal: bool,
    pub(super) expected: Expected,
    pub(super) event: Event,
}

/// Returns every input. The first input of each function is the normal one.
pub(super) fn all(world: &World) -> Result<Vec<Input>> {
    let mut all = postbacks();
    all.extend(clicks(world)?);
    all.extend(streams("conversion-relay", "100 conversions", Job::Conversions(RECORDS)));
    all.extend(streams("lookup-writer", "100 postbacks", Job::Lookups(RECORDS)));
    all.extend(queues("event-evaluator", "10 events of 10 users", Job::Openings(MESSAGES)));
    let deliveries = Job::Deliveries { count: MESSAGES, way: "instant", attempt: 1 };
    all.extend(queues("webhook-sender", "10 deliveries", deliveries));
    Ok(all)
}

fn normal(name: &'static str, kind: &'static str, expected: Expected, job: Job) -> Input {
    Input { program: Program::Rust(name), kind, normal: true, expected, event: Box::new(move |world| job.event(world)) }
}

fn worst(name: &'static str, kind: &'static str, expected: Expected, event: Value) -> Input {
    let event = Box::new(move |_: &World| Ok(event.clone()));
    Input { program: Program::Rust(name), kind, normal: false, expected, event }
}

/// Repeats a text up to this number of bytes.
fn filled(text: &str, bytes: usize) -> String {
    text.repeat(bytes / text.len().max(1))
}

fn postbacks() -> Vec<Input> {
    let refused = |kind, event| worst("postback", kind, Expected::Refused, event);
    let post = |body: String| {
        let request = HttpRequest::post(&format!("/postback/acme/{TOKEN}")).form(body);
        request.route("POST /postback/{provider}/{token}").event()
    };
    let get = |query: &str| {
        let request = HttpRequest::get(&format!("/postback/acme/{TOKEN}")).query(query);
        request.route("GET /postback/{provider}/{token}").event()
    };
    let valued = |text: &str| post(format!("event_name={}", filled(text, BODY - 11)));
    vec![
        normal("postback", "a new postback", Expected::Answered, Job::NewPostback),
        refused("16 KB of `{+`", valued("{+")),
        refused("16 KB of `{`", valued("{")),
        refused("16 KB of `}{`", valued("}{")),
        refused("16 KB of `%`", valued("%")),
        refused("16 KB of `%25`", valued("%25")),
        refused("16 KB of `%7B`", valued("%7B")),
        refused("16 KB of `[{(<`", valued("[{(<")),
        refused("16 KB that are not UTF-8", valued("%FF")),
        refused("16 KB as one name", post(filled("n", BODY))),
        refused("64 parameters with names of 64 bytes", get(&names(64, "n"))),
        refused("64 parameters with names of 64 bytes, encoded", post(names(64, "%6E"))),
        refused("4,000 parameters", post("a=1&".repeat(4000))),
        refused("a query of 10 KB", get(&filled("a=1&", 10_000))),
    ]
}

/// Returns parameters with different names of 64 bytes each. The names consist of this letter and a number.
fn names(count: usize, letter: &str) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("{n:02}{}=v&", letter.repeat(62))).collect();
    names.concat()
}

fn clicks(world: &World) -> Result<Vec<Input>> {
    let click = |query: &str| {
        let request = HttpRequest::get("/click/acme/welcome").query(query);
        request.route("GET /click/{provider}/{landing}").event()
    };
    let refused = |kind, query: &str| worst("click", kind, Expected::Refused, click(query));
    let link = Job::Click.event(world)?["rawQueryString"].as_str().unwrap_or_default().to_owned();
    let unsigned = link.split("&sig=").next().unwrap_or_default().to_owned();
    let short = (0_u16..3000).map(|n| format!("{n:x}&"));
    let short = short.scan(0, |bytes, name| {
        *bytes += name.len();
        (*bytes <= QUERY).then_some(name)
    });
    Ok(vec![
        normal("click", "a link", Expected::Answered, Job::Click),
        refused("8 KB of short names", &short.collect::<String>()),
        refused("64 names of 64 bytes", &names(64, "n")),
        refused("42 names of 64 bytes, encoded", &names(42, "%6E")),
        refused("a signature of 7 KB", &format!("{unsigned}&sig={}", "a".repeat(QUERY - unsigned.len() - 5))),
        refused("a signature of `%`", &format!("{unsigned}&sig={}", "%".repeat(QUERY - unsigned.len() - 5))),
        refused("a user of 7 KB", &format!("user_id={}", filled("%FF", QUERY - 8))),
    ])
}

fn streams(name: &'static str, kind: &'static str, job: Job) -> Vec<Input> {
    let acknowledged = |kind, item: &dyn Fn(usize) -> Value| {
        worst(name, kind, Expected::Acknowledged, stream_event("postbacks", (0..RECORDS).map(|n| record(n, item(n)))))
    };
    let text = |value: &str| json!({"S": value});
    let names: Vec<Value> = (0..57).map(|n| text(&format!("{n:02}{}", "\"".repeat(62)))).collect();
    let longest = |n: usize| {
        let id = |letter: &str| text(&filled(letter, 255));
        let mut item = original();
        item["user_id"] = id("\"");
        item["click_id"] = id("\\");
        item["event_id"] = id("ź");
        item["transaction_id"] = id("'");
        item["event_name"] = text(&format!("{n}{}", filled("\"", 240)));
        item["amount_decimal"] = text("999999999999999.99999999");
        item["ignored"] = json!({"L": names});
        item
    };
    let deep = |_: usize| {
        let mut item = original();
        // DynamoDB nests 32 levels, and a batch has 6 MB.
        item["unknown"] = (0..30).fold(text(&"x".repeat(40_000)), |inner, _| json!({"L": [inner]}));
        item
    };
    let unreadable = |_: usize| json!({"receipt_id": text(&"x".repeat(40_000))});
    vec![
        normal(name, kind, Expected::Acknowledged, job),
        acknowledged("100 postbacks with the longest values", &longest),
        acknowledged("100 postbacks with deep attributes of 40 KB", &deep),
        acknowledged("100 unreadable records of 40 KB", &unreadable),
    ]
}

fn original() -> Value {
    let text = |value: &str| json!({"S": value});
    json!({
        "transaction_id": text("123123123"),
        "receipt_id": text("qc3terwjnllwztrghrwrjubzcy"), "received_at": text("2026-11-23T21:33:22.275Z"),
        "click": text("foreign"), "user_id": text("12345"), "currency": text("USD"), "amount_decimal": text("100.00"),
        "click_id": text("agrauu7nl5shaogkyomlumtxxcstdyhvimoofbrg"),
    })
}

fn record(n: usize, mut item: Value) -> Change {
    let keys = json!({"provider_transaction": {"S": format!("acme#{n:064x}")}, "revision": {"S": "original"}});
    if let (Value::Object(item), Value::Object(keys)) = (&mut item, keys.clone()) {
        item.extend(keys);
    }
    Change::insert(keys, item)
}

fn queues(name: &'static str, kind: &'static str, job: Job) -> Vec<Input> {
    let acknowledged = |kind, body: String| {
        let messages =
            (0..MESSAGES).map(|n| Queued::new(body.clone()).id(&format!("{name}-{n}")).sent(jiff::Timestamp::now()));
        worst(name, kind, Expected::Acknowledged, queue_event("worst", messages))
    };
    let fields: Vec<String> = (0..MESSAGE / 10).map(|n| format!("\"{n:05}\":0,")).collect();
    let fields = fields.concat();
    let within = |value: &str| format!("{{\"id\":\"1\",\"type\":\"user.registered\",\"user_id\":{value}}}");
    vec![
        normal(name, kind, Expected::Acknowledged, job),
        acknowledged("10 × 25 KB of `[`", "[".repeat(MESSAGE)),
        acknowledged("10 × 25 KB of `{\"a\":`", within(&filled("{\"a\":", MESSAGE))),
        acknowledged("10 × 25 KB of fields", format!("{{{fields}\"id\":\"1\"}}")),
        acknowledged(
            "10 × 25 KB of one field, repeated",
            format!("{{{}\"id\":\"1\"}}", filled("\"id\":\"1\",", MESSAGE)),
        ),
        acknowledged("10 × 25 KB of escapes", within(&format!("\"{}\"", filled("\\u0041", MESSAGE)))),
        acknowledged("10 × 25 KB of digits", within(&filled("9", MESSAGE))),
    ]
}
