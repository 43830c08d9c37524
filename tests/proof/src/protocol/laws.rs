//! Holds the laws, which are checked in every state.

use domain::outbound::{campaign::CampaignState, delivery::Ending};
use stateright::Property;

use super::{
    scenario::Scenario,
    sender::{Job, Record, Sender},
    world::World,
};

/// Names a law that holds in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// A worker makes an attempt only after it has stored its claim.
    NoRequestWithoutAStoredClaim,
    /// A claim allows one request.
    AtMostOneRequestForEachClaim,
    /// A second request for an attempt comes only after the claim of the first request has expired.
    ASecondRequestNeedsAnExpiredClaim,
    /// No attempt is made before it is due.
    NoAttemptBeforeItIsDue,
    /// A round has at most six attempts, numbered from 1.
    AtMostSixAttemptsInARound,
    /// A recorded attempt is not overwritten.
    RecordedAttemptsNeverChange,
    /// All attempts of all rounds have the same webhook-id.
    TheWebhookIdNeverChanges,
    /// The end of a delivery changes only if an operator opens a round or a late 2xx arrives.
    OnlyAnOperatorOrALate2xxChangesAnEnd,
    /// A delivery is delivered if and only if a 2xx is stored, in the delivery or beside it.
    DeliveredMeansThatA2xxIsStored,
    /// If a worker knows that the campaign is archived, it makes no request, and a delivery under way ends as
    /// cancelled.
    AnArchivedCampaignIsCancelled,
    /// If a participant is marked as having reached a goal, the delivery for that goal exists.
    EveryReachedGoalHasItsDelivery,
    /// If all workers die in any state and come back, every event is acknowledged and every delivery ends.
    EveryDeliveryEndsOrHasAMessage,
}

impl Law {
    /// Lists all laws.
    pub const ALL: [Self; 12] = [
        Self::NoRequestWithoutAStoredClaim,
        Self::AtMostOneRequestForEachClaim,
        Self::ASecondRequestNeedsAnExpiredClaim,
        Self::NoAttemptBeforeItIsDue,
        Self::AtMostSixAttemptsInARound,
        Self::RecordedAttemptsNeverChange,
        Self::TheWebhookIdNeverChanges,
        Self::OnlyAnOperatorOrALate2xxChangesAnEnd,
        Self::DeliveredMeansThatA2xxIsStored,
        Self::AnArchivedCampaignIsCancelled,
        Self::EveryReachedGoalHasItsDelivery,
        Self::EveryDeliveryEndsOrHasAMessage,
    ];

    /// Returns the law's name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRequestWithoutAStoredClaim => "no request without a stored claim",
            Self::AtMostOneRequestForEachClaim => "at most one request for each claim",
            Self::ASecondRequestNeedsAnExpiredClaim => "a second request only after the claim expired",
            Self::NoAttemptBeforeItIsDue => "no attempt before it is due",
            Self::AtMostSixAttemptsInARound => "at most six recorded attempts in a round",
            Self::RecordedAttemptsNeverChange => "recorded attempts never change",
            Self::TheWebhookIdNeverChanges => "the webhook-id never changes",
            Self::OnlyAnOperatorOrALate2xxChangesAnEnd => "only an operator or a late 2xx changes an end",
            Self::DeliveredMeansThatA2xxIsStored => "delivered if and only if a 2xx is stored",
            Self::AnArchivedCampaignIsCancelled => "an archived campaign's deliveries end cancelled",
            Self::EveryReachedGoalHasItsDelivery => "every reached goal has its delivery",
            Self::EveryDeliveryEndsOrHasAMessage => "every delivery ends or has a message",
        }
    }

    fn holds(self, scenario: &Scenario, world: &World) -> bool {
        let here = match self {
            Self::DeliveredMeansThatA2xxIsStored => world.kept_2xx == world.has_ended(Ending::Delivered),
            // All workers may die in any state. It is therefore enough to check the states in which all workers are
            // idle.
            Self::EveryDeliveryEndsOrHasAMessage => !world.is_at_rest() || world.settled(scenario).is_some(),
            Self::AnArchivedCampaignIsCancelled => {
                let cancels = world.is_at_rest() && world.standing == CampaignState::Archived && world.is_under_way();
                !cancels || world.settled(scenario).is_none_or(|end| end.has_ended(Ending::Cancelled))
            }
            _ => true,
        };
        world.broken() != Some(self) && here
    }
}

/// Returns each law with its name, and the situations that a run must have seen. A run without these situations would
/// prove nothing.
pub(super) fn properties(scenario: &Scenario) -> Vec<Property<Scenario>> {
    macro_rules! always {
        ($($law:ident),*) => { vec![$(Property::always(Law::$law.name(), |scenario, world| Law::$law.holds(scenario, world))),*] };
    }
    let mut properties = always![
        NoRequestWithoutAStoredClaim,
        AtMostOneRequestForEachClaim,
        ASecondRequestNeedsAnExpiredClaim,
        NoAttemptBeforeItIsDue,
        AtMostSixAttemptsInARound,
        RecordedAttemptsNeverChange,
        TheWebhookIdNeverChanges,
        OnlyAnOperatorOrALate2xxChangesAnEnd,
        DeliveredMeansThatA2xxIsStored,
        AnArchivedCampaignIsCancelled,
        EveryReachedGoalHasItsDelivery,
        EveryDeliveryEndsOrHasAMessage
    ];
    if scenario.flaw.is_none() {
        properties.extend(sights(scenario));
    }
    properties
}

/// Returns the situations that a run must have seen at least once.
fn sights(scenario: &Scenario) -> Vec<Property<Scenario>> {
    let mut sights =
        vec![Property::sometimes("seen: delivered", |_, world: &World| world.has_ended(Ending::Delivered))];
    if scenario.senders > 1 {
        sights.extend([
            Property::<Scenario>::sometimes("seen: an attempt that lost its claim", |_, world| {
                world.senders.iter().any(|sender| matches!(sender, Sender::Recording(_, _, _, record) if matches!(**record, Record::Late(..))))
            }),
            Property::<Scenario>::sometimes("seen: a claim of a delivery that has changed", |_, world| {
                let outdated = |job: &Job| !world.still_matches(&job.message);
                world.senders.iter().any(|sender| matches!(sender, Sender::Claiming(job, _) if outdated(job)))
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
