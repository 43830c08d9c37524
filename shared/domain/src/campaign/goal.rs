//! What a user must do: the four kinds of goal that the document names.

use alloc::collections::BTreeSet;
use core::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::{ids::QuestId, partner::Faults, prelude::*};

/// The most main quests that one goal may name.
pub const MAX_QUESTS: usize = 10;
/// The most clicks that a goal may ask for.
pub const MAX_CLICKS: u64 = 1_000_000_000;
/// A goal as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum GoalFile {
    /// To register, in any way.
    Registration {},
    /// To click the GG-button this often.
    Ggstrike {
        /// How often, from 1.
        clicks: u64,
    },
    /// To complete one main quest.
    MainQuest {
        /// Which.
        quest: String,
    },
    /// To complete a group of main quests, all of them.
    MainQuests {
        /// Which: 2 to 10.
        quests: Vec<String>,
    },
}

/// What a user must do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "GoalFile", into = "GoalFile")]
pub enum Goal {
    /// To register, in any way.
    Registration,
    /// To click the GG-button this often since the partner's link was first opened.
    Ggstrike(NonZeroU64),
    /// To complete this main quest.
    MainQuest(QuestId),
    /// To complete all of these.
    MainQuests(QuestGroup),
}

/// 2 to 10 main quests, each once.
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

    /// The quests to complete, all of them: none for a goal of another kind.
    pub fn quests(&self) -> impl Iterator<Item = &QuestId> {
        let (one, group) = match self {
            Self::MainQuest(quest) => (Some(quest), None),
            Self::MainQuests(group) => (None, Some(group)),
            Self::Registration | Self::Ggstrike(_) => (None, None),
        };
        one.into_iter().chain(group.into_iter().flat_map(|group| group.0.iter()))
    }

    /// What webhooks call it where the campaign says nothing else.
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
            faults.require(at < MAX_QUESTS, &path, "is one too many: a group has 2 to 10 quests");
            if let Some(quest) = faults.keep(&path, QuestId::new(quest)) {
                faults.require(group.insert(quest), &path, "stands twice");
            }
        }
        faults.require(count >= 2, &format!("{path}.quests"), "a group has 2 to 10 quests; for one, main_quest");
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
