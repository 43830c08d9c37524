use app::operators::report::Cell;
use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn asked(line: &str) -> Result<Question> {
    let command = Command::try_parse_from(["report"].into_iter().chain(line.split(' ')))?;
    question(&command.arguments, "2026-11-23T12:34:56Z".parse()?)
}

fn period(line: &str) -> [String; 2] {
    let Period { from, to, .. } = asked(line).unwrap().period;
    [from.to_string(), to.to_string()]
}

fn sample() -> Report {
    let row = |event: &str, count, amount: &str| {
        vec![Cell::Text(event.to_owned()), Cell::Count(count), Cell::Decimal(amount.parse().unwrap()), Cell::Absent]
    };
    Report {
        columns: vec!["event", "transactions", "amount", "p50_ms"],
        rows: vec![row("<a>&\u{1b}", 12, "1234.5"), row("b,c", 3, "-0.00000001")],
        days: Vec::new(),
    }
}

#[test]
fn days_are_days_of_the_zone() {
    let warsaw = period("conversions --from 2026-10-25 --to 2026-10-26 --zone Europe/Warsaw");
    assert_eq!(warsaw, ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]);
    let week = period("conversions --from 7d --to now --zone Europe/Warsaw");
    assert_eq!(week[0], "2026-11-15T23:00:00Z");
    for (from, begins) in [("1d", "2026-11-22T00:00:00Z"), ("0d", "2026-11-23T00:00:00Z")] {
        assert_eq!(period(&format!("conversions --from {from} --to 2026-11-23T01:00:00Z"))[0], begins);
    }
    for bad in ["--zone Mars/Base", "--from 2026-11-31", "--from 2026-11-23 --to 2026-11-23", "--from -1d", "--by moon"]
    {
        assert!(asked(&format!("conversions {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn a_currency_may_be_written_in_small_letters() {
    let line = ["report", "conversions", "--in", "usd", "--rates", "rates.csv"];
    let command = Command::try_parse_from(line).unwrap();
    assert_eq!(command.arguments.r#in.as_deref(), Some("USD"));
    let rates = |currency: &str| rates::parse(&format!("day,currency,rate\n2026-11-01,{currency},2\n"), "USD").unwrap();
    assert_eq!(rates("eur"), rates("EUR"));
}

#[test]
fn a_funnel_by_campaign_is_about_openings() {
    assert_eq!(asked("funnel").unwrap().subject, Subject::Landings);
    let question = asked("funnel --by partner,campaign").unwrap();
    assert_eq!((question.subject, question.by.len()), (Subject::Campaigns, 2));
    assert!(asked("refusals --as-of 2026-11-23").is_err());
}

#[test]
fn a_table_aligns_its_columns_and_escapes_text() {
    let expected = "\
event       transactions       amount  p50_ms
<a>&\\u{1b}            12      1234.50
b,c                    3  -0.00000001
";
    assert_eq!(shown::table(&sample()), expected);
}

#[test]
fn a_file_of_rates_tells_its_first_fault() {
    let parsed = |text: &str| rates::parse(text, "USD").map_err(|fault| format!("{fault:#}"));
    assert!(parsed("day,currency,rate\n2026-11-01,EUR,1.0837\n2026-11-02, EUR ,1.09\n").is_ok());
    for (text, fault) in [
        ("day,rate\n", "the header must have"),
        ("day,currency,rate\n1.11.2026,EUR,1\n", "line 2: write the day"),
        ("day,currency,rate\n2026-11-01,EUR,1,05\n", "line 2 cannot be read"),
        ("day,currency,rate\n2026-11-01,EUR,0\n", "line 2: the rate"),
        ("day,currency,rate\n2026-11-01,EUR,1\n2026-11-01,EUR,2\n", "line 3: EUR already has"),
    ] {
        let told = parsed(text).unwrap_err();
        assert!(told.starts_with(fault), "{told}");
    }
}
