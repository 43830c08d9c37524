//! `postbackctl trace`: what happened to a transaction, a click, a user or a delivery: click, postback or refusal, conversion;
//! opening, progress, delivery, every attempt.

use std::{collections::BTreeSet, process::ExitCode};

use adapters::dynamodb::{
    history::History,
    item::{PostbackItem, RefusalItem},
    lookups::Range,
};
use anyhow::{Context, Result, anyhow};
use app::ports::DeliveryRecords;
use clap::Args;
use domain::{
    conversion::Conversion,
    correction::Revision,
    ids::{ClickId, DeliveryId, PartnerUserId, Provider, TransactionId, UserId},
    lookup::{Kind, Place, Subject},
    parameters::Parameters,
    postback::Field,
};

use super::timeline::Timeline;
use crate::{
    Connection, ask,
    outbound::{progress, webhook},
    output::{self, say},
    standing::Standings,
    terminal::printable,
};

/// How many of a partner's newest refusals and conflicts are looked through for one transaction.
const NEWEST: usize = 1000;

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Arguments {
    /// The partner; goes with --transaction.
    #[arg(long, requires = "transaction")]
    provider: Option<String>,
    /// The partner's transaction.
    #[arg(long, requires = "provider")]
    transaction: Option<String>,
    /// A click id, ours or a partner's.
    #[arg(long)]
    click: Option<String>,
    /// A GG3 user.
    #[arg(long)]
    user: Option<String>,
    /// What a partner calls one of its users, whom it sent to GG3, as in acme/p-9.
    #[arg(long, value_name = "PROVIDER/USER")]
    partner_user: Option<String>,
    /// A delivery: the webhook-id of all its attempts.
    #[arg(long)]
    delivery: Option<String>,
    /// How many things of a click id or a user, the newest.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let mut trace = Trace::new(&connection);
    if let Some((provider, transaction)) = arguments.provider.zip(arguments.transaction) {
        let transaction = TransactionId::new(transaction).map_err(|fault| anyhow!("the transaction id {fault}"))?;
        let provider = ask::provider(&provider)?;
        for item in trace.history.transaction(&provider, &transaction).await? {
            trace.postback(item)?;
        }
        trace.refused(&provider, &transaction).await?;
    }
    let mut subjects = Vec::new();
    if let Some(click) = arguments.click {
        let click = ClickId::new(click).map_err(|fault| anyhow!("the click id {fault}"))?;
        trace.clicks.insert(click.clone());
        subjects.push(Subject::Click(click));
    }
    if let Some(user) = arguments.user {
        let user = UserId::new(user).map_err(|fault| anyhow!("the user id {fault}"))?;
        trace.participants.insert(user.clone());
        subjects.push(Subject::User(user));
    }
    if let Some(named) = arguments.partner_user {
        let (provider, user) = named.split_once('/').context("write it as the partner's name, / and its user")?;
        let user = PartnerUserId::new(user).map_err(|fault| anyhow!("the partner's user id {fault}"))?;
        subjects.push(Subject::PartnerUser(ask::provider(provider)?, user));
    }
    if let Some(id) = arguments.delivery {
        trace.deliveries.insert(DeliveryId::new(id).map_err(|fault| anyhow!("the delivery id {fault}"))?);
    }
    let limit = usize::from(arguments.limit);
    let mut places = BTreeSet::new();
    for subject in subjects {
        let range = Range { newest_first: true, wanted: limit, ..Range::default() };
        let found = connection.lookups().list(subject, range, ask::now()).take(limit).await?;
        if found.len() == limit {
            eprintln!("these are the newest {limit}; there may be more: --limit");
        }
        places.extend(found);
    }
    trace.places(&places).await?;
    trace.tell(arguments.json).await
}

/// What has been found so far.
struct Trace<'a> {
    connection: &'a Connection,
    history: History,
    timeline: Timeline,
    /// The click ids that postbacks or entries name, ours or not.
    clicks: BTreeSet<ClickId>,
    /// GG3 users who may have opened a partner's link.
    participants: BTreeSet<UserId>,
    deliveries: BTreeSet<DeliveryId>,
}

