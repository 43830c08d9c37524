//! Computes the changes that partner files would make, before anything is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    inbound::credential::{CredentialKind, Token, TokenHash},
    jiff::Timestamp,
    outbound::{
        campaign::check_changes,
        catalogue::{PartnerGoals, as_published},
        webhook::Allowance,
    },
    partner::{Partner, PartnerFile},
    values::{config_fault::ConfigFault, ids::Provider, signature::Secret, time::UnixMillis},
};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::ports::{SecretPurpose, StoredPartner, StoredSecrets};

/// The greatest size of a stored file, in bytes. An item may have 400 KB, and its other attributes are small.
const MAX_FILE_BYTES: usize = 380 * 1024;

/// A partner's file that is valid on its own.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    /// The file as it was written.
    pub file: &'a PartnerFile,
    /// The partner that the file describes. A campaign that starts when it is published has no meaningful start yet.
    pub partner: &'a Partner,
    /// The addresses that the partner's webhooks may call.
    pub allowance: Allowance,
}

/// The change of a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The partner is new.
    Created,
    /// The partner changes.
    Changed,
    /// The partner does not change.
    Unchanged,
}

/// A partner's change, ready to be written.
#[derive(Debug)]
pub struct Planned {
    /// The change.
    pub change: Change,
    /// The partner as it is to be stored.
    pub item: StoredPartner,
    /// The new credential, if the partner has none yet.
    pub credential: Option<NewCredential>,
    /// The new secret that signs the partner's webhooks, if the partner has campaigns and no such secret yet.
    pub webhook_secret: Option<Secret>,
    /// The partner's new secrets, as they are to be stored.
    pub secrets: Vec<StoredSecrets>,
    /// The lines of the file that differ, for people. They hold no secret.
    pub differences: Vec<String>,
}

impl Planned {
    /// Makes the audit record of this change. It has the lines that differ and the kinds of the new secrets, but no
    /// secret.
    pub fn record(&self, operation: &Operation) -> AuditRecord {
        let action = if self.change == Change::Created { Action::CreatePartner } else { Action::ChangePartner };
        let subject = Subject::Partner { provider: self.item.provider.clone() };
        let made = [
            (matches!(self.credential, Some(NewCredential::Token(_))), "token"),
            (matches!(self.credential, Some(NewCredential::Signature(_))), "signing secret"),
            (self.webhook_secret.is_some(), "webhook secret"),
        ];
        let made: Vec<&str> = made.into_iter().filter_map(|(made, name)| made.then_some(name)).collect();
        let record = operation.record(self.item.updated_at, action, subject).with("version", self.item.version);
        let record = if made.is_empty() { record } else { record.with("new_secrets", made.join(", ")) };
        record.with("differences", self.differences.join("\n"))
    }
}

/// A credential that was just made.
#[derive(Debug, Clone)]
pub enum NewCredential {
    /// A token.
    Token(Token),
    /// A secret that signs postbacks.
    Signature(Secret),
}

impl NewCredential {
    fn signature(&self) -> Option<&Secret> {
        match self {
            Self::Token(_) => None,
            Self::Signature(secret) => Some(secret),
        }
    }
}

/// Random bytes for one partner's credentials.
#[derive(Debug, Clone, Copy)]
pub struct CredentialBytes {
    /// The random bytes of a token.
    pub token: [u8; 20],
    /// The random bytes of a secret that signs postbacks.
    pub secret: [u8; 20],
    /// The random bytes of a secret that signs webhooks.
    pub webhook_secret: [u8; 32],
}

/// The stored and published state of a partner.
#[derive(Debug, Default)]
pub struct StoredState {
    /// The partner, if it is stored.
    pub item: Option<StoredPartner>,
    /// Is true if the partner has secrets that sign its postbacks.
    pub has_postback_secrets: bool,
    /// Is true if the partner has secrets that sign its webhooks.
    pub has_webhook_secrets: bool,
    /// The partner's campaigns in the catalogue.
    pub goals: Option<PartnerGoals>,
}

/// The present instant, and how long before its start a campaign is published.
#[derive(Debug, Clone, Copy)]
pub struct PlanTime {
    /// The present instant.
    pub now: Timestamp,
    /// How long before its start a campaign is published.
    pub lead: Duration,
}

impl PlanTime {
    /// Returns the start of a campaign that is to start when it is published. It is late enough for the campaign to be
    /// published in time, which is checked again during publishing.
    fn soonest(self) -> UnixMillis {
        let writing = self.lead.clamp(Duration::from_secs(5), Duration::from_mins(1));
        let soonest = UnixMillis::from(self.now).plus(self.lead).plus(writing).as_millisecond();
        UnixMillis::from_millisecond((soonest / 1000 + 1) * 1000)
    }
}

/// The reason why a change cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanFault {
    /// The stored partner cannot be read.
    #[error("the stored file of {provider} cannot be read: {reason}")]
    Unreadable {
        /// The partner.
        provider: Provider,
        /// The reason why the stored partner cannot be read.
        reason: String,
    },
    /// Some changes are not allowed. Holds the partners with the faults of their changes.
    #[error("some partners have changes that are not allowed")]
    Forbidden(Vec<(Provider, Vec<ConfigFault>)>),
}

/// Compares each file with the stored and published state of its partner. If changes are not allowed, returns all
/// faults of all partners.
pub fn plan_all<'a>(
    files: impl IntoIterator<Item = (Proposed<'a>, &'a StoredState, CredentialBytes)>,
    time: PlanTime,
) -> Result<Vec<Planned>, PlanFault> {
    let (mut plans, mut forbidden) = (Vec::new(), Vec::new());
    for (proposed, stored, bytes) in files {
        match plan(proposed, stored, bytes, time) {
            Ok(planned) => plans.push(planned),
            Err(PlanFault::Forbidden(faults)) => forbidden.extend(faults),
            Err(fault) => return Err(fault),
        }
    }
    if forbidden.is_empty() { Ok(plans) } else { Err(PlanFault::Forbidden(forbidden)) }
}

