//! Every port in memory: for tests that decide when what fails, never for production.
//!
//! Each keeps its port's promises exactly, atomicity included, so that what holds over these holds over the real ones.

mod configuration;
mod records;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    audit::{self, AuditRecord},
    inbound::{
        click::Click,
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Correction, Revision},
        refusal::{Conflict, ContentKey, KeptConflict, REFUSAL_KEPT_SECONDS, Refusal},
    },
    jiff::{Timestamp, civil::Date},
    lookup::{LookupEntry, Place, Subject},
    outbound::{
        attempt::{AnswerExcerpt, AttemptFault, AttemptOutcome, FinishedAttempt},
        catalogue::{Catalogue, Snapshot},
        delivery::{Claim, Delivery, LateAttempt, Message},
        participant::Participant,
        retry::RetryAfter,
        webhook::WebhookRequest,
    },
    values::{
        ids::{ChainTicket, ClaimMark, DeliveryId, Provider, TransactionId, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};

use crate::ports::{
    AuditTrail, Catalogues, Claimed, Clicks, ConversionQueue, DeadLetter, DeadLetterQueue, DeadLetters, Deliveries,
    Lookups, NewDeliveries, PageToken, Participants, PartnerServers, Postbacks, Published, Put, Recorded,
    RecordedRevisions, Refusals, Replaced, ResendQueue, Resolutions, SecretPurpose, Source, StoredConflict,
    StoredParticipant, StoredPartner, StoredSecrets, Surroundings, Unavailable, UnderWay, UnderWayPage, WebhookQueue,
};

/// What a port's next call does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Fails, and has done nothing.
    Before,
    /// Does its work, and fails to say so.
    After,
}

/// The world in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<Mutex<State>>);

