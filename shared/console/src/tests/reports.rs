//! Tests the page of reports.

use app::ports::{ArchiveFault, Unavailable};
use axum::http::{StatusCode, header};
use domain::session::{Role, Token};

use super::rig::{Reply, Rig, rows};

const AT: &str = "2026-11-30T11:00:00Z";

async fn asked(rig: &Rig, viewer: &Token, fields: &str) -> Reply {
    rig.get(&format!("/reports?name=refusals{fields}&at={AT}"), Some(viewer)).await
}

#[tokio::test]
async fn only_a_question_asks_the_archive_and_a_reload_asks_the_same() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    let labels = || rig.archive.asked.lock().unwrap().clone();
    assert_eq!(rig.get("/reports", Some(&viewer)).await.status, StatusCode::OK);
    let first = rig.get("/reports?name=conversions&by_day=1", Some(&viewer)).await;
    assert_eq!((first.status, labels()), (StatusCode::SEE_OTHER, vec![]));
    let address = first.header(header::LOCATION).trim_start_matches("/console").to_owned();
    let expected = "/reports?name=conversions&from=2026-11-24&to=2026-11-30&by_day=1&at=2026-11-30T12%3A00%3A00Z";
    assert_eq!(address, expected);
    for _ in 0..2 {
        assert_eq!(rig.get(&address, Some(&viewer)).await.status, StatusCode::OK);
    }
    // An empty report also asks for the days that have rows.
    assert_eq!(labels(), vec!["2026-11-30T12:00:00Z"; 4]);
    // An address of another day, or of the future, begins a new question.
    for at in ["2026-11-29T11:00:00Z", "2026-11-30T12:00:01Z", "soon"] {
        let reply = rig.get(&format!("/reports?name=conversions&at={at}"), Some(&viewer)).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{at}");
    }
}

#[tokio::test]
async fn rows_are_shown_drawn_and_given_as_csv() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    *rig.archive.answer.lock().unwrap() = Ok(rows(&["0|acme|<b>missing|7|2", "0|globex|wrong_form|1|1"]));
    let page = asked(&rig, &viewer, "").await;
    assert!(page.text.contains("&lt;b&gt;missing") && !page.text.contains("<b>missing"), "{}", page.text);
    assert!(page.text.contains(r#"<td class="number">7</td>"#) && page.text.contains("<svg"), "{}", page.text);
    let csv = asked(&rig, &viewer, "&as=csv").await;
    assert_eq!(csv.text, "partner,code,calls,contents\nacme,<b>missing,7,2\nglobex,wrong_form,1,1\n");
    assert_eq!(csv.header(header::CONTENT_TYPE), "text/csv; charset=utf-8");
    let name = r#"attachment; filename="refusals-2026-11-24-2026-11-30.csv""#;
    assert_eq!(csv.header(header::CONTENT_DISPOSITION), name);
}

#[tokio::test]
async fn a_query_under_way_is_waited_for_by_the_browser() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    *rig.archive.answer.lock().unwrap() = Err(ArchiveFault::TooSlow(5));
    let page = asked(&rig, &viewer, "").await;
    assert_eq!((page.status, page.header(header::REFRESH)), (StatusCode::OK, "4"));
    assert!(page.text.contains("asks again by itself"), "{}", page.text);
}

#[tokio::test]
async fn a_failing_archive_says_what_to_do() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    let down = Unavailable { service: "Athena", reason: "secret reason".into() };
    for (fault, status, words) in [
        (ArchiveFault::Busy, StatusCode::SERVICE_UNAVAILABLE, "try again in a minute"),
        (ArchiveFault::TooLarge, StatusCode::BAD_REQUEST, "ask for fewer days"),
        (ArchiveFault::Failed("oops".into()), StatusCode::SERVICE_UNAVAILABLE, "oops"),
        (ArchiveFault::Unavailable(down), StatusCode::SERVICE_UNAVAILABLE, "try again in a minute"),
    ] {
        *rig.archive.answer.lock().unwrap() = Err(fault);
        let page = asked(&rig, &viewer, "").await;
        assert_eq!(page.status, status, "{}", page.text);
        assert!(page.text.contains(words) && !page.text.contains("secret reason"), "{words}: {}", page.text);
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_read_asks_nothing() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    for bad in [
        "name=profits",
        "name=refusals&zone=Mars/Base",
        "name=refusals&from=yesterday",
        "name=refusals&from=2026-11-31",
        "name=refusals&from=2026-11-30&to=2026-11-29",
        "name=refusals&to=9999-12-31",
        "name=refusals&provider=%3Cb%3E",
        "name=refusals&by_currency=1",
    ] {
        let page = rig.get(&format!("/reports?{bad}&at={AT}"), Some(&viewer)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(!page.text.contains("<b>"), "{bad}");
    }
    assert!(rig.archive.asked.lock().unwrap().is_empty());
}
