//! A partner's configuration: what was agreed with it.
//!
//! [`PartnerFile`] is what an operator writes and what is stored; [`Partner`] is what it means. Every fault of a file is
//! found at once. Neither holds a secret.

use alloc::collections::{BTreeMap, BTreeSet};
use core::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    credential::CredentialKind,
    ids::{EventId, LandingName, Provider},
    money::ExtraCurrencies,
    postback::Field,
    prelude::*,
    tracking_link::BaseUrl,
};

/// A partner as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerFile {
    /// Its name on the wire.
    pub provider: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What was agreed about its postbacks.
    #[serde(default)]
    pub postback: PostbackFile,
    /// What it calls our parameters, in landing links, postbacks and POST bodies: ours → its.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Its landing pages: name → URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub landings: BTreeMap<String, String>,
}

/// What was agreed about a partner's postbacks, as an operator writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostbackFile {
    /// `token` or `signature`.
    #[serde(default)]
    pub credential: CredentialKind,
    /// `required` or `derived`.
    #[serde(default)]
    pub transaction_id: TransactionIdRule,
    /// Whether only click ids of ours are taken.
    #[serde(default)]
    pub require_click: bool,
    /// Currencies besides ISO 4217's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub currencies: Vec<String>,
    /// The agreed event ids; all are taken when there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_ids: Option<Vec<String>>,
    /// The networks that may call, in CIDR notation; any may when there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Vec<String>>,
}

/// Where a postback's transaction id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionIdRule {
    /// The partner sends one with each postback.
    #[default]
    Required,
    /// Where the partner sends none, it is derived from user, click and event; `event_id` is then required.
    Derived,
}

/// Something wrong in a partner's file: where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The place, as in `postback.allow_from[2]`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A partner's configuration, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    provider: Provider,
    rules: PostbackRules,
    landings: BTreeMap<LandingName, BaseUrl>,
    allow_from: Option<Vec<IpNet>>,
    credential: CredentialKind,
}

/// What a partner's postback is checked against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostbackRules {
    /// What the partner calls our parameters.
    pub names: ParameterNames,
    /// Where the transaction id comes from.
    pub transaction_id: TransactionIdRule,
    /// Whether only click ids of ours are taken.
    pub require_click: bool,
    /// Currencies besides ISO 4217's.
    pub currencies: ExtraCurrencies,
    /// The agreed event ids, if there is a list.
    pub event_ids: Option<BTreeSet<EventId>>,
}

impl Partner {
    /// Its name on the wire.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Which credential it has.
    pub fn credential(&self) -> CredentialKind {
        self.credential
    }

    /// What its postbacks are checked against.
    pub fn rules(&self) -> &PostbackRules {
        &self.rules
    }

    /// One of its landing pages.
    pub fn landing(&self, name: &LandingName) -> Option<&BaseUrl> {
        self.landings.get(name)
    }

    /// All its landing pages, by name.
    pub fn landings(&self) -> impl Iterator<Item = (&LandingName, &BaseUrl)> {
        self.landings.iter()
    }

    /// Whether this address may call. An IPv4 address in IPv6 clothes is taken for what it is.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow_from.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&address)))
    }
}

impl TryFrom<PartnerFile> for Partner {
    type Error = Vec<ConfigFault>;

    fn try_from(file: PartnerFile) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Faults::default();
        let provider = faults.keep("provider", Provider::new(file.provider));
        let names = parse_names(&file.parameters, &mut faults);
        let mut currencies = ExtraCurrencies::default();
        for (at, code) in file.postback.currencies.iter().enumerate() {
            let path = format!("postback.currencies[{at}]");
            if faults.keep(&path, currencies.add(code)) == Some(false) {
                faults.add(&path, format!("{code} stands twice"));
            }
        }
        let event_ids = file.postback.event_ids.map(|ids| {
            faults.require(!ids.is_empty(), "postback.event_ids", "name at least one, or leave the list out");
            collect(ids, "postback.event_ids", &mut faults, EventId::new)
        });
        let allow_from = file.postback.allow_from.map(|nets| {
            faults.require(!nets.is_empty(), "postback.allow_from", "an empty list would admit nobody; leave it out");
            let nets = collect(nets, "postback.allow_from", &mut faults, |net| parse_net(&net));
            nets.into_iter().collect::<Vec<IpNet>>()
        });
        let landings = file
            .landings
            .into_iter()
            .filter_map(|(name, url)| {
                let path = format!("landings.{name}");
                let name = faults.keep(&path, LandingName::new(name));
                let url = faults.keep(&path, BaseUrl::parse(&url));
                name.zip(url)
            })
            .collect();
        let rules = PostbackRules {
            names,
            transaction_id: file.postback.transaction_id,
            require_click: file.postback.require_click,
            currencies,
            event_ids,
        };
        match (provider, faults.0) {
            (Some(provider), faults) if faults.is_empty() => {
                Ok(Self { provider, rules, landings, allow_from, credential: file.postback.credential })
            }
            (_, faults) => Err(faults),
        }
    }
}

fn parse_net(text: &str) -> Result<IpNet, &'static str> {
    const WORDS: &str = "must be a network such as 203.0.113.0/24 or an address such as 203.0.113.7";
    let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| WORDS)?;
    if net.trunc() == net { Ok(net) } else { Err("has bits set beyond its prefix; write the network's own address") }
}

