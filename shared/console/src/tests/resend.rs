//! Tests the pages that send all failed webhooks of a period again.

use app::memory::Trouble;
use axum::http::StatusCode;
use domain::{
    audit::{Action, Channel},
    outbound::delivery::Status,
    session::Role,
    values::ids::DeliveryId,
};

use super::rig::Rig;

/// Selects the webhooks that failed on the day of the visits.
const GONE: [(&str, &str); 3] =
    [("status", "gone"), ("since", "2026-11-30T00:00:00Z"), ("before", "2026-11-30T12:00:00Z")];

fn status(rig: &Rig, id: &DeliveryId) -> Status {
    rig.world.state().deliveries[id].status()
}

#[tokio::test]
async fn what_was_previewed_is_sent_again_once() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let (mine, other) = (rig.delivery("acme", "").await, rig.delivery("globex", "").await);
    let preview = "/webhooks-resend?provider=acme&status=gone&since=2026-11-30T00:00";
    let page = rig.get(preview, Some(&operator)).await.text;
    assert!(page.contains("welcome: 1") && !page.contains("globex"), "{page}");
    assert_eq!(status(&rig, &mine), Status::Gone);
    for count in ["1 sent again", "0 sent again"] {
        let fields = [&[("provider", "acme"), ("why", "their server is back")], &GONE[..]].concat();
        let done = rig.post("/webhooks-resend", Some(&operator), &fields).await.text;
        assert!(done.contains(count) && done.contains("Nothing of this period is left"), "{done}");
    }
    assert_eq!((status(&rig, &mine), status(&rig, &other)), (Status::Pending, Status::Gone));
    let audit = rig.world.state().audit.clone();
    assert_eq!((audit.len(), audit[0].action, audit[0].channel), (1, Action::ResendDelivery, Channel::Console));
}

#[tokio::test]
async fn a_partner_sends_only_its_own_webhooks_again() {
    let rig = Rig::new();
    let acme = rig.partner("acme").await;
    let (mine, other) = (rig.delivery("acme", "").await, rig.delivery("globex", "").await);
    let page = rig.get("/sent-again?status=gone&provider=globex", Some(&acme)).await.text;
    assert!(page.contains("acme") && !page.contains("globex"), "{page}");
    let fields = [&[("provider", "globex"), ("why", "we mended it")], &GONE[..]].concat();
    let done = rig.post("/sent-again", Some(&acme), &fields).await;
    assert!(done.status == StatusCode::OK && !done.text.contains("globex"), "{}", done.text);
    assert_eq!(status(&rig, &other), Status::Gone);
    let audit = rig.world.state().audit.clone();
    assert_eq!((status(&rig, &mine), audit.len(), audit[0].author.as_str()), (Status::Pending, 1, "partner acme"));
}

#[tokio::test]
async fn a_period_that_cannot_be_read_sends_nothing() {
    let rig = Rig::new();
    let operator = rig.operator(Role::Operator).await;
    let id = rig.delivery("acme", "").await;
    for bad in [
        [("provider", "acme"), ("status", "pending"), ("since", ""), ("why", "x")],
        [("provider", "acme"), ("status", "gone"), ("since", "yesterday"), ("why", "x")],
        [("provider", "acme"), ("status", "gone"), ("since", "2026-12-24T00:00:00Z"), ("why", "x")],
        [("provider", "acme"), ("status", "gone"), ("since", ""), ("why", "")],
        [("provider", "hooli"), ("status", "gone"), ("since", ""), ("why", "x")],
    ] {
        let reply = rig.post("/webhooks-resend", Some(&operator), &bad).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    assert_eq!((status(&rig, &id), rig.world.state().audit.len()), (Status::Gone, 0));
}

#[tokio::test]
async fn a_failure_at_any_call_leaves_nothing_that_cannot_go_on() {
    let fields = [&[("provider", "acme"), ("why", "x")], &GONE[..]].concat();
    let mut halfway = 0;
    for call in 0..24 {
        let rig = Rig::new();
        let operator = rig.operator(Role::Operator).await;
        let ids = [rig.delivery("acme", "").await, rig.delivery("acme", "").await];
        let opened = || ids.iter().filter(|id| status(&rig, id) == Status::Pending).count();
        let begun = rig.world.state().calls.len();
        rig.world.state().trouble = [(begun + call, Trouble::Before)].into();
        let stopped = rig.post("/webhooks-resend", Some(&operator), &fields).await;
        if opened() == 1 {
            halfway += 1;
            assert!(stopped.text.contains("It goes on where it stopped"), "call {call}: {}", stopped.text);
        }
        rig.world.state().trouble.clear();
        rig.post("/webhooks-resend", Some(&operator), &fields).await;
        assert_eq!(opened(), 2, "call {call}");
    }
    assert!(halfway > 0, "no failure was between the two rounds");
}
