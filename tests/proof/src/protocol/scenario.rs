//! What a run of the checker is about, and within which bounds.

use core::time::Duration;

use domain::outbound::{delivery::DeliveryPace, retry::RetryPolicy};

use super::evaluator::Story;

/// The bounds of one run, and what may happen in it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// How many senders there are.
    pub senders: usize,
    /// How many evaluators there are. With none, the delivery is there from the beginning, with its first message.
    pub evaluators: usize,
    /// How many of the six attempts are recorded already.
    pub recorded: u8,
    /// The most messages at the same time. What would make one more is not followed.
    pub messages: usize,
    /// What a partner may answer.
    pub answers: &'static [u16],
    /// How many rounds an operator may open.
    pub rounds: u8,
    /// Whether an operator may cancel, and pause, unpause and archive the campaign.
    pub operator: bool,
    /// Whether the goal may be found reached again while the delivery has not begun.
    pub found_again: bool,
    /// Whether the queue may lose messages and the operator's command die before it sends: the sweep runs then.
    pub losses: bool,
    /// What is wrong with the workers, to see whether that is seen.
    pub flaw: Option<Flaw>,
}

/// A rule that a worker breaks. The product has none of these; each must be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Acknowledges a message before the next one's is sent.
    AcknowledgeBeforeEnqueue,
    /// Writes the participant before its delivery is put and sent.
    ParticipantBeforeDelivery,
    /// Makes the attempt without storing the claim.
    SendWithoutClaim,
    /// Sends the first message only if the put was fresh.
    SendOnlyIfFresh,
    /// Acknowledges a message that finds another ticket's live claim.
    AcknowledgeAtAnothersClaim,
    /// Acknowledges when its claim was lost, instead of deciding again.
    AcknowledgeWhenClaimLost,
    /// Stores a late 2xx, and the delivery that it made one step later.
    LateDeliveryApart,
    /// Replaces the delivery whatever is stored by now.
    ReplaceWhatever,
    /// Replaces the participant whatever is stored by now, and acknowledges.
    OverwriteParticipant,
    /// Stores the claim that it made unread whatever the delivery is by now.
    ClaimWhatever,
    /// Acknowledges when the delivery is not as its message says any more, instead of deciding about what it is.
    AcknowledgeWhatHasChanged,
    /// Makes the attempt without asking again whether its claim still lives.
    SendUnderExpiredClaim,
    /// Makes the attempt once more when it could not be recorded at once.
    SendAgainToRecord,
    /// Gives up at an attempt that is recorded, although the next one's message may never have been sent.
    AcknowledgeWhatIsRecorded,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AcknowledgeBeforeEnqueue,
        Self::ParticipantBeforeDelivery,
        Self::SendWithoutClaim,
        Self::SendOnlyIfFresh,
        Self::AcknowledgeAtAnothersClaim,
        Self::AcknowledgeWhenClaimLost,
        Self::LateDeliveryApart,
        Self::ReplaceWhatever,
        Self::OverwriteParticipant,
        Self::ClaimWhatever,
        Self::AcknowledgeWhatHasChanged,
        Self::SendUnderExpiredClaim,
        Self::SendAgainToRecord,
        Self::AcknowledgeWhatIsRecorded,
    ];

    /// A scenario in which it must be found out: small, since it must be found out soon.
    pub fn scenario(self) -> Scenario {
        let scenario = match self {
            Self::ParticipantBeforeDelivery | Self::SendOnlyIfFresh | Self::OverwriteParticipant => {
                Scenario::from_events_to_a_delivery()
            }
            // Two chains of messages are what this one needs, and they come from finding the goal reached again.
            Self::AcknowledgeAtAnothersClaim => Scenario::one_round(),
            _ => Scenario::end_of_a_round(),
        };
        Scenario { flaw: Some(self), ..scenario }
    }
}

impl Scenario {
    /// Two senders, and the last two attempts of a round.
    pub fn end_of_a_round() -> Self {
        Self {
            name: "the end of a round",
            senders: 2,
            evaluators: 0,
            recorded: 4,
            messages: 2,
            answers: &[500, 204],
            rounds: 0,
            operator: false,
            found_again: false,
            losses: false,
            flaw: None,
        }
    }

    /// Two senders and two chains of messages, from the first attempt of a round to its last.
    pub fn one_round() -> Self {
        Self { name: "one round", recorded: 0, found_again: true, ..Self::end_of_a_round() }
    }

    /// Two evaluators and a sender, from two events in either order to the first attempt.
    pub fn from_events_to_a_delivery() -> Self {
        Self {
            name: "from events to a delivery",
            senders: 1,
            evaluators: 2,
            recorded: 0,
            answers: &[204],
            ..Self::end_of_a_round()
        }
    }

    /// What takes seconds, in every build.
    pub fn small() -> Vec<Self> {
        vec![
            Self::end_of_a_round(),
            Self { name: "one evaluator, one sender", evaluators: 1, ..Self::from_events_to_a_delivery() },
            Self { name: "lost messages and the sweep", recorded: 5, losses: true, ..Self::end_of_a_round() },
        ]
    }

    /// What takes minutes.
    pub fn large() -> Vec<Self> {
        let end = Self::end_of_a_round;
        vec![
            Self {
                name: "one round, three messages, 410",
                messages: 3,
                answers: &[500, 204, 410],
                ..Self::one_round()
            },
            Self { name: "three senders", senders: 3, recorded: 5, ..end() },
            Self { name: "a round opened by hand", rounds: 1, ..end() },
            Self { name: "cancelled, paused, archived", operator: true, ..end() },
            Self { name: "lost messages and the sweep", losses: true, ..end() },
            Self { name: "from events to the end", answers: &[500, 204], ..Self::from_events_to_a_delivery() },
            Self { name: "one evaluator, two senders", evaluators: 1, senders: 2, ..Self::from_events_to_a_delivery() },
        ]
    }

    /// What takes a quarter of an hour or more.
    pub fn largest() -> Vec<Self> {
        let end = Self::end_of_a_round;
        vec![
            Self { name: "two evaluators, two senders", senders: 2, ..Self::from_events_to_a_delivery() },
            Self {
                name: "opened by hand, cancelled, archived",
                recorded: 5,
                rounds: 1,
                operator: true,
                messages: 3,
                ..end()
            },
            Self { name: "opened by hand, lost, swept", losses: true, rounds: 1, ..end() },
        ]
    }

    /// How long claims live, and how often what is paused is looked at: a second, since the model's clock goes from one
    /// instant that matters to the next.
    pub(super) fn pace() -> DeliveryPace {
        DeliveryPace::try_new(Duration::from_secs(1), 1).expect("a pace")
    }

    pub(super) fn policy() -> RetryPolicy {
        RetryPolicy::try_new(Duration::from_secs(1)).expect("a policy")
    }

    pub(super) fn story() -> &'static Story {
        Story::told()
    }
}
