//! Defines the ports, through which use cases reach services. The comment of each method says what an implementation
//! MUST do. The module `memory` implements the ports for tests, and the crate `adapters` implements them for
//! deployments.

mod alarms;
mod ask_archive;
mod configuration;
mod coverage;
mod dead_letters;
mod delivery_records;
mod endpoints;
mod erasures;
mod implementations;
mod inbound_records;
mod listings;
mod named_requests;
mod resubmissions;
mod sessions;
mod stored_refusal;
mod test_permits;
mod under_way;

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use domain::{
    archive::{ArchiveKey, ArchiveRow, ArchiveTable},
    audit::AuditRecord,
    inbound::{
        acceptance::Acceptance,
        click::{Click, ClickKeys},
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Revision, Step},
        credential::Credentials,
        postback::Postback,
        refusal::{Conflict, ContentKey, KeptConflict, KeptRefusal, Refusal},
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
    alarms::{Alarm, Alarms},
    ask_archive::{ArchiveFault, AskArchive, Rows},
    coverage::{Coverage, Heartbeat, OriginItem, OriginPage, Rebuilds, Segment, SegmentPlace},
    dead_letters::{Attribute, AttributeValue, DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter},
    delivery_records::{DeliveryRecords, Ended, FailuresPage, KeptAttempt, StoredDelivery},
    endpoints::{EndpointKey, Endpoints, EndpointsOfPartner, Reservation, Reserved, StoredEndpoint},
    erasures::Erasures,
    implementations::Ports,
    inbound_records::{FoundRevisions, InboundRecords},
    listings::{Listings, Range},
    named_requests::NamedRequests,
    resubmissions::Resubmissions,
    sessions::Sessions,
    stored_refusal::{RefusalKind, StoredRefusal},
    test_permits::TestPermits,
    under_way::{PageToken, UnderWay, UnderWayPage},
};

/// A failed or late answer of a service. The call may have taken effect. Every port MUST make it safe to repeat a call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{service} is unavailable: {reason}")]
pub struct Unavailable {
    /// The service and the operation, as in `DynamoDB PutItem postbacks`.
    pub service: &'static str,
    /// The reason in the words of the service, without any of our values.
    pub reason: String,
}

/// Values that are read by key and seldom change, such as partners.
pub trait Source: Send + Sync {
    /// The key of a value.
    type Key: Clone + Eq + Hash + Send + Sync;
    /// A value.
    type Value: Send + Sync;

    /// Reads a value. MUST return `None` only if it is certain that the key has no value, and MUST end within a time
    /// limit.
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
    /// The postback is recorded now.
    Fresh,
    /// The transaction was recorded before, with this postback. Nothing changed.
    Existing(Box<RecordedPostback>),
    /// Another transaction, with this receipt, used the same click for the same event. Nothing changed.
    Used(Box<Receipt>),
}

/// The result of adding a step to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// The step was not recorded before, and now is.
    Done,
    /// Another revision, which has this receipt, already holds the step's place. Nothing changed.
    Taken(ReceiptId),
}

/// The postbacks. They never expire.
pub trait Postbacks: Send + Sync {
    /// Records a postback unless its transaction is already recorded. MUST be durable before it returns, MUST decide
    /// atomically among simultaneous calls, and MUST never change an existing postback.
    fn record(&self, postback: &RecordedPostback) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Records a postback as [`record`](Self::record) does, unless another transaction that was recorded by this method
    /// has the same click and the same event ([`Postback::click_use`]). MUST decide atomically among simultaneous
    /// calls. MUST return `Existing` if the transaction is recorded, whatever used its click.
    fn record_once(&self, postback: &RecordedPostback) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Reads the receipt of the transaction that used the click and the event of this postback. MUST see every write
    /// that returned before, and MUST write nothing.
    fn find_use(&self, postback: &Postback) -> impl Future<Output = Result<Option<Receipt>, Unavailable>> + Send;

    /// Reads the original of a transaction. MUST see every write that returned before, and MUST write nothing.
    fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<RecordedPostback>, Unavailable>> + Send;

    /// Reads all records of a transaction. MUST see every write that returned before, and MUST write nothing.
    fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Records a step at its place in the transaction, unless the place is taken. MUST be durable before it returns,
    /// MUST decide atomically among simultaneous calls and operators' corrections, and MUST never change an existing
    /// record.
    fn add_step(&self, step: &Step) -> impl Future<Output = Result<Added, Unavailable>> + Send;

