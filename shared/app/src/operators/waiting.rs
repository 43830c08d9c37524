//! Finds what deliveries wait for besides their time: a paused campaign, or an endpoint that is down or limited.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::{
    outbound::{
        campaign::{Campaign, CampaignState},
        delivery::Delivery,
        webhook::endpoint_of,
    },
    partner::Partner,
    values::{
        ids::{CampaignName, Provider},
        time::{UnixMillis, three_decimals},
    },
};
use serde::Serialize;

use crate::ports::{EndpointKey, Endpoints, Source, StoredEndpoint, Unavailable};

/// What the deliveries of some partners' campaigns wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    campaigns: BTreeMap<(Provider, CampaignName), Wait>,
    /// The partners that cannot be read, so that it is unknown what their deliveries wait for.
    pub unread: BTreeMap<Provider, Unavailable>,
}

/// What a delivery waits for besides its time. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// Is true if the campaign is paused.
    pub paused: bool,
    /// Is true if the partner's file makes the delivery wait for its endpoint: until it is up, or until the delivery's
    /// place in the endpoint's rate has come.
    pub waits_for_endpoint: bool,
    /// The instant since which the endpoint is down, if it is.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "three_decimals::option::serialize")]
    pub endpoint_down_since: Option<UnixMillis>,
}

impl Wait {
    /// Returns true if no attempt is made, although one may be due.
    pub fn holds(self) -> bool {
        self.paused || self.waits_for_endpoint
    }

    /// Returns true if there is nothing to say.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let down = self.endpoint_down_since.map(UnixMillis::timestamp);
        match (self.paused, self.waits_for_endpoint, down) {
            (true, ..) => f.write_str("paused with its campaign"),
            (false, true, Some(since)) => write!(f, "waits for its endpoint, which is down since {since:.0}"),
            (false, true, None) => f.write_str("waits for its turn at its endpoint"),
            (false, false, Some(since)) => write!(f, "its endpoint is down since {since:.0}"),
            (false, false, None) => f.write_str("waits for nothing but its time"),
        }
    }
}

impl Waiting {
    /// Reads the partners of those deliveries that are under way, and their endpoints.
    pub async fn of(
        (partners, endpoints): (&impl Source<Key = Provider, Value = Partner>, &impl Endpoints),
        deliveries: impl IntoIterator<Item = &Delivery>,
        now: UnixMillis,
    ) -> Self {
        let mut waiting = Self::default();
        let under_way = deliveries.into_iter().filter(|delivery| delivery.next().is_some());
        let providers: BTreeSet<&Provider> = under_way.map(Delivery::provider).collect();
        for provider in providers {
            let read = async { Ok((partners.load(provider).await?, endpoints.of_partner(provider).await?)) };
            match Box::pin(read).await {
                Ok((Some(partner), endpoints)) => waiting.add(&partner, &endpoints, now),
                Ok((None, _)) => {}
                Err(fault) => drop(waiting.unread.insert(provider.clone(), fault)),
            }
        }
        waiting
    }

    fn add(&mut self, partner: &Partner, endpoints: &[(EndpointKey, StoredEndpoint)], now: UnixMillis) {
        for (name, campaign) in partner.media_buying().campaigns() {
            let wait = wait(partner, campaign, endpoints, now);
            if !wait.is_none() {
                self.campaigns.insert((partner.provider().clone(), name.clone()), wait);
            }
        }
    }

    /// Returns what the delivery waits for, which is nothing if it has ended.
    pub fn what(&self, delivery: &Delivery) -> Wait {
        if delivery.next().is_none() {
            return Wait::default();
        }
        let campaign = (delivery.provider().clone(), delivery.campaign().clone());
        self.campaigns.get(&campaign).copied().unwrap_or_default()
    }
}

fn wait(partner: &Partner, campaign: &Campaign, endpoints: &[(EndpointKey, StoredEndpoint)], now: UnixMillis) -> Wait {
    let host = endpoint_of(&campaign.webhook().url);
    let stored = endpoints.iter().find(|(key, _)| Some(&key.host) == host.as_ref()).map(|(_, stored)| stored);
    let makes_wait = |stored: &StoredEndpoint| stored.makes_wait(partner.media_buying().endpoints(), now);
    Wait {
        paused: campaign.state() == CampaignState::Paused,
        waits_for_endpoint: stored.is_some_and(makes_wait),
        endpoint_down_since: stored.and_then(|stored| stored.endpoint.down_since()),
    }
}
