//! Compares the final answers, the conversions that GG3 received and the deliveries that are owed.

use std::collections::BTreeSet;

use app::accept_postback::PostbackAnswer;
use domain::{inbound::conversion::Conversion, values::ids::DeliveryId};

use super::play::Play;

/// Holds the outcome that a story must have, whatever goes wrong before its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ledger {
    owed: BTreeSet<DeliveryId>,
    set_aside: BTreeSet<String>,
}

impl Ledger {
    pub(super) fn of(play: &Play) -> Self {
        let state = play.world.state();
        Self {
            owed: state.deliveries.keys().cloned().collect(),
            set_aside: state.dead_letters.iter().map(|(whole, _)| whole.clone()).collect(),
        }
    }

    /// Checks that the outcome is consistent, and equals the outcome of the same story played without mishaps. Returns
    /// the first difference as an error.
    pub(super) fn audit(play: &Play, calmly: &Self) -> Result<(), String> {
        if let Some(wrong) = &play.at_once_wrong {
            return Err(wrong.clone());
        }
        inbound(play)?;
        outbound(play)?;
        play.attempts.audit(&play.world.state(), &play.story)?;
        let ours = Self::of(play);
        if ours == *calmly { Ok(()) } else { Err(format!("{ours:?} instead of {calmly:?} without mishaps")) }
    }
}

/// Checks that every call was answered, that a 200 has the receipt of the recorded content, and that GG3 received
/// exactly the recorded content.
fn inbound(play: &Play) -> Result<(), String> {
    for query in &play.story.calls {
        if !play.answers.iter().any(|(answered, _)| answered == query) {
            return Err(format!("a call was never answered: {query}"));
        }
    }
    for (query, answer) in &play.answers {
        let receipt = match answer {
            PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) => receipt,
            PostbackAnswer::Conflict(conflict) => &conflict.original,
            other => return Err(format!("{query} was answered {other:?}")),
        };
        let original =
            play.recorded.values().find(|recorded| recorded.receipt.transaction_id == receipt.transaction_id);
        let original = original.ok_or_else(|| format!("a call was answered but not recorded: {query}"))?;
        let contradicts = matches!(answer, PostbackAnswer::Conflict(_));
        let stands = serde_json::to_value(&original.postback.content).expect("JSON");
        let (sent, stands) = (query.rsplit('=').next(), stands["amount_decimal"].as_str());
        if original.receipt != *receipt || contradicts == (sent.map(units) == stands.map(units)) {
            return Err(format!("{query} was answered {answer:?} although {original:?} is recorded"));
        }
    }
    let received: BTreeSet<String> = play.world.state().conversions.iter().map(json).collect();
    let recorded: BTreeSet<String> = play.recorded.values().map(|recorded| json(&recorded.clone().into())).collect();
    if received == recorded { Ok(()) } else { Err(format!("GG3 received {received:?}, but {recorded:?} are recorded")) }
}

/// Returns the whole units of an amount. All amounts of a story are whole, but they may be written with decimals.
fn units(amount: &str) -> &str {
    amount.split('.').next().unwrap_or_default()
}

fn json(conversion: &Conversion) -> String {
    serde_json::to_string(conversion).expect("JSON")
}

/// Checks that every owed delivery has a message, and that every message belongs to an owed delivery. Checks that
/// participants are marked for exactly the owed deliveries.
fn outbound(play: &Play) -> Result<(), String> {
    let state = play.world.state();
    let sent: BTreeSet<&DeliveryId> = state.webhooks.iter().map(|attempt| &attempt.delivery_id).collect();
    let owed: BTreeSet<&DeliveryId> = state.deliveries.keys().collect();
    if sent != owed {
        return Err(format!("deliveries {owed:?} are owed, but messages were sent for {sent:?}"));
    }
    for (user, (participant, _)) in &state.participants {
        for (provider, campaign) in participant.reached() {
            if !state.deliveries.contains_key(&DeliveryId::of(provider, campaign, user)) {
                return Err(format!("{user} is marked for {campaign}, but no delivery is owed"));
            }
        }
    }
    let marked: usize = state.participants.values().map(|(participant, _)| participant.reached().count()).sum();
    if marked == owed.len() {
        Ok(())
    } else {
        Err(format!("{} deliveries are owed, but {marked} goals are marked", owed.len()))
    }
}
