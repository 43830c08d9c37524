//! Sends webhooks over HTTP. Each webhook is at most one request, and ends within its limits whatever the partner does.
//!
//! reqwest sends the request, with redirects, proxies, cookies, decoding and retries switched off. This module decides
//! which addresses are allowed, how long connections live, how much of an answer is read, and how faults are named.

use std::{cell::Cell, path::PathBuf, time::Instant};

use app::ports::PartnerServers;
use domain::{
    outbound::{
        attempt::{AnswerExcerpt, AttemptFault, AttemptOutcome, FinishedAttempt},
        webhook::{Allowance, Destination, Development, WebhookRequest, WebhookUrl},
    },
    values::{ids::DeliveryId, signature::Secret, time::UnixMillis},
};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use reqwest::Request;
use thiserror::Error;
use tokio::task::yield_now;

mod answer;
mod clients;
mod counted;
mod faults;
mod limits;
mod quota;
mod request;
mod resolve;
mod signature;
mod tls;

pub use limits::{Limits, MAX_BODY_BYTES};
pub use request::AGENT;
pub use signature::{MAX_SECRETS, PREFIX, SecretFault, Signer};
pub use tls::TlsSettingsFault;

use answer::Reply;
use clients::Clients;
use faults::Circumstances;
use resolve::{DIALLED, Resolver};

/// Says which addresses webhooks may reach, and whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Allows public addresses, with certificates of public authorities.
    Public,
    /// Also allows a developer's own machine.
    Development {
        /// Proves that this is a development machine.
        proof: Development,
        /// Names a PEM file of certificate authorities to trust besides the public ones.
        extra_authorities: Option<PathBuf>,
    },
}

impl Reach {
    /// Returns the addresses and URLs that are allowed.
    pub fn allowance(&self) -> Allowance {
        match self {
            Self::Public => Allowance::PublicOnly,
            Self::Development { proof, .. } => Allowance::Development(*proof),
        }
    }
}

/// Configures a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Says which addresses webhooks may reach.
    pub reach: Reach,
    /// Bounds attempts, and how long connections are kept.
    pub limits: Limits,
}

/// Says why a client cannot be built.
#[derive(Debug, Error)]
pub enum WebhookSettingsFault {
    /// A phase has no time, or is not shorter than the phase that contains it, or the total exceeds
    /// [`Limits::MAX_TOTAL`].
    #[error("a webhook's limits must satisfy 0 < resolve < connect < total <= 1 minute and 0 < body <= total")]
    Limits,
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsSettingsFault),
}

/// Sends webhooks and keeps connections between them. Build one client and use it for all webhooks.
pub struct WebhookClient {
    limits: Limits,
    allowance: Allowance,
    clients: Clients,
}

impl WebhookClient {
    /// Returns a client with these settings. Makes no network call. The only file read is that of extra
    /// certificate authorities, if the settings name one.
    pub fn new(settings: &WebhookSettings) -> Result<Self, WebhookSettingsFault> {
        let allowance = settings.reach.allowance();
        Self::with_resolver(settings, Resolver::system(allowance, settings.limits.resolve))
    }

    fn with_resolver(settings: &WebhookSettings, resolver: Resolver) -> Result<Self, WebhookSettingsFault> {
        let WebhookSettings { reach, limits } = settings;
        if !limits.are_usable() {
            return Err(WebhookSettingsFault::Limits);
        }
        let (https_only, extra_authorities) = match reach {
            Reach::Public => (true, None),
            Reach::Development { extra_authorities, .. } => (false, extra_authorities.as_deref()),
        };
        let clients = Clients::new(*limits, https_only, tls::config(extra_authorities)?, resolver);
        Ok(Self { limits: *limits, allowance: reach.allowance(), clients })
    }

    /// Returns the limits. [`send`](Self::send) ends within [`Limits::total`], except for delays in scheduling the
    /// task.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends a webhook as one request, and never sends a second one. If the fault says "not sent", nothing was sent.
    ///
    /// `now` is the present time. The signature and the attempt's times are computed from `now`.
    pub async fn send(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        signer: &Signer,
        now: Timestamp,
    ) -> FinishedAttempt {
        let began = Instant::now();
        let sent = match request::signed(request, id, signer, now) {
            Ok(ready) => self.attempt(request.url(), ready, began).await,
            Err(fault) => Err(fault),
        };
        let (sent_at, ended_at) = (UnixMillis::from(now), ended_at(now, began));
        match sent {
            Ok(Reply { status, answer, retry_after }) => {
                FinishedAttempt { sent_at, ended_at, outcome: AttemptOutcome::Status(status), answer, retry_after }
            }
            Err(fault) => {
                let outcome = AttemptOutcome::Fault(fault);
                FinishedAttempt { sent_at, ended_at, outcome, answer: AnswerExcerpt::default(), retry_after: None }
            }
        }
    }

    async fn attempt(&self, url: &WebhookUrl, ready: Request, began: Instant) -> Result<Reply, AttemptFault> {
        if !self.allowance.permits(url) {
            return Err(AttemptFault::Other("not sent: webhooks are called by https, on port 443 or 8443".to_owned()));
        }
        // The resolver sees only names. An address in a URL is therefore checked here.
        let is_name = match url.destination() {
            Destination::Name(_) => true,
            Destination::Address(address) => {
                self.allowance.check(address).map_err(AttemptFault::Blocked)?;
                false
            }
        };
        let unmade = |_| AttemptFault::Other("not sent: its HTTP client could not be made".to_owned());
        let (client, quota, was_there) = self.clients.of(url).map_err(unmade)?;
        let receiving = quota.begin();
        if was_there {
            // Yielding lets the runtime notice connections that were closed meanwhile, before hyper chooses a
            // connection. If hyper sees that a connection is closed before writing to it, hyper uses another
            // connection.
            yield_now().await;
        }
        let sending = async { (client.execute(ready).await, DIALLED.with(Cell::get)) };
        match DIALLED.scope(Cell::new(false), sending).await {
            (Ok(response), _) => {
                let (reply, in_order) = Reply::read(response, self.limits.body).await;
                if !in_order {
                    self.clients.forget(url);
                }
                Ok(reply)
            }
            (Err(error), dialled) => {
                self.clients.forget(url);
                if receiving.is_exceeded() {
                    return Err(AttemptFault::Other(faults::TOO_MUCH.to_owned()));
                }
                let after_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
                let on_kept = was_there && is_name && !dialled;
                Err(faults::of(&error, Circumstances { secure: url.is_secure(), on_kept, after_ms }))
            }
        }
    }
}

impl PartnerServers for WebhookClient {
    async fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        secrets: &[Secret],
        now: UnixMillis,
    ) -> FinishedAttempt {
        match Signer::try_new(secrets) {
            Ok(signer) => self.send(request, id, &signer, now.timestamp()).await,
            // The secrets were checked when they were read. A request that cannot be signed is not sent.
            Err(fault) => FinishedAttempt::unsent(AttemptFault::Other(format!("not sent: {fault}")), now),
        }
    }
}

/// Returns when an attempt ended, rounded up to the next millisecond. A wait that begins at this time is then never too
/// short.
fn ended_at(now: Timestamp, began: Instant) -> UnixMillis {
    let ended = now.checked_add(began.elapsed()).unwrap_or(Timestamp::MAX);
    let up = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Ceil);
    UnixMillis::from(ended.round(up).unwrap_or(ended))
}

#[cfg(test)]
mod tests;
