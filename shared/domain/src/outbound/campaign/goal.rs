//! Defines the four kinds of goals in the document for partners.

use alloc::collections::BTreeSet;
use core::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::Faults;
use crate::values::ids::QuestId;

/// Bounds the number of main quests of one goal.
pub const MAX_QUESTS: usize = 10;
/// Bounds the number of clicks of one goal.
pub const MAX_CLICKS: u64 = 1_000_000_000;
/// Holds a goal as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum GoalFile {
    /// The user must register, in any way.
    Registration {},
    /// The user must click the GG-button.
    Ggstrike {
        /// Counts the clicks, from 1.
        clicks: u64,
    },
    /// The user must complete one main quest.
    MainQuest {
        /// Names the quest.
        quest: String,
    },
    /// The user must complete all main quests of a group.
    MainQuests {
        /// Names 2 to 10 quests.
        quests: Vec<String>,
    },
}

/// Says what a user must do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "GoalFile", into = "GoalFile")]
pub enum Goal {
    /// The user must register, in any way.
    Registration,
    /// The user must click the GG-button this many times after first opening the partner's link.
    Ggstrike(NonZeroU64),
    /// The user must complete this main quest.
    MainQuest(QuestId),
    /// The user must complete all of these quests.
    MainQuests(QuestGroup),
}

/// Holds 2 to 10 different main quests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestGroup(BTreeSet<QuestId>);

impl Goal {
    pub(super) fn parse(file: GoalFile, path: &str, faults: &mut Faults) -> Option<Self> {
        match file {
            GoalFile::Registration {} => Some(Self::Registration),
            GoalFile::Ggstrike { clicks } => {
                let known = NonZeroU64::new(clicks).filter(|clicks| clicks.get() <= MAX_CLICKS);
                faults.require(known.is_some(), &format!("{path}.clicks"), "must be 1 to 1000000000 clicks");
                known.map(Self::Ggstrike)
            }
            GoalFile::MainQuest { quest } => {
                faults.keep(&format!("{path}.quest"), QuestId::new(quest)).map(Self::MainQuest)
            }
            GoalFile::MainQuests { quests } => QuestGroup::parse(quests, path, faults).map(Self::MainQuests),
        }
    }

    /// Returns the quests to complete. A goal without quests has none.
    pub fn quests(&self) -> impl Iterator<Item = &QuestId> {
        let (one, group) = match self {
            Self::MainQuest(quest) => (Some(quest), None),
            Self::MainQuests(group) => (None, Some(group)),
            Self::Registration | Self::Ggstrike(_) => (None, None),
        };
        one.into_iter().chain(group.into_iter().flat_map(|group| group.0.iter()))
    }

    /// Returns the default name of the goal, which webhooks use unless the campaign gives another name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Ggstrike(_) => "ggstrike",
            Self::MainQuest(_) => "main_quest",
            Self::MainQuests(_) => "main_quests",
        }
    }
}

impl QuestGroup {
    fn parse(quests: Vec<String>, path: &str, faults: &mut Faults) -> Option<Self> {
        let count = quests.len();
        let mut group = BTreeSet::new();
        for (at, quest) in quests.into_iter().enumerate() {
            let path = format!("{path}.quests[{at}]");
            faults.require(at < MAX_QUESTS, &path, "is one quest too many; a group has 2 to 10");
            if let Some(quest) = faults.keep(&path, QuestId::new(quest)) {
                faults.require(group.insert(quest), &path, "is repeated; remove one");
            }
        }
        faults.require(count >= 2, &format!("{path}.quests"), "must list 2 to 10 quests; for one, use main_quest");
        (group.len() == count && (2..=MAX_QUESTS).contains(&count)).then_some(Self(group))
    }
}

impl TryFrom<GoalFile> for Goal {
    type Error = String;

    fn try_from(file: GoalFile) -> Result<Self, String> {
        let mut faults = Faults::default();
        let goal = Self::parse(file, "goal", &mut faults);
        goal.ok_or_else(|| faults.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

impl From<Goal> for GoalFile {
    fn from(goal: Goal) -> Self {
        match goal {
            Goal::Registration => Self::Registration {},
            Goal::Ggstrike(clicks) => Self::Ggstrike { clicks: clicks.get() },
            Goal::MainQuest(quest) => Self::MainQuest { quest: quest.into() },
            Goal::MainQuests(group) => Self::MainQuests { quests: group.0.into_iter().map(Into::into).collect() },
        }
    }
}
