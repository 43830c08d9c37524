//! Plays the inbound half of the story: good and bad postbacks, as partners send them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use aws_sdk_sqs::Client;
use domain::{
    inbound::{conversion::Conversion, parameters::Parameters},
    values::signature::{self, Secret},
};
use serde_json::Value;

use crate::{
    PATIENCE, SamplePartner, Stack,
    http::{self, Reply},
    narrator::Narrator,
    operator::Operator,
};

/// Holds the queries that the partners' document prints.
const SINGLE_EVENT: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";
const MULTI_EVENT: &str =
    "user_id=12345&click_id=67890&currency=USD&amount_decimal=100.00&event_id=001&event_name=purchase";

/// Plays the inbound half, and shows the conversions for GG3 and what was stored. Returns what happened, in lines.
pub(crate) async fn play(
    stack: &Stack,
    client: &reqwest::Client,
    sqs: &Client,
    operator: &Operator,
    narrator: &mut Narrator,
) -> Result<Vec<String>> {
    let partner = |name: &str| stack.sample_partners.get(name).with_context(|| format!("no sample partner {name}"));
    let (acme, globex, initech) = (partner("acme")?, partner("globex")?, partner("initech")?);
    let mut story = Story { client, narrator, receipts: BTreeSet::new(), answers: Vec::new() };

    story.narrator.begin("A GG3 user follows a tracking link to acme")?;
    let click_id = story.follow(acme.landings.values().next().context("acme has no landing page")?).await?;
    story.narrator.begin("A single-event postback, as the document prints it")?;
    story.accept("acme", acme, SINGLE_EVENT).await?;
    story.narrator.begin("The same again: safe, and the same receipt")?;
    story.accept("acme", acme, SINGLE_EVENT).await?;
    story.narrator.begin("The same transaction with another amount: the original is kept")?;
    story.call("acme", acme, &SINGLE_EVENT.replace("100.00", "999.00")).await?.expect(409)?;
    story.narrator.begin("A broken one: a macro left in, no transaction, a currency in lower case")?;
    let broken = "user_id={user_id}&click_id=67890&currency=usd&amount_decimal=100.00";
    story.call("acme", acme, broken).await?.expect(400)?;
    story.narrator.begin("A multi-event postback, as the document prints it: the transaction is derived")?;
    let derived = story.accept("globex", globex, MULTI_EVENT).await?;
    story.narrator.begin("A postback whose click id is ours: the conversion says so")?;
    let transaction = format!("t-{click_id}");
    let ours =
        format!("user_id=12345&click_id={click_id}&transaction_id={transaction}&currency=EUR&amount_decimal=7.5");
    story.accept("acme", acme, &ours).await?;
    story.narrator.begin("A signed postback: no token in the URL")?;
    let secret = initech.signature_secret.as_deref().context("initech has no signing secret")?;
    let parameters = Parameters::split(SINGLE_EVENT.as_bytes(), b"");
    let signature = signature::sign(&Secret::new(secret), &parameters.canonical(&[("provider", "initech")]));
    story.accept("initech", initech, &format!("{SINGLE_EVENT}&signature={signature}")).await?;

    story.narrator.begin("GG3's quests read the conversions from the queue gg3-conversions")?;
    let conversions = arrived(sqs, stack.queue("gg3-conversions")?, &story.receipts).await?;
    for conversion in &conversions {
        let Conversion { provider, transaction_id, content, click, .. } = conversion;
        let amount = format!("{} {}", content.amount_decimal, content.currency);
        story.narrator.line(&format!("{provider}: {amount}, click {click}, transaction {transaction_id}"))?;
        story.narrator.detail(&serde_json::to_string_pretty(conversion)?)?;
    }
    story.narrator.begin("An operator asks for transaction 123123123 of acme: postbackctl trace")?;
    for (provider, transaction, click, expected) in [
        ("acme", "123123123", None, &["postback ", "conflict "][..]),
        ("acme", &transaction, Some(click_id.as_str()), &["click ", "postback "]),
        ("globex", &derived, None, &["postback "]),
        ("initech", "123123123", None, &["postback "]),
    ] {
        let by_click = click.map(|click| ["--click", click]);
        let trace = ["trace", "--provider", provider, "--transaction", transaction];
        let arguments: Vec<&str> = trace.into_iter().chain(by_click.into_iter().flatten()).collect();
        let traced = operator.until(&arguments, expected).await?;
        if (provider, transaction) == ("acme", "123123123") {
            story.narrator.timeline(&traced)?;
        } else {
            story.narrator.detail(&format!("postbackctl {}\n{traced}", arguments.join(" ")))?;
        }
    }
    let refused = ["refusals", "--provider", "acme", "--limit", "3"];
    let listed = operator.until(&refused, &["refusal "]).await?;
    story.narrator.detail(&format!("postbackctl {}\n{listed}", refused.join(" ")))?;
    Ok(story.summary(conversions.len()))
}

