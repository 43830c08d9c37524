//! Explains a participant's progress with a campaign: the parts of the goal that are reached, the parts that are
//! missing, and the events that did not count.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::outbound::campaign::{Goal, Terms};
use crate::outbound::participant::{Attribution, Clicks, Participant};
use crate::prelude::*;
use crate::values::ids::{CampaignName, Provider, QuestId};
use crate::values::time::UnixMillis;

/// Holds a participant's progress with one campaign. `Display` explains the progress in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Says when the partner's link was first opened, or is absent if it never was.
    #[serde(serialize_with = "crate::values::time::three_decimals::option::serialize")]
    pub since: Option<UnixMillis>,
    /// Says how far the participant has come.
    #[serde(flatten)]
    pub state: ProgressState,
    /// Lists the things that the user did and that do not count, with the reasons.
    pub not_counted: Vec<NotCounted>,
}

/// Says how far a participant is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProgressState {
    /// The goal is reached. The delivery says when.
    Reached,
    /// No registration is known that came through this partner's link while the campaign ran. Earlier registrations are
    /// not kept.
    NotRegistered {
        /// Holds the instant from which a registration counts.
        #[serde(serialize_with = "crate::values::time::three_decimals::serialize")]
        from: UnixMillis,
    },
    /// Clicks are missing.
    Clicks {
        /// Counts the clicks from the opening to the last click within the campaign's time.
        counted: u64,
        /// Counts the clicks that the goal asks for.
        needed: u64,
    },
    /// Quests are missing.
    Quests {
        /// Lists the quests that count as completed, with their instants.
        #[serde(serialize_with = "by_quest")]
        done: Vec<(QuestId, UnixMillis)>,
        /// Lists the quests that are still to complete.
        missing: Vec<QuestId>,
    },
}

fn by_quest<S: Serializer>(done: &[(QuestId, UnixMillis)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(done.iter().map(|(quest, at)| (quest, format!("{at:.3}"))))
}

/// Describes something that the user did and that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCounted {
    /// Identifies the quest, or is absent for clicks.
    pub quest: Option<QuestId>,
    /// Says when the user did it.
    #[serde(serialize_with = "crate::values::time::three_decimals::serialize")]
    pub at: UnixMillis,
    /// Says why it does not count.
    pub reason: NotCountedReason,
}

/// Says why something does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotCountedReason {
    /// The user has opened no link of this partner.
    NotOpened,
    /// The event occurred before this partner's link was opened.
    BeforeOpening,
    /// The event occurred before the campaign began.
    BeforeBeginning,
    /// The event occurred after the campaign ended.
    AfterEnd,
    /// The event occurred after the opening, but had expired when the opening was reported.
    Expired,
}

impl fmt::Display for NotCountedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOpened => "without opening the link",
            Self::BeforeOpening => "before the link was opened",
            Self::BeforeBeginning => "before the campaign began",
            Self::AfterEnd => "after the campaign ended",
            Self::Expired => "more than 7 days before the opening was reported",
        })
    }
}

/// Explains how far this participant has come with this campaign.
///
/// The explanation covers only events that are kept. Events that no campaign needed, and the facts of a reached goal,
/// are not kept.
pub fn explain(participant: &Participant, provider: &Provider, name: &CampaignName, terms: &Terms) -> Progress {
    let attribution = participant.attribution(provider);
    let since = attribution.map(|attribution| attribution.since);
    if participant.has_reached(provider, name) {
        return Progress { since, state: ProgressState::Reached, not_counted: Vec::new() };
    }
    let looking = Looking { participant, attribution, terms };
    let (state, not_counted) = match &terms.goal {
        Goal::Registration => (ProgressState::NotRegistered { from: terms.active_from }, Vec::new()),
        Goal::Ggstrike(needed) => looking.clicks(needed.get()),
        Goal::MainQuest(_) | Goal::MainQuests(_) => looking.quests(),
    };
    Progress { since, state, not_counted }
}

struct Looking<'a> {
    participant: &'a Participant,
    attribution: Option<&'a Attribution>,
    terms: &'a Terms,
}

impl Looking<'_> {
    fn clicks(&self, needed: u64) -> (ProgressState, Vec<NotCounted>) {
        let mut counted = 0;
        let mut not_counted = None;
        for Clicks(at, total) in self.participant.clicks() {
            match (self.reason(at), self.attribution) {
                (None, Some(attribution)) => counted = counted.max(total.saturating_sub(attribution.baseline)),
                (reason, _) => {
                    let reason = reason.unwrap_or(NotCountedReason::NotOpened);
                    not_counted = Some(NotCounted { quest: None, at, reason });
                }
            }
        }
        // Once some clicks count, earlier clicks are part of the baseline and need no mention.
        let not_counted = not_counted.filter(|_| counted == 0);
        (ProgressState::Clicks { counted, needed }, not_counted.into_iter().collect())
    }

    fn quests(&self) -> (ProgressState, Vec<NotCounted>) {
        let (mut done, mut missing, mut not_counted) = (Vec::new(), Vec::new(), Vec::new());
        for quest in self.terms.goal.quests() {
            let completed =
                self.attribution.and_then(|attribution| self.participant.completed_at(attribution, self.terms, quest));
            if let Some(at) = completed {
                done.push((quest.clone(), at));
                continue;
            }
            missing.push(quest.clone());
            not_counted.extend(
                self.participant
                    .completions(quest)
                    .filter_map(|at| Some(NotCounted { quest: Some(quest.clone()), at, reason: self.reason(at)? })),
            );
        }
        (ProgressState::Quests { done, missing }, not_counted)
    }

    fn reason(&self, at: UnixMillis) -> Option<NotCountedReason> {
        if at < self.terms.active_from {
            return Some(NotCountedReason::BeforeBeginning);
        }
        if !self.terms.contain(at) {
            return Some(NotCountedReason::AfterEnd);
        }
        match self.attribution {
            None => Some(NotCountedReason::NotOpened),
            Some(attribution) if at < attribution.since => Some(NotCountedReason::BeforeOpening),
            Some(attribution) if !attribution.counts(self.terms, at) => Some(NotCountedReason::Expired),
            Some(_) => None,
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            ProgressState::Reached => return f.write_str("reached"),
            ProgressState::NotRegistered { from } => {
                write!(f, "not registered through this partner's link in the campaign's time, which begins at {from}")?;
            }
            ProgressState::Clicks { counted, needed } => write!(f, "{counted} of {needed} clicks")?,
            ProgressState::Quests { done, missing } => {
                let total = done.len() + missing.len();
                let quests = if missing.len() == 1 { "quest" } else { "quests" };
                write!(f, "{} of {total} quests; {quests} {} missing", done.len(), list(missing))?;
            }
        }
        if self.since.is_none() {
            f.write_str("; the partner's link was not opened")?;
        }
        for (at, what) in self.not_counted.iter().enumerate() {
            f.write_str(if at == 0 { "; not counted: " } else { ", " })?;
            match &what.quest {
                Some(quest) => write!(f, "{quest}, completed {} ({})", what.reason, what.at)?,
                None => write!(f, "clicks {} (until {})", what.reason, what.at)?,
            }
        }
        Ok(())
    }
}

fn list(quests: &[QuestId]) -> String {
    quests.iter().map(QuestId::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
