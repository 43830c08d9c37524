//! Tests the page of the newest days and its pictures.

use app::ports::{ArchiveFault, Unavailable};
use axum::http::{StatusCode, header};
use domain::session::Role;

use super::{
    attacks::{HOSTILE, assert_harmless},
    rig::{Rig, rows},
};

const PICTURES: [&str; 3] = ["postbacks", "webhooks", "amounts"];

/// Returns a console whose archive has calls and webhooks of the last of 14 days.
fn rig() -> Rig {
    let rig = Rig::new();
    let accepted = rows(&["13|||USD|approved|3|250.5", "13|||EUR|pending|1|7"]);
    let sent = rows(&["13|||delivered|4|4|1|2", "13|||exhausted|2|12|1|2"]);
    let tables = [("transactions", accepted), ("refusals", rows(&["12|||5|2"])), ("deliveries", sent)];
    *rig.archive.of_tables.lock().unwrap() = tables.into();
    rig
}

#[tokio::test]
async fn the_newest_days_are_shown_by_outcome_with_amounts() {
    let rig = rig();
    let viewer = rig.operator(Role::Viewer).await;
    let page = rig.get("/days", Some(&viewer)).await;
    assert_eq!((page.status, page.header(header::REFRESH)), (StatusCode::OK, ""));
    for wanted in [
        "2026-11-17",
        "2026-11-30",
        "approved 3",
        "refused 5",
        "delivered 4",
        "exhausted 2",
        "250.50",
        "7.00",
        "/console/reports?name=refusals&amp;from=2026-11-17&amp;to=2026-11-30&amp;by_day=1&amp;by_code=1",
    ] {
        assert!(page.text.contains(wanted), "{wanted} in {}", page.text);
    }
    let week = rig.get("/days?days=7&provider=acme", Some(&viewer)).await.text;
    assert!(week.contains("2026-11-24") && !week.contains("2026-11-23") && week.contains("provider=acme"), "{week}");
    let unknown = rig.get("/days?provider=hooli", Some(&viewer)).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_overview_asks_the_archive_nothing() {
    let rig = rig();
    let viewer = rig.operator(Role::Viewer).await;
    let page = rig.get("", Some(&viewer)).await.text;
    assert!(rig.archive.asked.lock().unwrap().is_empty());
    for picture in PICTURES {
        let address = format!("/days-picture?of={picture}");
        assert!(page.contains(&format!(r#"src="/console{address}""#)), "{page}");
        let drawn = rig.get(&address, Some(&viewer)).await;
        assert_eq!((drawn.status, drawn.header(header::CONTENT_TYPE)), (StatusCode::OK, "image/svg+xml"));
        assert!(drawn.text.starts_with("<svg "), "{}", drawn.text);
    }
    assert_eq!(rig.get("/days-picture?of=profits", Some(&viewer)).await.status, StatusCode::NOT_FOUND);
    // Everybody who looks within five minutes shares the queries.
    assert!(rig.archive.asked.lock().unwrap().iter().all(|label| label == "2026-11-30T12:00:00Z"));
}

#[tokio::test]
async fn a_picture_waits_some_times_and_then_says_so() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    *rig.archive.answer.lock().unwrap() = Err(ArchiveFault::TooSlow(5));
    let page = rig.get("/days", Some(&viewer)).await;
    assert_eq!((page.status, page.header(header::REFRESH)), (StatusCode::OK, "4"));
    let mut address = "/days-picture?of=webhooks".to_owned();
    for _ in 0..4 {
        let reply = rig.get(&address, Some(&viewer)).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{address}");
        address = reply.header(header::LOCATION).trim_start_matches("/console").to_owned();
    }
    let last = rig.get(&address, Some(&viewer)).await;
    assert!(last.status == StatusCode::OK && last.text.contains("still being read"), "{}", last.text);
}

#[tokio::test]
async fn a_failing_archive_is_told_in_the_picture() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    let down = Unavailable { service: "Athena", reason: "secret reason".into() };
    *rig.archive.answer.lock().unwrap() = Err(ArchiveFault::Unavailable(down));
    assert_eq!(rig.get("/days", Some(&viewer)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    for picture in PICTURES {
        let drawn = rig.get(&format!("/days-picture?of={picture}"), Some(&viewer)).await;
        assert!(drawn.status == StatusCode::OK && drawn.text.contains("try again in a minute"), "{}", drawn.text);
        assert!(!drawn.text.contains("secret reason"));
    }
}

#[tokio::test]
async fn hostile_names_in_the_archive_are_drawn_as_text() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    for hostile in HOSTILE {
        let accepted = rows(&[&format!("1|||{hostile}|{hostile}|3|1")]);
        let sent = rows(&[&format!("1|||{hostile}|4|4|1|2")]);
        let tables = [("transactions", accepted), ("refusals", rows(&[])), ("deliveries", sent)];
        *rig.archive.of_tables.lock().unwrap() = tables.into();
        for page in ["/days", "/days-picture?of=amounts", "/days-picture?of=postbacks", "/days-picture?of=webhooks"] {
            let reply = rig.get(page, Some(&viewer)).await;
            assert_eq!(reply.status, StatusCode::OK, "{page}: {}", reply.text);
            assert_harmless(&reply.text);
        }
    }
}