struct Story<'a> {
    client: &'a reqwest::Client,
    narrator: &'a mut Narrator,
    /// Holds the receipts whose conversions must arrive.
    receipts: BTreeSet<String>,
    /// Holds the status of each answer to a postback.
    answers: Vec<u16>,
}

impl Story<'_> {
    /// Follows a tracking link as a browser would, up to the redirect, and returns the click id in it.
    async fn follow(&mut self, link: &str) -> Result<String> {
        let reply = http::send(self.client.get(link)).await?;
        self.narrator.line(&format!("{} to {}", reply.status, reply.location))?;
        reply.expect(302)?;
        let query = reply.location.split_once('?').map_or("", |(_, query)| query);
        let raw = Parameters::split(query.as_bytes(), b"").raw("click_id").map(<[u8]>::to_vec);
        Ok(String::from_utf8(raw.context("the landing page got no click id")?)?)
    }

    async fn call(&mut self, provider: &str, partner: &SamplePartner, query: &str) -> Result<Reply> {
        let shown = query.split("&signature=").next().unwrap_or_default();
        self.narrator.detail(&format!("GET /postback/{provider}/…?{shown}"))?;
        let reply = http::send(self.client.get(format!("{}?{query}", partner.postback_url))).await?;
        self.answers.push(reply.status);
        for line in answer(&reply) {
            self.narrator.line(&line)?;
        }
        self.narrator.detail(&serde_json::to_string_pretty(&reply.body)?)?;
        Ok(reply)
    }

    /// Sends a postback that must be recorded, and returns its transaction. On a stack that has played the story
    /// before, the postback is a duplicate.
    async fn accept(&mut self, name: &str, partner: &SamplePartner, query: &str) -> Result<String> {
        let reply = self.call(name, partner, query).await?;
        reply.expect(200)?;
        self.receipts.insert(reply.text("receipt_id").to_owned());
        Ok(reply.text("transaction_id").to_owned())
    }

    /// Says what happened to the postbacks.
    fn summary(&self, conversions: usize) -> Vec<String> {
        let count = |status| self.answers.iter().filter(|answer| **answer == status).count();
        vec![
            "A user followed a tracking link to acme and arrived with a click id of ours.".to_owned(),
            format!(
                "{} postbacks came. {} were answered 200, of which one was a resend.",
                self.answers.len(),
                count(200)
            ),
            format!("{} with another amount was kept for an operator, and {} was malformed.", count(409), count(400)),
            format!("GG3's quests got {conversions} conversions, each once."),
        ]
    }
}

/// Returns the parts of an answer that matter, in lines.
fn answer(reply: &Reply) -> Vec<String> {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let status = format!("{} {}", reply.status, reply.text("status"));
    match reply.status {
        200 => vec![format!("{status}, receipt {}", reply.text("receipt_id"))],
        400 => {
            let fault = |fault: &Value| format!("    {}: {}", text(fault, "parameter"), text(fault, "code"));
            [format!("{} malformed", reply.status)]
                .into_iter()
                .chain(list(&reply.body, "faults").iter().map(fault))
                .collect()
        }
        409 => {
            let conflict = reply.body.get("conflict").cloned().unwrap_or_default();
            let differs = |differs: &Value| {
                let (field, original, sent) =
                    (text(differs, "parameter"), text(differs, "original"), text(differs, "sent"));
                format!("{} conflict: {field} {original} stays, {sent} is kept for an operator", reply.status)
            };
            list(&conflict, "differences").iter().map(differs).collect()
        }
        _ => vec![status],
    }
}

/// Reads the conversions with these receipts from the queue. Reading hides each conversion for two seconds and removes
/// none.
async fn arrived(sqs: &Client, queue: &str, receipts: &BTreeSet<String>) -> Result<Vec<Conversion>> {
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
