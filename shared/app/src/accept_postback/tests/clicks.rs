//! Tests partners that agreed for how long, and how often, a transaction may pay for a click that GG3 issued.

use domain::jiff::ToSpan;

use super::*;

const AGREED: &str = r#"{"provider":"acme","postback":{"click":{"valid_days":90,"once_per_event":true},
    "status":{"parameter":"state","pending":["pending"],"approved":["approved"],"rejected":["rejected"]},
    "negative_amounts":"reverse","reference":"ref"}}"#;

fn rig() -> Rig {
    Rig::with([AGREED])
}

/// Returns the sample with this transaction and a click id that GG3 issued. Each `random` makes another click id.
fn clicked(transaction: &str, random: u8) -> String {
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let (provider, user_id) = (Provider::new("acme").unwrap(), UserId::new("12345").unwrap());
    let click_id = keys.mint(&provider, &user_id, Timestamp::UNIX_EPOCH, [random; 9]);
    SAMPLE.replace("123123123", transaction).replace("67890", click_id.as_str())
}

async fn after_days(rig: &Rig, days: i64, query: &str) -> PostbackAnswer {
    let receipt_id = ReceiptId::from_random([u8::try_from(days).unwrap(); 16]);
    let now = Timestamp::UNIX_EPOCH + (days * 24).hours();
    rig.accept.handle(&acme(query), now, receipt_id).await.answer
}

fn used_by(answer: PostbackAnswer) -> (String, String) {
    let PostbackAnswer::Conflict(conflict) = answer else { panic!("{answer:?}") };
    let [(name, difference)] = &conflict.differences[..] else { panic!("{conflict:?}") };
    assert_eq!((name.as_str(), &difference.sent), ("transaction_id", &conflict.transaction_id.to_string()));
    (difference.original.clone(), conflict.original.receipt_id.to_string())
}

#[tokio::test]
async fn a_click_pays_once_for_each_event() {
    let rig = rig();
    let first = accepted(rig.get(&clicked("1", 1)).await);
    assert_eq!(rig.get(&clicked("1", 1)).await, PostbackAnswer::Duplicate(first.clone()));
    for dry_run in ["", "&dry_run=true"] {
        let second = rig.get(&format!("{}{dry_run}", clicked("2", 1))).await;
        assert_eq!(used_by(second), ("1".to_owned(), first.receipt_id.to_string()));
    }
    accepted(rig.get(&format!("{}&event_id=7", clicked("3", 1))).await);
    used_by(rig.get(&format!("{}&event_id=7", clicked("4", 1))).await);
    accepted(rig.get(&clicked("5", 2)).await);
    // If the content of a recorded transaction differs, the conflict is with the transaction itself.
    let PostbackAnswer::Conflict(conflict) = rig.get(&clicked("1", 1).replace("100.00", "7")).await else { panic!() };
    assert_eq!(conflict.differences[0].0, "amount_decimal");
    let state = rig.world.state();
    assert_eq!((state.postbacks.len(), state.conflicts.len()), (3, 3));
}

#[tokio::test]
async fn foreign_clicks_rejections_and_reversals_use_no_click() {
    let rig = rig();
    for transaction in ["1", "2"] {
        accepted(rig.get(&SAMPLE.replace("123123123", transaction)).await);
        accepted(rig.get(&format!("{}&state=rejected", clicked(&format!("no-{transaction}"), 1))).await);
        let negative = clicked(&format!("r-{transaction}"), 1).replace("100.00", "-5");
        accepted(rig.get(&format!("{negative}&ref={transaction}")).await);
    }
    accepted(rig.get(&clicked("3", 1)).await);
    assert_eq!(rig.world.state().click_uses.len(), 1);
}

#[tokio::test]
async fn a_partner_that_agreed_on_nothing_pays_nothing_for_clicks() {
    let rig = Rig::with([r#"{"provider":"acme"}"#]);
    for transaction in ["1", "2"] {
        rig.calls();
        accepted(rig.get(&clicked(transaction, 1)).await);
        assert_eq!(rig.calls().last(), Some(&"record postback"));
    }
    accepted(after_days(&rig, 250, &clicked("3", 1)).await);
}

#[tokio::test]
async fn an_expired_click_pays_no_new_transaction() {
    let rig = rig();
    let pending = |transaction: &str, random| format!("{}&state=pending", clicked(transaction, random));
    accepted(after_days(&rig, 90, &pending("1", 1)).await);
    for query in [clicked("2", 2), pending("2", 2), format!("{}&dry_run=true", clicked("2", 2))] {
        let PostbackAnswer::Malformed(faults) = after_days(&rig, 91, &query).await else { panic!("{query}") };
        assert_eq!((faults.len(), faults[0].code), (1, FaultCode::ClickExpired));
        assert_eq!(faults[0].parameter.as_deref(), Some("click_id"));
    }
    assert_eq!(rig.world.state().refusals.len(), 2, "a refused call is kept, and a dry run is not");
    // Further calls of a recorded transaction are still handled, and so are rejections and reversals of any
    // transaction.
    assert!(matches!(after_days(&rig, 92, &pending("1", 1)).await, PostbackAnswer::Duplicate(_)));
    accepted(after_days(&rig, 93, &format!("{}&state=approved", clicked("1", 1))).await);
    accepted(after_days(&rig, 94, &format!("{}&state=rejected", clicked("1", 1))).await);
    accepted(after_days(&rig, 95, &format!("{}&state=rejected", clicked("3", 3))).await);
    let reversal = format!("{}&ref=nowhere", clicked("r-1", 1).replace("100.00", "-1"));
    accepted(after_days(&rig, 96, &reversal).await);
}

/// Tries every single fault and every pair of faults of the ports over two transactions of one click.
#[tokio::test]
async fn whatever_fails_a_click_pays_once() {
    for trouble in one_or_two_faults(10) {
        let rig = rig();
        rig.world.state().trouble.clone_from(&trouble);
        for (transaction, is_first) in [("1", true), ("2", false), ("1", true), ("2", false)] {
            let answer = rig.answered(&clicked(transaction, 1)).await;
            assert_eq!(!matches!(answer, PostbackAnswer::Conflict(_)), is_first, "{transaction} {trouble:?}");
        }
        let state = rig.world.state();
        assert_eq!((state.postbacks.len(), state.click_uses.len()), (1, 1), "{trouble:?}");
    }
}
