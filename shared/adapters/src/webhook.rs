//! Webhooks over HTTP: one request to a partner, made at most once, that ends within its limits whatever is at the other
//! end.
//!
//! On hyper's connections rather than on a client above them: reqwest's and hyper-util's clients keep connections by
//! name alone, while a connection here belongs to an address that was checked; they cannot bound an answer's head; and
//! what they fail with does not say which phase failed. What they would add, redirects, proxies, cookies, decoding and
//! repeats, is what must not be.

use std::{path::PathBuf, sync::Arc};

use app::ports::PartnerServers;
use domain::{
    attempt::{Answer, Answered, AttemptFault, Outcome, Phase},
    ids::DeliveryId,
    moment::Moment,
    signature::Secret,
    webhook::{Allowance, Development, WebhookRequest, WebhookUrl},
};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::task::yield_now;

mod age;
mod answer;
mod connection;
mod deadline;
mod dial;
mod faults;
mod limits;
mod pool;
mod request;
mod resolve;
mod signature;
mod status_line;
mod tls;

pub use limits::{Limits, MAX_BODY_BYTES};
pub use request::AGENT;
pub use signature::{MAX_SECRETS, PREFIX, SecretFault, Signer};
pub use tls::TlsSettingsFault;

use answer::Reply;
use connection::{Connection, Unanswered};
use deadline::Deadline;
use pool::{Origin, Pool};
use request::Signed;
use resolve::Resolver;

/// How far webhooks may go, and whom they may trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, with the certificates of public authorities.
    Public,
    /// A developer's own machine as well.
    Development {
        /// Proof that it is one.
        proof: Development,
        /// A PEM file of certificate authorities to trust besides the public ones.
        extra_authorities: Option<PathBuf>,
    },
}

impl Reach {
    /// What it allows.
    pub fn allowance(&self) -> Allowance {
        match self {
            Self::Public => Allowance::PublicOnly,
            Self::Development { proof, .. } => Allowance::Development(*proof),
        }
    }
}