impl<'a> Trace<'a> {
    fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            history: connection.history(),
            timeline: Timeline::default(),
            clicks: BTreeSet::new(),
            participants: BTreeSet::new(),
            deliveries: BTreeSet::new(),
        }
    }

    /// What the lookups lead to. A thing that has expired since is passed over.
    async fn places(&mut self, places: &BTreeSet<Place>) -> Result<()> {
        let of = |kind: Kind| places.iter().filter(move |place| place.kind() == kind).map(Place::key);
        let mut postbacks = self.history.postbacks(of(Kind::Postback)).await?;
        for key in of(Kind::Postback).collect::<BTreeSet<_>>() {
            match postbacks.remove(key) {
                Some(item) => self.postback(item)?,
                None => eprintln!("what is stored of {} cannot be read", printable(key)),
            }
        }
        let now = ask::now();
        let kept = self.history.refusals(of(Kind::Refusal)).await?;
        self.refusals(kept.values().filter(|item| !item.has_expired(now))).await;
        self.clicks.extend(of(Kind::Click).filter_map(|key| ClickId::new(key).ok()));
        self.participants.extend(of(Kind::Opening).filter_map(|key| UserId::new(key).ok()));
        self.deliveries.extend(of(Kind::Delivery).filter_map(|key| DeliveryId::new(key).ok()));
        self.outbound().await
    }

    /// What was refused of a transaction, and what conflicts with it, among the partner's newest: nothing is looked up by
    /// transaction, which a call that was refused need not even have.
    async fn refused(&mut self, provider: &Provider, transaction: &TransactionId) -> Result<()> {
        let item = self.connection.configuration().partner(provider).await?;
        let item = item.with_context(|| format!("there is no partner {provider}"))?;
        let partner = item.partner().map_err(|faults| anyhow!("what is stored of {provider}: {faults}"))?;
        let name = partner.rules().names.of(Field::TransactionId);
        let now = ask::now();
        for subject in [Subject::Conflicts(provider.clone()), Subject::Refusals(provider.clone())] {
            let range = Range { newest_first: true, wanted: NEWEST, ..Range::default() };
            let places = self.connection.lookups().list(subject, range, now).take(NEWEST).await?;
            let kept = self.history.refusals(places.iter().map(Place::key)).await?;
            let of_it = |item: &&RefusalItem| {
                let sent = item.request.as_deref().unwrap_or_default();
                let named = Parameters::split(sent.as_bytes(), b"").raw(name) == Some(transaction.as_str().as_bytes());
                item.transaction_id.as_ref() == Some(transaction) || named
            };
            self.refusals(kept.values().filter(|item| !item.has_expired(now)).filter(of_it)).await;
        }
        Ok(())
    }

    /// Refusals and conflicts, beside what stands of their transactions.
    async fn refusals(&mut self, items: impl Iterator<Item = &RefusalItem>) {
        let items: Vec<&RefusalItem> = items.collect();
        let standings = Standings::read(&self.history, items.iter().copied()).await;
        for item in items {
            self.timeline.refusal(item, standings.beside(item).as_ref());
        }
    }

    /// What media buying knows of the users and deliveries that were found: openings, progress, deliveries, attempts.
    async fn outbound(&mut self) -> Result<()> {
        for user in std::mem::take(&mut self.participants) {
            let found = progress::read(self.connection, &user, None).await?;
            for (provider, attribution) in found.participant.unwrap_or_default().attributions() {
                let own: Vec<_> = found.campaigns.iter().filter(|line| line.provider == *provider).collect();
                let owed = own.iter().filter_map(|line| line.delivery.as_ref());
                self.deliveries.extend(owed.map(|owed| owed.delivery_id.clone()));
                let told: Vec<String> = own.iter().map(|campaign| progress::line(campaign)).collect();
                self.timeline.opening(&user, provider, attribution, &told);
            }
        }
        let records = self.connection.delivery_records();
        for stored in records.find(&self.deliveries).await? {
            let older = records.older_attempts(stored.delivery.id()).await?;
            let request = webhook::as_curl(self.connection, &stored.delivery).await;
            self.timeline.delivery(&stored, &older, &request);
        }
        Ok(())
    }

    /// A postback or a correction, and the conversion that it became.
    fn postback(&mut self, item: PostbackItem) -> Result<()> {
        self.timeline.postback(&item);
        self.clicks.insert(item.click_id.clone());
        let revision = Revision::try_from(item).map_err(|reason| anyhow!("a postback cannot be read: {reason}"))?;
        let at = revision.recorded_at();
        self.timeline.owed_conversion(at, &Conversion::from(revision));
        Ok(())
    }

    async fn tell(mut self, as_json: bool) -> Result<ExitCode> {
        for click in self.history.clicks(self.clicks.iter().map(ClickId::as_str)).await? {
            self.timeline.click(&click);
        }
        let timeline = self.timeline;
        if as_json {
            say!("{}", serde_json::to_string(&timeline)?)?;
        } else if timeline.is_empty() {
            eprintln!("nothing is recorded under this; what happened in the last seconds may not be found yet");
        } else {
            output::print(&timeline)?;
        }
        // For scripts: 1 says that nothing was found.
        Ok(if timeline.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
