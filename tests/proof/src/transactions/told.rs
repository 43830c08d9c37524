//! Checks the end of a history: the current records, and what GG3 reads from the conversions that it receives.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::{Context, Poll, Waker},
};

use app::{
    memory::World,
    relay_conversions::{IncomingConversion, relay},
};
use domain::inbound::{
    conversion::{Conversion, ConversionType, Reversed},
    correction::Revision,
};

use super::{
    reference::{Answer, Kind, Receipt, Record, Reference},
    story::{Agreed, Id, Op, Said, State, Story},
    view,
};

/// Checks that the current state is the highest that was answered 200, unless an operator has corrected the
/// transaction. If all calls fit together, also checks that the highest call is current, in whatever order the calls
/// came.
pub(super) fn highest_stands(story: &Story, answers: &[Option<Answer>], end: &Reference) -> Result<(), String> {
    let is_corrected = end.records.values().any(|record| record.kind == Kind::Correction);
    let is_reversed = end.records.values().any(|record| matches!(record.kind, Kind::Note(_)));
    let mut calls: Vec<(Said, Answer)> = Vec::new();
    for (op, answer) in story.ops.iter().zip(answers) {
        match (op, answer) {
            (Op::Call(said), Some(answer)) => calls.push((*said, *answer)),
            (Op::Call(said), None) => return Err(format!("{said:?} was never answered")),
            _ => {}
        }
    }
    calls.retain(|(said, _)| said.id == Id::T);
    let Some(stands) = end.stands(Id::T).filter(|_| !is_corrected) else { return Ok(()) };
    let highest = calls.iter().filter(|(_, answer)| !matches!(answer, Answer::Conflict(_))).map(|(said, _)| said.state);
    if highest.max() != Some(stands.state) {
        return Err(format!("{stands:?} stands after {calls:?}"));
    }
    let said: BTreeSet<Said> = calls.iter().map(|(said, _)| *said).collect();
    let Some(last) = said.iter().max_by_key(|said| said.state) else { return Ok(()) };
    if !is_reversed && fit(story.agreed, &said) && (last.state, last.amount) != (stands.state, stands.amount) {
        return Err(format!("{stands:?} stands, although {last:?} is the highest and all fit together"));
    }
    Ok(())
}

/// Returns true if no two of these calls differ in an amount that may not change between their states.
fn fit(agreed: Agreed, said: &BTreeSet<Said>) -> bool {
    let pairs = said.iter().flat_map(|one| said.iter().map(move |other| (one, other)));
    pairs.into_iter().all(|(one, other)| one.amount == other.amount || agreed.may_differ(one.state, other.state))
}

/// Relays the stream's records. Checks that GG3 receives each record once, and that the conversions lead to the current
/// record in any order.
pub(super) fn conversions(world: &World, stream: &[Revision], end: &Reference) -> Result<(), String> {
    let incoming = |(at, revision): (usize, &Revision)| IncomingConversion {
        id: at.to_string(),
        conversion: Ok(revision.clone().into()),
        whole: String::new(),
    };
    let batch: Vec<IncomingConversion> = stream.iter().enumerate().map(incoming).collect();
    let relayed = std::pin::pin!(relay(world, world, batch));
    let Poll::Ready(relayed) = relayed.poll(&mut Context::from_waker(Waker::noop())) else {
        return Err("the relay waits for something".to_owned());
    };
    if !relayed.failed.is_empty() {
        return Err(format!("not relayed: {relayed:?}"));
    }
    let received = world.state().conversions.clone();
    let mut told: Vec<Record> = received.iter().map(record).collect();
    let is_told = |record: &&Record| !matches!(record.kind, Kind::Note(_));
    let mut recorded: Vec<Record> = end.records.values().filter(is_told).copied().collect();
    told.sort_unstable();
    recorded.sort_unstable();
    if told != recorded {
        return Err(format!("GG3 received {told:?}, but {recorded:?} are recorded"));
    }
    let mut reversed = received.clone();
    reversed.reverse();
    let rotated = [&received[received.len() / 2..], &received[..]].concat();
    for order in [received, reversed, rotated] {
        read(&order, end)?;
    }
    Ok(())
}

/// Returns the record that a conversion describes, in the words of the reference.
fn record(conversion: &Conversion) -> Record {
    let kind = match (conversion.kind, &conversion.original) {
        (ConversionType::Corrected, _) => Kind::Correction,
        (ConversionType::Adjusted, original) => {
            Kind::Reversal { known: matches!(original, Some(Reversed::Known { .. })) }
        }
        _ if conversion.original_receipt_id.is_some() => Kind::Step,
        _ => Kind::Original,
    };
    let amount = conversion.content.amount_decimal.canonical().parse().expect("whole units");
    let (state, correction) = (view::state(conversion.state.unwrap_or_default()), conversion.correction);
    Record {
        kind,
        state,
        amount,
        correction: correction.unwrap_or_default(),
        receipt: view::receipt(&conversion.receipt_id),
    }
}

/// Reads conversions as GG3 does: of each transaction, the highest pair of correction and state is valid. Compares the
/// result with the current record, and checks that the sum of the amounts is not below zero.
fn read(conversions: &[Conversion], end: &Reference) -> Result<(), String> {
    let mut valid: BTreeMap<Id, (Record, &Conversion)> = BTreeMap::new();
    for conversion in conversions {
        let (id, record) = (view::id(&conversion.transaction_id), record(conversion));
        let rank = |record: &Record| (record.correction, record.state);
        if valid.get(&id).is_none_or(|(stored, _)| rank(stored) < rank(&record)) {
            valid.insert(id, (record, conversion));
        }
    }
    let receipt = |id: Id| valid.get(&id).map(|(record, _)| record.receipt);
    for id in Id::ALL {
        let stands: Option<Receipt> = end.stands(id).map(|record| record.receipt);
        if receipt(id) != stands {
            return Err(format!("GG3 reads {:?}, but {stands:?} stands", receipt(id)));
        }
    }
    for (record, conversion) in valid.values() {
        let kind = match (record.kind, record.state) {
            (Kind::Original | Kind::Step, State::Pending) => ConversionType::Pending,
            (Kind::Original | Kind::Step, State::Approved) => ConversionType::Accepted,
            (Kind::Original | Kind::Step, State::Rejected) => ConversionType::Rejected,
            (Kind::Reversal { .. }, _) => ConversionType::Adjusted,
            (Kind::Correction, _) => ConversionType::Corrected,
            (Kind::Note(_), _) => return Err("a note was told".to_owned()),
        };
        if conversion.kind != kind {
            return Err(format!("{record:?} was told as {:?}", conversion.kind));
        }
    }
    let is_rejected = valid.get(&Id::T).is_some_and(|(record, _)| record.state == State::Rejected);
    let counts = |(record, conversion): &(Record, &Conversion)| match (record.state, &conversion.original) {
        (State::Rejected, _) | (_, Some(Reversed::Unknown)) => 0,
        (_, Some(Reversed::Known { .. })) if is_rejected => 0,
        _ => record.amount,
    };
    let sum: i64 = valid.values().map(counts).sum();
    if sum < 0 { Err(format!("GG3 reads the sum {sum}")) } else { Ok(()) }
}
