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

use crate::{
    PATIENCE, SamplePartner, Stack, Steps,
    http::{self, Reply},
    operator::Operator,
};

/// Holds the queries that the partners' document prints.
const SINGLE_EVENT: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";
const MULTI_EVENT: &str =
    "user_id=12345&click_id=67890&currency=USD&amount_decimal=100.00&event_id=001&event_name=purchase";

/// Plays the inbound half, and shows the conversions for GG3 and what was stored.
pub(crate) async fn play(
    stack: &Stack,
    client: &reqwest::Client,
    sqs: &Client,
    operator: &Operator,
    steps: &mut Steps,
) -> Result<()> {
    let partner = |name: &str| stack.sample_partners.get(name).with_context(|| format!("no sample partner {name}"));
    let (acme, globex, initech) = (partner("acme")?, partner("globex")?, partner("initech")?);
    let mut story = Story { client, receipts: BTreeSet::new() };

    steps.begin("A GG3 user follows a tracking link to acme");
    let click_id = story.follow(acme.landings.values().next().context("acme has no landing page")?).await?;
    steps.begin("A single-event postback, as the document prints it");
    story.accept("acme", acme, SINGLE_EVENT).await?;
    steps.begin("The same again: safe, and the same receipt");
    story.accept("acme", acme, SINGLE_EVENT).await?;
    steps.begin("The same transaction with another amount: the original is kept");
    story.call("acme", acme, &SINGLE_EVENT.replace("100.00", "999.00")).await?.expect(409)?;
    steps.begin("A broken one: a macro left in, no transaction, a currency in lower case");
    let broken = "user_id={user_id}&click_id=67890&currency=usd&amount_decimal=100.00";
    story.call("acme", acme, broken).await?.expect(400)?;
    steps.begin("A multi-event postback, as the document prints it: the transaction is derived");
    let derived = story.accept("globex", globex, MULTI_EVENT).await?;
    steps.begin("A postback whose click id is ours: the conversion says so");
    let transaction = format!("t-{click_id}");
    let ours =
        format!("user_id=12345&click_id={click_id}&transaction_id={transaction}&currency=EUR&amount_decimal=7.5");
    story.accept("acme", acme, &ours).await?;
    steps.begin("A signed postback: no token in the URL");
    let secret = initech.signature_secret.as_deref().context("initech has no signing secret")?;
    let parameters = Parameters::split(SINGLE_EVENT.as_bytes(), b"");
    let signature = signature::sign(&Secret::new(secret), &parameters.canonical(&[("provider", "initech")]));
    story.accept("initech", initech, &format!("{SINGLE_EVENT}&signature={signature}")).await?;

    println!("\nWhat is on the queue gg3-conversions, and what is stored:\n");
    for conversion in arrived(sqs, stack.queue("gg3-conversions")?, &story.receipts).await? {
        let Conversion { provider, transaction_id, receipt_id, click, .. } = conversion;
        println!("  conversion on the queue gg3-conversions: {provider}, transaction {transaction_id}");
        println!("             receipt {receipt_id}, click {click}");
    }
    for (provider, transaction, click, shown) in [
        ("acme", "123123123", None, &["postback ", "conflict "][..]),
        ("acme", &transaction, Some(click_id.as_str()), &["click ", "postback "]),
        ("globex", &derived, None, &["postback "]),
        ("initech", "123123123", None, &["postback "]),
    ] {
        let by_click = click.map(|click| ["--click", click]);
        let trace = ["trace", "--provider", provider, "--transaction", transaction];
        let arguments: Vec<&str> = trace.into_iter().chain(by_click.into_iter().flatten()).collect();
        print!("\n{}", operator.until(&arguments, shown).await?);
    }
    let refused = ["refusals", "--provider", "acme", "--limit", "3"];
    print!("\n{}", operator.until(&refused, &["refusal "]).await?);
    Ok(())
}

struct Story<'a> {
    client: &'a reqwest::Client,
    /// Holds the receipts whose conversions must arrive.
    receipts: BTreeSet<String>,
}

impl Story<'_> {
    /// Follows a tracking link as a browser would, up to the redirect, and returns the click id in it.
    async fn follow(&self, link: &str) -> Result<String> {
        let reply = http::send(self.client.get(link)).await?;
        println!("   GET /click/…  ->  {} {}", reply.status, reply.location);
        reply.expect(302)?;
        let query = reply.location.split_once('?').map_or("", |(_, query)| query);
        let raw = Parameters::split(query.as_bytes(), b"").raw("click_id").map(<[u8]>::to_vec);
        Ok(String::from_utf8(raw.context("the landing page got no click id")?)?)
    }

    async fn call(&self, provider: &str, partner: &SamplePartner, query: &str) -> Result<Reply> {
        let shown = query.split("&signature=").next().unwrap_or_default();
        println!("   GET /postback/{provider}/…?{shown}");
        let reply = http::send(self.client.get(format!("{}?{query}", partner.postback_url))).await?;
        println!("   {} {}", reply.status, reply.body);
        Ok(reply)
    }

    /// Sends a postback that must be recorded, and returns its transaction. On a stack that has played the story before,
    /// the postback is a duplicate.
    async fn accept(&mut self, name: &str, partner: &SamplePartner, query: &str) -> Result<String> {
        let reply = self.call(name, partner, query).await?;
        reply.expect(200)?;
        self.receipts.insert(reply.text("receipt_id").to_owned());
        Ok(reply.text("transaction_id").to_owned())
    }
}

/// Reads the conversions with these receipts from the queue. They stay there: each is hidden for two seconds only.
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
