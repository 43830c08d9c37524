//! Holds a partner's configuration: everything that was agreed with the partner.
//!
//! An operator writes a [`PartnerFile`], which is also the stored form; a [`Partner`] is the checked form. A check
//! finds every fault of a file at once. Neither type holds a secret.

mod media_buying;
mod pauses;
mod postback_file;
pub mod recipient;

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::inbound::credential::CredentialKind;
use crate::inbound::doubt;
use crate::inbound::parameters::{DRY_RUN, Parameters};
use crate::inbound::rate::CallRate;
use crate::inbound::rules::{MAX_KEPT_PER_DAY, PostbackRules};
use crate::inbound::tracking_link::BaseUrl;
use crate::outbound::agreed_ids::AgreedIds;
use crate::outbound::campaign::Campaigns;
use crate::outbound::webhook::{Allowance, UrlTemplate};
use crate::prelude::*;
use crate::values::config_fault::{ConfigFault, Faults, collect};
use crate::values::ids::{EventId, LandingName, Provider};
use crate::values::money::{Amount, Currency, ExtraCurrencies};
use crate::values::parameter_names::{Field, ParameterNames};
use crate::values::time::UnixMillis;
use crate::values::url_text;

pub use self::media_buying::{MediaBuying, MediaBuyingFile};
pub use self::pauses::{PAUSED_RETRY_SECONDS, Pauses, Side};
pub use self::postback_file::PostbackFile;

/// Bounds [`PostbackFile::max_kept_per_day`].
const MOST_KEPT_PER_DAY: u32 = 1_000_000;

/// Holds a partner as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerFile {
    /// Gives the partner's name in URLs and messages.
    pub provider: String,
    /// Gives the partner's name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Names the software that makes the partner's calls, if its preset was merged into this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Holds the agreement about the partner's postbacks.
    #[serde(default)]
    pub postback: PostbackFile,
    /// Maps our parameter names to the partner's, in landing links, postbacks and POST bodies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Maps the names of the partner's landing pages to their URLs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub landings: BTreeMap<String, String>,
    /// Holds the agreement about the partner's media buying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_buying: Option<MediaBuyingFile>,
    /// Says where the partner is told what becomes of its webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifyFile>,
}

/// Says where a partner is told what becomes of its webhooks, as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyFile {
    /// Gives the URL of a webhook, by the rules of campaigns' URLs and without macros.
    pub url: String,
}

impl PartnerFile {
    /// Replaces every `on_publish` by the published instant, or by `soonest` if the campaign was never published.
    #[must_use]
    pub fn dated(self, published: &Campaigns, soonest: UnixMillis) -> Self {
        Self { media_buying: self.media_buying.map(|section| section.dated(published, soonest)), ..self }
    }
}

/// Holds a partner's configuration that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    provider: Provider,
    rules: PostbackRules,
    landings: BTreeMap<LandingName, BaseUrl>,
    allow_from: Option<Vec<IpNet>>,
    credential: CredentialKind,
    media_buying: MediaBuying,
    notify_url: Option<String>,
    pauses: Pauses,
}

impl Partner {
    /// Pauses what an operator has paused beside the file. While webhooks are paused, every campaign is.
    #[must_use]
    pub fn with_pauses(mut self, pauses: Pauses) -> Self {
        if pauses.webhooks_since.is_some() {
            self.media_buying.pause();
        }
        Self { pauses, ..self }
    }

    /// Returns what an operator has paused beside the file.
    pub fn pauses(&self) -> Pauses {
        self.pauses
    }

    /// Returns the partner's name in URLs and messages.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Returns the kind of credential.
    pub fn credential(&self) -> CredentialKind {
        self.credential
    }

    /// Returns the rules for the partner's postbacks.
    pub fn rules(&self) -> &PostbackRules {
        &self.rules
    }

    /// Returns the landing page of this name.
    pub fn landing(&self, name: &LandingName) -> Option<&BaseUrl> {
        self.landings.get(name)
    }

    /// Returns all landing pages by name.
    pub fn landings(&self) -> impl Iterator<Item = (&LandingName, &BaseUrl)> {
        self.landings.iter()
    }

    /// Returns the agreement about media buying. The default is the click id and no campaigns.
    pub fn media_buying(&self) -> &MediaBuying {
        &self.media_buying
    }

    /// Returns the URL at which the partner is told what becomes of its webhooks.
    pub fn notify_url(&self) -> Option<&str> {
        self.notify_url.as_deref()
    }

