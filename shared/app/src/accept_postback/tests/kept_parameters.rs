//! Tests parameters that a partner's file keeps.

use domain::inbound::postback::Extra;

use super::*;

const AGREED: &str = r#"{"provider":"acme","postback":{"keep":["sub1","goal"],
    "status":{"parameter":"state","pending":["pending"],"approved":["approved"]}}}"#;

fn extra(value: &str) -> Extra {
    Extra::from([("sub1".to_owned(), value.to_owned())])
}

#[tokio::test]
async fn each_record_keeps_what_its_own_call_had() {
    let rig = Rig::with([AGREED]);
    let said = |more: &str| format!("{SAMPLE}&{more}");
    accepted(rig.get(&said("state=pending&sub1=first&goal=&x=1")).await);
    let repeated = rig.get(&said("state=pending&sub1=second")).await;
    let PostbackAnswer::Duplicate(receipt) = repeated else { panic!("{repeated:?}") };
    assert_eq!(receipt.ignored, [""; 0], "a kept parameter is not ignored");
    accepted(rig.get(&said("state=approved&sub1=third")).await);
    assert!(matches!(rig.get(&said("event_id=7&sub1=fourth")).await, PostbackAnswer::Conflict(_)));
    assert!(matches!(rig.get(&said("event_id=7&sub1=fifth")).await, PostbackAnswer::Conflict(_)));

    let state = rig.world.state();
    let kept: Vec<&Extra> = state.postbacks.values().map(|original| &original.postback.extra).collect();
    assert_eq!(kept, [&extra("first")]);
    let steps: Vec<&Extra> = state.steps.values().flatten().map(|step| &step.postback.extra).collect();
    assert_eq!(steps, [&extra("third")]);
    assert_eq!(state.conflicts.len(), 1, "kept parameters are no content");
}
