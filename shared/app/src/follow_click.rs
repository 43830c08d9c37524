//! Handles the use of a tracking link: makes a click id, records the click, and redirects the user to the partner's
//! landing page.

use std::sync::Arc;

use domain::{
    inbound::{
        click::Click,
        tracking_link::{ClickLink, ClickLinkFault, LinkValue},
    },
    jiff::Timestamp,
    partner::Partner,
    values::{
        ids::{ClickId, LandingName, Provider},
        parameter_names::Field,
    },
};

use crate::{
    cache::Cache,
    ports::{Clicks, Ports, SystemKeys, Unavailable},
};

/// The answer to a click, with its HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Led {
    /// 302: the user goes to the landing page.
    To {
        /// The landing page's URL with the user id and the click id.
        url: String,
        /// The new click id.
        click_id: ClickId,
        /// The partner.
        provider: Provider,
        /// The fault, if the click could not be recorded. The user is still redirected, because a click id can be
        /// verified without its record.
        unrecorded: Option<Unavailable>,
    },
    /// 404: the partner or landing page is unknown.
    Unknown,
    /// 400, 403 or 410: the link is malformed, not ours, or expired.
    Refused(ClickLinkFault),
    /// 503: the configuration cannot be read, and no usable copy is in memory.
    Unavailable(Unavailable),
}

/// Follows clicks.
pub struct FollowClick<P: Ports> {
    /// Reads partners.
    pub partners: Cache<P::Partners>,
    /// Reads the system's keys.
    pub keys: Cache<P::Keys>,
    /// Records clicks.
    pub clicks: P::Clicks,
}

impl<P: Ports> FollowClick<P> {
    /// Handles one use of a link. Takes the two segments of the path and the raw query.
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
            (names.of(Field::UserId), LinkValue::Text(link.user_id.as_str())),
            (names.of(Field::ClickId), LinkValue::Text(click_id.as_str())),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{
        inbound::click::{ClickKeys, ClickOrigin},
        partner::PartnerFile,
        values::{ids::UserId, signature::Secret},
    };

    use super::*;
    use crate::{
        cache::CachePolicy,
        memory::{Held, Trouble, World},
    };

    fn keys() -> SystemKeys {
        SystemKeys { click: ClickKeys::new(vec![Secret::new("k")]).unwrap(), link: vec![Secret::new("l")] }
    }

    fn rig() -> (World, FollowClick<World>) {
        let world = World::default();
        let json = r#"{"provider":"acme","parameters":{"click_id":"aff_sub"},
                       "landings":{"welcome":"https://a.example/p?aff_sub=0#top"}}"#;
        let partner = Partner::try_from(serde_json::from_str::<PartnerFile>(json).unwrap()).unwrap();
        let follow = FollowClick {
            partners: Cache::new(Held::new(&world, [(partner.provider().clone(), partner)]), CachePolicy::default()),
            keys: Cache::new(Held::new(&world, [((), keys())]), CachePolicy::default()),
            clicks: world.clone(),
        };
        (world, follow)
    }

    fn query() -> String {
        let link = ClickLink {
            provider: Provider::new("acme").unwrap(),
            landing: LandingName::new("welcome").unwrap(),
            user_id: UserId::new("12345").unwrap(),
            expires: 100,
        };
        link.signed("", &Secret::new("l")).split_once('?').unwrap().1.to_owned()
    }

    async fn follow(follow: &FollowClick<World>, path: (&str, &str), query: &str, second: i64) -> Led {
        follow.handle(path.0, path.1, query.as_bytes(), Timestamp::from_second(second).unwrap(), [1; 9]).await
    }

    #[tokio::test]
    async fn a_good_link_leads_to_the_landing_page_and_is_recorded() {
        let (world, rig) = rig();
        let Led::To { url, click_id, unrecorded: None, .. } = follow(&rig, ("acme", "welcome"), &query(), 100).await
        else {
            panic!("not led on")
        };
        assert_eq!(url, format!("https://a.example/p?aff_sub={click_id}&user_id=12345#top"));
        let state = world.state();
        let click = &state.clicks[0];
        assert_eq!(click.click_id, click_id);
        assert_eq!(keys().click.origin(&click.provider, &click.user_id, &click_id), ClickOrigin::Verified);
    }

    #[tokio::test]
    async fn a_user_is_redirected_even_if_the_click_cannot_be_stored() {
        let (world, rig) = rig();
        world.state().trouble = BTreeMap::from([(2, Trouble::Before)]);
        let led = follow(&rig, ("acme", "welcome"), &query(), 0).await;
        assert!(matches!(led, Led::To { unrecorded: Some(_), .. }), "{led:?}");
    }

    #[tokio::test]
    async fn a_link_that_is_not_ours_leads_nowhere_and_writes_nothing() {
        let (world, rig) = rig();
        for path in [("acme", "elsewhere"), ("nobody", "welcome"), ("ACME", "welcome"), ("acme", "")] {
            assert_eq!(follow(&rig, path, &query(), 0).await, Led::Unknown, "{path:?}");
        }
        let forged = query().replace("12345", "54321");
        let refused = |fault| Led::Refused(fault);
        let good = ("acme", "welcome");
        assert_eq!(follow(&rig, good, &forged, 0).await, refused(ClickLinkFault::BadSignature));
        assert_eq!(follow(&rig, good, &query(), 101).await, refused(ClickLinkFault::Expired));
        assert!(matches!(follow(&rig, good, "", 0).await, Led::Refused(ClickLinkFault::Malformed(_))));
        assert!(world.state().clicks.is_empty());
    }
}