    /// Returns true if this address may call. An IPv4 address that is written as IPv6 counts as IPv4.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow_from.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&address)))
    }
}

impl TryFrom<PartnerFile> for Partner {
    type Error = Vec<ConfigFault>;

    /// Reads a stored file without checking the addresses of its webhooks. They were checked before the file was
    /// stored, and the sender checks them again. If the rule for webhooks becomes stricter, the partner's postbacks
    /// must still work.
    fn try_from(file: PartnerFile) -> Result<Self, Vec<ConfigFault>> {
        Self::parse(file, None)
    }
}

impl Partner {
    /// Checks a file that an operator wrote. `allowance` limits the addresses of the webhooks.
    pub fn check(file: PartnerFile, allowance: Allowance) -> Result<Self, Vec<ConfigFault>> {
        Self::parse(file, Some(allowance))
    }

    fn parse(file: PartnerFile, allowance: Option<Allowance>) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Faults::default();
        // A stored file is not checked for these, because the partner's postbacks must work all the same.
        if allowance.is_some() {
            file.postback.check_words(&mut faults);
            check_names(&file, &mut faults);
        }
        let provider = faults.keep("provider", Provider::new(file.provider));
        let mut names = ParameterNames::parse(&file.parameters, &mut faults);
        let status = file.postback.statuses(&mut names, &mut faults);
        let keep = file.postback.kept(&names, &mut faults);
        let ignore = file.postback.ignored(&names, &mut faults);
        let ids = file.postback.forms(&mut faults);
        if let Some(answer) = &file.postback.answer {
            answer.check(&mut faults);
        }
        let mut currencies = ExtraCurrencies::default();
        for (at, code) in file.postback.currencies.iter().enumerate() {
            let path = format!("postback.currencies[{at}]");
            if faults.keep(&path, currencies.add(code)) == Some(false) {
                faults.add(&path, format!("{code} is repeated; remove one"));
            }
        }
        let max_amounts = parse_max_amounts(&file.postback.max_amount, &currencies, &mut faults);
        let event_ids = file.postback.event_ids.map(|ids| {
            faults.require(!ids.is_empty(), "postback.event_ids", "must name at least one event id, or be left out");
            collect(ids, "postback.event_ids", &mut faults, EventId::new)
        });
        let allow_from = file.postback.allow_from.map(|nets| {
            faults.require(!nets.is_empty(), "postback.allow_from", "is empty and would admit nobody; leave it out");
            let nets = collect(nets, "postback.allow_from", &mut faults, |net| parse_net(&net));
            nets.into_iter().collect::<Vec<IpNet>>()
        });
        let landings = file
            .landings
            .into_iter()
            .filter_map(|(name, url)| {
                let path = format!("landings.{name}");
                let name = faults.keep(&path, LandingName::new(name));
                // A stored file is not checked for this, because the partner's postbacks must work all the same.
                if allowance.is_some() {
                    check_landing(&url, &path, &names, &mut faults);
                }
                let url = faults.keep(&path, BaseUrl::parse(&url));
                name.zip(url)
            })
            .collect();
        let click = file.postback.click.unwrap_or_default();
        click.check(&mut faults);
        let max_kept_per_day = file.postback.max_kept_per_day.unwrap_or(MAX_KEPT_PER_DAY);
        let bounded = (1..=MOST_KEPT_PER_DAY).contains(&max_kept_per_day);
        faults.require(bounded, "postback.max_kept_per_day", "must be from 1 to 1000000");
        let rate = CallRate::parse(file.postback.rate.unwrap_or_default(), &mut faults);
        let media_buying = file.media_buying.map(|file| MediaBuying::parse(file, &names, allowance, &mut faults));
        let notify_url = file.notify.map(|notify| notify.url);
        if let Some((url, allowance)) = notify_url.as_deref().zip(allowance) {
            check_notify(url, allowance, &mut faults);
        }
        let rules = PostbackRules {
            names,
            transaction_id: file.postback.transaction_id,
            require_click: file.postback.require_click,
            click,
            currencies,
            max_amounts,
            event_ids,
            status,
            negative_amounts: file.postback.negative_amounts,
            answer: file.postback.answer,
            keep,
            ignore,
            ids,
            max_kept_per_day,
            rate,
        };
        match (provider, faults.0) {
            (Some(provider), faults) if faults.is_empty() => {
                let credential = file.postback.credential;
                let media_buying = media_buying.unwrap_or_default();
                let pauses = Pauses::default();
                Ok(Self { provider, rules, landings, allow_from, credential, media_buying, notify_url, pauses })
            }
            (_, faults) => Err(faults),
        }
    }
}

