//! Kills the sender before and after each of its calls. Every delivery must end, with at most one repeated request.

use std::time::Duration;

use domain::outbound::{attempt::AttemptOutcome, delivery::Status};
use futures_util::future::join_all;
use tests::{
    eventually,
    partner_simulator::Answer,
    proxy::{Call, Gate, Proxy},
    runtime_api,
};

use crate::{
    fixture::{Fixture, Sender, batch, now, within},
    partner::Partner,
    wire::{CLAIM, CONFIGURATION, RECORD, SEND},
};

/// Names the request to the partner in a list whose other names are calls of AWS.
const REQUEST: &str = "the request";

/// Sets how long a killed function holds its claim.
const HELD_SECONDS: u64 = 15;

/// Says when a function is killed during a first attempt that fails: at which call, and before or after the call takes
/// effect. Also says how many requests are repeated because of the kill.
struct Crash {
    call: &'static str,
    after: bool,
    repeated: usize,
}

const CRASHES: [Crash; 10] = [
    Crash { call: CONFIGURATION, after: false, repeated: 0 },
    Crash { call: CONFIGURATION, after: true, repeated: 0 },
    Crash { call: CLAIM, after: false, repeated: 0 },
    Crash { call: CLAIM, after: true, repeated: 0 },
    // The function is killed before the partner has the request, or while the answer is on its way.
    Crash { call: REQUEST, after: false, repeated: 0 },
    Crash { call: REQUEST, after: true, repeated: 1 },
    Crash { call: RECORD, after: false, repeated: 1 },
    Crash { call: RECORD, after: true, repeated: 0 },
    Crash { call: SEND, after: false, repeated: 0 },
    Crash { call: SEND, after: true, repeated: 0 },
];

impl Crash {
    fn gate(&self, fixture: &'static Fixture, sender: &Sender, partners: &Proxy) -> Gate {
        let call = self.call;
        let at = |proxy: &Proxy, calls: Box<dyn Fn(&Call) -> bool + Send + Sync>| {
            let calls = move |call: &Call| calls(call);
            if self.after { proxy.pause_after(calls) } else { proxy.pause_before(calls) }
        };
        if call == REQUEST {
            at(partners, Box::new(|_| true))
        } else {
            at(&sender.proxy, Box::new(move |made| fixture.stack.words(made) == call))
        }
    }

    async fn happens(&self, fixture: &'static Fixture) {
        let case = format!("killed at {}, after: {}", self.call, self.after);
        let partners = Proxy::start(&fixture.stack.partner_simulator_url).await;
        let failing = Answer::status(500).times(u32::try_from(1 + self.repeated).unwrap());
        let partner = Partner::agreeing(fixture, [failing, Answer::status(200)], |agreed| {
            agreed.url = agreed.url.replace(&fixture.stack.partner_simulator_url, &partners.endpoint_url());
        })
        .await;
        let message = partner.owe().await;
        let sender = fixture.sender_as(|settings| within(settings, HELD_SECONDS, 3)).await;
        let gate = self.gate(fixture, &sender, &partners);
        let (event, begun) = (batch(std::slice::from_ref(&message)), now());
        let (invocation, ()) = tokio::join!(sender.function.invoke(&event), async {
            gate.hit().await;
            sender.function.kill().await;
            if self.after {
                gate.open();
            } else {
                gate.cut();
            }
        });
        assert!(matches!(invocation.outcome, runtime_api::InvocationEnding::Died(_)), "{case}: {invocation:?}");
        sender.proxy.settled().await;
        partners.settled().await;

        let sender = fixture.sender().await;
        let id = &message.delivery_id;
        if let Some(claim) = fixture.stored(id).await.claim() {
            assert!(
                claim.until >= begun.plus(Duration::from_secs(HELD_SECONDS)),
                "{case}: the claim lasts as long as the function may run"
            );
            let before = partner.received().await.len();
            let again = sender.give(std::slice::from_ref(&message)).await;
            let received = partner.received().await.len();
            if claim.lives(now()) {
                assert_eq!(
                    (again.as_slice(), received),
                    (&[0][..], before),
                    "{case}: the dead function's claim still holds"
                );
            }
            eventually("the claim expires", async || (!claim.lives(now())).then_some(())).await;
        }
        let ended = fixture.to_the_end(&sender.function, &message).await;
        let outcomes: Vec<&AttemptOutcome> = ended.attempts().iter().map(|attempt| &attempt.outcome).collect();
        assert_eq!(ended.status(), Status::Delivered, "{case}");
        assert_eq!(outcomes, [&AttemptOutcome::Status(500), &AttemptOutcome::Status(200)], "{case}");
        let requests = partner.received().await;
        assert_eq!(requests.len(), 2 + self.repeated, "{case}");
        assert!(requests.iter().all(|request| request.header("webhook-id") == Some(id.as_str())), "{case}");
        assert!(fixture.kept_beside(id).await.is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_kill_at_any_call_repeats_at_most_one_request() {
    let fixture = Fixture::shared().await;
    // The cases run at the same time, because each waits for a claim to expire.
    join_all(CRASHES.iter().map(|crash| crash.happens(fixture))).await;
}
