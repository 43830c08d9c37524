//! Checks the signature of a webhook that a partner received, and says what is off: id, time, payload or secret.
//!
//! The console may read no secret. The partner pastes its own, which is used once and kept nowhere.

use std::sync::Arc;

use adapters::webhook::Signer;
use app::operators::trace::{Event, EventKind};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    jiff::{SignedDuration, Timestamp},
    values::{ids::DeliveryId, signature::Secret},
};
use maud::{Markup, html};

use super::own;
use crate::{
    layout::{self, form_secret, words},
    pages::webhooks::{found, history},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

const PAGE: &str = "/signature";
/// Says how far a receiver's clock may differ from the time of an attempt.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Limits how many characters of two payloads are shown where they differ.
const SHOWN: usize = 40;

/// Holds what a partner pasted.
struct Received<'a> {
    id: &'a str,
    timestamp: &'a str,
    signature: &'a str,
    payload: &'a str,
    secret: &'a str,
}

/// Holds what is recorded about the webhook of this id.
struct Recorded {
    /// Holds the payload that is signed, if the request can still be made.
    payload: Option<String>,
    /// Holds the instants at which attempts were sent.
    sent_at: Vec<Timestamp>,
}

/// Says what one part of a signature is like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judgement {
    part: &'static str,
    /// Is `None` if the part could not be judged.
    is_good: Option<bool>,
    words: String,
}

fn good(part: &'static str, words: &str) -> Judgement {
    Judgement { part, is_good: Some(true), words: words.to_owned() }
}

fn bad(part: &'static str, words: impl Into<String>) -> Judgement {
    Judgement { part, is_good: Some(false), words: words.into() }
}

fn open(part: &'static str, words: &str) -> Judgement {
    Judgement { part, is_good: None, words: words.to_owned() }
}

/// Shows the form.
pub(crate) async fn ask<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    own(&visit)?;
    Ok(shown(&console.site, &visit, &[]))
}

/// Checks what was pasted.
pub(crate) async fn check<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let field = |name| visit.form.get(name);
    let received = Received {
        id: field("webhook-id"),
        timestamp: field("webhook-timestamp"),
        signature: field("webhook-signature"),
        payload: field("payload"),
        secret: field("secret"),
    };
    let recorded = recorded(&console, &visit, received.id).await?;
    let judgements = judge(&received, recorded.as_ref(), (console.now)());
    Ok(shown(&console.site, &visit, &judgements))
}

/// Reads what is recorded about a webhook of this partner. A webhook of another partner counts as unknown.
async fn recorded<P: Ports>(console: &Console<P>, visit: &Visit, id: &str) -> Result<Option<Recorded>, Trouble> {
    let provider = own(visit)?;
    let Ok(id) = DeliveryId::new(id) else { return Ok(None) };
    match found(console, &id).await {
        Ok(stored) if stored.delivery.provider() == provider => {}
        Ok(_) | Err(Trouble::NotFound) => return Ok(None),
        Err(trouble) => return Err(trouble),
    }
    let events = history(console, id).await?;
    let payload = events.iter().find_map(|event| match &event.kind {
        EventKind::Delivery(owed) => Some(owed.request.as_ref().ok()?.signed_payload().into_owned()),
        _ => None,
    });
    let is_attempt = |event: &&Event| matches!(event.kind, EventKind::Attempt(_));
    Ok(Some(Recorded { payload, sent_at: events.iter().filter(is_attempt).map(|event| event.at).collect() }))
}

fn judge(received: &Received<'_>, recorded: Option<&Recorded>, now: Timestamp) -> Vec<Judgement> {
    let payload = of_payload(received.payload, recorded.and_then(|recorded| recorded.payload.as_deref()));
    let seconds = received.timestamp.parse::<i64>().ok();
    let mut all = vec![
        match recorded {
            Some(_) => good("webhook-id", "This is a webhook of yours."),
            None => bad(
                "webhook-id",
                "No webhook of yours has this id. Copy the header as it came: each webhook has its own.",
            ),
        },
        of_time(seconds, recorded, now),
        payload,
    ];
    let signature = of_signature(received, seconds, recorded, &all);
    if let Some(payload) =
        all.last_mut().filter(|payload| signature.is_good == Some(true) && payload.is_good == Some(false))
    {
        let words = "The signature is over this payload, so it is what we sent. By your present agreement we would send another one.";
        *payload = good(payload.part, words);
    }
    all.push(signature);
    all
}

