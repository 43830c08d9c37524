//! Prepares a partner for the sender: the state, the webhook and the retry policy of each campaign.

use alloc::collections::BTreeMap;

use crate::outbound::agreed_ids::AgreedIds;
use crate::outbound::attempt::AttemptFault;
use crate::outbound::campaign::{Campaign, CampaignState};
use crate::outbound::delivery::Delivery;
use crate::outbound::endpoint::EndpointPolicy;
use crate::outbound::macros::WebhookValues;
use crate::outbound::notice::NOTICES;
use crate::outbound::retry::RetryPolicy;
use crate::outbound::webhook::{Allowance, BodyNames, Method, TemplateFault, UrlTemplate, Webhook, WebhookRequest};
use crate::partner::Partner;
use crate::prelude::*;
use crate::values::ids::{CampaignName, EventLabel};

/// Holds a partner's campaigns with webhooks that are ready to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    endpoints: EndpointPolicy,
    notices: Option<Callee>,
    campaigns: BTreeMap<CampaignName, Callee>,
}

/// Holds one campaign with a webhook that is ready to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    state: CampaignState,
    policy: RetryPolicy,
    event: EventLabel,
    webhook: Result<Webhook, String>,
}

impl Recipient {
    /// Prepares this partner. Webhooks are checked against `allowance` again, because the operator's command may have
    /// permitted addresses that this machine must not call.
    pub fn of(partner: &Partner, allowance: Allowance) -> Self {
        let campaigns = partner.media_buying().campaigns().iter();
        Self {
            endpoints: partner.media_buying().endpoints(),
            notices: partner.notify_url().map(|url| of_notices(url, allowance)),
            campaigns: campaigns.map(|(name, campaign)| (name.clone(), callee(partner, campaign, allowance))).collect(),
        }
    }

    /// Says how the partner's endpoints are spared.
    pub fn endpoints(&self) -> EndpointPolicy {
        self.endpoints
    }

    /// Returns true if the partner wants to be told of its endpoints.
    pub fn wants_notices(&self) -> bool {
        self.notices.is_some()
    }

    /// Returns a campaign, even if it is archived, or the campaign of notices.
    pub fn campaign(&self, name: &CampaignName) -> Option<&Callee> {
        if name.as_str() == NOTICES {
            return self.notices.as_ref();
        }
        self.campaigns.get(name)
    }
}

/// Prepares the webhook of a partner's notices. It has no macros, and its resends have the usual intervals.
fn of_notices(url: &str, allowance: Allowance) -> Callee {
    let template = UrlTemplate::parse(url, &AgreedIds::default(), allowance);
    let template = template.map_err(|faults| all(faults.iter().map(TemplateFault::unquoted)));
    let webhook = template.map(|template| Webhook { template, method: Method::Post, names: BodyNames::default() });
    let event = EventLabel::new(NOTICES).unwrap_or_else(|_| unreachable!("the name is a label"));
    Callee { state: CampaignState::Open, policy: RetryPolicy::default(), event, webhook }
}

fn callee(partner: &Partner, campaign: &Campaign, allowance: Allowance) -> Callee {
    let policy = RetryPolicy::try_new(campaign.initial_interval()).map_err(|fault| fault.to_string());
    let webhook = webhook(partner, campaign, allowance);
    let (policy, webhook) = match policy {
        Ok(policy) => (policy, webhook),
        Err(fault) => (RetryPolicy::default(), Err(fault)),
    };
    Callee { state: campaign.state(), policy, event: campaign.event().clone(), webhook }
}

fn webhook(partner: &Partner, campaign: &Campaign, allowance: Allowance) -> Result<Webhook, String> {
    let file = campaign.webhook();
    let method: Method = file.method.parse()?;
    // The sender logs the fault, and no log may contain a URL's path or query.
    let template = UrlTemplate::parse(&file.url, partner.media_buying().ids(), allowance);
    let template = template.map_err(|faults| all(faults.iter().map(TemplateFault::unquoted)))?;
    let names = BodyNames::try_new(&partner.rules().names);
    let names = names.map_err(|faults| all(faults.iter().map(ToString::to_string)));
    let names = if method == Method::Post { names? } else { names.unwrap_or_default() };
    Ok(Webhook { template, method, names })
}

fn all(faults: impl Iterator<Item = String>) -> String {
    faults.collect::<Vec<_>>().join("; ")
}

impl Callee {
    /// Returns the state, which says if the campaign's webhooks are sent.
    pub fn state(&self) -> CampaignState {
        self.state
    }

