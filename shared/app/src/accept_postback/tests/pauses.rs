use domain::partner::Pauses;

use super::*;

const LIMITED: &str =
    r#"{"provider":"acme","postback":{"rate":{"per_second":1,"burst":1},"allow_from":["192.0.2.0/24"]}}"#;

/// Returns a rig whose partner has paused parts, and another partner beside it.
fn rig(pauses: Pauses) -> Rig {
    let world = World::default();
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let parsed = |json| Partner::try_from(serde_json::from_str::<PartnerFile>(json).unwrap()).unwrap();
    let partners = [parsed(LIMITED).with_pauses(pauses), parsed(r#"{"provider":"globex"}"#)];
    let accept = world.accept_postback(partners.map(known), keys);
    Rig { world, accept, receipts: std::cell::Cell::new(0) }
}

fn inbound() -> Pauses {
    Pauses { postbacks_since: Some(Timestamp::UNIX_EPOCH), webhooks_since: None }
}

#[tokio::test]
async fn a_paused_partners_calls_record_and_keep_nothing() {
    let rig = rig(inbound());
    rig.call(&acme(SAMPLE)).await;
    rig.calls();
    let elsewhere = Call { source: [8, 8, 8, 8].into(), ..acme(SAMPLE) };
    for call in [acme(SAMPLE), acme("user_id=1"), acme("dry_run=true"), elsewhere] {
        assert_eq!(rig.call(&call).await, PostbackAnswer::Paused, "{call:?}");
    }
    assert_eq!(rig.calls(), Vec::<&str>::new());
    let state = rig.world.state();
    assert_eq!((state.postbacks.len(), state.refusals.len()), (0, 0));
}

#[tokio::test]
async fn a_stranger_is_not_told_of_a_pause() {
    let rig = rig(inbound());
    assert_eq!(rig.call(&Call { token: Some("bad"), ..acme(SAMPLE) }).await, PostbackAnswer::Unauthorized);
}

#[tokio::test]
async fn a_pause_stops_neither_other_partners_nor_resubmissions() {
    let rig = rig(inbound());
    assert!(matches!(rig.call(&get("globex", SAMPLE)).await, PostbackAnswer::Accepted(_)));
    assert!(matches!(resubmit(&rig, SAMPLE, [192, 0, 2, 1]).await, Some(PostbackAnswer::Accepted(_))));
}

#[tokio::test]
async fn paused_webhooks_do_not_stop_postbacks() {
    let rig = rig(Pauses { webhooks_since: Some(Timestamp::UNIX_EPOCH), postbacks_since: None });
    assert!(matches!(rig.get(SAMPLE).await, PostbackAnswer::Accepted(_)));
}
