//! Sends a partner's server a test webhook. The rules, the address check and the client are those of real webhooks. No
//! delivery begins or changes.

use std::fmt;

use domain::{
    audit::{Action, Operation, Subject},
    jiff::Timestamp,
    outbound::{
        agreed_ids::{PartnerIds, TrackingId},
        attempt::{AttemptFault, AttemptOutcome, DnsFault, FinishedAttempt, TlsFault, Verdict},
        macros::WebhookValues,
        test_webhook::{PERMITS, TestPermit},
        webhook::{Allowance, BodyNames, UrlTemplate, Webhook, WebhookRequest},
    },
    partner::Partner,
    values::{
        ids::{CampaignName, ClaimMark, ClickId, DeliveryId, EventLabel, PartnerUserId, Provider},
        signature::Secret,
    },
};
use thiserror::Error;

use crate::ports::{PartnerServers, TestPermits, Unavailable};

/// Holds the click id that a test sends unless another is given.
pub const CLICK_ID: &str = "test-click";
/// Holds the partner's user id that a test sends unless another is given.
pub const USER_ID: &str = "test-user";

/// Says which webhook a test sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// The webhook of a configured campaign.
    Campaign(&'a str),
    /// A webhook that need not be configured.
    Url {
        /// The template of the URL.
        url: &'a str,
        /// GET or POST.
        method: &'a str,
    },
}

/// Says why no test webhook was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TestFault {
    /// A service failed. The test may count against the partner's permits, and was not sent.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The partner has no such campaign.
    #[error("{0} has no campaign {1}")]
    NoCampaign(Provider, String),
    /// The webhook cannot be made of these values. The text says which is wrong.
    #[error("{0}")]
    Unmade(String),
    /// All permits of the partner are used.
    #[error("a partner's server gets at most {PERMITS} test webhooks a minute; try again in a minute")]
    TooOften,
}

/// Says with what a test is signed.
pub enum Signing {
    /// With the partner's secrets, so that its server accepts the webhook.
    Own(Vec<Secret>),
    /// With a secret that was made for this test alone. A server that verifies signatures refuses the webhook.
    Throwaway(Secret),
}

impl Signing {
    /// Makes a secret for one test of these random bytes.
    pub fn throwaway(random: [u8; 32]) -> Self {
        Self::Throwaway(Secret::for_webhooks(random))
    }

    fn secrets(&self) -> &[Secret] {
        match self {
            Self::Own(secrets) => secrets,
            Self::Throwaway(secret) => std::slice::from_ref(secret),
        }
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Own(_)) { "Own" } else { "Throwaway" };
        write!(f, "Signing::{kind}({})", self.secrets().len())
    }
}

/// Holds a test webhook that can be sent.
#[derive(Debug)]
pub struct TestWebhook {
    /// Identifies the test. The id begins with `test-`, which no delivery's id does.
    pub id: DeliveryId,
    /// The request without its signature.
    pub request: WebhookRequest,
    campaign: CampaignName,
    signing: Signing,
}