/// Compares a file with the stored and published state of its partner.
pub fn plan(
    proposed: Proposed<'_>,
    stored: &StoredState,
    bytes: CredentialBytes,
    time: PlanTime,
) -> Result<Planned, PlanFault> {
    let provider = proposed.partner.provider();
    let unreadable = |reason| PlanFault::Unreadable { provider: provider.clone(), reason };
    let forbidden = |faults| PlanFault::Forbidden(vec![(provider.clone(), faults)]);
    let before = stored.item.as_ref().map(StoredPartner::partner).transpose().map_err(unreadable)?;
    let published = before
        .map(|partner| as_published(partner.media_buying().campaigns(), stored.goals.as_ref()))
        .unwrap_or_default();
    let file = proposed.file.clone().dated(&published, time.soonest());
    let partner = Partner::check(file.clone(), proposed.allowance).map_err(forbidden)?;
    let mut faults = check_changes(&published, partner.media_buying().campaigns(), time.now.into(), time.lead);
    for fault in &mut faults {
        fault.path.insert_str(0, "media_buying.");
    }
    let text = serde_json::to_string(&file).map_err(|fault| unreadable(fault.to_string()))?;
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the whole file has {} bytes; at most {MAX_FILE_BYTES} can be stored", text.len());
        faults.push(ConfigFault { path: "provider".to_owned(), message });
    }
    if !faults.is_empty() {
        return Err(forbidden(faults));
    }
    compare(proposed.partner, text, stored, bytes, time.now).map_err(unreadable)
}

fn compare(
    partner: &Partner,
    file: String,
    stored: &StoredState,
    bytes: CredentialBytes,
    now: Timestamp,
) -> Result<Planned, String> {
    let StoredState { item, has_postback_secrets, has_webhook_secrets, .. } = stored;
    let before = item.as_ref();
    let mut token_hashes: Vec<TokenHash> = before.map(|item| item.token_hashes.clone()).unwrap_or_default();
    let credential = match partner.credential() {
        CredentialKind::Token if token_hashes.is_empty() => Some(NewCredential::Token(Token::from_random(bytes.token))),
        CredentialKind::Signature if before.is_none() || !has_postback_secrets => {
            let text = Token::from_random(bytes.secret);
            Some(NewCredential::Signature(Secret::new(text.reveal())))
        }
        _ => None,
    };
    if let Some(NewCredential::Token(token)) = &credential {
        token_hashes.push(token.hash());
    }
    let called = !partner.media_buying().campaigns().is_empty();
    let webhook_secret = (called && !has_webhook_secrets).then(|| Secret::for_webhooks(bytes.webhook_secret));
    let new = credential.is_some() || webhook_secret.is_some();
    let change = match before {
        None => Change::Created,
        Some(before) if before.file == file && !new => Change::Unchanged,
        Some(_) => Change::Changed,
    };
    let version = before.map_or(0, |item| item.version) + 1;
    let pauses = before.map(|item| item.pauses).unwrap_or_default();
    let item =
        StoredPartner { provider: partner.provider().clone(), version, updated_at: now, file, token_hashes, pauses };
    let differences = differences(before, &item)?;
    let (postback, webhook) = (SecretPurpose::Postback, SecretPurpose::Webhook);
    let new = |purpose: fn(Provider) -> SecretPurpose, made: Option<&Secret>| {
        let purpose = purpose(partner.provider().clone());
        made.map(|made| StoredSecrets { purpose, version, newest_at: now, secrets: vec![made.clone()] })
    };
    let signature = credential.as_ref().and_then(NewCredential::signature);
    let secrets = new(postback, signature).into_iter().chain(new(webhook, webhook_secret.as_ref())).collect();
    Ok(Planned { change, item, credential, webhook_secret, secrets, differences })
}

/// Returns a line for each value that was removed and for each that was added, in the order of their places. A
/// campaign's place has its name, as in `media_buying.campaigns.sign-up.paused`.
fn differences(before: Option<&StoredPartner>, after: &StoredPartner) -> Result<Vec<String>, String> {
    let values = |item: &StoredPartner| -> Result<BTreeMap<String, String>, String> {
        let mut values = BTreeMap::new();
        gather("", &serde_json::from_str(&item.file).map_err(|fault| fault.to_string())?, &mut values);
        Ok(values)
    };
    let (before, after) = (before.map(values).transpose()?.unwrap_or_default(), values(after)?);
    let places: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = places.into_iter().filter(|place| before.get(*place) != after.get(*place));
    let line = |sign, place: &String, value: &String| format!("{sign} {place}: {value}");
    let lines = changed.flat_map(|place| {
        let [removed, added] =
            [("-", &before), ("+", &after)].map(|(sign, all)| Some(line(sign, place, all.get(place)?)));
        removed.into_iter().chain(added)
    });
    Ok(lines.collect())
}

/// Collects the values beneath a place. Lists are values, except for lists of things with names.
fn gather(place: &str, value: &Value, values: &mut BTreeMap<String, String>) {
    let within = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    let name = |item: &Value| item["name"].as_str().map(str::to_owned);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                gather(&within(key), member, values);
            }
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(|item| name(item).is_some()) => {
            for item in items {
                gather(&within(&name(item).unwrap_or_default()), item, values);
            }
        }
        value => {
            values.insert(place.to_owned(), value.to_string());
        }
    }
}
