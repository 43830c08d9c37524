//! Tests `postbackctl report` against the running stack, with rows that the test puts into the archive's bucket.

use app::operators::report::Question;
use domain::values::ids::Provider;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use tests::{
    fresh, operator,
    stack::{Stack, http_client},
};

use crate::{
    SUBJECTS, question,
    recount::{Counted, recount},
    world::{Row, World},
};

/// Puts each row into the archive.
async fn store(stack: &Stack, rows: &[Row]) {
    let (http, bucket) = (http_client(), &stack.archive["bucket"]);
    for Row { table, day, json } in rows {
        let key = format!("{}/day={day}/{}", table.as_str(), fresh("row"));
        let put = http.put(format!("{}/{bucket}/{key}", stack.aws_endpoint_url)).body(format!("{json}\n"));
        assert_eq!(put.send().await.unwrap().status(), 200, "{key}");
    }
}

/// Asks the question by the command.
fn printed(stack: &Stack, name: &str, question: &Question) -> Counted {
    let by: Vec<&str> = question.by.iter().map(|dimension| dimension.as_str()).collect();
    let Question { period, partner, as_of, .. } = question;
    let texts = [
        ("--from", Some(period.from.to_string())),
        ("--to", Some(period.to.to_string())),
        ("--zone", period.zone.iana_name().map(str::to_owned)),
        ("--by", Some(by.join(",")).filter(|by| !by.is_empty())),
        ("--partner", partner.as_ref().map(ToString::to_string)),
        ("--as-of", as_of.map(|as_of| as_of.to_string())),
    ];
    let mut words = vec!["report", name, "--json"];
    words.extend(texts.iter().filter_map(|(option, text)| Some([*option, text.as_deref()?])).flatten());
    let output = operator::postbackctl(stack, &words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let columns: Vec<&str> = printed["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let text = |cell: &Value| match cell {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    let row = |row: &Value| {
        let mut cells: Vec<String> = columns.iter().map(|name| text(&row[*name])).collect();
        let measures = cells.split_off(by.len());
        (cells, measures)
    };
    printed["rows"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn the_command_prints_what_a_recount_says() {
    let stack = Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"));
    let partners = [fresh("one"), fresh("two")].map(|name| Provider::new(name).unwrap());
    let begin = "2026-10-18T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
    let world = World::draw(7, begin, &partners);
    store(&stack, &world.rows).await;
    let mut rng = Rng::with_seed(7);
    for (subject, name) in SUBJECTS.into_iter().zip(["conversions", "refusals", "webhooks", "funnel", "funnel"]) {
        let mut asked = question(&mut rng, subject, begin);
        if asked.by.is_empty() {
            asked.by = subject.usual().to_vec();
        }
        let asked = Question { partner: Some(partners[0].clone()), rates: None, ..asked };
        assert_eq!(printed(&stack, name, &asked), recount(&world, &asked), "{asked:?}");
    }
}

#[test]
fn an_empty_report_says_when_rows_arrived() {
    let stack = Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"));
    let ask = |partner: &str, more: &[&str]| {
        let words = [&["report", "conversions", "--partner", partner], more].concat();
        let output = operator::postbackctl(&stack, &words);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // No test sends postbacks of this partner in the year 2020.
    let long_ago = ["--from", "2020-01-01", "--to", "2020-01-02", "--as-of", "2020-01-02"];
    let (is_done, said) = ask("acme", &long_ago);
    assert!(is_done && said.contains("recorded up to 2020-01-02T00:00:00.000Z. "), "{said}");
    let (is_done, said) = ask("acmee", &long_ago);
    assert!(!is_done && said.contains("there is no partner acmee. Did you mean `acme`?"), "{said}");
}
