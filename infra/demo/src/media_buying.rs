//! Plays the outbound half of the story. A partner's user reaches the goals of four campaigns at GG3, and the events
//! come in an awkward order. The partner gets its webhooks although its server is down at first.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use app::ports::{Catalogues, Published};
use aws_sdk_sqs::Client;
use domain::{outbound::catalogue::Snapshot, values::time::UnixMillis};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Stack, narrator::Narrator, operator::Operator};

const PARTNER: &str = "acme";

/// Plays the outbound half, and shows what was stored. Returns what happened, in lines.
pub(crate) async fn play(
    stack: &Stack,
    client: &reqwest::Client,
    sqs: &Client,
    (catalogues, operator): (&impl Catalogues, &Operator),
    narrator: &mut Narrator,
) -> Result<Vec<String>> {
    let begin = beginning(catalogues, narrator).await?;
    let user = format!("gg3-{}", begin.as_millisecond());
    let mut story = Story { sqs, narrator, events: stack.queue("gg3-events")?, operator, user: &user, begin };
    let tracking = json!({"provider": PARTNER, "click_id": "c-1", "user_id": "p-9"});

    story.narrator.begin("acme's user opens its link, clicks and does quests; the opening comes last")?;
    let early = [
        story.event("quest-1", "main_quest.completed", 300, json!({"quest_id": "connect-wallet"})),
        story.event("clicks-1", "gg_button.clicked", 400, json!({"total_clicks": 45})),
        story.event("quest-2", "main_quest.completed", 500, json!({"quest_id": "invite-a-friend"})),
        story.event("opened", "tracking_link.opened", 100, json!({"total_clicks": 40, "tracking": tracking})),
    ];
    story.send(&early).await?;
    // Five clicks and two quests count from the opening once the opening has arrived.
    story.show_progress(|shown| shown.contains("5 of 10 clicks") && shown.contains("missing")).await?;

    story.narrator.begin("The rest, shuffled, with a repeated event: every goal is reached, each once")?;
    // The first requests of the four webhooks fail in three ways.
    let failing = json!({"answers": [{"status": 500, "body": "down for maintenance", "times": 3}, {"close": true},
        {"status": 503, "retry_after_seconds": 3}, {"status": 200, "body": "thank you"}]});
    script(client, &stack.partner_simulator_url, &failing).await?;
    let registered = json!({"method": "google", "total_clicks": 40, "tracking": tracking});
    let late = [
        story.event("quest-4", "main_quest.completed", 800, json!({"quest_id": "complete-50-quests"})),
        story.event("clicks-2", "gg_button.clicked", 600, json!({"total_clicks": 50})),
        story.event("registered", "user.registered", 200, registered),
        story.event("quest-3", "main_quest.completed", 700, json!({"quest_id": "first-trade"})),
        story.event("clicks-1", "gg_button.clicked", 400, json!({"total_clicks": 45})),
    ];
    story.send(&late).await?;
    let goals = story.show_progress(|shown| shown.lines().all(|line| line.contains("reached; delivery "))).await?;

    story.narrator.begin("acme's server fails at first, and each webhook is sent until it is delivered")?;
    let is_delivered = |shown: &str| shown.lines().all(|line| line.ends_with(" delivered"));
    let progress = story.progress();
    operator.until_so(&borrowed(&progress), is_delivered).await?;
    let traced = operator.until(&["trace", "--user", &user], &["opening ", "attempt "]).await?;
    story.narrator.detail(&format!("postbackctl trace --user {user}\n{traced}"))?;
    let attempts: Vec<&str> = traced.lines().filter(|line| line.contains("  attempt  ")).collect();
    story.narrator.timeline(&attempts.join("\n"))?;
    let failed = attempts.iter().filter(|line| !line.ends_with("answered 200")).count();
    let (events, attempts) = (early.len() + late.len(), attempts.len());
    Ok(vec![
        format!("Another user came by acme's link. {events} events came, shuffled, one twice."),
        format!("The user reached acme's {goals} goals, each once; a webhook was owed for each."),
        format!("{failed} of {attempts} attempts failed, and all webhooks were delivered."),
    ])
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Waits until a second after the partner's last campaign has begun, so that the story's events lie in the past.
async fn beginning(catalogues: &impl Catalogues, narrator: &mut Narrator) -> Result<UnixMillis> {
    let Published::Other(catalogue) = catalogues.current(None).await? else { bail!("no campaign is published") };
    let snapshot = Snapshot::from(*catalogue);
    let goals = snapshot.partners.iter().find(|(name, _)| name.as_str() == PARTNER);
    let begin = goals.and_then(|(_, goals)| goals.campaigns.values().map(|terms| terms.active_from).max());
    let begin = begin.with_context(|| format!("{PARTNER} has no campaigns"))?.max(UnixMillis::from(Timestamp::now()));
    let ready = begin.plus(Duration::from_secs(1));
    let wait = ready.as_millisecond().saturating_sub(Timestamp::now().as_millisecond());
    let wait = Duration::from_millis(u64::try_from(wait).unwrap_or_default());
    if wait > Duration::from_mins(1) {
        bail!("{PARTNER}'s campaigns begin only in {wait:?}; publish them with a shorter lead");
    }
    narrator.detail(&format!("acme's campaigns begin at {}", begin.timestamp()))?;
    tokio::time::sleep(wait).await;
    Ok(begin)
}

/// Gives a script to the partner's server, which is the partner simulator here.
async fn script(client: &reqwest::Client, url: &str, script: &Value) -> Result<()> {
    let put = client.put(format!("{url}/_control/{PARTNER}")).header("content-type", "application/json");
    let reply = put.body(script.to_string()).send().await;
    let reply =
        reply.with_context(|| format!("the partner simulator does not answer at {url}: is the stack up? (make up)"))?;
    if !reply.status().is_success() {
        bail!("the partner simulator refused the script: {}", reply.text().await.unwrap_or_default());
    }
    Ok(())
}

struct Story<'a> {
    sqs: &'a Client,
    narrator: &'a mut Narrator,
    events: &'a str,
    operator: &'a Operator,
    user: &'a str,
    begin: UnixMillis,
}

