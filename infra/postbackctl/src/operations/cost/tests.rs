use clap::Parser;
use domain::{
    archive::{ArchiveKey, TransactionRow},
    inbound::{
        click::ClickOrigin,
        conversion::{Receipt, RecordedPostback},
        correction::Revision,
        postback::{Extra, Postback},
    },
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        signature::Secret,
    },
};
use rust_decimal::dec;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(flags: &[&str]) -> Arguments {
    Command::parse_from([&["cost"], flags].concat()).arguments
}

fn bill(what: &str, flags: &[&str]) -> Bill {
    let rows = rows(&arguments(flags));
    rows.into_iter().find(|row| row.what == what).unwrap().bill
}

#[test]
fn a_million_postbacks_cost_what_one_computes_by_hand() {
    let duplicate = bill("postback, duplicate", &["--memory-mb", "1024", "--postback-ms", "10", "--log-bytes", "828"]);
    assert_eq!(duplicate.api_gateway, dec!(1));
    // 0.20 for the requests; 10,000 GB-seconds.
    assert_eq!(duplicate.lambda, dec!(0.20) + dec!(10_000) * dec!(0.0000133334));
    assert_eq!((duplicate.dynamodb, duplicate.sqs), (dec!(0.625), dec!(0)), "one write, and no read");
    assert_eq!(duplicate.logs, dec!(0.5), "1,000 bytes a postback are a GB a million");
    let new = bill("postback, new", &[]);
    assert_eq!(new.sqs, dec!(0.12), "sent, received and deleted, ten at a time");
    assert_eq!(new.dynamodb, dec!(0.625), "reading the stream is free");
    assert_eq!(bill("postback, conflicting again", &[]).dynamodb, dec!(1.25), "two writes");
    assert_eq!(bill("postback, conflicting", &[]).dynamodb, dec!(2.5), "two more to bound what is kept");
    assert_eq!(bill("postback, refused again", &[]).dynamodb, dec!(0.625), "one write");
    assert_eq!(bill("postback, refused", &[]).dynamodb, dec!(1.875), "two more");
}

#[test]
fn states_reversals_and_used_clicks_cost_their_writes_and_reads() {
    assert_eq!(bill("first step of a transaction", &[]).dynamodb, dec!(1.25), "two writes");
    assert_eq!(bill("later step of a transaction", &[]).dynamodb, dec!(3) * dec!(0.625) + dec!(0.125));
    let adjustment = bill("negative amount that names another", &[]);
    assert_eq!(adjustment.dynamodb, dec!(4) * dec!(0.625) + dec!(0.125), "a transaction costs twice its two writes");
    let once = bill("postback, new, its click used once", &[]);
    assert_eq!((once.dynamodb, once.sqs), (dec!(4) * dec!(0.625), dec!(0.12)));
    assert_eq!(bill("postback, duplicate, click used once", &[]).dynamodb, once.dynamodb);
}

#[test]
fn an_event_costs_what_its_user_needs_and_no_more() {
    assert_eq!(bill("event that no campaign needs", &[]).dynamodb, dec!(0));
    assert_eq!(bill("event seen before", &[]).dynamodb, dec!(0.125));
    assert_eq!(bill("event that changes something", &[]).dynamodb, dec!(0.75));
    assert_eq!(bill("event that no campaign needs", &[]).sqs, dec!(0.12));
    assert_eq!(bill("event that no campaign needs", &["--queue-batch", "1"]).sqs, dec!(1.2));
}

#[test]
fn an_attempt_is_two_writes_and_a_resend_pays_for_its_hops() {
    assert_eq!(bill("delivery's first attempt", &[]).dynamodb, dec!(1.25));
    assert_eq!(bill("resend", &[]).dynamodb, dec!(1.25), "a hop writes nothing");
    // A message waits at most 15 minutes, so waits of 10, 20, 30, 40 and 50 minutes take 1, 2, 2, 3 and 4 messages.
    let messages = (1..=5).map(|n| messages_for(n * 600)).collect::<Vec<_>>();
    assert_eq!(messages, [1, 2, 2, 3, 4]);
    // A resend takes 2.4 messages. Each is sent alone, and received and deleted in batches of ten. A request with a
    // group costs 0.50 dollars a million.
    assert_eq!(bill("resend", &[]).sqs, dec!(2.4) * dec!(1.2) * dec!(0.50));
    assert_eq!(bill("resend", &["--initial-interval-seconds", "1"]).sqs, dec!(1.2) * dec!(0.50));
}

#[test]
fn the_lookups_cost_a_write_an_entry_and_their_share_of_a_batch() {
    let flags = ["--memory-mb", "1024", "--lookup-batch-ms", "100", "--log-bytes", "1000"];
    let postback = bill("lookups of a postback or refusal", &flags);
    assert_eq!(postback.dynamodb, dec!(1.875), "by partner, user and click id");
    // The share of a record is a hundredth of an invocation, of 0.1 GB-seconds and of a kilobyte of logs.
    assert_eq!(postback.lambda, (dec!(0.20) + dec!(100_000) * dec!(0.0000133334)) / dec!(100));
    assert_eq!(postback.logs, dec!(0.005));
    assert_eq!(bill("lookups of a click", &flags).dynamodb, dec!(0.625));
    assert_eq!(bill("lookups of a delivery, at most", &flags).dynamodb, dec!(2.5));
    assert_eq!(bill("lookups of an opening, at most", &flags).dynamodb, dec!(2.5));
    let looked_at = bill("participant's change, looked at", &flags);
    assert_eq!((looked_at.dynamodb, looked_at.lambda), (dec!(0), postback.lambda * dec!(5)), "twenty of them a batch");
}