impl TestWebhook {
    /// Makes a test of a partner's webhook with these ids, of which the agreed ones are sent. `random` makes the test's
    /// id.
    pub fn make(
        partner: &Partner,
        which: Which<'_>,
        (click_id, user_id): (&str, &str),
        signing: Signing,
        allowance: Allowance,
        (random, now): ([u8; 8], Timestamp),
    ) -> Result<Self, TestFault> {
        let (url, method, event, campaign) = chosen(partner, which)?;
        let template = UrlTemplate::parse(&url, partner.media_buying().ids(), allowance).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(|fault| format!("the URL {fault}")).collect();
            TestFault::Unmade(faults.join("; "))
        })?;
        let names = BodyNames::try_new(&partner.rules().names).unwrap_or_default();
        let webhook = Webhook { template, method: method.parse().map_err(unmade("the method"))?, names };
        let is_agreed = |id| partner.media_buying().ids().contain(id);
        let click_id = ClickId::new(click_id).map_err(unmade("the click id"))?;
        let user_id = PartnerUserId::new(user_id).map_err(unmade("the user id"))?;
        let ids = PartnerIds {
            click_id: Some(click_id).filter(|_| is_agreed(TrackingId::ClickId)),
            user_id: Some(user_id).filter(|_| is_agreed(TrackingId::UserId)),
        };
        let id = DeliveryId::new(format!("test-{}", ClaimMark::from_random(random))).map_err(unmade("the id"))?;
        let values =
            WebhookValues { ids: &ids, event: &event, campaign: &campaign, delivery_id: &id, occurred_at: now.into() };
        let request = webhook.request(&values).map_err(|fault| TestFault::Unmade(fault.to_string()))?;
        Ok(Self { id, request, campaign, signing })
    }

    /// Sends the test if the partner has a free permit, and stores an audit record before.
    pub async fn send_permitted(
        self,
        provider: &Provider,
        permits: &impl TestPermits,
        servers: &impl PartnerServers,
        (operation, now): (&Operation, Timestamp),
    ) -> Result<TestedWebhook, TestFault> {
        let audit = operation.record(now, Action::SendTestWebhook, Subject::Partner { provider: provider.clone() });
        let audit = audit.with("campaign", &self.campaign).with("webhook_id", &self.id);
        for permit in TestPermit::of(provider, now) {
            if permits.take(&permit, now, &audit).await? {
                return Ok(self.send(servers, now).await);
            }
        }
        Err(TestFault::TooOften)
    }

    /// Sends the test. The caller sees to it that nobody is called too often.
    pub async fn send(self, servers: &impl PartnerServers, now: Timestamp) -> TestedWebhook {
        let Self { id, request, signing, .. } = self;
        let answered = servers.call(&request, &id, signing.secrets(), now.into()).await;
        TestedWebhook { id, request, is_own: matches!(signing, Signing::Own(_)), answered }
    }
}

fn unmade<F: fmt::Display>(what: &str) -> impl Fn(F) -> TestFault {
    move |fault| TestFault::Unmade(format!("{what} {fault}"))
}

/// Returns the template of the URL, the method, the name of the goal, and the campaign.
fn chosen(partner: &Partner, which: Which<'_>) -> Result<(String, String, EventLabel, CampaignName), TestFault> {
    match which {
        Which::Campaign(name) => {
            let unknown = || TestFault::NoCampaign(partner.provider().clone(), name.to_owned());
            let name = CampaignName::new(name).map_err(|_| unknown())?;
            let campaign = partner.media_buying().campaigns().get(&name).ok_or_else(unknown)?;
            let webhook = campaign.webhook();
            Ok((webhook.url.clone(), webhook.method.clone(), campaign.event().clone(), name))
        }
        Which::Url { url, method } => {
            let event = EventLabel::new("test").map_err(unmade("the event"))?;
            let campaign = CampaignName::new("test").map_err(unmade("the campaign"))?;
            Ok((url.to_owned(), method.to_owned(), event, campaign))
        }
    }
}

/// Holds a test webhook that was sent, with the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedWebhook {
    /// Identifies the test, as the header `webhook-id` does.
    pub id: DeliveryId,
    /// The request without its signature.
    pub request: WebhookRequest,
    /// Is true if the test was signed with the partner's secrets.
    pub is_own: bool,
    /// The answer.
    pub answered: FinishedAttempt,
}

impl TestedWebhook {
    /// Returns true if the server did what is right: it accepted its own signature, or refused another one.
    pub fn is_good(&self) -> bool {
        match self.answered.outcome.verdict() {
            Verdict::Delivered => self.is_own,
            _ => !self.is_own && self.is_refused(),
        }
    }