fn collect<T: Ord, E: fmt::Display>(
    texts: Vec<String>,
    path: &str,
    faults: &mut Faults,
    parse: impl Fn(String) -> Result<T, E>,
) -> BTreeSet<T> {
    let mut parsed = BTreeSet::new();
    for (at, text) in texts.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        if let Some(value) = faults.keep(&path, parse(text)) {
            faults.require(parsed.insert(value), &path, "stands twice");
        }
    }
    parsed
}

/// The faults found so far; whoever parses goes on to the next place whatever was wrong at this one.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<ConfigFault>);

impl Faults {
    pub(crate) fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(ConfigFault { path: path.to_owned(), message: message.into() });
    }

    pub(crate) fn require(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.add(path, message);
        }
    }

    pub(crate) fn keep<T, E: fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|fault| self.add(path, fault.to_string())).ok()
    }
}

/// What a partner calls our parameters. Names that were not agreed otherwise are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterNames(BTreeMap<Field, String>);

impl Default for ParameterNames {
    fn default() -> Self {
        Self(Field::ALL.into_iter().map(|field| (field, field.as_str().to_owned())).collect())
    }
}

impl ParameterNames {
    /// What the partner calls this parameter.
    pub fn of(&self, field: Field) -> &str {
        self.0.get(&field).map_or(field.as_str(), String::as_str)
    }

    /// All the partner's names.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

/// Names that mean something of their own in every request.
const RESERVED_NAMES: [&str; 3] = ["signature", "dry_run", "provider"];

fn parse_names(agreed: &BTreeMap<String, String>, faults: &mut Faults) -> ParameterNames {
    let mut names = ParameterNames::default();
    for (ours, theirs) in agreed {
        let path = format!("parameters.{ours}");
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let good = (1..=64).contains(&theirs.len()) && theirs.bytes().all(legal);
        faults.require(good, &path, "the partner's name must be 1 to 64 of A-Z, a-z, 0-9, _, . and -");
        faults.require(!RESERVED_NAMES.contains(&theirs.as_str()), &path, "this name has a meaning of its own");
        match Field::ALL.into_iter().find(|field| field.as_str() == ours) {
            Some(field) => {
                names.0.insert(field, theirs.clone());
            }
            None => faults.add(&path, format!("no such parameter; there are {}", Field::list())),
        }
    }
    for field in Field::ALL {
        let name = names.of(field);
        let twins = Field::ALL.into_iter().filter(|twin| *twin > field && names.of(*twin) == name);
        for twin in twins {
            faults.add(&format!("parameters.{twin}"), format!("is called {name}, and so is {field}"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> PartnerFile {
        serde_json::from_str(json).unwrap()
    }

    fn paths(json: &str) -> Vec<String> {
        Partner::try_from(file(json)).unwrap_err().into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn a_partner_needs_nothing_but_its_name() {
        let partner = Partner::try_from(file(r#"{"provider":"acme"}"#)).unwrap();
        assert_eq!(partner.rules().names.of(Field::ClickId), "click_id");
        assert!(partner.admits("8.8.8.8".parse().unwrap()));
        assert_eq!(partner.credential(), CredentialKind::Token);
    }

    #[test]
    fn every_fault_of_a_file_is_told_at_once() {
        let faults = paths(
            r#"{"provider":"Acme!","parameters":{"click":"x","user_id":"signature","currency":"amount_decimal"},
                "postback":{"currencies":["usdt","USDT","USDT"],"event_ids":["1","1"],"allow_from":["10.0.0.1/8","x"]},
                "landings":{"Bad Name":"https://a.example/","ftp":"ftp://a.example/"}}"#,
        );
        for path in [
            "provider",
            "parameters.click",
            "parameters.user_id",
            "parameters.amount_decimal",
            "postback.currencies[0]",
            "postback.currencies[2]",
            "postback.event_ids[1]",
            "postback.allow_from[0]",
            "postback.allow_from[1]",
            "landings.Bad Name",
            "landings.ftp",
        ] {
            assert!(faults.iter().any(|fault| fault == path), "{path} in {faults:?}");
        }
        assert_eq!(faults.len(), 11);
    }

    #[test]
    fn two_names_may_be_swapped_but_not_shared() {
        let swapped = file(r#"{"provider":"acme","parameters":{"user_id":"click_id","click_id":"user_id"}}"#);
        assert_eq!(Partner::try_from(swapped).unwrap().rules().names.of(Field::UserId), "click_id");
        assert_eq!(paths(r#"{"provider":"acme","parameters":{"user_id":"click_id"}}"#), ["parameters.click_id"]);
    }

    #[test]
    fn an_allow_list_admits_its_networks_only_however_the_address_is_written() {
        let json = r#"{"provider":"acme","postback":{"allow_from":["203.0.113.0/24","2001:db8::/32","198.51.100.7"]}}"#;
        let partner = Partner::try_from(file(json)).unwrap();
        for (address, admitted) in [
            ("203.0.113.9", true),
            ("::ffff:203.0.113.9", true),
            ("2001:db8::1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("::1", false),
        ] {
            assert_eq!(partner.admits(address.parse().unwrap()), admitted, "{address}");
        }
    }
}
