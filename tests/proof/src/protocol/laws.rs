//! The laws, each asked of every state.

use domain::outbound::delivery::Ending;
use stateright::Property;

use super::{
    scenario::Scenario,
    sender::{Record, Sender},
    world::World,
};

/// What holds in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// Whoever makes an attempt has stored its claim.
    NoRequestWithoutAStoredClaim,
    /// A claim is good for one request.
    OneRequestAClaim,
    /// Two requests for one attempt mean that the first one's claim has expired.
    ASecondRequestCostsAClaimThatExpired,
    /// No attempt is made before it is due.
    NoneBeforeItIsDue,
    /// A round has at most six attempts, numbered from 1.
    AtMostSixAttemptsAreRecorded,
    /// A recorded attempt is not overwritten.
    WhatIsRecordedStays,
    /// All attempts of all rounds have one webhook-id.
    TheWebhookIdNeverChanges,
    /// An end is an end, but for a round opened by hand and for a late 2xx.
    AnEndIsLeftOnlyByAPersonOrALate2xx,
    /// Delivered is what has a 2xx that is kept, early or late, and nothing else is.
    DeliveredIsWhatHasA2xx,
    /// A participant that is marked as having reached a goal has the delivery.
    AGoalReachedIsADelivery,
    /// Wherever everybody dies: once they are back, every event is acknowledged and every delivery ends.
    EveryDeliveryEndsOrHasAMessage,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoRequestWithoutAStoredClaim,
        Self::OneRequestAClaim,
        Self::ASecondRequestCostsAClaimThatExpired,
        Self::NoneBeforeItIsDue,
        Self::AtMostSixAttemptsAreRecorded,
        Self::WhatIsRecordedStays,
        Self::TheWebhookIdNeverChanges,
        Self::AnEndIsLeftOnlyByAPersonOrALate2xx,
        Self::DeliveredIsWhatHasA2xx,
        Self::AGoalReachedIsADelivery,
        Self::EveryDeliveryEndsOrHasAMessage,
    ];

    /// What it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRequestWithoutAStoredClaim => "no request without a stored claim",
            Self::OneRequestAClaim => "one request a claim",
            Self::ASecondRequestCostsAClaimThatExpired => "a second request costs a claim that expired",
            Self::NoneBeforeItIsDue => "none before it is due",
            Self::AtMostSixAttemptsAreRecorded => "at most six attempts are recorded a round",
            Self::WhatIsRecordedStays => "what is recorded stays",
            Self::TheWebhookIdNeverChanges => "the webhook-id never changes",
            Self::AnEndIsLeftOnlyByAPersonOrALate2xx => "an end is left only by a person or a late 2xx",
            Self::DeliveredIsWhatHasA2xx => "delivered is what has a 2xx that is kept",
            Self::AGoalReachedIsADelivery => "a goal reached is a delivery",
            Self::EveryDeliveryEndsOrHasAMessage => "every delivery ends, or has a message",
        }
    }

    fn holds(self, scenario: &Scenario, world: &World) -> bool {
        let here = match self {
            Self::DeliveredIsWhatHasA2xx => world.kept_2xx == world.has_ended(Ending::Delivered),
            // Everybody may die in any state, so these are all the states that dying leads to.
            Self::EveryDeliveryEndsOrHasAMessage => !world.is_at_rest() || world.settles(scenario),
            _ => true,
        };
        world.broken() != Some(self) && here
    }
}

/// Each law by its name; and what must come to pass somewhere, so that a run that says nothing is not taken for one that
/// found nothing wrong.
pub(super) fn properties(scenario: &Scenario) -> Vec<Property<Scenario>> {
    macro_rules! always {
        ($($law:ident),*) => { vec![$(Property::always(Law::$law.name(), |scenario, world| Law::$law.holds(scenario, world))),*] };
    }
    let mut properties = always![
        NoRequestWithoutAStoredClaim,
        OneRequestAClaim,
        ASecondRequestCostsAClaimThatExpired,
        NoneBeforeItIsDue,
        AtMostSixAttemptsAreRecorded,
        WhatIsRecordedStays,
        TheWebhookIdNeverChanges,
        AnEndIsLeftOnlyByAPersonOrALate2xx,
        DeliveredIsWhatHasA2xx,
        AGoalReachedIsADelivery,
        EveryDeliveryEndsOrHasAMessage
    ];
    if scenario.flaw.is_none() {
        properties.extend(sights(scenario));
    }
    properties
}

/// What a run must have seen.
fn sights(scenario: &Scenario) -> Vec<Property<Scenario>> {
    let mut sights =
        vec![Property::sometimes("seen: delivered", |_, world: &World| world.has_ended(Ending::Delivered))];
    if scenario.senders > 1 {
        sights.extend([
            Property::<Scenario>::sometimes("seen: an attempt that lost its claim", |_, world| {
                world.senders.iter().any(|sender| matches!(sender, Sender::Recording(_, _, _, record) if matches!(**record, Record::Late(..))))
            }),
            Property::<Scenario>::sometimes("seen: a claim of a delivery that has changed", |_, world| {
                world.senders.iter().any(|sender| matches!(sender, Sender::Claiming(job, _) if !world.is_as_told(&job.message)))
            }),
            Property::<Scenario>::sometimes("seen: two requests for one attempt", |_, world| {
                world.claims.iter().filter(|stored| stored.requests > 0).count() > 1
            }),
        ]);
    }
    if scenario.answers.contains(&500) {
        sights.push(Property::sometimes("seen: exhausted", |_, world: &World| world.has_ended(Ending::Exhausted)));
    }
    if scenario.answers.contains(&410) {
        sights.push(Property::sometimes("seen: gone", |_, world: &World| world.has_ended(Ending::Gone)));
    }
    if scenario.operator {
        sights.push(Property::sometimes("seen: cancelled", |_, world: &World| world.has_ended(Ending::Cancelled)));
    }
    if scenario.rounds > 0 {
        sights.push(Property::sometimes("seen: a second round", |_, world: &World| {
            world.delivery.as_ref().is_some_and(|delivery| delivery.round() > 1)
        }));
    }
    sights
}
