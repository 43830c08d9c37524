//! Holds the agreement with a partner that sends its users to GG3: the ids in the partner's links, and the campaigns.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check_filled_in;
use crate::inbound::tracking_link::TrackerMacro;
use crate::outbound::agreed_ids::{AgreedIds, TrackingId};
use crate::outbound::campaign::{self, Campaign, CampaignFile, Campaigns};
use crate::outbound::catalogue::PartnerGoals;
use crate::outbound::endpoint::EndpointPolicy;
use crate::outbound::notice::NOTICES;
use crate::outbound::webhook::{Allowance, BodyNames, Method, UrlTemplate};

use crate::prelude::*;
use crate::values::config_fault::{Faults, collect};
use crate::values::ids::EventLabel;
use crate::values::parameter_names::ParameterNames;
use crate::values::placeholder::{self, Place, Placeholder};
use crate::values::time::UnixMillis;

/// Holds the agreement about a partner's media buying as an operator writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaBuyingFile {
    /// Lists the ids in the partner's tracking links: `click_id`, `user_id` or both. Without a list, the links have the
    /// click id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// Maps each id to the macro that the partner's tracker replaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub macros: BTreeMap<String, String>,
    /// Lets deliveries wait while their endpoint is down, without spending attempts. By default, they do not.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub hold_while_down: bool,
    /// Limits the webhooks a second to each host, 1 to 500. By default, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u32>,
    /// Lists the partner's campaigns, including archived campaigns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub campaigns: Vec<CampaignFile>,
}

impl MediaBuyingFile {
    /// Replaces every `on_publish` by the published instant, or by `soonest` if the campaign was never published.
    #[must_use]
    pub fn dated(mut self, published: &Campaigns, soonest: UnixMillis) -> Self {
        self.campaigns = self.campaigns.into_iter().map(|file| file.dated(published, soonest)).collect();
        self
    }
}

/// Holds the checked agreement about a partner's media buying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaBuying {
    ids: AgreedIds,
    macros: BTreeMap<TrackingId, TrackerMacro>,
    endpoints: EndpointPolicy,
    campaigns: Campaigns,
}

impl Default for MediaBuying {
    fn default() -> Self {
        let names = ParameterNames::default();
        Self::parse(MediaBuyingFile::default(), &names, None, &mut Faults::default())
    }
}

impl MediaBuying {
    /// Returns the ids in the partner's tracking links.
    pub fn ids(&self) -> &AgreedIds {
        &self.ids
    }

    /// Returns the macro of each agreed id, the click id first.
    pub fn macros(&self) -> impl Iterator<Item = (TrackingId, &TrackerMacro)> {
        self.macros.iter().map(|(id, text)| (*id, text))
    }

    /// Says how the partner's servers are spared.
    pub fn endpoints(&self) -> EndpointPolicy {
        self.endpoints
    }

    /// Returns the partner's campaigns, including archived campaigns.
    pub fn campaigns(&self) -> &Campaigns {
        &self.campaigns
    }

    /// Pauses every campaign.
    pub(super) fn pause(&mut self) {
        self.campaigns.values_mut().for_each(Campaign::pause);
    }

    /// Returns the facts that the evaluator needs.
    pub fn goals(&self) -> PartnerGoals {
        PartnerGoals::of(self.ids.clone(), &self.campaigns)
    }

    /// Reads the section. If an allowance is given, also checks the addresses of the webhooks.
    pub(super) fn parse(
        file: MediaBuyingFile,
        names: &ParameterNames,
        allowance: Option<Allowance>,
        faults: &mut Faults,
    ) -> Self {
        let before = faults.0.len();
        let ids = parse_ids(file.ids, faults);
        // If the ids are wrong, it is unknown which macros are allowed, so no faults of macros are reported.
        let ids_known = faults.0.len() == before;
        let macros = parse_macros(&file.macros, &ids, ids_known, faults);
        if allowance.is_some() {
            check_macros(&file.macros, faults);
        }
        let endpoints = EndpointPolicy { hold_while_down: file.hold_while_down, max_rate: file.max_rate };
        faults.require(endpoints.is_bounded(), "media_buying.max_rate", "must be from 1 to 500 webhooks a second");
        let agreed = ids_known.then_some(&ids);
        for (at, campaign) in file.campaigns.iter().enumerate() {
            let path = format!("media_buying.campaigns[{at}]");
            let is_ours = allowance.is_some() && campaign.name == NOTICES;
            faults.require(!is_ours, &format!("{path}.name"), "is the name of our notices; choose another");
            check_webhook(campaign, &path, names, agreed.zip(allowance), faults);
        }
        let campaigns = campaign::parse_all(file.campaigns, "media_buying.campaigns", faults);
        Self { ids, macros, endpoints, campaigns }
    }
}

