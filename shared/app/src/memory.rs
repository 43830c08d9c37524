//! Implements every port in memory, for tests that decide which call fails. The module is built only with the feature
//! `memory`.
//!
//! Each implementation does exactly what its port demands, including atomicity. A law that holds over these ports
//! therefore also holds over the real ports.

mod archive;
mod configuration;
pub(crate) mod coverage;
mod dead_letters;
mod endpoints;
mod erasures;
mod inbound;
mod lookups;
mod named_requests;
mod outbound;
pub mod partner;
mod sessions;
mod test_permits;

pub use self::inbound::lookup_key;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    archive::ArchiveRow,
    audit::{self, AuditRecord},
    inbound::{
        click::{Click, ClickKeys},
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Correction, Step},
        refusal::{Conflict, Refusal},
        transaction::Adjustment,
    },
    jiff::{Timestamp, civil::Date},
    lookup::{Origin, Place, Subject},
    named_request::{NamedRequest, RequestKey},
    outbound::{
        attempt::{Attempt, AttemptOutcome},
        catalogue::{Catalogue, Snapshot},
        delivery::{Delivery, Message},
        participant::Participant,
        retry::RetryAfter,
        test_webhook::TestPermit,
    },
    partner::Partner,
    retention::{Expiring, Retention},
    session::{Session, SessionKey},
    values::{
        ids::{ChainTicket, ClaimMark, DeliveryId, Provider, TransactionKey, UserId},
        time::UnixMillis,
    },
};

use crate::{
    accept_postback::{AcceptPostback, PartnerRates, StrangerRates},
    cache::{Cache, CachePolicy},
    ports::{
        Alarm, AuditTrail, Clock, DeadLetter, DeadLetterQueue, EndpointKey, Heartbeat, KnownPartner, KnownRecipient,
        Ports, Randomness, SecretPurpose, SegmentPlace, Source, StoredEndpoint, StoredPartner, StoredSecrets,
        SystemKeys, Unavailable,
    },
};

/// Says how long refusals are kept in memory.
pub const REFUSALS: Retention = Expiring::Refusal.default_retention();

/// The way in which one call of a port fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The call fails before it has done its work.
    Before,
    /// The call does its work and then fails.
    After,
}

/// Returns no fault, every single fault of the first calls of ports, and every pair of faults.
pub fn one_or_two_faults(calls: usize) -> Vec<BTreeMap<usize, Trouble>> {
    const KINDS: [Trouble; 2] = [Trouble::Before, Trouble::After];
    let mut histories = vec![BTreeMap::new()];
    for first in 0..calls {
        for kind in KINDS {
            histories.push(BTreeMap::from([(first, kind)]));
            for second in first + 1..calls {
                histories.extend(KINDS.map(|other| BTreeMap::from([(first, kind), (second, other)])));
            }
        }
    }
    histories
}

/// The implementation of all ports. Clones share one state.
#[derive(Debug, Clone)]
pub struct World(Arc<Mutex<State>>);

impl Default for World {
    /// Returns a stack to which the first partners were applied, so that its lookups are known to be complete.
    fn default() -> Self {
        let at = Timestamp::UNIX_EPOCH;
        let begun = Heartbeat { since: at, up_to: at, beaten_at: at };
        let heartbeats = Origin::ALL.map(|origin| (origin, begun.clone())).into();
        Self(Arc::new(Mutex::new(State { heartbeats, ..State::default() })))
    }
}