fn of_time(seconds: Option<i64>, recorded: Option<&Recorded>, now: Timestamp) -> Judgement {
    const PART: &str = "webhook-timestamp";
    let Some(at) = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
        return bad(PART, "This is no time in Unix seconds, such as 1796083200.");
    };
    let Some(recorded) = recorded else { return open(PART, "It cannot be compared, because the id is unknown.") };
    let is_of_attempt = |sent_at: &Timestamp| sent_at.as_second() == at.as_second();
    if !recorded.sent_at.iter().any(is_of_attempt) {
        let words =
            "No recorded attempt of this webhook was sent in this second. Take all three headers of one request.";
        return bad(PART, words);
    }
    if now.duration_since(at) > TOLERANCE {
        let words = "This is the time of an attempt. It is older than 5 minutes by now, so a library refuses it if you check it again.";
        return good(PART, words);
    }
    good(PART, "This is the time of an attempt.")
}

/// Compares payloads. The payload of a GET may be given with or without its quotes.
fn of_payload(received: &str, sent: Option<&str>) -> Judgement {
    const PART: &str = "payload";
    let Some(sent) = sent else { return open(PART, "It cannot be compared with what we sent.") };
    if quoted_as(received, sent) == sent {
        return good(PART, "This is what we sent.");
    }
    if received.is_empty() {
        return bad(PART, format!("You gave none. We would send {sent} now."));
    }
    let given = quoted_as(received, sent);
    let same = given.chars().zip(sent.chars()).take_while(|(one, other)| one == other).count();
    let rest = |text: &str| text.chars().skip(same).take(SHOWN).collect::<String>();
    let words = format!(
        "It differs from what we would send now after {same} characters: you have “{}”, we would send “{}”. Verify what \
         arrives before anything decodes, parses or formats it. If your agreement has changed since, give the secret: the \
         signature then says if this is what we sent.",
        rest(&given),
        rest(sent)
    );
    bad(PART, words)
}

/// Returns a received payload in quotes if ours has quotes.
fn quoted_as(received: &str, sent: &str) -> String {
    let lacks_quotes = sent.starts_with('"') && !received.starts_with('"') && !received.is_empty();
    if lacks_quotes { format!("\"{received}\"") } else { received.to_owned() }
}

fn of_signature(
    received: &Received<'_>,
    seconds: Option<i64>,
    recorded: Option<&Recorded>,
    others: &[Judgement],
) -> Judgement {
    const PART: &str = "webhook-signature";
    let is_of_form = |one: &str| one.strip_prefix("v1,").is_some_and(|rest| rest.len() == 44);
    if !received.signature.split(' ').any(is_of_form) {
        return bad(
            PART,
            "It must hold v1, and 44 characters in base64. Two such parts stand side by side while a secret is changed.",
        );
    }
    if received.secret.is_empty() {
        return open(PART, "Paste your secret to check the signature. It is used for this answer and kept nowhere.");
    }
    let signer = match Signer::try_new(&[Secret::new(received.secret)]) {
        Ok(signer) => signer,
        Err(fault) => return bad(PART, format!("With this secret nothing can be signed: {fault}.")),
    };
    let Some(seconds) = seconds else { return open(PART, "It cannot be checked without the time.") };
    let makes = |payload: &str| signer.made(received.id, seconds, payload, received.signature);
    let sent = recorded.and_then(|recorded| recorded.payload.as_deref());
    let given = quoted_as(received.payload, sent.unwrap_or_default());
    if makes(&given) {
        return good(PART, "Your secret makes this signature over this payload.");
    }
    if sent.is_some_and(makes) {
        let words = "Your secret makes this signature over what we sent, but not over what you have. Your server or a proxy in front of it changed the payload.";
        return bad(PART, words);
    }
    if others.iter().all(|one| one.is_good == Some(true)) {
        return bad(PART, "All else is right, so your secret is not the one that we sign with. Ask GG3 for another.");
    }
    bad(PART, "Your secret does not make this signature. Mend what is wrong above, and check again.")
}

fn shown(site: &Site, visit: &Visit, judgements: &[Judgement]) -> Response<Body> {
    let line = |name: &str, hint: &str| {
        html! { label { (name) input name=(name) value=(visit.form.get(name)) placeholder=(hint) autocomplete="off"; } }
    };
    let body = html! {
        h1 { "Check a signature" }
        p.lead { "Paste what your server received, and see what was signed and what is off." }
        @if !judgements.is_empty() { section.card { h2 { "The answer" } ul.findings { @for one in judgements { (judgement(one)) } } } }
        form.card method="post" action=(site.path(PAGE)) {
            (form_secret(visit))
            div.grid {
                (line("webhook-id", ""))
                (line("webhook-timestamp", "1796083200"))
                (line("webhook-signature", "v1,…"))
            }
            label { "Of a POST the body, byte for byte; of a GET path and query as they came, such as /hook?click=a%20b"
                textarea name="payload" rows="5" { (visit.form.get("payload")) } }
            label { "Your secret. It is used for this answer and kept nowhere" input type="password" name="secret" placeholder="whsec_…" autocomplete="off"; }
            div.choices { button.strong { "Check" } }
        }
    };
    layout::page(site, visit, "Signature", &body)
}

