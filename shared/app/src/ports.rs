//! The ports, by which use cases reach services. Each method says what an implementation MUST do. The module `memory`
//! implements the ports for tests, and the crate `adapters` implements them for deployments.

mod configuration;
mod coverage;
mod dead_letters;
mod delivery_records;
mod implementations;
mod inbound_records;
mod listings;
mod resubmissions;
mod stored_refusal;
mod under_way;

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use domain::{
    audit::AuditRecord,
    inbound::{
        click::{Click, ClickKeys},
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Correction, Revision, Step},
        credential::Credentials,
        refusal::{Conflict, ContentKey, KeptConflict, Refusal},
        transaction::{Adjustment, History},
    },
    jiff::{Timestamp, civil::Date},
    lookup::{LookupEntry, Origin},
    outbound::{
        attempt::FinishedAttempt,
        catalogue::Catalogue,
        delivery::{Claim, Delivery, LateAttempt, Message, OpenedRound},
        participant::Participant,
        webhook::WebhookRequest,
    },
    partner::{Partner, recipient::Recipient},
    values::{
        ids::{ChainTicket, ClaimMark, DeliveryId, Provider, ReceiptId, TransactionId, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};
use thiserror::Error;

pub use self::configuration::{Partners, PublishedCampaigns, Publishing, SecretPurpose, StoredPartner, StoredSecrets};
pub use self::{
    coverage::{Coverage, Heartbeat, OriginItem, OriginPage, Rebuilds, Segment, SegmentPlace},
    dead_letters::{Attribute, AttributeValue, DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter},
    delivery_records::{DeliveryRecords, Ended, FailuresPage, KeptAttempt, StoredDelivery},
    implementations::Ports,
    inbound_records::{FoundRevisions, InboundRecords},
    listings::{Listings, Range},
    resubmissions::Resubmissions,
    stored_refusal::{RefusalKind, StoredRefusal},
    under_way::{PageToken, UnderWay, UnderWayPage},
};

/// A failure of a service, or an answer that came too late. The call may or may not have taken effect. Repeating a call
/// MUST be safe for every port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{service} is unavailable: {reason}")]
pub struct Unavailable {
    /// The service and the operation, as in `DynamoDB PutItem postbacks`.
    pub service: &'static str,
    /// The service's words, without any of our values.
    pub reason: String,
}

/// Values that are read by key and seldom change, such as partners.
pub trait Source: Send + Sync {
    /// The key of a value.
    type Key: Clone + Eq + Hash + Send + Sync;
    /// A value.
    type Value: Send + Sync;

    /// Reads a value. MUST return `None` only if the key certainly has none, and MUST end within its own time limit.
    fn load(&self, key: &Self::Key) -> impl Future<Output = Result<Option<Self::Value>, Unavailable>> + Send;
}

/// A partner as `postback` needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPartner {
    /// The partner's configuration.
    pub partner: Arc<Partner>,
    /// The credentials with which the partner may call.
    pub credentials: Credentials,
}

/// The system's keys, which belong to no partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemKeys {
    /// The keys of click ids.
    pub click: ClickKeys,
    /// The secrets that sign `/click` links, the newest first.
    pub link: Vec<Secret>,
}

/// The result of recording a postback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The postback was recorded now.
    Fresh,
    /// The transaction has this postback already, which is unchanged.
    Existing(Box<RecordedPostback>),
}

/// Tells what came of adding a step to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// The step is recorded now.
    Done,
    /// Its place is taken by the revision with this receipt. Nothing is changed.
    Taken(ReceiptId),
}

/// The postbacks. None ever expires.
pub trait Postbacks: Send + Sync {
    /// Records a postback unless its transaction is known. MUST be durable before it returns, MUST decide atomically among
    /// simultaneous calls, and MUST never change an existing postback.
    fn record(&self, postback: &RecordedPostback) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Reads the original of a transaction. MUST see every write that returned before, and MUST write nothing.
    fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<RecordedPostback>, Unavailable>> + Send;

    /// Reads everything that is recorded of a transaction. MUST see every write that was answered before, and MUST write
    /// nothing.
    fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Records a step under its place in the transaction, unless that place is taken. MUST be durable before it answers,
    /// MUST decide atomically among simultaneous calls and operators' corrections, and MUST never change what is there.
    fn add_step(&self, step: &Step) -> impl Future<Output = Result<Added, Unavailable>> + Send;

