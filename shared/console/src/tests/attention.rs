//! Tests what the overview shows of dead letters and alarms.

use app::{
    memory::Trouble,
    ports::{Alarm, DeadLetter, DeadLetterQueue},
};
use axum::http::StatusCode;
use domain::session::Role;

use super::rig::{Rig, now};

/// Returns the call at which the overview counts dead letters, and the one at which it lists alarms.
async fn calls(rig: &Rig) -> [usize; 2] {
    let viewer = rig.operator(Role::Viewer).await;
    let begun = rig.world.state().calls.len();
    assert_eq!(rig.get("", Some(&viewer)).await.status, StatusCode::OK);
    let calls = rig.world.state().calls.clone();
    ["count dead letters", "list alarms"].map(|name| {
        let made = calls.iter().skip(begun).position(|call| call.starts_with(name));
        made.unwrap_or_else(|| panic!("no call {name} in {calls:?}"))
    })
}

fn letter() -> (DeadLetter, bool) {
    let letter = DeadLetter {
        message_id: "m".into(),
        sent_at: None,
        received: None,
        group: None,
        attributes: [].into(),
        body: "only postbackctl shows this".into(),
    };
    (letter, false)
}

#[tokio::test]
async fn the_overview_leads_to_dead_letters_and_alarms() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    let calm = rig.get("", Some(&viewer)).await.text;
    assert!(calm.contains("No alarm rings"), "{calm}");
    let queues = [(DeadLetterQueue::Webhooks, 2), (DeadLetterQueue::BrokenLinks, 7), (DeadLetterQueue::Lookup, 0)];
    let alarm = Alarm {
        name: "<b>SweepMissingAlarm".into(),
        says: "No sweep ran. Runbook: SweepMissing.".into(),
        since: Some(now()),
        address: Some("https://us-east-1.console.aws.amazon.com/cloudwatch/home".into()),
    };
    rig.world.state().alarms.push(alarm);
    for (queue, count) in queues {
        rig.world.state().dead_letter_queues.insert(queue, (0..count).map(|_| letter()).collect());
    }
    let page = rig.get("", Some(&viewer)).await.text;
    for wanted in [
        // Events of broken links need nobody.
        r#"<span class="title">Dead letters</span><strong>2</strong>"#,
        r#"<span class="title">Alarms</span><strong>1</strong>"#,
        r#"<a href="/console/dead-letters#webhooks-dead-letters">"#,
        r#"<a href="https://us-east-1.console.aws.amazon.com/cloudwatch/home" rel="noreferrer">"#,
        "Runbook: SweepMissing.",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    assert!(!page.contains("lookup-dead-letters") && !page.contains("<b>Sweep"), "{page}");
    let list = rig.get("/dead-letters", Some(&viewer)).await.text;
    for wanted in
        ["lookup-dead-letters", "postbackctl redrive webhooks-dead-letters --max 1", "gg3-events-broken-links"]
    {
        assert!(list.contains(wanted), "{wanted} in {list}");
    }
    assert!(!list.contains("only postbackctl shows this"), "{list}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_spoils_only_its_part() {
    let [letters, alarms] = calls(&Rig::new()).await;
    for (call, words) in [(letters, "SQS does not answer"), (alarms, "CloudWatch does not answer")] {
        let rig = Rig::new();
        let viewer = rig.operator(Role::Viewer).await;
        let begun = rig.world.state().calls.len();
        rig.world.state().trouble = [(begun + call, Trouble::Before)].into();
        let page = rig.get("", Some(&viewer)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.text.contains(words) && page.text.contains("<strong>?</strong>"), "{}", page.text);
        assert!(page.text.contains("By partner"), "{}", page.text);
    }
}
