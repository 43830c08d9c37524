//! Names what the pages need of the outside world.

use std::time::Duration;

use app::{
    accept_postback::{AcceptPostback, StrangerRates},
    operators::trace::Trace,
    ports::{
        Alarms, AskArchive, AuditTrail, Catalogues, Clock, DeadLetterQueues, DeliveryRecords, Endpoints,
        InboundRecords, KnownRecipient, Listings, NamedRequests, Participants, PartnerServers, Partners, Publishing,
        Randomness, ResendQueue, Resolutions, Resubmissions, Rounds, Sessions, Source, TestPermits, Unavailable,
    },
};
use domain::{
    inbound::click::ClickKeys, jiff::Timestamp, outbound::webhook::Allowance, partner::Partner, retention::Retention,
    values::ids::Provider,
};

use crate::{issuer::Issuer, site::Site};

/// Names an implementation of each port.
pub(crate) trait Ports: Send + Sync + 'static {
    type Issuer: Issuer + 'static;
    type Sessions: Sessions + 'static;
    type Requests: NamedRequests + 'static;
    type Configuration: Partners + 'static;
    type Publishing: Publishing + 'static;
    type Audits: AuditTrail + 'static;
    type Archive: AskArchive + 'static;
    type Listings: Listings + 'static;
    type Inbound: InboundRecords + 'static;
    type Deliveries: DeliveryRecords + 'static;
    type Participants: Participants + 'static;
    type Catalogues: Catalogues + 'static;
    type Recipients: Source<Key = Provider, Value = KnownRecipient> + 'static;
    type Partners: Source<Key = Provider, Value = Partner> + Clone + 'static;
    type Endpoints: Endpoints + 'static;
    type ClickKeys: Source<Key = (), Value = ClickKeys> + 'static;
    type Resolutions: Resolutions + 'static;
    type Accepting: app::ports::Ports + 'static;
    type Resubmissions: Resubmissions + 'static;
    type Rounds: Rounds + Clone + 'static;
    type Resends: ResendQueue + Clone + 'static;
    type Permits: TestPermits + 'static;
    type Servers: PartnerServers + 'static;
    type DeadLetters: DeadLetterQueues + 'static;
    type Alarms: Alarms + 'static;
    type Clock: Clock + Randomness + Clone + 'static;
}

/// Finds everything that is stored about a subject, and has the ports from which lists are read.
pub(crate) type TraceOf<P> = Trace<
    <P as Ports>::Listings,
    <P as Ports>::Inbound,
    <P as Ports>::Deliveries,
    <P as Ports>::Participants,
    <P as Ports>::Catalogues,
    <P as Ports>::Recipients,
    <P as Ports>::Partners,
    <P as Ports>::Endpoints,
>;

/// Makes a reader of the archive. The same question under the same label is one query.
pub(crate) type ReadArchive<P> = Box<dyn Fn(&str) -> <P as Ports>::Archive + Send + Sync>;

/// Holds what the pages share.
pub(crate) struct Console<P: Ports> {
    pub(crate) site: Site,
    pub(crate) issuer: P::Issuer,
    pub(crate) sessions: P::Sessions,
    /// Holds the calls of the API that their clients named.
    pub(crate) requests: P::Requests,
    pub(crate) configuration: P::Configuration,
    pub(crate) publishing: P::Publishing,
    /// Says which addresses webhooks may call.
    pub(crate) allowance: Allowance,
    /// Says how long before its start a campaign is published.
    pub(crate) campaign_lead: Duration,
    pub(crate) audits: P::Audits,
    pub(crate) archive: ReadArchive<P>,
    pub(crate) trace: TraceOf<P>,
    pub(crate) click_keys: P::ClickKeys,
    pub(crate) resolutions: P::Resolutions,
    /// Says how long the audit records of changes are kept.
    pub(crate) audit_retention: Retention,
    /// Makes the use case that handles a call. A call's credential is not checked here, so partners have none.
    pub(crate) accept: Box<dyn Fn() -> AcceptPostback<P::Accepting> + Send + Sync>,
    pub(crate) resubmissions: P::Resubmissions,
    pub(crate) partners: P::Partners,
    pub(crate) rounds: P::Rounds,
    pub(crate) resends: P::Resends,
    /// Holds the permits of test webhooks.
    pub(crate) permits: P::Permits,
    /// Calls the servers of partners, for test webhooks.
    pub(crate) servers: P::Servers,
    pub(crate) dead_letters: P::DeadLetters,
    pub(crate) alarms: P::Alarms,
    pub(crate) clock: P::Clock,
    /// Limits how many postback URLs are tried from an address.
    pub(crate) strangers: StrangerRates,
    /// Reads the clock.
    pub(crate) now: fn() -> Timestamp,
    /// Draws random bytes for tokens, receipts and operations.
    pub(crate) random: fn() -> Result<[u8; 32], Unavailable>,
}