fn judgement(Judgement { part, is_good, words: text }: &Judgement) -> Markup {
    let (mood, word) = match is_good {
        Some(true) => ("good", "good"),
        Some(false) => ("bad", "off"),
        None => ("waits", "open"),
    };
    html! { li { span class=(format!("status {mood}")) { (word) } div { strong { (part) } ": " (words(text)) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The specification's own libraries use this secret.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const ID: &str = "msg_1";
    const SENT: &str = r#"{"type":"registration"}"#;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn signature(payload: &str) -> String {
        Signer::try_new(&[Secret::new(SECRET)]).unwrap().sign(ID, 1000, payload).unwrap()
    }

    /// Judges a webhook of which we sent this payload at second 1000. Returns if each part is good.
    fn judged(sent: &str, received: &Received<'_>) -> Vec<Option<bool>> {
        let recorded = Recorded { payload: Some(sent.to_owned()), sent_at: vec![at(400), at(1000)] };
        judge(received, Some(&recorded), at(1010)).into_iter().map(|one| one.is_good).collect()
    }

    #[test]
    fn each_part_that_is_off_is_found_alone() {
        let signature = signature(SENT);
        let right = || Received { id: ID, timestamp: "1000", signature: &signature, payload: SENT, secret: SECRET };
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(judged(SENT, &right()), [yes; 4]);
        assert_eq!(judged(SENT, &Received { secret: OTHER, ..right() }), [yes, yes, yes, no]);
        assert_eq!(judged(SENT, &Received { secret: "", ..right() }), [yes, yes, yes, None]);
        assert_eq!(judged(SENT, &Received { secret: "hunter2", ..right() }), [yes, yes, yes, no]);
        assert_eq!(judged(SENT, &Received { payload: r#"{"type": "registration"}"#, ..right() }), [yes, yes, no, no]);
        assert_eq!(judged(SENT, &Received { timestamp: "400", ..right() }), [yes, yes, yes, no]);
        assert_eq!(judged(SENT, &Received { timestamp: "999", ..right() }), [yes, no, yes, no]);
        assert_eq!(judged(SENT, &Received { timestamp: "now", ..right() }), [yes, no, yes, None]);
        assert_eq!(judged(SENT, &Received { signature: "v1,abc", ..right() }), [yes, yes, yes, no]);
    }

    #[test]
    fn a_changed_payload_is_told_from_a_wrong_secret() {
        let signature = signature(SENT);
        let recorded = Recorded { payload: Some(SENT.to_owned()), sent_at: vec![at(1000)] };
        let told = |payload, secret| {
            let received = Received { id: ID, timestamp: "1000", signature: &signature, payload, secret };
            judge(&received, Some(&recorded), at(1010)).pop().unwrap().words
        };
        assert!(told(r#"{ "type":"registration"}"#, SECRET).contains("changed the payload"));
        assert!(told(SENT, OTHER).contains("your secret is not the one"));
        assert!(told("x", OTHER).contains("Mend what is wrong above"));
        let payload = of_payload(r#"{"type":"Registration"}"#, Some(SENT)).words;
        assert!(payload.contains("after 9 characters: you have “Registration"), "{payload}");
    }

    #[test]
    fn the_target_of_a_get_needs_no_quotes() {
        let sent = r#""/hook?click=a%20b""#;
        let signature = signature(sent);
        for payload in [sent, "/hook?click=a%20b"] {
            let received = Received { id: ID, timestamp: "1000", signature: &signature, payload, secret: SECRET };
            assert_eq!(judged(sent, &received), [Some(true); 4], "{payload}");
        }
    }

    #[test]
    fn a_signed_payload_is_right_though_the_agreement_has_changed_since() {
        let signature = signature(SENT);
        let received = Received { id: ID, timestamp: "1000", signature: &signature, payload: SENT, secret: SECRET };
        assert_eq!(judged("another payload", &received), [Some(true); 4]);
        let unsigned = Received { secret: "", ..received };
        assert_eq!(judged("another payload", &unsigned)[2], Some(false));
    }

    #[test]
    fn a_signature_of_an_unknown_webhook_is_still_checked() {
        let signature = signature(SENT);
        let received = Received { id: ID, timestamp: "1000", signature: &signature, payload: SENT, secret: SECRET };
        let parts: Vec<_> = judge(&received, None, at(1010)).into_iter().map(|one| one.is_good).collect();
        assert_eq!(parts, [Some(false), None, None, Some(true)]);
    }
}