/// The contents of all ports.
#[derive(Debug, Default)]
pub struct State {
    /// The alarms that ring.
    pub alarms: Vec<Alarm>,
    /// Originals by transaction.
    pub postbacks: BTreeMap<TransactionKey, RecordedPostback>,
    /// Refusals by content, each with the number of times that it was seen.
    pub refusals: HashMap<String, (Refusal, u32)>,
    /// Receipts of the refusals that were sent again and recorded, by content.
    pub recorded_refusals: HashMap<String, Receipt>,
    /// Conflicts by content, each with the number of times that it was seen, and with the receipt of the correction if
    /// it was accepted.
    pub conflicts: HashMap<String, (Conflict, u32, Option<Receipt>)>,
    /// Corrections of each transaction, in the order of their numbers.
    pub corrections: BTreeMap<TransactionKey, Vec<Correction>>,
    /// Steps of each transaction, in the order of their places.
    pub steps: BTreeMap<TransactionKey, Vec<Step>>,
    /// Adjustments of each transaction, in the order of their places.
    pub adjustments: BTreeMap<TransactionKey, Vec<Adjustment>>,
    /// Contents of conflicts that were resolved in favour of the original, each with the conflict's expiry in Unix
    /// seconds.
    pub kept_originals: HashMap<String, i64>,
    /// The receipt of the transaction that used a click for an event, by partner and use.
    pub click_uses: HashMap<(Provider, String), Receipt>,
    /// The number of new refusals and conflicts of each partner and UTC day. A day is counted from 1970-01-01.
    pub kept_on: HashMap<(Provider, i64), u32>,
    /// Partners by name.
    pub partners: BTreeMap<Provider, StoredPartner>,
    /// Secrets by purpose.
    pub secrets: BTreeMap<SecretPurpose, StoredSecrets>,
    /// The published campaigns.
    pub campaigns: Option<Snapshot>,
    /// Planned publications by rivals. Each call to publish takes the last of them and publishes it first.
    pub rivals: Vec<Snapshot>,
    /// All versions of the catalogue that were begun, even if they were never published.
    pub begun_versions: BTreeSet<u64>,
    /// Audit records, in the order in which they were stored.
    pub audit: Vec<AuditRecord>,
    /// Sessions of the console, and links to the portal.
    pub sessions: BTreeMap<SessionKey, Session>,
    /// The requests that their clients named.
    pub named_requests: BTreeMap<RequestKey, NamedRequest>,
    /// The permits of test webhooks, by key.
    pub test_permits: BTreeMap<String, TestPermit>,
    /// Recorded clicks.
    pub clicks: Vec<Click>,
    /// Lookups, each with its expiry in Unix seconds.
    pub lookups: BTreeMap<(Subject, Place), Option<i64>>,
    /// Rows of the archive, in the order in which they were appended.
    pub archive: Vec<ArchiveRow>,
    /// The heartbeats of the lookups.
    pub heartbeats: BTreeMap<Origin, Heartbeat>,
    /// The places at which rebuilds of the lookups continue.
    pub rebuild_places: BTreeMap<Origin, Vec<SegmentPlace>>,
    /// The keys of items that a rebuild cannot read.
    pub unreadable_items: BTreeSet<String>,
    /// Events that the queue took.
    pub events: Vec<String>,
    /// Conversions that the queue took.
    pub conversions: Vec<Conversion>,
    /// Messages that were set aside, each with its reason.
    pub dead_letters: Vec<(String, String)>,
    /// The stack's dead-letter queues. Each letter comes with a flag that is true while the letter is hidden.
    pub dead_letter_queues: BTreeMap<DeadLetterQueue, Vec<(DeadLetter, bool)>>,
    /// Dead letters that were sent on, each with the queue that took it.
    pub redriven: Vec<(&'static str, DeadLetter)>,
    /// The current catalogue.
    pub catalogue: Option<Catalogue>,
    /// Participants, each with its version.
    pub participants: BTreeMap<UserId, (Participant, u64)>,
    /// The number of a participant's next writes that a rival's write precedes, so that they lose the race.
    pub rival_writes: BTreeMap<UserId, usize>,
    /// Deliveries by id.
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    /// The number of unreadable deliveries on each page of deliveries under way.
    pub unreadable_under_way: u64,
    /// The revision at which the sweep last sent a message for each delivery, and the instant.
    pub swept: BTreeMap<DeliveryId, (u32, UnixMillis)>,
    /// Attempts of older rounds and late attempts, by delivery, round, and a key that distinguishes the attempts of a
    /// round.
    pub attempts: BTreeMap<(DeliveryId, u32, String), Attempt>,
    /// Endpoints by partner and host.
    pub endpoints: BTreeMap<EndpointKey, StoredEndpoint>,
    /// Messages that the queue of first attempts took.
    pub webhooks: Vec<Message>,
    /// Messages that the queue of resends took, each with the instant at which it arrives.
    pub resends: Vec<(Message, UnixMillis)>,
    /// The next answers of partners' servers, each with the time that the server takes. If none is planned, the answer
    /// is 200 at once.
    pub answers: VecDeque<(AttemptOutcome, Option<RetryAfter>, Duration)>,
    /// Requests that reached partners' servers: the instant, the delivery, and the URL.
    pub requests: Vec<(UnixMillis, DeliveryId, String)>,
    /// The present instant in Unix milliseconds.
    pub millisecond: i64,
    /// The number of tickets and marks that were drawn.
    pub tickets: u64,
    /// The names of all calls of ports, in order.
    pub calls: Vec<&'static str>,
    /// The calls that fail, by their number in the order of calls, from 0.
    pub trouble: BTreeMap<usize, Trouble>,
}

impl World {
    /// Locks the state, to read or to change it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the use case of postbacks over this world, for these partners and keys of click ids.
    pub fn accept_postback(
        &self,
        partners: impl IntoIterator<Item = KnownPartner>,
        keys: ClickKeys,
    ) -> AcceptPostback<Self> {
        let partners = partners.into_iter().map(|known| (known.partner.provider().clone(), known));
        AcceptPostback {
            partners: Cache::new(Held::new(self, partners), CachePolicy::default()),
            keys: Cache::new(Held::new(self, [((), keys)]), CachePolicy::default()),
            postbacks: self.clone(),
            refusals: self.clone(),
            rates: PartnerRates::default(),
            strangers: StrangerRates::default(),
        }
    }

