//! The outbound half of the story: a partner's user does at GG3 what four campaigns ask for, told in an awkward order; and
//! the partner is told, though its server is down at first.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use domain::{
    ids::{Provider, UserId},
    jiff::Timestamp,
    moment::Moment,
};
use serde_json::{Value, json};

use super::{PATIENCE, partner::Partner};
use crate::{
    Connection,
    operations::trace,
    outbound::progress,
    output::{self, say},
    publish::Catalogue,
};

const PARTNER: &str = "acme";

/// Plays it, and shows what was stored.
pub(super) async fn play(connection: &Connection, events: &str, partner: &Partner<'_>, step: &mut usize) -> Result<()> {
    let begin = beginning(connection).await?;
    let name = format!("gg3-{}", begin.as_millisecond());
    let user = UserId::new(name.as_str()).map_err(|fault| anyhow!("{fault}"))?;
    let mut story = Story { connection, events, user, begin, step };
    let tracking = json!({"provider": PARTNER, "click_id": "c-1", "user_id": "p-9"});

    let early = [
        story.event("quest-1", "main_quest.completed", 300, json!({"quest_id": "connect-wallet"})),
        story.event("clicks-1", "gg_button.clicked", 400, json!({"total_clicks": 45})),
        story.event("quest-2", "main_quest.completed", 500, json!({"quest_id": "invite-a-friend"})),
        story.event("opened", "tracking_link.opened", 100, json!({"total_clicks": 40, "tracking": tracking})),
    ];
    let title = "acme's user opens acme's link to GG3, clicks, completes two quests; the opening is told last";
    story.tell(title, &early).await?;
    // In the end: the opening is there, and the five clicks and two quests count from it.
    story
        .show(|lines| {
            lines.iter().any(|line| line.contains("5 of 10 clicks"))
                && lines.iter().any(|line| line.contains("missing"))
        })
        .await?;

    // Of the four webhooks to come, the first requests fail, in three ways.
    let failing = json!([{"status": 500, "body": "down for maintenance", "times": 3}, {"close": true},
        {"status": 503, "retry_after_seconds": 3}, {"status": 200, "body": "thank you"}]);
    partner.answers(PARTNER, &failing).await?;
    let late = [
        story.event("quest-4", "main_quest.completed", 800, json!({"quest_id": "complete-50-quests"})),
        story.event("clicks-2", "gg_button.clicked", 600, json!({"total_clicks": 50})),
        story.event(
            "registered",
            "user.registered",
            200,
            json!({"method": "google", "total_clicks": 40, "tracking": tracking}),
        ),
        story.event("quest-3", "main_quest.completed", 700, json!({"quest_id": "first-trade"})),
        story.event("clicks-1", "gg_button.clicked", 400, json!({"total_clicks": 45})),
    ];
    story.tell("The rest, shuffled, with a repeated event: every goal is reached, each once", &late).await?;
    story.show(|lines| lines.iter().all(|line| line.contains("reached; delivery "))).await?;

    story.title(
        "acme's server answers 500, breaks off, asks for patience, and then takes them: every attempt, as it is stored",
    )?;
    story.until_all_are_delivered().await?;
    output::print(trace::outbound(connection, &story.user).await?)?;
    Ok(())
}

/// When every campaign of the partner has begun, and a little later: the story's instants lie behind then.
async fn beginning(connection: &Connection) -> Result<Moment> {
    let standing = connection.catalogue().load().await?;
    let goals =
        standing.snapshot().and_then(|snapshot| snapshot.partners.iter().find(|(name, _)| name.as_str() == PARTNER));
    let begin = goals.and_then(|(_, goals)| goals.campaigns.values().map(|terms| terms.active_from).max());
    let begin = begin.with_context(|| format!("{PARTNER} has no campaigns"))?;
    let begin = begin.max(Moment::from(Timestamp::now()));
    let ready = begin.plus(Duration::from_secs(1));
    let wait = ready.as_millisecond().saturating_sub(Timestamp::now().as_millisecond());
    let wait = Duration::from_millis(u64::try_from(wait).unwrap_or_default());
    if wait > Duration::from_mins(1) {
        bail!("{PARTNER}'s campaigns begin in {wait:?} only");
    }
    say!("\nacme's campaigns begin in a moment: {}", begin.timestamp())?;
    tokio::time::sleep(wait).await;
    Ok(begin)
}

struct Story<'a> {
    connection: &'a Connection,
    events: &'a str,
    user: UserId,
    begin: Moment,
    step: &'a mut usize,
}

impl Story<'_> {
    /// An event of this user, so many milliseconds after the beginning; `own` is what its type adds.
    fn event(&self, id: &str, kind: &str, millis_after: u64, own: Value) -> Value {
        let at = self.begin.plus(Duration::from_millis(millis_after));
        let common = json!({
            "id": format!("{}-{id}", self.user), "type": kind, "user_id": self.user, "occurred_at": at.to_string(),
        });
        let fields = [common, own].into_iter().filter_map(|part| part.as_object().cloned()).flatten();
        Value::Object(fields.collect())
    }

    fn title(&mut self, title: &str) -> Result<()> {
        *self.step += 1;
        Ok(say!("\n{}. {title}", self.step)?)
    }

    async fn until_all_are_delivered(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if self.lines().await?.iter().all(|line| line.ends_with(" delivered")) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the webhooks were not delivered within {PATIENCE:?}: see the logs");
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn lines(&self) -> Result<Vec<String>> {
        let provider = Provider::new(PARTNER).map_err(|fault| anyhow!("{fault}"))?;
        let found = progress::read(self.connection, &self.user, Some(&provider)).await?;
        Ok(found.campaigns.iter().map(progress::line).collect())
    }

    async fn tell(&mut self, title: &str, events: &[Value]) -> Result<()> {
        self.title(title)?;
        let sqs = self.connection.sqs();
        for event in events {
            say!("   gg3-events  <-  {event}")?;
            let send = sqs.send_message().queue_url(self.events).message_body(event.to_string());
            send.send().await.context("cannot put an event on the queue")?;
        }
        Ok(())
    }

    /// Waits until what is stored says so, then shows it.
    async fn show(&self, done: impl Fn(&[String]) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let shown = self.lines().await?;
            if done(&shown) {
                say!("   {} has come this far, as it is stored:", self.user)?;
                for line in shown {
                    say!("     {line}")?;
                }
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the events had no such effect within {PATIENCE:?}: see the logs\n  {}", shown.join("\n  "));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
