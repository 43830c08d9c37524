//! `postbackctl demo`: the partners' document's own examples, played on a local stack, and what was stored of each.

mod media_buying;
mod partner;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use adapters::dynamodb::history::History;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use domain::{
    conversion::Conversion,
    ids::{ClickId, Provider, TransactionId},
    jiff::Timestamp,
    parameters::Parameters,
    postback::Content,
    refusal::{Conflict, ContentKey},
    signature::{self, Secret},
};
use serde::Deserialize;

use self::partner::Partner;
use crate::{
    Connection,
    operations::{
        api::{self, Reply},
        timeline::Timeline,
    },
    output::{self, say},
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The stack's description, as `make up` writes it.
    #[arg(long, default_value = ".stack/stack.json")]
    stack_file: PathBuf,
}

/// The part of the stack's description that the story needs.
#[derive(Debug, Deserialize)]
struct Stack {
    queues: BTreeMap<String, String>,
    partner_simulator_url: String,
    sample_partners: BTreeMap<String, SamplePartner>,
}

#[derive(Debug, Deserialize)]
struct SamplePartner {
    postback_url: String,
    #[serde(default)]
    signature_secret: Option<String>,
    #[serde(default)]
    landings: BTreeMap<String, String>,
}

/// How long the conversions may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The document's queries, as printed there.
const SINGLE_EVENT: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";
const MULTI_EVENT: &str =
    "user_id=12345&click_id=67890&currency=USD&amount_decimal=100.00&event_id=001&event_name=purchase";

pub(crate) async fn run(stack: &str, arguments: &Arguments) -> Result<ExitCode> {
    let path = &arguments.stack_file;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}: is the stack up? (make up)", path.display()))?;
    let described: Stack = serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let connection = Connection::open(stack).await?;
    let mut story = Story {
        client: api::client()?,
        history: connection.history(),
        timeline: Timeline::default(),
        receipts: BTreeSet::new(),
        step: 0,
    };
    story.play(&described).await?;
    say!("\nWhat is on the queue gg3-conversions, and what is stored:\n")?;
    let queue = described.queues.get("gg3-conversions").context("the stack has no queue gg3-conversions")?;
    let conversions = arrived(&connection.sqs(), queue, &story.receipts).await?;
    for conversion in &conversions {
        story.timeline.conversion(conversion);
    }
    output::print(&story.timeline)?;
    let events = described.queues.get("gg3-events").context("the stack has no queue gg3-events")?;
    let partner = Partner { client: &story.client, url: &described.partner_simulator_url };
    media_buying::play(&connection, events, &partner, &mut story.step).await?;
    Ok(ExitCode::SUCCESS)
}

struct Story {
    client: reqwest::Client,
    history: History,
    timeline: Timeline,
    /// The receipts whose conversions must arrive.
    receipts: BTreeSet<String>,
    step: usize,
}

impl Story {
    async fn play(&mut self, stack: &Stack) -> Result<()> {
        let partner = |name: &str| stack.sample_partners.get(name).with_context(|| format!("no sample partner {name}"));
        let (acme, globex, initech) = (partner("acme")?, partner("globex")?, partner("initech")?);

        let link = acme.landings.values().next().context("acme has no landing page")?;
        let click_id = self.follow(link).await?;

        self.title("A single-event postback, as the document prints it")?;
        self.accept("acme", acme, SINGLE_EVENT, "accepted").await?;
        self.title("The same again: safe, and the same receipt")?;
        self.accept("acme", acme, SINGLE_EVENT, "duplicate").await?;
        self.title("The same transaction with another amount: the original stands")?;
        let changed = SINGLE_EVENT.replace("100.00", "999.00");
        self.conflict("acme", acme, &changed).await?;
        self.title("A broken one: a macro left in, no transaction, a currency in lower case")?;
        self.refuse("acme", acme, "user_id={user_id}&click_id=67890&currency=usd&amount_decimal=100.00").await?;
        self.title("A multi-event postback, as the document prints it: the transaction is derived")?;
        self.accept("globex", globex, MULTI_EVENT, "accepted").await?;
        self.title("One whose click id is ours: the conversion says so")?;
        let ours =
            format!("user_id=12345&click_id={click_id}&transaction_id=t-{click_id}&currency=EUR&amount_decimal=7.5");
        self.accept("acme", acme, &ours, "accepted").await?;
        self.title("A signed postback: no token in the URL")?;
        let secret = initech.signature_secret.as_deref().context("initech has no signing secret")?;
        let parameters = Parameters::split(SINGLE_EVENT.as_bytes(), b"");
        let signature = signature::sign(&Secret::new(secret), &parameters.canonical(&[("provider", "initech")]));
        self.accept("initech", initech, &format!("{SINGLE_EVENT}&signature={signature}"), "accepted").await
    }

