//! Tells the partners' servers how to answer, by the seed, and reads what they received.

use tests::partner_simulator::{Answer, Request};

use crate::{dice, world::World};
use fastrand::Rng;

/// Counts the answers that are set for each partner. After them every answer is 200.
const ANSWERS: usize = 1200;

/// Names the partner whose server is mostly down, so that deliveries exhaust their attempts.
const MOSTLY_DOWN: &str = "d";

/// Sets the answers of every partner's server.
pub(crate) async fn tell(world: &World, seed: u64) {
    for provider in &world.plain() {
        // The dice depend on the partner's place, because its name is different in each run.
        let place = provider.rsplit('-').next().unwrap();
        let mut dice = dice::of(seed, &format!("partner {place}"));
        let is_down = place == MOSTLY_DOWN;
        let answer = |dice: &mut Rng| if is_down && dice.u64(..100) < 75 { Answer::status(500) } else { whim(dice) };
        let mut answers: Vec<Answer> = (0..ANSWERS).map(|_| answer(&mut dice)).collect();
        answers.push(Answer::default());
        world.stack.partner_simulator().answer(provider, answers).await;
    }
}

fn whim(dice: &mut Rng) -> Answer {
    let plain = Answer::default();
    match dice.u64(..100) {
        0..35 => plain,
        35..58 => Answer { delay_ms: Some(dice.u64(..150)), ..plain },
        58..74 => Answer::status(500),
        74..79 => Answer { status: Some(503), retry_after_seconds: Some(2), ..plain },
        79..84 => Answer::status(404),
        84..87 => Answer { status: Some(302), redirect: Some("http://127.0.0.1:1/".into()), ..plain },
        87..90 => Answer::status(410),
        90..94 => Answer { close: true, ..plain },
        94..97 => Answer { garbage: true, ..plain },
        97..99 => Answer { status: Some(500), delay_ms: Some(400), ..plain },
        _ => Answer::hang(),
    }
}

/// Returns all requests that the partners' servers received.
pub(crate) async fn received(world: &World) -> Vec<Request> {
    let mut all = Vec::new();
    for provider in &world.plain() {
        let requests = world.stack.partner_simulator().requests(provider).await;
        assert_eq!(requests.received, requests.requests.len() as u64, "the simulator remembers all requests");
        all.extend(requests.requests);
    }
    all
}