#[test]
fn each_attempt_logs_a_line_of_its_own() {
    let without = bill("delivery's first attempt", &["--attempt-log-bytes", "0"]).logs;
    assert_eq!(bill("delivery's first attempt", &["--attempt-log-bytes", "300"]).logs, without + dec!(0.15));
}

#[test]
fn an_item_that_is_a_byte_over_costs_another_unit() {
    for (bytes, units) in [("1", 1), ("1024", 1), ("1025", 2), ("4097", 5)] {
        let dynamodb = bill("postback, new", &["--postback-bytes", bytes]).dynamodb;
        assert_eq!(dynamodb, dec!(0.625) * Decimal::from(units), "{bytes}");
    }
    assert_eq!(bill("event seen before", &["--participant-bytes", "4097"]).dynamodb, dec!(0.25));
    assert_eq!(bill("event seen before", &["--message-bytes", "65537", "--queue-batch", "1"]).sqs, dec!(2.4));
}

#[test]
fn a_total_is_the_sum_of_its_parts_and_nothing_is_free() {
    for row in rows(&arguments(&[])) {
        assert_eq!(row.total, row.bill.parts().into_iter().copied().sum::<Decimal>(), "{}", row.what);
        assert!(row.total > Decimal::ZERO, "{}", row.what);
    }
}

#[test]
fn the_defaults_are_the_templates_and_the_pages() {
    let template = include_str!("../../../../../template.yaml");
    assert!(template.contains(&format!("MemorySize: {}\n", arguments(&[]).memory_mb)));
    for (mapping, batch) in
        [("Postbacks", 100), ("Refusals", 100), ("Clicks", 100), ("Deliveries", 100), ("Participants", 20)]
    {
        let (_, rest) = template.split_once(&format!("\n  LookupWriter{mapping}:\n")).unwrap();
        let size = rest.split_once("BatchSize: ").unwrap().1.lines().next().unwrap();
        assert_eq!(size, batch.to_string(), "{mapping}");
    }
    let page = include_str!("../../../../../docs/capacity.md");
    let shown = table(&rows(&arguments(&[]))).unwrap();
    let indented = format!("    {}\n", shown.trim_end().replace('\n', "\n    "));
    assert!(page.contains(&indented), "docs/capacity.md does not show\n{indented}");
}

#[test]
fn prices_in_json_are_numbers() {
    let rows = as_json(&rows(&arguments(&[]))).unwrap();
    for (name, value) in rows.as_array().unwrap().iter().flat_map(|row| row.as_object().unwrap()) {
        assert_eq!(value.is_number(), name != "what", "{name}: {value}");
    }
}

#[test]
fn a_million_archived_postbacks_cost_less_than_a_quarter() {
    let archived = bill("archived postback, click or opening", &[]);
    // 100 rows of 420 bytes are 42,000 bytes, which are billed as nine times 5 KB: 460.8 bytes a row.
    assert_eq!(archived.firehose, dec!(0.4608) * dec!(0.029));
    // A thousand objects, and 0.09 GB for 36 months.
    assert_eq!(archived.s3, dec!(0.005) + dec!(0.09) * dec!(36) * dec!(0.023));
    // 50 GB-seconds.
    assert_eq!(archived.lambda, dec!(50) * dec!(0.0000133334));
    assert!(archived.total() < dec!(0.25), "{archived:?}");
    let alone = bill("archived postback, click or opening", &["--lookup-batch", "1"]);
    assert_eq!(alone.firehose, dec!(5.12) * dec!(0.029), "a row alone is billed as 5 KB");
}

#[test]
fn a_row_of_a_postback_is_as_long_as_the_default_says() {
    let content = serde_json::json!({
        "user_id": "12345", "click_id": "67890", "currency": "USD", "amount_decimal": "100.00",
        "event_id": "level-20",
    });
    let transaction_id = TransactionId::new("123123123").unwrap();
    let receipt = Receipt {
        transaction_id: transaction_id.clone(),
        receipt_id: ReceiptId::new("nmxefjr2ye3s4y6jl4ddci7rzy").unwrap(),
        received_at: "2026-11-23T12:00:00.123Z".parse().unwrap(),
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    let postback = Postback {
        provider: Provider::new("acme").unwrap(),
        transaction_id,
        content: serde_json::from_value(content).unwrap(),
        click: ClickOrigin::Verified,
        state: None,
        reference: None,
        extra: Extra::new(),
        erased: None,
    };
    let revision = Revision::Original(RecordedPostback { postback, receipt, reversed: None });
    let row = TransactionRow::of(&ArchiveKey::new(Secret::new("k")), &revision);
    let bytes = serde_json::to_vec(&row).unwrap().len() + 1;
    let said = usize::try_from(arguments(&[]).row_bytes).unwrap();
    assert!((said - 30..=said).contains(&bytes), "{bytes}");
}
