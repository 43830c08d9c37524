use std::sync::Mutex;

use domain::jiff::tz::TimeZone;

use super::*;

pub(super) type Answer = Result<Rows, ArchiveFault>;

/// Answers each query with the next of these rows, and keeps the queries.
pub(super) struct Canned(pub(super) Mutex<(Vec<Answer>, Vec<String>)>);

impl Canned {
    pub(super) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self(Mutex::new((answers, Vec::new())))
    }
}

impl AskArchive for Canned {
    async fn ask(&self, sql: &str) -> Result<Rows, ArchiveFault> {
        let mut canned = self.0.lock().unwrap();
        canned.1.push(sql.to_owned());
        canned.0.pop().unwrap()
    }
}

#[allow(clippy::unnecessary_wraps, reason = "an answer may also be a fault")]
pub(super) fn rows(lines: &[&str]) -> Answer {
    let cell = |text: &str| (text != "null").then(|| text.to_owned());
    Ok(lines.iter().map(|line| line.split('|').map(cell).collect()).collect())
}

fn question(subject: Subject, by: &[Dimension]) -> Question {
    let period = Period {
        from: "2026-11-01T00:00:00Z".parse().unwrap(),
        to: "2026-11-03T00:00:00Z".parse().unwrap(),
        zone: TimeZone::UTC,
    };
    Question { subject, by: by.to_vec(), period, partner: None, as_of: None, rates: None }
}

async fn answered(archive: &Canned, question: &Question) -> Result<Report, ReportFault> {
    report(archive, question, "2026-11-23T12:00:00Z".parse().unwrap()).await
}

fn texts(report: &Report) -> Vec<Vec<String>> {
    report
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| serde_json::to_value(cell).unwrap().to_string()).collect())
        .collect()
}

#[tokio::test]
async fn each_state_has_a_sum_unless_rows_are_by_state() {
    let found =
        ["0|acme||USD|approved|2|10.50000000", "0|acme||USD|rejected|1|3.00000000", "1|acme||EUR|pending|1|0.1"];
    let archive = Canned::new([rows(&found), rows(&found)]);
    let by_day = answered(&archive, &question(Subject::Conversions, &[Dimension::Day])).await.unwrap();
    assert_eq!(by_day.columns, ["day", "currency", "transactions", "pending", "earned", "rejected"]);
    assert_eq!(texts(&by_day)[0], [r#""2026-11-01""#, r#""USD""#, "3", r#""0""#, r#""10.5""#, r#""3""#]);
    let by_state = [Dimension::State, Dimension::Currency];
    let by_state = answered(&archive, &question(Subject::Conversions, &by_state)).await.unwrap();
    assert_eq!(texts(&by_state)[2], [r#""rejected""#, r#""USD""#, "1", r#""3""#]);
}

#[tokio::test]
async fn amounts_are_converted_at_the_rate_of_their_day() {
    let mut rates = Rates::new("USD".to_owned());
    rates.add("2026-11-01".parse().unwrap(), "EUR".to_owned(), "1.1".parse().unwrap());
    let question = Question { rates: Some(rates), ..question(Subject::Conversions, &[Dimension::Partner]) };
    let archive = Canned::new([rows(&["0|acme||EUR|approved|1|100", "1|acme||USD|approved|1|1"])]);
    let report = answered(&archive, &question).await.unwrap();
    assert_eq!(texts(&report), [[r#""acme""#, r#""USD""#, "2", r#""0""#, r#""111""#, r#""0""#]]);
    let archive = Canned::new([rows(&["1|acme||EUR|approved|1|100"])]);
    let fault = answered(&archive, &question).await.unwrap_err();
    assert!(fault.to_string().contains("EUR on 2026-11-02"), "{fault}");
}

#[tokio::test]
async fn a_funnel_has_a_rate_in_percent() {
    let archive = Canned::new([rows(&["0|acme|welcome|8|1|2|0|1|0|0|0"])]);
    let report = answered(&archive, &question(Subject::Landings, &[Dimension::Landing])).await.unwrap();
    assert_eq!(report.columns[1..5], ["clicks", "converted", "percent", "conversions"]);
    assert_eq!(texts(&report)[0][1..5], ["8", "1", r#""12.5""#, "2"]);
}

#[tokio::test]
async fn an_empty_report_lists_the_days_with_rows() {
    let archive = Canned::new([rows(&[]), rows(&["2026-11-20|7"])]);
    let report = answered(&archive, &question(Subject::Webhooks, &[])).await.unwrap();
    assert_eq!(report.days, [("2026-11-20".parse().unwrap(), 7)]);
    let queries = &archive.0.lock().unwrap().1;
    assert!(queries[1].contains("FROM deliveries") && queries[1].contains("day >= '2025-10-"), "{}", queries[1]);
}

#[tokio::test]
async fn a_query_names_only_the_partner_and_the_period() {
    let archive = Canned::new([rows(&["0|||USD|approved|1|1"])]);
    let partner = Some(Provider::new("acme").unwrap());
    answered(&archive, &Question { partner, ..question(Subject::Conversions, &[]) }).await.unwrap();
    let query = &archive.0.lock().unwrap().1[0];
    for text in ["day >= '2026-10-31'", "provider = 'acme'", "(DATE '2026-11-02', TIMESTAMP '2026-11-02 00:00:00.000'"]
    {
        assert!(query.contains(text), "{text}: {query}");
    }
}

#[tokio::test]
async fn faults_name_what_is_wrong_and_the_cure() {
    let fault = answered(&Canned::new([]), &question(Subject::Refusals, &[Dimension::Currency])).await.unwrap_err();
    assert_eq!(fault.to_string(), "this report cannot be divided by currency; it can by day, hour, partner, code");
    let archive = Canned::new([Err(ArchiveFault::Busy)]);
    let fault = answered(&archive, &question(Subject::Refusals, &[])).await.unwrap_err();
    assert!(fault.to_string().ends_with("try again in a minute"), "{fault}");
    let archive = Canned::new([rows(&["0|acme|missing|many|1"])]);
    let fault = answered(&archive, &question(Subject::Refusals, &[])).await.unwrap_err();
    assert!(fault.to_string().contains("many"), "{fault}");
}