    /// Records a negative transaction, and notes it under the adjustment's place beside the transaction that it reverses.
    /// MUST do both or neither, and MUST be durable before it answers. MUST answer `Changed`, and change nothing, when the
    /// negative transaction is recorded already or the place is taken.
    fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The recorded postbacks and corrections, by the keys that lookups and changes of their table name.
pub trait RecordedRevisions: Send + Sync {
    /// Reads the revisions with these keys. MUST see every write that returned before, and MUST leave out a key only if
    /// nothing is recorded under it. MUST return the reason for a revision that cannot be read, which MUST NOT hold up the
    /// others.
    fn recorded(
        &self,
        keys: &BTreeSet<String>,
    ) -> impl Future<Output = Result<HashMap<String, Result<Revision, String>>, Unavailable>> + Send;
}

/// The refusals and conflicts.
pub trait Refusals: Send + Sync {
    /// Keeps a refusal for 30 days after it was last seen. A repeated content MUST make no new item, and MUST be counted.
    fn keep_refusal(&self, refusal: &Refusal) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Keeps a conflict until an operator resolves it. A repeated content MUST make no new item, and MUST return the
    /// operator's resolution. If the operator had kept the original, the conflict MUST be open again.
    fn keep_conflict(&self, conflict: &Conflict) -> impl Future<Output = Result<KeptConflict, Unavailable>> + Send;