/// What a client needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// How far webhooks may go.
    pub reach: Reach,
    /// How long one may take.
    pub limits: Limits,
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum WebhookSettingsFault {
    /// A phase without time, one longer than the total, or a total beyond [`Limits::MAX_TOTAL`].
    #[error("each phase of a webhook must have some time and no more than the total, and the total at most a minute")]
    Limits,
    /// Something about TLS.
    #[error(transparent)]
    Tls(#[from] TlsSettingsFault),
}

/// Sends webhooks, with connections kept from one to the next. Build one, and use it for all.
pub struct WebhookClient {
    limits: Limits,
    allowance: Allowance,
    tls: Arc<ClientConfig>,
    resolver: Resolver,
    pool: Pool,
}

impl WebhookClient {
    /// A client with these settings. Reads the file of extra authorities, and nothing else.
    pub fn new(settings: &WebhookSettings) -> Result<Self, WebhookSettingsFault> {
        let allowance = settings.reach.allowance();
        Self::with_resolver(settings, Resolver::system(allowance, settings.limits.names_fresh))
    }

    fn with_resolver(settings: &WebhookSettings, resolver: Resolver) -> Result<Self, WebhookSettingsFault> {
        let WebhookSettings { reach, limits } = settings;
        if !limits.are_usable() {
            return Err(WebhookSettingsFault::Limits);
        }
        let extra_authorities = match reach {
            Reach::Public => None,
            Reach::Development { extra_authorities, .. } => extra_authorities.as_deref(),
        };
        let tls = tls::config(extra_authorities)?;
        let pool = Pool::new(limits.max_idle, limits.idle);
        Ok(Self { limits: *limits, allowance: reach.allowance(), tls, resolver, pool })
    }

    /// The limits it keeps: [`send`](Self::send) ends within their total, give or take the scheduling of its task.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends a webhook: one request, or none where the fault is that it could not be begun. Never a second one,
    /// whatever comes of the first.
    ///
    /// `now` is when it is sent, read right before; it is what the signature says, and what the attempt's times count
    /// from.
    pub async fn send(&self, request: &WebhookRequest, id: &DeliveryId, signer: &Signer, now: Timestamp) -> Answered {
        let deadline = Deadline::start(self.limits.total);
        let sent = match Signed::new(request, id, signer, now) {
            Ok(ready) => self.attempt(request.url(), &ready, deadline).await,
            Err(fault) => Err(fault),
        };
        let (sent_at, ended_at) = (Moment::from(now), ended_at(now, deadline));
        match sent {
            Ok(Reply { status, answer, retry_after }) => {
                Answered { sent_at, ended_at, outcome: Outcome::Status(status), answer, retry_after }
            }
            Err(fault) => {
                let outcome = Outcome::Fault(fault);
                Answered { sent_at, ended_at, outcome, answer: Answer::default(), retry_after: None }
            }
        }
    }

    async fn attempt(&self, url: &WebhookUrl, signed: &Signed, deadline: Deadline) -> Result<Reply, AttemptFault> {
        if !self.allowance.permits(url) {
            return Err(AttemptFault::Other("not sent: webhooks are called by https, on port 443 or 8443".to_owned()));
        }
        let addresses = self.resolver.addresses(url);
        let addresses = deadline.wait(Phase::Resolve, self.limits.resolve, addresses).await?;
        let origin = Origin::of(url);
        if !self.pool.is_empty() {
            // What arrived while nobody looked, the end of a connection above all, is seen before one is chosen.
            yield_now().await;
            yield_now().await;
        }
        if let Some(connection) = self.pool.take(&origin, &addresses) {
            // Only what was not begun may be begun again.
            if let Some(reply) = self.exchange(&origin, connection, signed, deadline).await? {
                return Ok(reply);
            }
        }
        let connection = dial::dial(url, &addresses, &self.tls, &self.limits, deadline).await?;
        let reply = self.exchange(&origin, connection, signed, deadline).await?;
        reply.ok_or(AttemptFault::Disconnected)
    }

    /// One request and its answer; `None` if the connection had ended before anything was written.
    async fn exchange(
        &self,
        origin: &Origin,
        mut connection: Connection,
        signed: &Signed,
        deadline: Deadline,
    ) -> Result<Option<Reply>, AttemptFault> {
        let request = signed.on(&connection);
        let sending = async {
            match connection.send(request).await {
                Ok(response) => Ok(Some(response)),
                Err(Unanswered::Unsent) => Ok(None),
                Err(Unanswered::Failed(fault)) => Err(fault),
            }
        };
        let (reply, in_order) = match deadline.wait(Phase::Headers, self.limits.headers, sending).await {
            Ok(Some(response)) => Reply::read(response, deadline.left(self.limits.body)).await,
            Ok(None) => {
                self.pool.retire(&connection);
                return Ok(None);
            }
            Err(fault) => {
                self.pool.retire(&connection);
                return connection.status().map(|status| Some(Reply::bare(status))).ok_or(fault);
            }
        };
        if in_order {
            self.pool.put(origin.clone(), connection);
        } else {
            self.pool.retire(&connection);
        }
        Ok(Some(reply))
    }
}

impl PartnerServers for WebhookClient {
    async fn call(&self, request: &WebhookRequest, id: &DeliveryId, secrets: &[Secret], now: Moment) -> Answered {
        match Signer::try_new(secrets) {
            Ok(signer) => self.send(request, id, &signer, now.timestamp()).await,
            // They were looked at when they were read; what cannot be signed is not sent.
            Err(fault) => Answered::unsent(AttemptFault::Other(format!("not sent: {fault}")), now),
        }
    }
}

/// When an attempt ended, rounded up, so that nothing that counts from it is early.
fn ended_at(now: Timestamp, deadline: Deadline) -> Moment {
    let ended = now.checked_add(deadline.elapsed()).unwrap_or(Timestamp::MAX);
    let up = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Ceil);
    Moment::from(ended.round(up).unwrap_or(ended))
}

#[cfg(test)]
mod tests;