fn parse_ids(ids: Option<Vec<String>>, faults: &mut Faults) -> AgreedIds {
    const PATH: &str = "media_buying.ids";
    let Some(ids) = ids else { return AgreedIds::default() };
    let empty = ids.is_empty();
    let known = |text: String| {
        TrackingId::ALL.into_iter().find(|id| id.as_str() == text).ok_or("is not an id; use click_id or user_id")
    };
    match AgreedIds::try_from(collect(ids, PATH, faults, known)) {
        Ok(agreed) => agreed,
        Err(fault) => {
            if empty {
                faults.add(PATH, fault.to_string());
            }
            AgreedIds::default()
        }
    }
}

fn parse_macros(
    written: &BTreeMap<String, String>,
    agreed: &AgreedIds,
    ids_known: bool,
    faults: &mut Faults,
) -> BTreeMap<TrackingId, TrackerMacro> {
    let mut macros = BTreeMap::new();
    for id in TrackingId::ALL.into_iter().filter(|id| agreed.contain(*id)) {
        let text = written.get(id.as_str()).map_or(id.default_macro(), String::as_str);
        if let Some(parsed) = faults.keep(&format!("media_buying.macros.{id}"), TrackerMacro::new(text)) {
            let shared = macros.values().any(|other| *other == parsed);
            faults.require(!shared, &format!("media_buying.macros.{id}"), "is another id's macro too; change one");
            macros.insert(id, parsed);
        }
    }
    for name in written.keys().filter(|name| {
        !TrackingId::ALL.into_iter().any(|id| id.as_str() == *name && (!ids_known || agreed.contain(id)))
    }) {
        faults.add(&format!("media_buying.macros.{name}"), "is not in media_buying.ids; add it there, or remove it");
    }
    macros
}

/// Adds a fault for each macro that a template has for somebody to replace.
fn check_macros(written: &BTreeMap<String, String>, faults: &mut Faults) {
    for (name, text) in written {
        if let Some(Placeholder::Word { .. }) = placeholder::find(text.as_bytes(), Place::Id) {
            let words =
                "has no macro, but a word that a template has for you to replace; write the tracker's own macro";
            faults.add(&format!("media_buying.macros.{name}"), words);
        }
    }
}

/// Explains why a label is refused. Webhooks with such a label would never be sent.
const UNSAFE_EVENT: &str = "would lead the webhook elsewhere from the path of its URL; write it without / and \\, and not as . or .., or put {event} \
     into the query";

fn check_webhook(
    CampaignFile { webhook, event, .. }: &CampaignFile,
    path: &str,
    names: &ParameterNames,
    url: Option<(&AgreedIds, Allowance)>,
    faults: &mut Faults,
) {
    let method = faults.keep(&format!("{path}.webhook.method"), webhook.method.parse::<Method>());
    if method == Some(Method::Post) {
        for fault in BodyNames::try_new(names).err().unwrap_or_default() {
            faults.add(&format!("{path}.webhook.method"), fault.to_string());
        }
    }
    // An empty URL is reported by the check of the campaign.
    let Some((agreed, allowance)) = url.filter(|_| !webhook.url.trim().is_empty()) else { return };
    check_filled_in(&webhook.url, &format!("{path}.webhook.url"), faults);
    match UrlTemplate::parse(&webhook.url, agreed, allowance) {
        Ok(template) => {
            // An invalid label is reported by the check of the campaign. The default name of a goal is harmless.
            let label = event.as_ref().and_then(|event| EventLabel::new(event.as_str()).ok());
            let taken = label.is_none_or(|label| template.takes(&label));
            faults.require(taken, &format!("{path}.event"), UNSAFE_EVENT);
        }
        Err(found) => {
            for fault in found {
                faults.add(&format!("{path}.webhook.url"), fault.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests;