    fn title(&mut self, text: &str) -> Result<()> {
        self.step += 1;
        Ok(say!("\n{}. {text}", self.step)?)
    }

    /// Follows a tracking link as a browser would, up to the redirect.
    async fn follow(&mut self, link: &str) -> Result<ClickId> {
        self.title("A GG3 user follows a tracking link to acme")?;
        let reply = api::send(self.client.get(link)).await?;
        let location = reply.location.as_deref().unwrap_or_default();
        say!("   GET /click/…  ->  {} {location}", reply.status)?;
        expect(&reply, 302)?;
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let raw = Parameters::split(query.as_bytes(), b"").raw("click_id").map(<[u8]>::to_vec).unwrap_or_default();
        let click_id = ClickId::new(String::from_utf8(raw)?).map_err(|fault| anyhow!("the click id {fault}"))?;
        let click = self.history.click(&click_id).await?.context("the click is not stored")?;
        self.timeline.click(&click);
        Ok(click_id)
    }

    async fn call(&self, provider: &str, partner: &SamplePartner, query: &str) -> Result<Reply> {
        let shown = query.split("&signature=").next().unwrap_or_default();
        say!("   GET /postback/{provider}/…?{shown}")?;
        let reply = api::send(self.client.get(format!("{}?{query}", partner.postback_url))).await?;
        say!("   {} {}", reply.status, reply.body)?;
        Ok(reply)
    }

    async fn accept(&mut self, name: &str, partner: &SamplePartner, query: &str, status: &str) -> Result<()> {
        let reply = self.call(name, partner, query).await?;
        expect(&reply, 200)?;
        // Played again on a stack that is still up, everything is a duplicate: that is the point of it.
        let transaction = TransactionId::new(reply.text("transaction_id")).map_err(|fault| anyhow!("{fault}"))?;
        self.receipts.insert(reply.text("receipt_id").to_owned());
        if status == "accepted" {
            for item in self.history.transaction(&provider(name)?, &transaction).await? {
                self.timeline.postback(&item);
            }
        }
        Ok(())
    }

    async fn conflict(&mut self, name: &str, partner: &SamplePartner, query: &str) -> Result<()> {
        let reply = self.call(name, partner, query).await?;
        expect(&reply, 409)?;
        let content: Content = content_of(query)?;
        let transaction_id = TransactionId::new("123123123").map_err(|fault| anyhow!("{fault}"))?;
        let conflict = Conflict {
            provider: provider(name)?,
            transaction_id,
            content,
            differences: Vec::new(),
            received_at: Timestamp::now(),
        };
        let kept = self.history.refusal(&conflict.key()).await?.context("the conflict is not kept")?;
        self.timeline.refusal(&kept, None);
        Ok(())
    }

    async fn refuse(&mut self, name: &str, partner: &SamplePartner, query: &str) -> Result<()> {
        let reply = self.call(name, partner, query).await?;
        expect(&reply, 400)?;
        let request = Parameters::split(query.as_bytes(), b"").to_kept_text();
        let kept = self
            .history
            .refusal(&ContentKey::of_refusal(&provider(name)?, &request))
            .await?
            .context("the refusal is not kept")?;
        self.timeline.refusal(&kept, None);
        Ok(())
    }
}

fn provider(name: &str) -> Result<Provider> {
    Provider::new(name).map_err(|fault| anyhow!("{fault}"))
}

/// The content of one of the story's own queries, none of which needs decoding.
fn content_of(query: &str) -> Result<Content> {
    let pairs: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    Ok(serde_json::from_value(serde_json::to_value(pairs)?)?)
}

fn expect(reply: &Reply, status: u16) -> Result<()> {
    if reply.status != status {
        bail!("expected {status}, got {}: {}", reply.status, reply.body);
    }
    Ok(())
}

/// The conversions with these receipts, as they are on the queue. They stay there: each is hidden for two seconds only.
async fn arrived(sqs: &aws_sdk_sqs::Client, queue: &str, receipts: &BTreeSet<String>) -> Result<Vec<Conversion>> {
    let begun = Instant::now();
    let mut found: BTreeMap<String, Conversion> = BTreeMap::new();
    while found.len() < receipts.len() {
        if begun.elapsed() > PATIENCE {
            bail!("{} of {} conversions arrived within {PATIENCE:?}: see the logs", found.len(), receipts.len());
        }
        let receive = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let received =
            receive.visibility_timeout(2).wait_time_seconds(1).send().await.context("cannot read the queue")?;
        for body in received.messages.unwrap_or_default().into_iter().filter_map(|message| message.body) {
            let conversion: Conversion = serde_json::from_str(&body).context("a conversion cannot be read")?;
            if receipts.contains(conversion.receipt_id.as_str()) {
                found.insert(conversion.receipt_id.to_string(), conversion);
            }
        }
    }
    Ok(found.into_values().collect())
}
