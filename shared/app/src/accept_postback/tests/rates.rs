use super::*;

const LIMITED: &str =
    r#"{"provider":"acme","postback":{"rate":{"per_second":1,"burst":2},"allow_from":["192.0.2.0/24"]}}"#;

fn rig() -> Rig {
    Rig::with([LIMITED, r#"{"provider":"globex"}"#])
}

impl Rig {
    async fn call_at(&self, second: i64, call: &Call<'_>) -> PostbackAnswer {
        let now = Timestamp::from_second(second).unwrap();
        self.accept.handle(call, now, ReceiptId::from_random([99; 16])).await.answer
    }
}

#[tokio::test]
async fn over_its_rate_a_partner_is_refused_at_no_cost_but_for_a_while() {
    let rig = rig();
    rig.call(&acme(SAMPLE)).await;
    rig.call(&acme(SAMPLE)).await;
    rig.calls();
    for query in [SAMPLE, "user_id=1", "dry_run=true"] {
        assert_eq!(rig.call(&acme(query)).await, PostbackAnswer::RateExceeded(1), "{query}");
    }
    assert_eq!((rig.calls().len(), rig.world.state().refusals.len()), (0, 0));
    assert!(matches!(rig.call_at(1, &acme(SAMPLE)).await, PostbackAnswer::Duplicate(_)));
    assert_eq!(rig.call_at(1, &acme(SAMPLE)).await, PostbackAnswer::RateExceeded(1));
}

#[tokio::test]
async fn a_stranger_does_not_use_up_a_partners_rate() {
    let rig = rig();
    let elsewhere = Call { source: [8, 8, 8, 8].into(), ..acme(SAMPLE) };
    for _ in 0..9 {
        assert_eq!(rig.call(&Call { token: Some("bad"), ..acme(SAMPLE) }).await, PostbackAnswer::Unauthorized);
        rig.call(&elsewhere).await;
    }
    assert_eq!(rig.call(&elsewhere).await, PostbackAnswer::RateExceeded(1));
    assert!(matches!(rig.get(SAMPLE).await, PostbackAnswer::Accepted(_)));
}

#[tokio::test]
async fn an_operators_resubmission_is_never_over_the_rate() {
    let rig = rig();
    for _ in 0..3 {
        rig.get(SAMPLE).await;
    }
    assert!(matches!(resubmit(&rig, SAMPLE, [192, 0, 2, 1]).await, Some(PostbackAnswer::Duplicate(_))));
}

/// Returns the answers to globex' calls, with `flood` calls of acme before each.
async fn answers(flood: usize, queries: &[&str]) -> Vec<PostbackAnswer> {
    let rig = rig();
    let mut answers = Vec::new();
    for query in queries {
        for _ in 0..flood {
            rig.call(&acme(SAMPLE)).await;
        }
        answers.push(rig.call_at(0, &get("globex", query)).await);
    }
    answers
}

#[tokio::test]
async fn a_partners_flood_changes_no_other_partners_answers() {
    let conflict = SAMPLE.replace("100.00", "7");
    let queries = [SAMPLE, SAMPLE, &conflict, "user_id=1", SAMPLE];
    assert_eq!(answers(50, &queries).await, answers(0, &queries).await);
}

#[tokio::test]
async fn a_forgotten_bucket_begins_full_and_few_are_held() {
    let mut rig = rig();
    let two = std::num::NonZeroUsize::new(2).unwrap();
    rig.accept.rates = PartnerRates::new(two, std::num::NonZeroU32::MIN);
    let elsewhere = Call { source: [8, 8, 8, 8].into(), ..acme(SAMPLE) };
    for _ in 0..3 {
        rig.get(SAMPLE).await;
    }
    rig.call(&elsewhere).await;
    assert_eq!(rig.get(SAMPLE).await, PostbackAnswer::RateExceeded(1), "the partner that floods is never forgotten");
    rig.call(&elsewhere).await;
    rig.call(&get("globex", SAMPLE)).await;
    assert!(matches!(rig.get(SAMPLE).await, PostbackAnswer::Duplicate(_)));
}