    /// Returns the time from the request to the end of the answer, in milliseconds.
    pub fn took_ms(&self) -> i64 {
        let FinishedAttempt { sent_at, ended_at, .. } = &self.answered;
        ended_at.as_millisecond().saturating_sub(sent_at.as_millisecond()).max(0)
    }

    fn is_refused(&self) -> bool {
        matches!(self.answered.outcome.status(), Some(400 | 401 | 403))
    }

    /// Says what the answer means and what to do about it, in sentences for the partner's engineer.
    pub fn advice(&self) -> &'static str {
        match (&self.answered.outcome, self.is_own) {
            (AttemptOutcome::Status(200..=299), true) => "A real webhook would be delivered.",
            (AttemptOutcome::Status(200..=299), false) => {
                "A real webhook would be delivered. This one was signed with a secret that is not yours, so your server \
                 does not verify signatures, or answers before it verifies. Anybody who knows the URL can call it: \
                 verify the signature, and ignore webhooks that are not ours."
            }
            (AttemptOutcome::Status(400 | 401 | 403), false) => {
                "Your server refused a signature that is not made with your secret, which is right if it verifies \
                 signatures. Give your secret to see that it accepts its own."
            }
            (AttemptOutcome::Status(400 | 401 | 403), true) => {
                "Your server refused the webhook. If it verifies signatures, it uses another secret than the one of this \
                 test; the page Signature of the portal says what is off. A login or a firewall in front of the URL refuses \
                 webhooks too."
            }
            (AttemptOutcome::Status(410), _) => {
                "410 means that you never want this webhook: a real one would end here, and would not be sent again."
            }
            (AttemptOutcome::Status(300..=399), _) => {
                "Redirects are never followed. Tell GG3 the URL to which this one leads."
            }
            (AttemptOutcome::Status(404 | 405), _) => {
                "There is nothing at this URL for this method. Check the path and the method that were agreed."
            }
            (AttemptOutcome::Status(429), _) => {
                "Your server limits calls. A real webhook would be sent again later, after your Retry-After at the earliest."
            }
            (AttemptOutcome::Status(500..), _) => {
                "Your server failed. A real webhook would be sent again up to 5 times; the log of your server says why it \
                 failed."
            }
            (AttemptOutcome::Status(_), _) => "A real webhook would be sent again: only a 2xx counts as delivered.",
            (AttemptOutcome::Fault(fault), _) => cure(fault),
        }
    }
}

/// Says what to do if there was no answer.
fn cure(fault: &AttemptFault) -> &'static str {
    match fault {
        AttemptFault::Dns(DnsFault::NoSuchName | DnsFault::NoAddress) => {
            "Check the name of the host in the URL, and its records in the public DNS."
        }
        AttemptFault::Dns(DnsFault::NoAnswer) => "The name servers of your domain do not answer. Check them.",
        AttemptFault::Blocked(_) => "Webhooks reach public addresses only. Give the host a public address.",
        AttemptFault::Refused | AttemptFault::Unreachable => {
            "Nothing accepts connections there. Check that the server runs, and that its firewall lets in port 443 or 8443."
        }
        AttemptFault::Tls(TlsFault::Handshake) => "The server must speak TLS 1.2 or 1.3 on this port.",
        AttemptFault::Tls(_) => {
            "The server's certificate is not valid for this host. Install one of a public authority, with its intermediate \
             certificates."
        }
        AttemptFault::TimedOut { .. } => {
            "The server took too long. Answer first and do the work afterwards; check a firewall that drops connections."
        }
        AttemptFault::Disconnected | AttemptFault::NotHttp => {
            "The server broke the connection or sent no HTTP answer. Its log, or that of a proxy in front of it, says why."
        }
        AttemptFault::UnsafeValue(_) | AttemptFault::MissingValue(_) => {
            "The URL cannot take these values. Try other ids, or agree with GG3 on another URL."
        }
        AttemptFault::Other(_) => "A real webhook would be sent again.",
    }
}

#[cfg(test)]
mod tests;