/// Adds the faults of the URL of notices.
fn check_notify(url: &str, allowance: Allowance, faults: &mut Faults) {
    const PATH: &str = "notify.url";
    check_filled_in(url, PATH, faults);
    match UrlTemplate::parse(url, &AgreedIds::default(), allowance) {
        Ok(template) => {
            let plain = !template.text().contains('{');
            faults.require(plain, PATH, "must have no macro, because a notice is about no user");
        }
        Err(found) => {
            for fault in found {
                faults.add(PATH, fault.to_string());
            }
        }
    }
}

fn parse_max_amounts(
    agreed: &BTreeMap<String, String>,
    extra: &ExtraCurrencies,
    faults: &mut Faults,
) -> BTreeMap<Currency, Amount> {
    let mut maxima = BTreeMap::new();
    for (currency, amount) in agreed {
        let path = format!("postback.max_amount.{currency}");
        let currency = faults.keep(&path, Currency::parse(currency, extra));
        maxima.extend(currency.zip(faults.keep(&path, Amount::parse(amount))));
    }
    maxima
}

/// Adds a fault for each agreed name that is nearly `dry_run`. `dry_run` itself is reserved.
fn check_names(file: &PartnerFile, faults: &mut Faults) {
    let PostbackFile { status, reference, keep, .. } = &file.postback;
    let parameters = file.parameters.iter().map(|(ours, theirs)| (format!("parameters.{ours}"), theirs));
    let status = status.iter().map(|status| ("postback.status.parameter".to_owned(), &status.parameter));
    let reference = reference.iter().map(|name| ("postback.reference".to_owned(), name));
    let keep = keep.iter().enumerate().map(|(at, name)| (format!("postback.keep[{at}]"), name));
    for (path, name) in parameters.chain(status).chain(reference).chain(keep) {
        let is_near = name != DRY_RUN && doubt::is_near_dry_run(name);
        faults.require(!is_near, &path, "is nearly dry_run, for which people would take it; choose another name");
    }
}

/// Adds the faults of a landing page's URL that would reach users: nobody replaces a macro there.
fn check_landing(url: &str, path: &str, names: &ParameterNames, faults: &mut Faults) {
    for value in url_text::with_macros(url) {
        let words = "has {value}, which nobody replaces: we add user_id and click_id to the page's query ourselves; remove it, and \
                     say your own names for them under parameters";
        faults.add(path, words.replace("{value}", value));
    }
    let escaped = url_text::has_escaped_ampersand(url);
    faults.require(!escaped, path, "has &amp; or another HTML escape of an ampersand; write & between parameters");
    if url_text::with_macros(url).next().is_some() {
        return;
    }
    check_filled_in(url, path, faults);
    let query = url.split('#').next().and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    let sent = Parameters::split(query.as_bytes(), b"");
    for name in [names.of(Field::UserId), names.of(Field::ClickId)].into_iter().filter(|name| sent.raw(name).is_some())
    {
        faults.add(path, format!("has a {name} of its own, in whose place each user's is put; remove it"));
    }
}

/// Adds a fault if a URL has a part that a template has for somebody to replace.
fn check_filled_in(url: &str, path: &str, faults: &mut Faults) {
    if let Some(part) = url_text::request_in(url) {
        faults.add(path, format!("has {part}, which a template has for you to replace; write what belongs there"));
    }
}

/// Reads a network or an address. Callers' addresses are compared in their shortest form, so an IPv4 network that is
/// written as IPv6 is read as IPv4.
fn parse_net(text: &str) -> Result<IpNet, &'static str> {
    const WORDS: &str = "must be a network such as 203.0.113.0/24 or an address such as 203.0.113.7";
    let net: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| WORDS)?;
    if net.trunc() != net {
        return Err("has bits set beyond its prefix; write the network's own address");
    }
    let IpNet::V6(v6) = net else { return Ok(net) };
    // `::203.0.113.7` is an old spelling of an IPv4 address.
    let old = || v6.addr().to_ipv4().filter(|v4| u32::from(*v4) > 0xffff);
    let v4 = v6.addr().to_ipv4_mapped().or_else(old).zip(v6.prefix_len().checked_sub(96));
    Ok(v4.and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok()).map_or(net, IpNet::V4))
}

#[cfg(test)]
mod tests;
