//! A GG3 user follows a tracking link to a partner: a fresh click id, the landing page's URL, the click recorded.

use std::sync::Arc;

use domain::{
    click::Click,
    ids::{ClickId, LandingName, Provider},
    jiff::Timestamp,
    partner::Partner,
    postback::Field,
    tracking_link::{ClickLink, ClickLinkFault, Value},
};

use crate::{
    cache::Cache,
    ports::{Clicks, Source, SystemKeys, Unavailable},
};

/// Where the user goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Led {
    /// 302 to the landing page.
    To {
        /// The landing page's URL with both ids.
        url: String,
        /// The click's id.
        click_id: ClickId,
        /// The partner.
        provider: Provider,
        /// Why the click could not be recorded. The user is sent on all the same: the click id proves itself.
        unrecorded: Option<Unavailable>,
    },
    /// 404: no such partner or landing page.
    Unknown,
    /// 400, 403 or 410.
    Refused(ClickLinkFault),
    /// 503: the configuration cannot be read, and is not in memory.
    Unavailable(Unavailable),
}

/// The use case over its ports.
pub struct FollowClick<P: Source, K: Source, C> {
    /// The partners, in memory for a minute.
    pub partners: Cache<P>,
    /// The system's keys, likewise.
    pub keys: Cache<K>,
    /// Where clicks are recorded.
    pub clicks: C,
}

impl<P, K, C> FollowClick<P, K, C>
where
    P: Source<Key = Provider, Value = Partner>,
    K: Source<Key = (), Value = SystemKeys>,
    C: Clicks,
{
    /// Handles one use of a link: the path's two segments and the raw query.
    pub async fn handle(&self, provider: &str, landing: &str, query: &[u8], now: Timestamp, random: [u8; 9]) -> Led {
        let (Ok(provider), Ok(landing)) = (Provider::new(provider), LandingName::new(landing)) else {
            return Led::Unknown;
        };
        let (partner, keys) = match self.configuration(&provider, now).await {
            Ok(Some(both)) => both,
            Ok(None) => return Led::Unknown,
            Err(unavailable) => return Led::Unavailable(unavailable),
        };
        let Some(base) = partner.landing(&landing) else { return Led::Unknown };
        let link = match ClickLink::verify(provider, landing, query, &keys.link, now) {
            Ok(link) => link,
            Err(fault) => return Led::Refused(fault),
        };
        let click_id = keys.click.mint(&link.provider, &link.user_id, now, random);
        let names = &partner.rules().names;
        let url = base.with(&[
            (names.of(Field::UserId), Value::Text(link.user_id.as_str())),
            (names.of(Field::ClickId), Value::Text(click_id.as_str())),
        ]);
        let ClickLink { provider, landing, user_id, .. } = link;
        let click = Click { click_id, provider, landing, user_id, clicked_at: now };
        let unrecorded = self.clicks.record(&click).await.err();
        Led::To { url, click_id: click.click_id, provider: click.provider, unrecorded }
    }

    async fn configuration(
        &self,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Option<(Arc<Partner>, Arc<SystemKeys>)>, Unavailable> {
        let Some(partner) = self.partners.get(provider, now).await? else { return Ok(None) };
        match self.keys.get(&(), now).await? {
            Some(keys) => Ok(Some((partner, keys))),
            None => Err(Unavailable { service: "secrets", reason: "there are no system keys yet".into() }),
        }
    }
}
