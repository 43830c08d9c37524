//! Describes the runs of the checker and their bounds.

use core::time::Duration;

use domain::outbound::{delivery::DeliveryPace, retry::RetryPolicy};

use super::evaluator::Story;

/// Holds the bounds of one run, and what may happen in it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one kind of event if it may happen")]
pub struct Scenario {
    /// Gives the scenario's name.
    pub name: &'static str,
    /// Counts the senders.
    pub senders: usize,
    /// Counts the evaluators. Without evaluators, the delivery and its first message exist from the beginning.
    pub evaluators: usize,
    /// Counts how many of the six attempts are already recorded.
    pub recorded: u8,
    /// Limits the messages that exist at the same time. States with more messages are not followed.
    pub messages: usize,
    /// Lists the statuses that the partner may answer.
    pub answers: &'static [u16],
    /// Limits the rounds that an operator may open.
    pub rounds: u8,
    /// Lets an operator cancel the delivery, and pause, unpause and archive the campaign.
    pub operator: bool,
    /// Lets the endpoint make any message wait, at any time.
    pub held: bool,
    /// Lets an evaluator find the goal reached a second time, before the delivery has begun.
    pub found_again: bool,
    /// Lets the queue lose messages, and lets the operator's command die before it sends its message. The sweep then
    /// runs.
    pub losses: bool,
    /// Makes the workers break a rule, to test that the checker finds it.
    pub flaw: Option<Flaw>,
}

/// Names a rule that a flawed worker breaks. The product breaks none of these rules, and the checker must find each
/// flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It acknowledges a message before it sends the next one.
    AcknowledgeBeforeEnqueue,
    /// It writes the participant before it puts the delivery and sends its message.
    ParticipantBeforeDelivery,
    /// It makes the attempt without storing the claim.
    SendWithoutClaim,
    /// It sends the first message only if the put was fresh.
    SendOnlyIfFresh,
    /// It acknowledges a message although another ticket's claim is live.
    AcknowledgeAtAnothersClaim,
    /// It acknowledges when its claim was lost, instead of deciding again.
    AcknowledgeWhenClaimLost,
    /// It stores a late 2xx one step before the delivery that the 2xx changes.
    LateDeliveryApart,
    /// It replaces the delivery even if it has changed.
    ReplaceUnconditionally,
    /// It replaces the participant even if it has changed, and acknowledges.
    OverwriteParticipant,
    /// It stores its claim without reading, even if the delivery has changed.
    ClaimUnconditionally,
    /// It acknowledges when the delivery no longer matches its message, instead of deciding again.
    AcknowledgeChangedDelivery,
    /// It makes the attempt without checking again that its claim is still live.
    SendUnderExpiredClaim,
    /// It makes the attempt again when recording fails at first.
    SendAgainToRecord,
    /// If the attempt is already recorded, it acknowledges the message, although the next message may not have been
    /// sent.
    AcknowledgeRecordedAttempt,
    /// It treats an archived campaign as an open one.
    SendForArchivedCampaign,
    /// It acknowledges a message that must wait for its endpoint, without sending it again.
    AcknowledgeHeld,
}

impl Flaw {
    /// Lists all flaws.
    pub const ALL: [Self; 16] = [
        Self::AcknowledgeBeforeEnqueue,
        Self::ParticipantBeforeDelivery,
        Self::SendWithoutClaim,
        Self::SendOnlyIfFresh,
        Self::AcknowledgeAtAnothersClaim,
        Self::AcknowledgeWhenClaimLost,
        Self::LateDeliveryApart,
        Self::ReplaceUnconditionally,
        Self::OverwriteParticipant,
        Self::ClaimUnconditionally,
        Self::AcknowledgeChangedDelivery,
        Self::SendUnderExpiredClaim,
        Self::SendAgainToRecord,
        Self::AcknowledgeRecordedAttempt,
        Self::SendForArchivedCampaign,
        Self::AcknowledgeHeld,
    ];

    /// Returns a small scenario in which the checker must find this flaw.
    pub fn scenario(self) -> Scenario {
        let scenario = match self {
            Self::ParticipantBeforeDelivery | Self::SendOnlyIfFresh | Self::OverwriteParticipant => {
                Scenario::from_events_to_a_delivery()
            }
            // This flaw needs two chains of messages. The second chain begins when the goal is found reached again.
            Self::AcknowledgeAtAnothersClaim => Scenario::one_round(),
            Self::SendForArchivedCampaign => Scenario { operator: true, ..Scenario::end_of_a_round() },
            Self::AcknowledgeHeld => Scenario { held: true, ..Scenario::end_of_a_round() },
            _ => Scenario::end_of_a_round(),
        };
        Scenario { flaw: Some(self), ..scenario }
    }
}

impl Scenario {
    /// Returns two senders and the last two attempts of a round.
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
            held: false,
            found_again: false,
            losses: false,
            flaw: None,
        }
    }

    /// Returns a scenario with two senders and two chains of messages, from the first to the last attempt of a round.
    pub fn one_round() -> Self {
        Self { name: "one round", recorded: 0, found_again: true, ..Self::end_of_a_round() }
    }

    /// Returns a scenario with two evaluators and a sender, from two events in either order to the first attempt.
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

    /// Returns the scenarios that take seconds. Every build runs them.
    pub fn small() -> Vec<Self> {
        vec![
            Self::end_of_a_round(),
            Self { name: "one evaluator, one sender", evaluators: 1, ..Self::from_events_to_a_delivery() },
            Self { name: "lost messages and the sweep", recorded: 5, losses: true, ..Self::end_of_a_round() },
            Self {
                name: "held, one sender",
                senders: 1,
                recorded: 5,
                held: true,
                operator: true,
                ..Self::end_of_a_round()
            },
            Self { name: "archived, one sender", senders: 1, recorded: 5, operator: true, ..Self::end_of_a_round() },
        ]
    }

    /// Returns the scenarios that take minutes.
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
            Self { name: "held, and a round opened by hand", held: true, rounds: 1, ..end() },
            Self { name: "lost messages and the sweep", losses: true, ..end() },
            Self { name: "from events to the end", answers: &[500, 204], ..Self::from_events_to_a_delivery() },
            Self { name: "one evaluator, two senders", evaluators: 1, senders: 2, ..Self::from_events_to_a_delivery() },
        ]
    }

    /// Returns the scenarios that take a quarter of an hour or more.
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

    /// Returns a pace of one second, for claims and for checks of paused campaigns. The length does not matter, because
    /// the model's clock jumps from instant to instant.
    pub(super) fn pace() -> DeliveryPace {
        DeliveryPace::try_new(Duration::from_secs(1), 1).expect("a pace")
    }

    pub(super) fn policy() -> RetryPolicy {
        RetryPolicy::try_new(Duration::from_secs(1)).expect("a policy")
    }

    pub(super) fn story() -> &'static Story {
        Story::of_one_goal()
    }
}
