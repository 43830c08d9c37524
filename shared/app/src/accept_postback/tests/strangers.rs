use super::*;

/// Gives the calls without a good credential that are answered at once from one address.
const BURST: usize = 60;

fn from(source: [u8; 4], call: Call<'_>) -> Call<'_> {
    Call { source: source.into(), ..call }
}

fn guess<'a>(provider: &'a str, token: &'a str) -> Call<'a> {
    Call { token: Some(token), ..get(provider, SAMPLE) }
}

/// Returns a rig in which guesses from 192.0.2.1 have used up the rate of this address.
async fn used_up() -> Rig {
    let rig = Rig::new();
    for at in 0..BURST {
        let name = format!("nobody-{at}");
        assert_eq!(rig.call(&guess(&name, "x")).await, PostbackAnswer::Unauthorized);
    }
    rig.calls();
    rig
}

#[tokio::test]
async fn over_the_rate_a_guessed_name_costs_no_read_and_no_write() {
    let rig = used_up().await;
    for name in ["nobody-0", "nobody-new", "acme", "NOT A NAME"] {
        assert_eq!(rig.call(&guess(name, "x")).await, PostbackAnswer::UnauthorizedTooOften(1), "{name}");
    }
    assert_eq!(rig.calls(), Vec::<&str>::new());
    assert_eq!(rig.world.state().refusals.len(), 0);
    let unknown_elsewhere = from([192, 0, 2, 2], guess("nobody-new", "x"));
    assert_eq!(rig.call(&unknown_elsewhere).await, PostbackAnswer::Unauthorized);
    assert_eq!(rig.calls(), ["load"]);
}

#[tokio::test]
async fn a_partner_in_memory_is_served_beside_a_guesser() {
    let rig = Rig::new();
    assert!(matches!(rig.get(SAMPLE).await, PostbackAnswer::Accepted(_)));
    for _ in 0..BURST {
        assert_eq!(rig.call(&guess("acme", "x")).await, PostbackAnswer::Unauthorized);
    }
    assert_eq!(rig.call(&guess("acme", "x")).await, PostbackAnswer::UnauthorizedTooOften(1));
    assert!(matches!(rig.get(SAMPLE).await, PostbackAnswer::Duplicate(_)));
}

#[tokio::test]
async fn good_calls_use_up_no_rate_of_strangers() {
    let rig = Rig::new();
    for _ in 0..BURST * 2 {
        rig.get(SAMPLE).await;
    }
    assert_eq!(rig.call(&guess("acme", "x")).await, PostbackAnswer::Unauthorized);
}

#[tokio::test]
async fn a_limited_address_is_answered_again_after_a_while() {
    let rig = used_up().await;
    let later = Timestamp::from_second(1).unwrap();
    let answered = rig.accept.handle(&guess("nobody", "x"), later, ReceiptId::from_random([99; 16])).await;
    assert_eq!(answered.answer, PostbackAnswer::Unauthorized);
}

#[tokio::test]
async fn a_wrong_credential_is_told_with_the_partner_of_the_path() {
    let rig = Rig::new();
    for (provider, token, claimed) in [
        ("acme", Some("x"), Some("acme")),
        ("acme", None, Some("acme")),
        ("nobody", Some("x"), None),
        ("A", None, None),
    ] {
        let call = Call { token, ..get(provider, SAMPLE) };
        let handled = rig.accept.handle(&call, Timestamp::UNIX_EPOCH, ReceiptId::from_random([99; 16])).await;
        assert_eq!((handled.answer, handled.provider), (PostbackAnswer::Unauthorized, None));
        assert_eq!(handled.claimed.as_ref().map(Provider::as_str), claimed, "{provider}");
    }
}