    /// Does the work of one call of a port. If the call is to fail, fails before or after the work.
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

/// A source of fixed values. Its calls can fail like those of any port.
#[derive(Debug, Clone)]
pub struct Held<K, V> {
    world: World,
    values: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Held<K, V> {
    /// Returns a source of these values.
    pub fn new(world: &World, values: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { world: world.clone(), values: values.into_iter().collect() }
    }
}

impl<K, V> Source for Held<K, V>
where
    K: Clone + Eq + Hash + Send + Sync,
    V: Clone + Send + Sync,
{
    type Key = K;
    type Value = V;

    async fn load(&self, key: &K) -> Result<Option<V>, Unavailable> {
        self.world.call("load", |_| self.values.get(key).cloned())
    }
}

impl Ports for World {
    type KnownPartners = Held<Provider, KnownPartner>;
    type Partners = Held<Provider, Partner>;
    type Recipients = Held<Provider, KnownRecipient>;
    type ClickKeys = Held<(), ClickKeys>;
    type Keys = Held<(), SystemKeys>;
    type Postbacks = Self;
    type Refusals = Self;
    type Clicks = Self;
    type Catalogues = Self;
    type Participants = Self;
    type NewDeliveries = Self;
    type Deliveries = Self;
    type Endpoints = Self;
    type UnderWay = Self;
    type Webhooks = Self;
    type Resends = Self;
    type Servers = Self;
    type DeadLetters = Self;
    type Clock = Self;
    type Randomness = Self;
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

impl Clock for World {
    fn now(&self) -> UnixMillis {
        UnixMillis::from_millisecond(self.state().millisecond)
    }

    async fn pause(&self, duration: Duration) {
        let mut state = self.state();
        state.millisecond = UnixMillis::from_millisecond(state.millisecond).plus(duration).as_millisecond();
    }
}

impl Randomness for World {
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
}
