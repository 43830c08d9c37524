//! Names what the pages need of the outside world.

use app::{
    operators::trace::Trace,
    ports::{
        Catalogues, DeliveryRecords, InboundRecords, KnownRecipient, Listings, Participants, Partners, Resolutions,
        Sessions, Source, Unavailable,
    },
};
use domain::{
    inbound::click::ClickKeys, jiff::Timestamp, partner::Partner, retention::Retention, values::ids::Provider,
};

use crate::{issuer::Issuer, site::Site};

/// Names an implementation of each port.
pub(crate) trait Ports: Send + Sync + 'static {
    type Issuer: Issuer + 'static;
    type Sessions: Sessions + 'static;
    type Configuration: Partners + 'static;
    type Listings: Listings + 'static;
    type Inbound: InboundRecords + 'static;
    type Deliveries: DeliveryRecords + 'static;
    type Participants: Participants + 'static;
    type Catalogues: Catalogues + 'static;
    type Recipients: Source<Key = Provider, Value = KnownRecipient> + 'static;
    type Partners: Source<Key = Provider, Value = Partner> + 'static;
    type ClickKeys: Source<Key = (), Value = ClickKeys> + 'static;
    type Resolutions: Resolutions + 'static;
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
>;

/// Holds what the pages share.
pub(crate) struct Console<P: Ports> {
    pub(crate) site: Site,
    pub(crate) issuer: P::Issuer,
    pub(crate) sessions: P::Sessions,
    pub(crate) configuration: P::Configuration,
    pub(crate) trace: TraceOf<P>,
    pub(crate) click_keys: P::ClickKeys,
    pub(crate) resolutions: P::Resolutions,
    /// Says how long the audit records of changes are kept.
    pub(crate) audit_retention: Retention,
    /// Reads the clock.
    pub(crate) now: fn() -> Timestamp,
    /// Draws random bytes for tokens, receipts and operations.
    pub(crate) random: fn() -> Result<[u8; 32], Unavailable>,
}
