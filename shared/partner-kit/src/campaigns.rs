//! The sections of a kit about the users whom the partner brings: its links to GG3, its campaigns and their webhooks.

use std::fmt::Write;

use anyhow::Result;
use domain::{
    inbound::tracking_link::{TrackerMacro, media_buying_link},
    outbound::campaign::{Campaign, Goal},
    values::ids::QuestId,
};

use super::{
    Kit,
    page::{self, Names, Page},
};

impl Kit<'_> {
    /// Returns the campaigns that have not ended for good.
    pub(super) fn campaigns(&self) -> impl Iterator<Item = &Campaign> {
        self.partner.media_buying().campaigns().values().filter(|campaign| !campaign.archived())
    }

    pub(super) fn media_buying(&self, text: &mut String, page: &Page, names: &Names) -> Result<()> {
        if self.file.media_buying.is_none() {
            return Ok(());
        }
        let agreed = self.partner.media_buying();
        let macros: Vec<(&str, TrackerMacro)> = agreed.macros().map(|(id, text)| (id.as_str(), text.clone())).collect();
        let link = |to| format!("    {}", media_buying_link(to, self.partner.provider(), &macros));
        let links = self.pages.iter().map(link).collect::<Vec<_>>().join("\n");
        // The parameters of GG3's own pages are not renamed.
        page.section("Bring your users to GG3")?.write(text, |body| page::with_block(body, &links))?;

        if self.campaigns().next().is_none() {
            return Ok(());
        }
        let webhooks = page.section("Take our webhooks")?;
        writeln!(text, "## Take our webhooks\n\n| campaign | goal | counts | webhook |\n|---|---|---|---|")?;
        for campaign in self.campaigns() {
            let (webhook, terms) = (campaign.webhook(), campaign.terms());
            let until = terms.active_to.map_or_else(String::new, |to| format!(" to {to}"));
            let (name, goal, from) = (campaign.name(), goal(&terms.goal), terms.active_from);
            writeln!(text, "| {name} | {goal} | from {from}{until} | {} `{}` |", webhook.method, webhook.url)?;
        }
        text.push('\n');
        // The bodies of POSTs have the partner's names for the ids.
        text.push_str(&names.put_into_all(webhooks.body));
        Ok(())
    }
}

/// Returns a goal in words.
fn goal(goal: &Goal) -> String {
    let quests = || goal.quests().map(QuestId::as_str).collect::<Vec<_>>().join(", ");
    match goal {
        Goal::Registration => "the user registers".to_owned(),
        Goal::Ggstrike(clicks) if clicks.get() == 1 => "1 click on the GG-button".to_owned(),
        Goal::Ggstrike(clicks) => format!("{clicks} clicks on the GG-button"),
        Goal::MainQuest(_) => format!("the quest {}", quests()),
        Goal::MainQuests(_) => format!("all of the quests {}", quests()),
    }
}