    /// Returns the policy that decides when failed attempts are repeated.
    pub fn policy(&self) -> RetryPolicy {
        self.policy
    }

    /// Returns the webhook, or the reason why this machine cannot call it. In that case, no attempt is spent.
    pub fn webhook(&self) -> Result<Prepared<'_>, &str> {
        let webhook = self.webhook.as_ref().map_err(String::as_str)?;
        Ok(Prepared { webhook, event: &self.event })
    }
}

/// Holds a webhook that is complete except for a delivery's values.
#[derive(Debug, Clone, Copy)]
pub struct Prepared<'a> {
    webhook: &'a Webhook,
    event: &'a EventLabel,
}

impl Prepared<'_> {
    /// Returns the endpoint: the host, with its port only if that is not 443. It is the same for all deliveries.
    pub fn endpoint(&self) -> String {
        self.webhook.template.endpoint()
    }

    /// Makes the request of a delivery. While the configuration is the same, the request is the same at every attempt.
    pub fn request(&self, delivery: &Delivery) -> Result<WebhookRequest, AttemptFault> {
        let values = WebhookValues {
            ids: delivery.ids(),
            event: self.event,
            campaign: delivery.campaign(),
            delivery_id: delivery.id(),
            occurred_at: delivery.occurred_at(),
        };
        match delivery.notice() {
            Some(notice) => self.webhook.notice(notice, &values),
            None => self.webhook.request(&values),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::outbound::delivery::tests::{moment, owed, participant, ticket};
    use crate::outbound::webhook::Development;
    use crate::partner::PartnerFile;

    fn partner(campaigns: &str) -> Partner {
        let file = format!(r#"{{"provider":"acme","media_buying":{{"campaigns":[{campaigns}]}}}}"#);
        let file: PartnerFile = serde_json::from_str(&file).unwrap();
        Partner::try_from(file).unwrap()
    }

    fn campaign(name: &str, more: &str, url: &str) -> String {
        format!(
            r#"{{"name":"{name}","goal":{{"type":"registration"}},"active_from":"2026-11-23T12:00:00Z","webhook":{{"url":"{url}"}}{more}}}"#
        )
    }

    #[test]
    fn an_archived_and_paused_campaign_counts_as_archived() {
        let url = "https://a.example/?c={clickId}";
        let all = [
            ("open", "", CampaignState::Open),
            ("paused", r#","paused":true"#, CampaignState::Paused),
            ("archived", r#","archived":true"#, CampaignState::Archived),
            ("both", r#","archived":true,"paused":true"#, CampaignState::Archived),
        ];
        let files: Vec<String> = all.iter().map(|(name, more, _)| campaign(name, more, url)).collect();
        let recipient = Recipient::of(&partner(&files.join(",")), Allowance::PublicOnly);
        for (name, _, state) in all {
            assert_eq!(recipient.campaign(&CampaignName::new(name).unwrap()).unwrap().state(), state);
        }
        assert_eq!(recipient.campaign(&CampaignName::new("other").unwrap()), None);
    }

    #[test]
    fn a_forbidden_webhook_harms_no_other_campaign() {
        let files = [
            campaign("local", "", "http://127.0.0.1:9/?c={clickId}"),
            campaign("welcome", r#","initial_interval_seconds":7"#, "https://a.example/{event}?c={clickId}"),
        ];
        let partner = partner(&files.join(","));
        let [local, welcome] = ["local", "welcome"].map(|name| CampaignName::new(name).unwrap());
        let recipient = Recipient::of(&partner, Allowance::PublicOnly);
        let why = recipient.campaign(&local).unwrap().webhook().unwrap_err();
        assert!(why.contains("https://"), "{why}");
        let delivery = Delivery::new(participant(), owed(), moment(0), ticket(1));
        let called = recipient.campaign(&welcome).unwrap();
        let request = called.webhook().unwrap().request(&delivery).unwrap();
        assert_eq!(request.url().as_str(), "https://a.example/registration?c=c-1");
        assert_eq!(called.policy(), RetryPolicy::try_new(core::time::Duration::from_secs(7)).unwrap());

        let development = Allowance::Development(Development::try_new("http://127.0.0.1:4570").unwrap());
        let recipient = Recipient::of(&partner, development);
        let requests: Vec<bool> = vec![&local, &welcome]
            .into_iter()
            .map(|name| recipient.campaign(name).unwrap().webhook().is_ok())
            .collect();
        assert_eq!(requests, [true, true]);
    }
}