/// What the world holds.
#[derive(Debug, Default)]
pub struct State {
    /// The postbacks, by provider and transaction.
    pub postbacks: BTreeMap<(Provider, TransactionId), RecordedPostback>,
    /// The refusals by content, and how often each was seen.
    pub refusals: HashMap<String, (Refusal, u32)>,
    /// The refusals by content that were sent again and recorded: the receipts.
    pub recorded_refusals: HashMap<String, Receipt>,
    /// The conflicts by content, and what was made of them.
    pub conflicts: HashMap<String, (Conflict, u32, Option<Receipt>)>,
    /// The corrections of each transaction, in the order of their numbers.
    pub corrections: BTreeMap<(Provider, TransactionId), Vec<Correction>>,
    /// The conflicts by content whose originals were kept, and when, in Unix seconds, they expire.
    pub kept_originals: HashMap<String, i64>,
    /// The partners.
    pub partners: BTreeMap<Provider, StoredPartner>,
    /// The secrets, by purpose.
    pub secrets: BTreeMap<SecretPurpose, StoredSecrets>,
    /// The campaigns that are published.
    pub campaigns: Option<Snapshot>,
    /// Publications of rivals, each of which comes just before one of ours, the last one first.
    pub rivals: Vec<Snapshot>,
    /// The versions of the catalogue that were ever begun.
    pub begun_versions: BTreeSet<u64>,
    /// The records of what operators changed, in the order in which they were stored.
    pub audit: Vec<AuditRecord>,
    /// The clicks.
    pub clicks: Vec<Click>,
    /// The lookups, and when they expire.
    pub lookups: BTreeMap<(Subject, Place), Option<i64>>,
    /// What the queue of conversions took.
    pub conversions: Vec<Conversion>,
    /// What was set aside, with the reasons.
    pub dead_letters: Vec<(String, String)>,
    /// The dead-letter queues that the stack has, each with its letters and with those of them that are hidden.
    pub dead_letter_queues: BTreeMap<DeadLetterQueue, Vec<(DeadLetter, bool)>>,
    /// The dead letters that were sent on, with the queues that took them.
    pub redriven: Vec<(&'static str, DeadLetter)>,
    /// The catalogue that is current.
    pub catalogue: Option<Catalogue>,
    /// The participants, with their versions.
    pub participants: BTreeMap<UserId, (Participant, u64)>,
    /// The deliveries.
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    /// How many deliveries under way cannot be read, on each page of them.
    pub unreadable_under_way: u64,
    /// When the sweep last sent for a delivery, and for which revision of it.
    pub swept: BTreeMap<DeliveryId, (u32, UnixMillis)>,
    /// The attempts of older rounds and those that came too late, by delivery, round and what tells them apart.
    pub attempts: BTreeMap<(DeliveryId, u32, String), domain::outbound::attempt::Attempt>,
    /// What the queue of first attempts took.
    pub webhooks: Vec<Message>,
    /// What the queue of resends took, and when it arrives.
    pub resends: Vec<(Message, UnixMillis)>,
    /// What partners' servers answer next, and after how long; 200 at once where nothing is left.
    pub answers: VecDeque<(AttemptOutcome, Option<RetryAfter>, Duration)>,
    /// The requests that arrived at partners' servers: when, of which delivery, and where.
    pub requests: Vec<(UnixMillis, DeliveryId, String)>,
    /// What time it is, in Unix milliseconds.
    pub millisecond: i64,
    /// How many tickets were drawn.
    pub tickets: u64,
    /// Every call of a port, in order.
    pub calls: Vec<&'static str>,
    /// Calls, counted from 0, that go wrong.
    pub trouble: BTreeMap<usize, Trouble>,
}

impl World {
    /// The state, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one port's work, unless this call is one that goes wrong.
    fn call<T>(&self, name: &'static str, work: impl FnOnce(&mut State) -> T) -> Result<T, Unavailable> {
        let mut state = self.state();
        let trouble = state.trouble.get(&state.calls.len()).copied();
        state.calls.push(name);
        let failed = || Unavailable { service: name, reason: "told to fail".into() };
        match trouble {
            None => Ok(work(&mut state)),
            Some(Trouble::Before) => Err(failed()),
            Some(Trouble::After) => {
                work(&mut state);
                Err(failed())
            }
        }
    }
}

/// A source that holds its values, and fails like any port.
#[derive(Debug, Clone)]
pub struct Held<K, V> {
    world: World,
    values: HashMap<K, V>,
}

impl<K: Eq + std::hash::Hash, V> Held<K, V> {
    /// A source of these values.
    pub fn new(world: &World, values: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { world: world.clone(), values: values.into_iter().collect() }
    }
}

impl<K, V> Source for Held<K, V>
where
    K: Clone + Eq + std::hash::Hash + Send + Sync,
    V: Clone + Send + Sync,
{
    type Key = K;
    type Value = V;

    async fn load(&self, key: &K) -> Result<Option<V>, Unavailable> {
        self.world.call("load", |_| self.values.get(key).cloned())
    }
}

impl Postbacks for World {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.call("record postback", |state| {
            let key = (postback.postback.provider.clone(), postback.receipt.transaction_id.clone());
            if let Some(original) = state.postbacks.get(&key) {
                Recorded::Existing(Box::new(original.clone()))
            } else {
                state.postbacks.insert(key, postback.clone());
                Recorded::Fresh
            }
        })
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        self.call("find postback", |state| state.postbacks.get(&(provider.clone(), transaction_id.clone())).cloned())
    }
}

impl RecordedRevisions for World {
    async fn recorded(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, Result<Revision, String>>, Unavailable> {
        self.call("read revisions", |state| {
            let originals = state.postbacks.values().cloned().map(Revision::Original);
            let corrections = state.corrections.values().flatten().cloned().map(Revision::Correction);
            let keyed = originals.chain(corrections).map(|revision| (memory_key(&revision), Ok(revision)));
            keyed.filter(|(key, _)| keys.contains(key)).collect()
        })
    }
}

/// Returns the key of a revision in memory: its number, its provider and its transaction.
pub fn memory_key(revision: &Revision) -> String {
    let postback = revision.postback();
    format!("{}#{}#{}", revision.number(), postback.provider, postback.transaction_id)
}

impl Refusals for World {
    async fn keep_refusal(&self, refusal: &Refusal) -> Result<(), Unavailable> {
        self.call("keep refusal", |state| {
            let key = refusal.key().as_str().to_owned();
            state.refusals.entry(key).or_insert_with(|| (refusal.clone(), 0)).1 += 1;
        })
    }

