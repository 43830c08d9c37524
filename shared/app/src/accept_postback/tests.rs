use std::collections::BTreeMap;

use domain::{
    inbound::click::ClickKeys,
    partner::{Partner, PartnerFile},
    values::{
        ids::{ClickId, UserId},
        signature::{self, Secret},
    },
};
use proptest::prelude::*;

use super::*;
use crate::memory::{
    Trouble, World, one_or_two_faults,
    partner::{get, known},
};

mod bodies;
mod clicks;
mod kept_parameters;
mod orders;
mod pauses;
mod rates;
mod statuses;
mod strangers;

const SAMPLE: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) accept: AcceptPostback<World>,
    receipts: std::cell::Cell<u8>,
}

fn partner(json: &str) -> KnownPartner {
    let file: PartnerFile = serde_json::from_str(json).unwrap();
    known(Partner::try_from(file).unwrap())
}

impl Rig {
    fn new() -> Self {
        Self::with([
            r#"{"provider":"acme","postback":{"allow_from":["192.0.2.0/24"]}}"#,
            r#"{"provider":"initech","postback":{"credential":"signature"}}"#,
        ])
    }

    pub(crate) fn with<const N: usize>(partners: [&str; N]) -> Self {
        let world = World::default();
        let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
        let accept = world.accept_postback(partners.map(partner), keys);
        Self { world, accept, receipts: std::cell::Cell::new(0) }
    }

    async fn call(&self, call: &Call<'_>) -> PostbackAnswer {
        self.receipts.set(self.receipts.get() + 1);
        let receipt_id = ReceiptId::from_random([self.receipts.get(); 16]);
        self.accept.handle(call, Timestamp::UNIX_EPOCH, receipt_id).await.answer
    }

    pub(crate) async fn get(&self, query: &str) -> PostbackAnswer {
        self.call(&acme(query)).await
    }

    /// Sends a call until the answer is not 503.
    async fn answered(&self, query: &str) -> PostbackAnswer {
        loop {
            match self.get(query).await {
                PostbackAnswer::Unavailable(_) => {}
                answer => break answer,
            }
        }
    }

    /// Returns the calls of ports since this function was last called.
    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.world.state().calls)
    }
}

fn acme(query: &str) -> Call<'_> {
    get("acme", query)
}