    /// Records a negative transaction, and stores the adjustment at its place beside the reversed transaction. MUST do
    /// both or neither, and MUST be durable before it returns. If the negative transaction is already recorded or the
    /// place is taken, MUST return `Changed` and change nothing.
    fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The recorded postbacks, steps and corrections, read by the keys that are found in lookups and in changes of the
/// table.
pub trait RecordedRevisions: Send + Sync {
    /// Reads the revisions with these keys. MUST see every write that returned before, and MUST leave out a key only if
    /// nothing is recorded under it. If a revision cannot be read, MUST return the reason in its place, and MUST still
    /// return the others.
    fn recorded(
        &self,
        keys: &BTreeSet<String>,
    ) -> impl Future<Output = Result<HashMap<String, Result<Revision, String>>, Unavailable>> + Send;
}

/// The refusals and conflicts.
pub trait Refusals: Send + Sync {
    /// Keeps a refusal for the time of its retention after it was last seen. A refusal with the same content MUST be counted and MUST
    /// make no new item. On the UTC day on which the call came, the partner MUST get at most `most` new items of
    /// refusals and conflicts together; MUST return `BoundReached` and keep nothing beyond that.
    fn keep_refusal(
        &self,
        refusal: &Refusal,
        most: u32,
    ) -> impl Future<Output = Result<KeptRefusal, Unavailable>> + Send;

    /// Keeps a conflict until an operator resolves it. A conflict with the same content MUST make no new item, and MUST
    /// return the receipt if an operator accepted the conflict. If an operator had kept the original instead, the
    /// conflict MUST be open again. `most` bounds new items as in [`keep_refusal`](Self::keep_refusal).
    fn keep_conflict(
        &self,
        conflict: &Conflict,
        most: u32,
    ) -> impl Future<Output = Result<KeptConflict, Unavailable>> + Send;

    /// Returns the receipt of the correction if an operator accepted this conflict. MUST write nothing.
    fn find_correction(&self, conflict: &Conflict)
    -> impl Future<Output = Result<Option<Receipt>, Unavailable>> + Send;
}

/// The audit records of operators' changes. Each is written once and never changed.
pub trait AuditTrail: Send + Sync {
    /// Stores a record before an action that changes no table. MUST be durable before it returns. A repeated call with
    /// the same record MUST NOT make a second record.
    fn append(&self, record: &AuditRecord) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Reads the records of a UTC day, the oldest first. MUST see every write that returned before.
    fn of_day(&self, day: Date) -> impl Future<Output = Result<Vec<AuditRecord>, Unavailable>> + Send;
}

/// A kept conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConflict {
    /// The conflict, with the instant at which it was first received.
    pub conflict: Conflict,
    /// The receipt of the record that was made if the conflict was accepted.
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