    async fn keep_conflict(&self, conflict: &Conflict) -> Result<KeptConflict, Unavailable> {
        self.call("keep conflict", |state| {
            let key = conflict.key().as_str().to_owned();
            let kept = state.conflicts.entry(key.clone()).or_insert_with(|| (conflict.clone(), 0, None));
            kept.1 += 1;
            state.kept_originals.remove(&key);
            kept.2.clone().map_or(KeptConflict::Unresolved, KeptConflict::AcceptedAs)
        })
    }

    async fn mark_recorded(&self, key: &ContentKey, receipt: &Receipt, _: Timestamp) -> Result<(), Unavailable> {
        self.call("mark refusal", |state| {
            if state.refusals.contains_key(key.as_str()) {
                state.recorded_refusals.entry(key.as_str().to_owned()).or_insert_with(|| receipt.clone());
            }
        })
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        self.call("find correction", |state| {
            state.conflicts.get(conflict.key().as_str()).and_then(|kept| kept.2.clone())
        })
    }
}

impl Resolutions for World {
    async fn find_conflict(&self, key: &ContentKey, now: Timestamp) -> Result<Option<StoredConflict>, Unavailable> {
        self.call("find conflict", |state| {
            let expires_at = state.kept_originals.get(key.as_str()).copied().unwrap_or(i64::MAX);
            let kept = state.conflicts.get(key.as_str()).filter(|_| now.as_second() < expires_at)?;
            Some(StoredConflict { conflict: kept.0.clone(), accepted: kept.2.clone() })
        })
    }