fn accepted(answer: PostbackAnswer) -> Receipt {
    match answer {
        PostbackAnswer::Accepted(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_answer_costs_the_calls_that_were_promised() {
    let rig = Rig::new();
    rig.get(SAMPLE).await;
    rig.calls();
    rig.get(&SAMPLE.replace("123123123", "2")).await;
    assert_eq!(rig.calls(), ["record postback"]);
    rig.get(SAMPLE).await;
    assert_eq!(rig.calls(), ["record postback"]);
    rig.get(&SAMPLE.replace("100.00", "7")).await;
    assert_eq!(rig.calls(), ["record postback", "keep conflict"]);
    rig.get("user_id=1").await;
    assert_eq!(rig.calls(), ["keep refusal"]);
}

#[tokio::test]
async fn a_resend_gets_the_originals_receipt_whatever_else_it_carries() {
    let rig = Rig::new();
    let original = accepted(rig.get(&format!("{SAMPLE}&b=2&a=1")).await);
    assert_eq!(original.ignored, ["a", "b"]);
    let same = SAMPLE.replace("100.00", "100.0");
    for (resend, ignored) in [(SAMPLE.to_owned(), ""), (same, ""), (format!("{SAMPLE}&event_id=&c=3"), "c")] {
        // The receipt is the original's except for `ignored`, which lists the parameters of this call.
        let ignored = [ignored].into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let receipt = Receipt { ignored, ..original.clone() };
        assert_eq!(rig.get(&resend).await, PostbackAnswer::Duplicate(receipt), "{resend}");
    }
}

#[tokio::test]
async fn a_conflict_leaves_the_original_and_is_kept_once_a_content() {
    let rig = Rig::new();
    let original = accepted(rig.get(SAMPLE).await);
    let before = rig.world.state().postbacks.clone();
    for resend in [SAMPLE.replace("100.00", "7"), SAMPLE.replace("100.00", "7.0"), format!("{SAMPLE}&event_id=1")] {
        let PostbackAnswer::Conflict(conflict) = rig.get(&resend).await else { panic!("{resend}") };
        assert_eq!(conflict.original, original);
        assert_eq!(conflict.differences.len(), 1);
    }
    let state = rig.world.state();
    assert_eq!(state.postbacks, before);
    let mut times: Vec<u32> = state.conflicts.values().map(|kept| kept.1).collect();
    times.sort_unstable();
    assert_eq!(times, [1, 2]);
}

#[tokio::test]
async fn a_resend_of_a_correction_gets_the_corrections_receipt() {
    let rig = Rig::new();
    accepted(rig.get(SAMPLE).await);
    let corrected = SAMPLE.replace("100.00", "7");
    rig.get(&corrected).await;
    let receipt = Receipt {
        transaction_id: TransactionId::new("123123123").unwrap(),
        receipt_id: ReceiptId::from_random([99; 16]),
        received_at: Timestamp::UNIX_EPOCH,
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    rig.world.state().conflicts.values_mut().for_each(|kept| kept.2 = Some(receipt.clone()));
    assert_eq!(rig.get(&corrected).await, PostbackAnswer::Duplicate(receipt.clone()));
    assert_eq!(rig.get(&format!("{corrected}&dry_run=true")).await, PostbackAnswer::Duplicate(receipt));
    assert!(matches!(rig.get(&SAMPLE.replace("100.00", "8")).await, PostbackAnswer::Conflict(_)));
}

#[tokio::test]
async fn the_checks_come_in_their_order() {
    let rig = Rig::new();
    let big = vec![b'x'; 20_000];
    let json = Call { content_type: Some("application/json"), is_post: true, ..acme("") };
    let wrong = Call { token: Some("bad"), source: [8, 8, 8, 8].into(), ..acme("x=1&x=2") };
    let stranger = Call { provider: "nobody", ..wrong };
    let too_large = Call { body: &big, ..wrong };
    assert_eq!(rig.call(&too_large).await, PostbackAnswer::Unauthorized);
    let unreadable = Call { token: Some("bad"), body: b"[]", ..json };
    for call in [wrong, stranger, unreadable, Call { token: None, query: b"a=1&signature=00", ..wrong }] {
        assert_eq!(rig.call(&call).await, PostbackAnswer::Unauthorized, "{call:?}");
    }
    // A signed call that cannot be read is answered as malformed, whoever sends it.
    for provider in ["acme", "initech", "nobody", "No Body"] {
        let call = Call { provider, token: None, ..wrong };
        assert_eq!(rig.call(&call).await, PostbackAnswer::Unauthorized, "{provider}");
        for unreadable in
            [Call { body: &big, ..call }, Call { body: b"[]", ..call }, Call { query: b"provider=x", ..call }]
        {
            assert!(matches!(rig.call(&unreadable).await, PostbackAnswer::Malformed(_)), "{provider}");
        }
    }
    assert!(rig.world.state().refusals.is_empty());
    let elsewhere = Call { source: [8, 8, 8, 8].into(), ..acme("x=1&x=2") };
    assert!(matches!(rig.call(&elsewhere).await, PostbackAnswer::Forbidden(_)));
    assert!(matches!(rig.get("x=1&x=2").await, PostbackAnswer::Malformed(_)));
    assert_eq!(rig.world.state().refusals.len(), 1, "the same content was refused with 403 and with 400");
}

#[tokio::test]
async fn a_call_without_a_good_credential_is_never_kept() {
    let rig = Rig::new();
    for token in ["bad", ""] {
        rig.call(&Call { token: Some(token), ..acme("user_id=1") }).await;
    }
    assert!(rig.world.state().refusals.is_empty());
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let rig = Rig::new();
    let dry = |query: &str| format!("{query}&dry_run=true");
    assert!(matches!(rig.get(&dry(SAMPLE)).await, PostbackAnswer::Accepted(_)));
    assert!(matches!(rig.get(&dry("user_id=1")).await, PostbackAnswer::Malformed(_)));
    let elsewhere = dry(SAMPLE);
    assert!(matches!(
        rig.call(&Call { source: [8, 8, 8, 8].into(), ..acme(&elsewhere) }).await,
        PostbackAnswer::Forbidden(_)
    ));
    let original = accepted(rig.get(SAMPLE).await);
    assert_eq!(rig.get(&dry(SAMPLE)).await, PostbackAnswer::Duplicate(original));
    assert!(matches!(rig.get(&dry(&SAMPLE.replace("USD", "EUR"))).await, PostbackAnswer::Conflict(_)));
    let state = rig.world.state();
    assert_eq!((state.postbacks.len(), state.refusals.len(), state.conflicts.len()), (1, 0, 0));
}

#[tokio::test]
async fn a_partner_that_signs_is_known_by_its_signature() {
    let rig = Rig::new();
    let canonical =
        "amount_decimal=100.00&click_id=67890&currency=USD&provider=initech&transaction_id=123123123&user_id=12345";
    let signature = signature::sign(&Secret::new("s"), canonical);
    let query = format!("{SAMPLE}&signature={signature}");
    let call = |query| Call { provider: "initech", token: None, ..acme(query) };
    accepted(rig.call(&call(&query)).await);
    let tampered = query.replace("100.00", "900.00");
    assert_eq!(rig.call(&call(&tampered)).await, PostbackAnswer::Unauthorized);
    let posted = Call {
        query: b"",
        body: query.as_bytes(),
        is_post: true,
        content_type: Some("Application/X-WWW-Form-Urlencoded; charset=UTF-8"),
        ..call("")
    };
    assert!(matches!(rig.call(&posted).await, PostbackAnswer::Duplicate(_)));
}

/// Tries every single fault and every pair of faults over one sequence of calls. Each call is repeated until it is
/// answered. A call that is repeated after a fault gets the receipt of the first record.
#[tokio::test]
async fn a_200_was_recorded_under_any_one_or_two_faults() {
    for trouble in one_or_two_faults(10) {
        let rig = Rig::new();
        rig.world.state().trouble.clone_from(&trouble);
        let conflicting = SAMPLE.replace("100.00", "7");
        let (mut receipts, mut conflicts_kept) = (Vec::new(), Vec::new());
        for query in [SAMPLE, SAMPLE, &conflicting, "user_id=1", SAMPLE] {
            match rig.answered(query).await {
                PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) => receipts.push(receipt),
                PostbackAnswer::Conflict(conflict) => {
                    assert_eq!(conflict.original, receipts[0], "{trouble:?}");
                    conflicts_kept.push(conflict.is_kept);
                }
                PostbackAnswer::Malformed(_) => {}
                other => panic!("{other:?} under {trouble:?}"),
            }
        }
        let state = rig.world.state();
        assert_eq!(receipts.len(), 3);
        assert!(receipts.iter().all(|receipt| *receipt == receipts[0]), "{trouble:?}: {receipts:?}");
        let recorded: Vec<_> = state.postbacks.values().map(|recorded| recorded.receipt.clone()).collect();
        assert_eq!(recorded, receipts[..1], "{trouble:?}");
        // The answer to a refused call does not depend on whether the refusal can be kept. The refusal is missing only
        // if the write failed.
        let fate = |call: &str| trouble.get(&state.calls.iter().position(|made| *made == call).unwrap());
        let is_kept = |call: &str| fate(call) != Some(&Trouble::Before);
        let kept = (state.refusals.len() == 1, state.conflicts.len() == 1);
        assert_eq!(kept, (is_kept("keep refusal"), is_kept("keep conflict")), "{trouble:?}");
        assert_eq!(conflicts_kept, [fate("keep conflict").is_none()], "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refused_call_that_cannot_be_kept_is_answered_all_the_same() {
    let rig = Rig::new();
    accepted(rig.get(SAMPLE).await);
    let first = rig.world.state().calls.len();
    rig.world.state().trouble = (first..first + 2).map(|call| (call, Trouble::Before)).collect();
    assert!(matches!(rig.get("user_id=1").await, PostbackAnswer::Malformed(_)));
    let elsewhere = Call { source: [8, 8, 8, 8].into(), ..acme(SAMPLE) };
    assert!(matches!(rig.call(&elsewhere).await, PostbackAnswer::Forbidden(_)));
    let next = rig.world.state().calls.len();
    rig.world.state().trouble = BTreeMap::from([(next + 1, Trouble::Before)]);
    let PostbackAnswer::Conflict(conflict) = rig.get(&SAMPLE.replace("100.00", "7")).await else { panic!() };
    assert!(!conflict.is_kept);
    let state = rig.world.state();
    assert_eq!((state.refusals.len(), state.conflicts.len()), (0, 0));
}

#[tokio::test]
async fn a_partner_has_a_bounded_number_of_calls_kept_a_day() {
    let rig = Rig::with([r#"{"provider":"acme","postback":{"max_kept_per_day":2}}"#]);
    accepted(rig.get(SAMPLE).await);
    let conflict = async |amount: &str| match rig.get(&SAMPLE.replace("100.00", amount)).await {
        PostbackAnswer::Conflict(conflict) => conflict.is_kept,
        other => panic!("{other:?}"),
    };
    assert!(conflict("7").await);
    for refused in ["user_id=1", "user_id=2", "user_id=1"] {
        assert!(matches!(rig.get(refused).await, PostbackAnswer::Malformed(_)));
    }
    assert_eq!((conflict("8").await, conflict("7").await), (false, true), "content that is kept is counted again");
    let state = rig.world.state();
    let seen: Vec<u32> = state.refusals.values().map(|(_, times)| *times).collect();
    assert_eq!((state.conflicts.len(), seen), (1, vec![2]));
}

async fn resubmit(rig: &Rig, request: &str, source: [u8; 4]) -> Option<PostbackAnswer> {
    rig.receipts.set(rig.receipts.get() + 1);
    let (provider, receipt_id) = (Provider::new("acme").unwrap(), ReceiptId::from_random([rig.receipts.get(); 16]));
    let request = &KeptRequest { text: request.to_owned(), sent_bytes: None };
    let kept = Resubmission { provider: &provider, request, source: source.into() };
    rig.accept.resubmit(&kept, Timestamp::UNIX_EPOCH, receipt_id).await.map(|answered| answered.answer)
}

fn kept(rig: &Rig) -> Refusal {
    rig.world.state().refusals.values().next().unwrap().0.clone()
}

#[tokio::test]
async fn a_resubmitted_refusal_meets_the_same_checks() {
    let rig = Rig::new();
    let broken = format!("{SAMPLE}&currency=USD");
    let refused = rig.get(&broken).await;
    let kept = kept(&rig);
    assert_eq!(resubmit(&rig, &kept.request.text, [192, 0, 2, 1]).await, Some(refused));
    assert_eq!(rig.world.state().refusals.values().next().unwrap().1, 1, "the partner has called once");
    // The address is still not agreed.
    assert!(matches!(resubmit(&rig, SAMPLE, [198, 51, 100, 1]).await, Some(PostbackAnswer::Forbidden(_))));
    assert!(rig.world.state().postbacks.is_empty());
    assert!(rig.world.state().recorded_refusals.is_empty());
}

#[tokio::test]
async fn a_request_that_was_not_kept_whole_is_not_resubmitted() {
    let rig = Rig::new();
    rig.call(&Call { query: b"user_id=\xff", ..acme("") }).await;
    let invalid = kept(&rig).request;
    let cut = KeptRequest { text: SAMPLE.to_owned(), sent_bytes: Some(9000) };
    rig.calls();
    for request in [&invalid, &cut] {
        let (provider, receipt_id) = (Provider::new("acme").unwrap(), ReceiptId::from_random([9; 16]));
        let kept = Resubmission { provider: &provider, request, source: [192, 0, 2, 1].into() };
        assert_eq!(rig.accept.resubmit(&kept, Timestamp::UNIX_EPOCH, receipt_id).await, None, "{request:?}");
    }
    assert_eq!(rig.calls(), [""; 0]);
}

#[tokio::test]
async fn a_refusal_keeps_its_user_and_click_and_no_macro() {
    let rig = Rig::new();
    for (query, user, click) in [
        ("user_id=u%201&click_id=c", Some("u 1"), Some("c")),
        ("user_id={user_id}&click_id=%zz", None, None),
        ("click_id=&user_id=u&user_id=v", Some("u"), None),
    ] {
        rig.get(query).await;
        let state = rig.world.state();
        let (refusal, _) = state.refusals.values().find(|(refusal, _)| refusal.request.text == query).unwrap();
        assert_eq!(refusal.user_id.as_ref().map(UserId::as_str), user, "{query}");
        assert_eq!(refusal.click_id.as_ref().map(ClickId::as_str), click, "{query}");
    }
}

/// The client may repeat a write after the first answer was lost. The repetition then finds our own receipt.
#[tokio::test]
async fn our_own_put_repeated_by_the_client_is_accepted() {
    let rig = Rig::new();
    let receipt = accepted(rig.get(SAMPLE).await);
    rig.receipts.set(rig.receipts.get() - 1);
    assert_eq!(rig.get(SAMPLE).await, PostbackAnswer::Accepted(receipt));
}

proptest! {
    #[test]
    fn arbitrary_calls_get_an_answer_and_no_panic(
        provider in "[a-zA-Z#-]{0,8}", token in prop::option::of(".{0,8}"), is_post: bool,
        query in prop::collection::vec(any::<u8>(), 0..100), body in prop::collection::vec(any::<u8>(), 0..100),
        content_type in prop::option::of(prop::sample::select(vec!["application/x-www-form-urlencoded", "application/json", "text/plain", ""])),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let call = Call { provider: &provider, token: token.as_deref(), query: &query, body: &body, content_type, is_post, source: [192, 0, 2, 1].into(), page_part: None };
        let answer = runtime.block_on(Rig::new().call(&call));
        prop_assert!(!matches!(answer, PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_)));
    }
}