impl Story<'_> {
    /// Makes an event of this user at this number of milliseconds after the beginning. `own` holds the fields of its
    /// type.
    fn event(&self, id: &str, kind: &str, millis_after: u64, own: Value) -> Value {
        let at = self.begin.plus(Duration::from_millis(millis_after));
        let common = json!({
            "id": format!("{}-{id}", self.user), "type": kind, "user_id": self.user, "occurred_at": at.to_string(),
        });
        let fields = [common, own].into_iter().filter_map(|part| part.as_object().cloned()).flatten();
        Value::Object(fields.collect())
    }

    async fn send(&mut self, events: &[Value]) -> Result<()> {
        for event in events {
            let text = |name: &str| event.get(name).map(|value| format!(", {name} {value}")).unwrap_or_default();
            let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
            self.narrator.line(&format!("{kind}{}{}", text("quest_id"), text("total_clicks")))?;
            self.narrator.detail(&serde_json::to_string_pretty(event)?)?;
            let send = self.sqs.send_message().queue_url(self.events).message_body(event.to_string());
            send.send().await.context("cannot put an event on the queue")?;
        }
        Ok(())
    }

    fn progress(&self) -> [String; 5] {
        ["progress", "--user", self.user, "--provider", PARTNER].map(str::to_owned)
    }

    /// Waits until the stored progress satisfies the condition, then shows it. Returns the number of campaigns.
    async fn show_progress(&mut self, is_so: impl Fn(&str) -> bool) -> Result<usize> {
        let shown = self.operator.until_so(&borrowed(&self.progress()), is_so).await?;
        self.narrator.line(&format!("postbackctl progress --user {}", self.user))?;
        for line in shown.lines() {
            // The long id of the delivery hides its state on a narrow terminal.
            let delivery =
                line.split_once("; delivery ").and_then(|(before, rest)| Some((before, rest.split_once(' ')?.1)));
            let short = delivery.map(|(before, status)| format!("{before}, webhook {status}"));
            self.narrator.line(&format!("  {}", short.as_deref().unwrap_or(line)))?;
        }
        self.narrator.detail(&shown)?;
        Ok(shown.lines().count())
    }
}