    async fn revisions(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<Revision>, Unavailable> {
        self.call("find revisions", |state| {
            let key = (provider.clone(), transaction_id.clone());
            let original = state.postbacks.get(&key).cloned().map(Revision::Original);
            let corrections = state.corrections.get(&key).cloned().unwrap_or_default();
            original.into_iter().chain(corrections.into_iter().map(Revision::Correction)).collect()
        })
    }

    async fn accept(
        &self,
        key: &ContentKey,
        correction: &Correction,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("accept correction", |state| {
            let transaction = (correction.postback.provider.clone(), correction.receipt.transaction_id.clone());
            let taken = state
                .corrections
                .get(&transaction)
                .is_some_and(|all| all.iter().any(|other| other.number == correction.number));
            let Some(kept) = state.conflicts.get_mut(key.as_str()).filter(|kept| kept.2.is_none() && !taken) else {
                return Replaced::Changed;
            };
            kept.2 = Some(correction.receipt.clone());
            state.kept_originals.remove(key.as_str());
            state.corrections.entry(transaction).or_default().push(correction.clone());
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }

    async fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("keep original", |state| {
            if state.conflicts.get(key.as_str()).is_none_or(|kept| kept.2.is_some()) {
                return Replaced::Changed;
            }
            state.kept_originals.insert(key.as_str().to_owned(), now.as_second() + REFUSAL_KEPT_SECONDS);
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }
}

impl AuditTrail for World {
    async fn append(&self, record: &AuditRecord) -> Result<(), Unavailable> {
        self.call("append audit record", |state| {
            if !state.audit.iter().any(|stored| stored.id == record.id) {
                state.audit.push(record.clone());
            }
        })
    }

    async fn of_day(&self, day: Date) -> Result<Vec<AuditRecord>, Unavailable> {
        self.call("read audit records", |state| {
            let mut found: Vec<_> = state.audit.iter().filter(|record| audit::day(record.at) == day).cloned().collect();
            found.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
            found
        })
    }
}

impl Clicks for World {
    async fn record(&self, click: &Click) -> Result<(), Unavailable> {
        self.call("record click", |state| state.clicks.push(click.clone()))
    }
}

impl Lookups for World {
    /// Each entry is a call of its own here, so that any of them can go wrong by itself.
    async fn put(&self, entries: &[LookupEntry]) -> Vec<Result<(), Unavailable>> {
        let put = |entry: &LookupEntry| {
            self.call("put lookup", |state| {
                state.lookups.insert((entry.subject.clone(), entry.place.clone()), entry.expires_at);
            })
        };
        entries.iter().map(put).collect()
    }
}

impl ConversionQueue for World {
    /// Each entry of a batch is a call of its own here, so that any of them can go wrong by itself.
    async fn send(&self, conversions: &[Conversion]) -> Vec<Result<(), Unavailable>> {
        let send =
            |conversion: &Conversion| self.call("send conversion", |state| state.conversions.push(conversion.clone()));
        conversions.iter().map(send).collect()
    }
}

impl DeadLetters for World {
    async fn set_aside(&self, whole: &str, reason: &str) -> Result<(), Unavailable> {
        self.call("set aside", |state| state.dead_letters.push((whole.to_owned(), reason.to_owned())))
    }
}

impl Surroundings for World {
    fn now(&self) -> UnixMillis {
        UnixMillis::from_millisecond(self.state().millisecond)
    }

    fn ticket(&self) -> Result<ChainTicket, Unavailable> {
        let mut state = self.state();
        state.tickets += 1;
        Ok(ChainTicket::from_random(state.tickets.to_be_bytes()))
    }

    fn mark(&self) -> Result<ClaimMark, Unavailable> {
        let mut state = self.state();
        state.tickets += 1;
        Ok(ClaimMark::from_random(state.tickets.to_be_bytes()))
    }

    async fn pause(&self, duration: Duration) {
        let mut state = self.state();
        state.millisecond = UnixMillis::from_millisecond(state.millisecond).plus(duration).as_millisecond();
    }
}

impl Catalogues for World {
    async fn current(&self, held: Option<u64>) -> Result<Published, Unavailable> {
        self.call("load catalogue", |state| match &state.catalogue {
            None => Published::Nothing,
            Some(catalogue) if held == Some(catalogue.version()) => Published::Same,
            Some(catalogue) => Published::Other(Box::new(catalogue.clone())),
        })
    }
}

impl Participants for World {
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        let read = |user_id: &UserId| {
            self.call("read participant", |state| {
                let stored = state.participants.get(user_id).cloned();
                stored.map_or_else(StoredParticipant::default, |(participant, version)| StoredParticipant {
                    participant,
                    version: Some(version),
                })
            })
        };
        users.iter().map(|user_id| read(user_id)).collect()
    }

    async fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> Result<Replaced, Unavailable> {
        self.call("write participant", |state| {
            if state.participants.get(user_id).map(|(_, version)| *version) != read {
                return Replaced::Changed;
            }
            state.participants.insert(user_id.clone(), (participant.clone(), next));
            Replaced::Done
        })
    }
}

impl State {
    /// Stores a delivery in place of the revision before it.
    fn replace(&mut self, delivery: &Delivery) -> Replaced {
        let stored = self.deliveries.get(delivery.id()).map(Delivery::revision);
        if stored != delivery.revision().checked_sub(1) {
            return Replaced::Changed;
        }
        self.deliveries.insert(delivery.id().clone(), delivery.clone());
        Replaced::Done
    }
}

impl NewDeliveries for World {
    async fn put_if_absent(&self, delivery: &Delivery) -> Result<Put, Unavailable> {
        self.call("put delivery", |state| {
            if let Some(standing) = state.deliveries.get(delivery.id()) {
                return Put::Existing(Box::new(standing.clone()));
            }
            state.deliveries.insert(delivery.id().clone(), delivery.clone());
            Put::Fresh
        })
    }
}

impl Deliveries for World {
    async fn claim(&self, message: &Message, claim: &Claim) -> Result<Claimed, Unavailable> {
        self.call("claim delivery", |state| {
            let stored = state.deliveries.get(&message.delivery_id);
            let Some(as_told) = stored.filter(|stored| stored.revision() == message.revision) else {
                return Claimed::Otherwise(stored.cloned().map(Box::new));
            };
            let claimed = as_told.with_claim(claim.clone());
            state.deliveries.insert(message.delivery_id.clone(), claimed.clone());
            Claimed::Stored(Box::new(claimed))
        })
    }

    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.call("read delivery", |state| state.deliveries.get(id).cloned())
    }

    async fn replace(&self, delivery: &Delivery) -> Result<Replaced, Unavailable> {
        self.call("write delivery", |state| state.replace(delivery))
    }

    async fn keep_late(&self, late: &LateAttempt, changed: Option<&Delivery>) -> Result<Replaced, Unavailable> {
        self.call("keep late attempt", |state| {
            if changed.is_some_and(|delivery| state.replace(delivery) == Replaced::Changed) {
                return Replaced::Changed;
            }
            let key = (late.delivery_id.clone(), late.round, format!("{} {}", late.attempt.n, late.mark));
            state.attempts.insert(key, late.attempt.clone());
            Replaced::Done
        })
    }
}

impl UnderWay for World {
    fn shards(&self) -> u32 {
        1
    }

    /// Two deliveries a page, so that nobody forgets to turn it, nor the others of a page that begins with trouble.
    async fn page(
        &self,
        _shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> Result<UnderWayPage, Unavailable> {
        self.call("page of what is under way", |state| {
            let after = |id: &DeliveryId| from.as_ref().is_none_or(|PageToken(last)| id.as_str() > last.as_str());
            let under_way = |delivery: &&Delivery| {
                delivery.ending().is_none() && delivery.opened_at() < opened_before && after(delivery.id())
            };
            let swept = |delivery: &Delivery| {
                let swept = state.swept.get(delivery.id()).filter(|(revision, _)| *revision == delivery.revision());
                swept.map(|(_, at)| *at)
            };
            let found = state.deliveries.values().filter(under_way).take(2);
            let deliveries: Vec<_> = found.map(|delivery| (delivery.clone(), swept(delivery))).collect();
            let next = deliveries.last().map(|(last, _)| PageToken(last.id().to_string()));
            UnderWayPage { deliveries, unreadable: state.unreadable_under_way, next }
        })
    }

    async fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> Result<(), Unavailable> {
        self.call("mark swept", |state| {
            state.swept.insert(delivery.id().clone(), (delivery.revision(), at));
        })
    }
}

impl WebhookQueue for World {
    /// Each entry of a batch is a call of its own here, so that any of them can go wrong by itself.
    async fn send(&self, messages: &[Message]) -> Vec<Result<(), Unavailable>> {
        let send = |message: &Message| self.call("send webhook", |state| state.webhooks.push(message.clone()));
        messages.iter().map(send).collect()
    }
}

impl ResendQueue for World {
    async fn send(&self, message: &Message, delay_seconds: u16) -> Result<(), Unavailable> {
        self.call("send resend", |state| {
            let delay = Duration::from_secs(delay_seconds.into());
            let arrives = UnixMillis::from_millisecond(state.millisecond).plus(delay);
            state.resends.push((message.clone(), arrives));
        })
    }
}

impl PartnerServers for World {
    /// Trouble before: nobody listens. Trouble after: the request arrived, and the connection broke.
    async fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        _secrets: &[Secret],
        now: UnixMillis,
    ) -> FinishedAttempt {
        let arrived = self.call("call partner", |state| {
            state.requests.push((now, id.clone(), request.url().as_str().to_owned()));
            let (outcome, retry_after, took) =
                state.answers.pop_front().unwrap_or((AttemptOutcome::Status(200), None, Duration::ZERO));
            state.millisecond = UnixMillis::from_millisecond(state.millisecond).plus(took).as_millisecond();
            (outcome, retry_after)
        });
        let state = self.state();
        let broken = state.requests.last().is_some_and(|(at, of, _)| *at == now && of == id);
        let fault = if broken { AttemptFault::Disconnected } else { AttemptFault::Refused };
        let (outcome, retry_after) = arrived.unwrap_or((AttemptOutcome::Fault(fault), None));
        let ended_at = UnixMillis::from_millisecond(state.millisecond);
        FinishedAttempt { sent_at: now, ended_at, outcome, answer: AnswerExcerpt::default(), retry_after }
    }
}