    /// Reads all records of a transaction. MUST see every write that returned before.
    fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Records an acceptance, marks the conflict as accepted with the receipt of the recorded revision, and stores the
    /// audit record. MUST do all or none. The records and the mark MUST NOT expire. If the place of a record is taken,
    /// or the conflict is already accepted or absent, MUST return `Changed` and change nothing.
    fn accept(
        &self,
        key: &ContentKey,
        acceptance: &Acceptance,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Marks a conflict as resolved in favour of the original, and stores the audit record. MUST do both or neither.
    /// The conflict MUST stay for the time of its retention after `now`, and MAY be deleted then. If the conflict is accepted or absent,
    /// MUST return `Changed` and change nothing.
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

/// Writes the lookups, which tell where the stored items of a partner, a user or a click id are.
pub trait Lookups: Send + Sync {
    /// Writes entries and overwrites existing ones. The caller gives no two entries the same subject and place. MUST
    /// return one result for each entry, in order, and `Ok` only if the entry is durable.
    fn put(&self, entries: &[LookupEntry]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;

    /// Stores the heartbeat of a table. Entries are written for all changes up to `up_to`. If the table had no
    /// heartbeat before, its entries count as complete from `now` on.
    fn beat(
        &self,
        origin: Origin,
        up_to: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The archive, which keeps what happened as rows beside the tables.
pub trait Archive: Send + Sync {
    /// Returns the key that hashes ids. MUST fail if no key is stored yet, and MUST always return the same key.
    fn key(&self) -> impl Future<Output = Result<ArchiveKey, Unavailable>> + Send;

    /// Appends rows to a table. MUST return `Ok` only if the archive has taken all of them. If it fails, it MAY have
    /// taken some, and a repeated call MAY append these again.
    fn append(&self, table: ArchiveTable, rows: &[ArchiveRow]) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The queue that GG3's quests read, `gg3-conversions`.
pub trait ConversionQueue: Send + Sync {
    /// Sends conversions. MUST return one result for each conversion, in order, and `Ok` only if the queue has taken
    /// it.
    fn send(&self, conversions: &[Conversion]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// The queue of GG3's events, `gg3-events`.
pub trait EventQueue: Send + Sync {
    /// Sends a message as it is. MUST return `Ok` only if the queue has taken the message.
    fn send(&self, message: &str) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The queue of messages that cannot be processed.
pub trait DeadLetters: Send + Sync {
    /// Sets a whole message aside, together with the reason. MUST return `Ok` only if the queue has taken the message.
    fn set_aside(&self, whole: &str, reason: &str) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The clock, for use cases that need the time in the middle of their work.
pub trait Clock: Send + Sync {
    /// Returns the present instant.
    fn now(&self) -> UnixMillis;

    /// Waits for this duration.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Random values, for use cases that need them in the middle of their work.
pub trait Randomness: Send + Sync {
    /// Draws a random ticket. No two tickets are the same.
    fn ticket(&self) -> Result<ChainTicket, Unavailable>;

    /// Draws a random mark, so that no two workers have the same mark.
    fn mark(&self) -> Result<ClaimMark, Unavailable>;
}

/// The current catalogue, compared with the one that the caller holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The caller holds the current catalogue.
    Same,
    /// The current catalogue, which differs from the one that the caller holds.
    Other(Box<Catalogue>),
    /// No catalogue was ever published.
    Nothing,
}

/// The catalogues of campaigns. One of them is current.
pub trait Catalogues: Send + Sync {
    /// Reads the current catalogue, unless the caller holds this version. MUST return the catalogue that was current at
    /// some instant during the call, exactly as it was published.
    fn current(&self, held: Option<u64>) -> impl Future<Output = Result<Published, Unavailable>> + Send;
}

/// A participant as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredParticipant {
    /// The participant, even if expired. It is empty if none is stored.
    pub participant: Participant,
    /// The stored version, if a participant is stored.
    pub version: Option<u64>,
}

/// The result of a write that is conditional on a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The write is stored.
    Done,
    /// Another write came first. Nothing changed.
    Changed,
}

/// The participants. A participant with an attribution never expires.
pub trait Participants: Send + Sync {
    /// Reads participants. The caller names no user twice. MUST return one result for each user, in order, and MUST see
    /// every write that returned before.
    fn read(&self, users: &[&UserId]) -> impl Future<Output = Vec<Result<StoredParticipant, Unavailable>>> + Send;

    /// Writes a participant with the version `next` if the stored participant still has the version `read`. MUST be
    /// atomic, and durable before it returns. The participant MUST NOT be deleted before [`Participant::expires_at`].
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
    /// This delivery exists already. Nothing changed.
    Existing(Box<Delivery>),
}

/// The result of storing a claim without a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The claim is stored in this delivery.
    Stored(Box<Delivery>),
    /// The delivery does not exist, or no longer has the revision of the message. Nothing changed.
    Otherwise(Option<Box<Delivery>>),
}

/// Stores new deliveries, which never expire.
pub trait NewDeliveries: Send + Sync {
    /// Puts a delivery unless its id exists. MUST be durable before it returns, MUST decide atomically among
    /// simultaneous calls, and MUST never change an existing delivery.
    fn put_if_absent(&self, delivery: &Delivery) -> impl Future<Output = Result<Put, Unavailable>> + Send;
}

/// Changes deliveries. A change is refused if the stored delivery no longer has the revision that was read.
pub trait Deliveries: Send + Sync {
    /// Adds this claim to the stored delivery as [`Delivery::with_claim`] does, if the delivery still has the revision
    /// of the message. MUST be atomic, and durable before it returns.
    fn claim(&self, message: &Message, claim: &Claim) -> impl Future<Output = Result<Claimed, Unavailable>> + Send;

    /// Reads a delivery. MUST see every write that returned before.
    fn read(&self, id: &DeliveryId) -> impl Future<Output = Result<Option<Delivery>, Unavailable>> + Send;

    /// Replaces the stored delivery if it has the preceding revision. MUST be atomic, and durable before it returns.
    fn replace(&self, delivery: &Delivery) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Keeps an attempt beside its delivery. If the attempt changed the delivery, also stores the changed delivery as
    /// [`replace`](Self::replace) does. MUST do both or neither. A repeated call with the same attempt MUST NOT make a
    /// second record.
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

    /// Stores an opened round, the attempts of the old round beside the delivery, and the audit record, if the stored
    /// delivery has the preceding revision. MUST do all or none, and MUST be durable before it returns.
    fn open_round(
        &self,
        opened: &OpenedRound,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Stores the delivery of a notice and the audit record. MUST do both or neither, and MUST be durable before it
    /// returns. If the delivery exists, MUST return `Changed` and change nothing.
    fn owe_notice(
        &self,
        notice: &Delivery,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The queue `webhooks`, which holds the messages for first attempts.
pub trait WebhookQueue: Send + Sync {
    /// Sends messages. MUST return one result for each message, in order, and `Ok` only if the queue has taken the
    /// message.
    fn send(&self, messages: &[Message]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// The queue `webhook-retries`, which holds the messages for resends and all messages with a delay.
pub trait ResendQueue: Send + Sync {
    /// Sends a message with a delay of at most 900 seconds. MUST return `Ok` only if the queue has taken the message.
    fn send(&self, message: &Message, delay_seconds: u16) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// A partner as `webhook-sender` needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRecipient {
    /// The partner's campaigns.
    pub recipient: Recipient,
    /// The secrets that sign the partner's webhooks, in the form of Standard Webhooks: one, or two during a rotation.
    pub secrets: Vec<Secret>,
}

/// The servers of partners.
pub trait PartnerServers: Send + Sync {
    /// Makes at most one request, at the instant `now`. MUST end within a time limit, whatever the server does.
    fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        secrets: &[Secret],
        now: UnixMillis,
    ) -> impl Future<Output = FinishedAttempt> + Send;
}