    /// Marks a refusal as recorded with this receipt. MUST keep the first mark, MUST NOT count as a sighting, and MUST make
    /// no new item if the refusal is no longer kept.
    fn mark_recorded(
        &self,
        key: &ContentKey,
        receipt: &Receipt,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Returns the receipt of the correction, if this conflict was accepted as one. MUST write nothing.
    fn find_correction(&self, conflict: &Conflict)
    -> impl Future<Output = Result<Option<Receipt>, Unavailable>> + Send;
}

/// The audit records of operators' changes. Each is written once and never changed.
pub trait AuditTrail: Send + Sync {
    /// Stores a record by itself, before an action that changes no table. MUST be durable before it returns. The same record
    /// again MUST make no second one.
    fn append(&self, record: &AuditRecord) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Reads the records of a UTC day, the oldest first. MUST see every write that returned before.
    fn of_day(&self, day: Date) -> impl Future<Output = Result<Vec<AuditRecord>, Unavailable>> + Send;
}

/// A kept conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConflict {
    /// The conflict, with the instant at which it was first received.
    pub conflict: Conflict,
    /// The correction's receipt, if the conflict was accepted.
    pub accepted: Option<Receipt>,
}

/// The resolutions of conflicts by operators.
pub trait Resolutions: Send + Sync {
    /// Reads a kept conflict. MUST see every write that returned before, and MUST NOT return an expired conflict.
    fn find_conflict(
        &self,
        key: &ContentKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<StoredConflict>, Unavailable>> + Send;

    /// Reads everything that is recorded of a transaction. MUST see every write that returned before.
    fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Records a correction, marks its conflict as accepted with the correction's receipt, and stores the audit record. MUST
    /// do all or none. Neither the correction nor the mark expires. MUST return `Changed`, and change nothing, if its place
    /// is taken, or if the conflict is accepted already or absent.
    fn accept(
        &self,
        key: &ContentKey,
        correction: &Correction,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Marks a conflict as one whose original is kept, and stores the audit record. MUST do both or neither. The conflict MAY
    /// be deleted 30 days after `now`, and MUST NOT be deleted before. MUST return `Changed`, and change nothing, if the
    /// conflict is accepted or absent.
    fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The clicks on links to partners.
pub trait Clicks: Send + Sync {
    /// Records a click. MUST end within about a second, because a user waits to be redirected.
    fn record(&self, click: &Click) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The lookups, to write. They tell where stored items are, by partner, user and click id.
pub trait Lookups: Send + Sync {
    /// Writes entries over existing ones. No two entries have the same subject and place. MUST return one result for each
    /// entry, in order, and `Ok` only if the entry is durable.
    fn put(&self, entries: &[LookupEntry]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;

    /// Stores the heartbeat of a table: the time of the newest change whose entries are written. If there is no heartbeat,
    /// the entries are complete from `now` on.
    fn beat(
        &self,
        origin: Origin,
        up_to: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The queue that GG3's quests read, `gg3-conversions`.
pub trait ConversionQueue: Send + Sync {
    /// Sends conversions. MUST return one result for each, in order, and `Ok` only if the queue has taken it.
    fn send(&self, conversions: &[Conversion]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// The queue of messages that cannot be processed.
pub trait DeadLetters: Send + Sync {
    /// Sets a whole message aside with the reason. MUST return `Ok` only if the queue has taken it.
    fn set_aside(&self, whole: &str, reason: &str) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The clock and random values, for use cases that need them in the middle of their work.
pub trait Surroundings: Send + Sync {
    /// Reads the clock.
    fn now(&self) -> UnixMillis;

    /// Draws a random ticket, which nobody has had before.
    fn ticket(&self) -> Result<ChainTicket, Unavailable>;

    /// Draws a random mark, which no other worker has.
    fn mark(&self) -> Result<ClaimMark, Unavailable>;

    /// Waits.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// The current catalogue, compared with the one that the caller holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The caller holds the current catalogue.
    Same,
    /// The current catalogue is this other one.
    Other(Box<Catalogue>),
    /// No catalogue was ever published.
    Nothing,
}

/// The catalogues of campaigns, of which one is current.
pub trait Catalogues: Send + Sync {
    /// Reads the current catalogue, unless the caller holds this version. MUST return the catalogue that was current at some
    /// instant during the call, exactly as it was published.
    fn current(&self, held: Option<u64>) -> impl Future<Output = Result<Published, Unavailable>> + Send;
}

/// A participant as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredParticipant {
    /// The participant, expired or not. It is empty if none is stored.
    pub participant: Participant,
    /// The stored version, if a participant is stored.
    pub version: Option<u64>,
}

/// The result of a write that is conditional on a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The write is stored.
    Done,
    /// Somebody else has written meanwhile. Nothing changed.
    Changed,
}

/// The participants. Attributed ones never expire.
pub trait Participants: Send + Sync {
    /// Reads participants. No user is asked for twice. MUST return one result for each, in order, and MUST see every write
    /// that returned before.
    fn read(&self, users: &[&UserId]) -> impl Future<Output = Vec<Result<StoredParticipant, Unavailable>>> + Send;

    /// Writes a participant under the version `next` if the stored one still has the version `read`. MUST be atomic, and
    /// durable before it returns. The participant MUST NOT be deleted before [`Participant::expires_at`].
    fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The result of putting a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The delivery was put now.
    Fresh,
    /// This delivery exists already and is unchanged.
    Existing(Box<Delivery>),
}

/// The result of storing a claim without a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The claim is stored in this delivery.
    Stored(Box<Delivery>),
    /// The delivery, if there is one, no longer has the message's revision. Nothing changed.
    Otherwise(Option<Box<Delivery>>),
}

/// The deliveries, to put. None ever expires.
pub trait NewDeliveries: Send + Sync {
    /// Puts a delivery unless its id exists. MUST be durable before it returns, MUST decide atomically among simultaneous
    /// calls, and MUST never change an existing delivery.
    fn put_if_absent(&self, delivery: &Delivery) -> impl Future<Output = Result<Put, Unavailable>> + Send;
}

/// The deliveries, to change. A change applies to the revision that was read, and is refused if it has changed.
pub trait Deliveries: Send + Sync {
    /// Stores this claim as [`Delivery::with_claim`] does, if the delivery still has the message's revision. MUST be atomic,
    /// and durable before it returns.
    fn claim(&self, message: &Message, claim: &Claim) -> impl Future<Output = Result<Claimed, Unavailable>> + Send;

    /// Reads a delivery. MUST see every write that returned before.
    fn read(&self, id: &DeliveryId) -> impl Future<Output = Result<Option<Delivery>, Unavailable>> + Send;

    /// Stores a delivery if the stored one has the preceding revision. MUST be atomic, and durable before it returns.
    fn replace(&self, delivery: &Delivery) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Keeps an attempt beside its delivery. If the attempt changed the delivery, also stores that like
    /// [`replace`](Self::replace). MUST do both or neither. The same attempt again MUST make no second one.
    fn keep_late(
        &self,
        late: &LateAttempt,
        changed: Option<&Delivery>,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The rounds that operators open.
pub trait Rounds: Send + Sync {
    /// Reads a delivery. MUST see every write that returned before.
    fn read(&self, id: &DeliveryId) -> impl Future<Output = Result<Option<Delivery>, Unavailable>> + Send;

    /// Stores an opened round if the stored delivery has the preceding revision, the old round's attempts beside it, and the
    /// audit record. MUST do all or none, and MUST be durable before it returns.
    fn open_round(
        &self,
        opened: &OpenedRound,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The queue `webhooks`, of first attempts.
pub trait WebhookQueue: Send + Sync {
    /// Sends messages. MUST return one result for each, in order, and `Ok` only if the queue has taken it.
    fn send(&self, messages: &[Message]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// The queue `webhook-retries`, of resends and all messages that wait.
pub trait ResendQueue: Send + Sync {
    /// Sends a message that arrives after this delay of at most 900 seconds. MUST return `Ok` only if the queue has taken it.
    fn send(&self, message: &Message, delay_seconds: u16) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// A partner as `webhook-sender` needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRecipient {
    /// The partner's campaigns.
    pub recipient: Recipient,
    /// The secrets that sign its webhooks, in Standard Webhooks' form: one, or two during a rotation.
    pub secrets: Vec<Secret>,
}

/// The servers of partners.
pub trait PartnerServers: Send + Sync {
    /// Makes at most one request, at the instant `now`. MUST end within its time limit, whatever the server does.
    fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        secrets: &[Secret],
        now: UnixMillis,
    ) -> impl Future<Output = FinishedAttempt> + Send;
}
