//! Reads the stored records and conflicts in the words of the reference.

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use app::memory::{State as Stored, World};
use domain::{
    inbound::{conversion::Reversed, correction::Revision, postback::Postback, status},
    values::ids::{Provider, ReceiptId, TransactionId, TransactionKey},
};

use super::{
    deed,
    reference::{Conflict, Kind, Receipt, Record, Reference},
    story::{self, Id, Said, State},
};

/// Bounds the deeds of a story, and the tries of a deed.
const MOST: u8 = 32;

/// Returns the receipt id of this deed and try.
pub(super) fn receipt_id((op, of): Receipt) -> ReceiptId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&[op, of]);
    ReceiptId::from_random(bytes)
}

/// Returns the deed and the try that got this receipt id.
pub(super) fn receipt(id: &ReceiptId) -> Receipt {
    static ALL: OnceLock<HashMap<ReceiptId, Receipt>> = OnceLock::new();
    let each = (0..MOST).flat_map(|op| (0..MOST).map(move |of| (op, of)));
    let all = ALL.get_or_init(|| each.map(|receipt| (receipt_id(receipt), receipt)).collect());
    *all.get(id).expect("a receipt of this story")
}

/// Returns all that is stored.
///
/// # Errors
///
/// Returns a message if two records have the same place.
pub(super) fn of(world: &World) -> Result<Reference, String> {
    let state = world.state();
    let mut records = BTreeMap::new();
    let mut add = |id: Id, place: u32, record: Record| match records.insert((id, place), record) {
        Some(other) => Err(format!("two records have place {place} of {id:?}: {other:?} and {record:?}")),
        None => Ok(()),
    };
    for recorded in state.postbacks.values() {
        let kind = match recorded.reversed {
            None => Kind::Original,
            Some(Reversed::Unknown) => Kind::Reversal { known: false },
            Some(Reversed::Known { .. }) => Kind::Reversal { known: true },
        };
        add(
            id(&recorded.receipt.transaction_id),
            0,
            record(kind, &recorded.postback, 0, &recorded.receipt.receipt_id),
        )?;
    }
    for step in state.steps.values().flatten() {
        let stored = record(Kind::Step, &step.postback, step.correction, &step.receipt.receipt_id);
        add(id(&step.receipt.transaction_id), step.place, stored)?;
    }
    for made in state.corrections.values().flatten() {
        let stored = record(Kind::Correction, &made.postback, made.number, &made.receipt.receipt_id);
        add(id(&made.receipt.transaction_id), made.place, stored)?;
    }
    for (of, notes) in &state.adjustments {
        let of = id(&state.postbacks.get(of).ok_or("a note beside no transaction")?.receipt.transaction_id);
        for note in notes {
            let kind = Kind::Note(id(&note.by.receipt.transaction_id));
            add(of, note.place, record(kind, &note.by.postback, 0, &note.by.receipt.receipt_id))?;
        }
    }
    Ok(Reference { records, conflicts: conflicts(&state) })
}

fn conflicts(state: &Stored) -> BTreeMap<Said, Conflict> {
    static KEYS: OnceLock<HashMap<String, Said>> = OnceLock::new();
    let keys = KEYS
        .get_or_init(|| story::calls().into_iter().map(|said| (deed::key(said).as_str().to_owned(), said)).collect());
    let fate = |(key, (_, _, accepted)): (&String, &(_, u32, Option<domain::inbound::conversion::Receipt>))| {
        let fate = match accepted {
            Some(accepted) => Conflict::Accepted(receipt(&accepted.receipt_id)),
            None if state.kept_originals.contains_key(key) => Conflict::OriginalKept,
            None => Conflict::Open,
        };
        (keys[key], fate)
    };
    state.conflicts.iter().map(fate).collect()
}

/// Returns the stored revision with this place, or `None` if it is a note.
pub(super) fn revision(world: &World, (of, place): (Id, u32)) -> Option<Revision> {
    let state = world.state();
    let acme = Provider::new("acme").expect("a slug");
    let key = TransactionKey::of(&acme, &TransactionId::new(of.as_str()).expect("an id"));
    if place == 0 {
        return state.postbacks.get(&key).cloned().map(Revision::Original);
    }
    let steps = state.steps.get(&key).into_iter().flatten().cloned().map(Revision::Step);
    let corrections = state.corrections.get(&key).into_iter().flatten().cloned().map(Revision::Correction);
    steps.chain(corrections).find(|revision| revision.place() == place)
}

pub(super) fn id(text: &TransactionId) -> Id {
    Id::ALL.into_iter().find(|id| id.as_str() == text.as_str()).expect("a transaction of this story")
}

pub(super) fn state(state: status::State) -> State {
    match state {
        status::State::Pending => State::Pending,
        status::State::Approved => State::Approved,
        status::State::Rejected => State::Rejected,
    }
}

fn record(kind: Kind, postback: &Postback, correction: u32, receipt_id: &ReceiptId) -> Record {
    let amount = postback.content.amount_decimal.canonical().parse().expect("whole units");
    Record { kind, state: state(postback.state()), amount, correction, receipt: receipt(receipt_id) }
}
