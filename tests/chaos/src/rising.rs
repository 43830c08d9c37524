//! Plays partners that agreed on statuses: transactions rise through states in mixed order, and negative transactions
//! take amounts back.

use domain::inbound::status::State;
use fastrand::Rng;

use crate::{
    postbacks::{Content, Postback},
    world::World,
};

/// Gives the length of the time line on which calls are placed.
const LINE: u64 = 1_000_000;
/// Limits how far apart the calls of a racing transaction are on the time line.
const NEAR: u64 = 800;

/// Draws the calls of these transactions, each with its place on the time line. With every other transaction, the calls
/// lie so close together that they race.
pub(crate) fn story(world: &World, dice: &mut Rng, transactions: u64) -> Vec<(u64, Postback)> {
    let providers: Vec<(&String, &bool)> = world.rising.iter().collect();
    let mut placed = Vec::new();
    for n in 0..transactions {
        let (provider, may_change) = providers[dice.usize(..providers.len())];
        let mut calls = steps(provider, n, *may_change, dice);
        calls.extend(reversals(&calls[0], dice));
        let (begin, races) = (dice.u64(..LINE), dice.bool());
        let place = |dice: &mut Rng| if races { begin + dice.u64(..NEAR) } else { dice.u64(..LINE) };
        placed.extend(calls.into_iter().map(|call| (place(dice), call)));
    }
    placed
}

/// Places these calls evenly on the time line, and returns all calls in the order of their places.
pub(crate) fn mix(evenly: Vec<Postback>, placed: Vec<(u64, Postback)>) -> Vec<Postback> {
    let apart = LINE / (evenly.len() as u64).max(1);
    let mut all: Vec<(u64, Postback)> = (0..).map(|n| n * apart).zip(evenly).chain(placed).collect();
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, call)| call).collect()
}

/// Draws one to three calls for each of some states. Now and then another call contradicts them. An amount only falls,
/// so that a reversal that does not fit never fits later.
fn steps(provider: &str, n: u64, may_change: bool, dice: &mut Rng) -> Vec<Postback> {
    let amount = 100 + dice.u64(..900);
    let lower = |dice: &mut Rng| if may_change { amount - dice.u64(..50) } else { amount };
    let amounts = [amount, lower(dice), lower(dice)];
    let mut states: Vec<State> = Vec::new();
    for (state, percent) in State::ALL.into_iter().zip([70, 80, 35]) {
        if dice.u64(..100) < percent {
            states.push(state);
        }
    }
    if states.is_empty() {
        states.push(State::Approved);
    }
    let call = |state: State, dice: &mut Rng| Postback {
        provider: provider.to_owned(),
        transaction_id: format!("s-{n}"),
        content: Content {
            user_id: format!("user-{}", n % 500),
            click_id: format!("click-s-{n}"),
            amount: format!("{}.00", amounts[state as usize]),
        },
        state: Some(state),
        reverses: None,
        by_post: dice.u64(..100) < 30,
    };
    let mut calls = Vec::new();
    for state in &states {
        calls.extend((0..=dice.u64(..3)).map(|_| call(*state, dice)));
    }
    if dice.u64(..100) < 15 {
        let mut other = call(states[dice.usize(..states.len())], dice);
        other.content.click_id = format!("another-click-{n}");
        calls.push(other);
    }
    calls
}

/// Draws up to three negative transactions, each with one or two calls. Most of them take their amount from the
/// transaction of this call.
fn reversals(of: &Postback, dice: &mut Rng) -> Vec<Postback> {
    let whole: u64 = of.content.amount.trim_end_matches(".00").parse().unwrap();
    let mut calls = Vec::new();
    for n in 0..dice.u64(..4) {
        let named =
            if dice.u64(..100) < 85 { of.transaction_id.clone() } else { format!("{}-nowhere", of.transaction_id) };
        let call = Postback {
            transaction_id: format!("{}-r{n}", of.transaction_id),
            content: Content { amount: format!("-{}", whole * (20 + dice.u64(..60)) / 100), ..of.content.clone() },
            state: None,
            reverses: Some(named),
            ..of.clone()
        };
        calls.extend((0..=dice.u64(..2)).map(|_| call.clone()));
    }
    calls
}
