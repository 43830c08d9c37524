//! What a file would change: computed before anything is, and shown.

use std::time::Duration;

use adapters::{
    dynamodb::item::{PartnerItem, SecretsItem},
    webhook,
};
use anyhow::{Context, Result, anyhow};
use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    campaign::check_changes,
    catalogue::{PartnerGoals, as_published},
    credential::{CredentialKind, Token, TokenHash},
    jiff::Timestamp,
    moment::Moment,
    partner::{ConfigFault, Partner},
    signature::Secret,
};
use serde::Serialize;

use crate::partner_files::ValidFile;

/// The most that is stored of a file: an item has 400 KB, and the rest of it is small.
const MAX_FILE_BYTES: usize = 380 * 1024;

/// What happens to one partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// There was none.
    Created,
    /// It is different.
    Changed,
    /// It is the same.
    Unchanged,
}

/// One partner's change, ready to be written.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) change: Change,
    pub(crate) item: PartnerItem,
    /// The credential that the partner lacks and gets now.
    pub(crate) credential: Option<NewCredential>,
    /// What its webhooks are signed with, where it has campaigns and lacks that.
    pub(crate) webhook_secret: Option<Secret>,
    /// All its secrets as they are to be written with it, where any of them is new.
    pub(crate) secrets: Option<SecretsItem>,
    /// The lines that differ, for people.
    pub(crate) differences: Vec<String>,
}

impl Planned {
    /// Makes the audit record of this change: the lines that differ, and which secrets are new, without the secrets.
    pub(crate) fn record(&self, operation: &Operation) -> AuditRecord {
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
#[derive(Debug)]
pub(crate) enum NewCredential {
    Token(Token),
    Signature(Secret),
}

/// Random bytes for one partner's credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entropy {
    pub(crate) token: [u8; 20],
    pub(crate) secret: [u8; 20],
    pub(crate) webhook_secret: [u8; 32],
}

/// What stands of one partner.
#[derive(Default)]
pub(crate) struct Standing {
    pub(crate) item: Option<PartnerItem>,
    pub(crate) secrets: Option<SecretsItem>,
    /// What the catalogue has of it.
    pub(crate) goals: Option<PartnerGoals>,
}

/// When it is, and how long before its beginning a campaign is published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) lead: Duration,
}

impl Clock {
    /// When a campaign starts that is to start on publishing: late enough to be in time when all is written, which
    /// publishing checks again.
    fn soonest(self) -> Moment {
        let writing = self.lead.clamp(Duration::from_secs(5), Duration::from_mins(1));
        let soonest = Moment::from(self.now).plus(self.lead).plus(writing).as_millisecond();
        Moment::from_millisecond((soonest / 1000 + 1) * 1000)
    }
}

/// Compares a file with what stands, or tells every fault that forbids the change.
pub(crate) fn plan(
    valid: &ValidFile,
    standing: &Standing,
    entropy: Entropy,
    clock: Clock,
) -> Result<Result<Planned, Vec<ConfigFault>>> {
    let before = standing.item.as_ref().map(PartnerItem::partner).transpose();
    let before = before.map_err(|fault| anyhow!("what is stored of {}: {fault}", valid.partner.provider()))?;
    let published = before
        .map(|partner| as_published(partner.media_buying().campaigns(), standing.goals.as_ref()))
        .unwrap_or_default();
    let file = valid.file.clone().dated(&published, clock.soonest());
    let partner = match Partner::check(file.clone(), valid.allowance) {
        Ok(partner) => partner,
        Err(faults) => return Ok(Err(faults)),
    };
    let mut faults = check_changes(&published, partner.media_buying().campaigns(), clock.now.into(), clock.lead);
    for fault in &mut faults {
        fault.path.insert_str(0, "media_buying.");
    }
    let text = serde_json::to_string(&file)?;
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the whole file has {} bytes; at most {MAX_FILE_BYTES} can be stored", text.len());
        faults.push(ConfigFault { path: "provider".to_owned(), message });
    }
    if faults.is_empty() { compare(valid, text, standing, entropy, clock.now).map(Ok) } else { Ok(Err(faults)) }
}

fn compare(valid: &ValidFile, file: String, standing: &Standing, entropy: Entropy, now: Timestamp) -> Result<Planned> {
    let (standing, secrets) = (standing.item.as_ref(), standing.secrets.as_ref());
    let mut token_hashes: Vec<TokenHash> = standing.map(|item| item.token_hashes.clone()).unwrap_or_default();
    let credential = match valid.partner.credential() {
        CredentialKind::Token if token_hashes.is_empty() => {
            Some(NewCredential::Token(Token::from_random(entropy.token)))
        }
        CredentialKind::Signature
            if standing.is_none() || secrets.is_none_or(|item| item.signature_secrets.is_empty()) =>
        {
            let text = Token::from_random(entropy.secret);
            Some(NewCredential::Signature(Secret::new(text.reveal())))
        }
        _ => None,
    };
    if let Some(NewCredential::Token(token)) = &credential {
        token_hashes.push(token.hash());
    }
    let called = !valid.partner.media_buying().campaigns().is_empty();
    let unsigned = secrets.is_none_or(|item| item.webhook_secrets.is_empty());
    let webhook_secret = (called && unsigned).then(|| webhook::secret_of(entropy.webhook_secret));
    let new_secrets = secrets_with(secrets, &valid.partner, credential.as_ref(), webhook_secret.as_ref());
    let new = credential.is_some() || webhook_secret.is_some();
    let change = match standing {
        None => Change::Created,
        Some(standing) if standing.file == file && !new => Change::Unchanged,
        Some(_) => Change::Changed,
    };
    let version = standing.map_or(0, |item| item.version) + 1;
    let provider = valid.partner.provider().clone();
    let item = PartnerItem { provider, version, updated_at: now, file, token_hashes };
    let differences = differences(standing, &item)?;
    Ok(Planned { change, item, credential, webhook_secret, secrets: new_secrets, differences })
}

/// What stands and what is new: one item, since both are written together. None where nothing is new.
fn secrets_with(
    standing: Option<&SecretsItem>,
    partner: &Partner,
    credential: Option<&NewCredential>,
    webhook_secret: Option<&Secret>,
) -> Option<SecretsItem> {
    let owner = SecretsItem::partner_owner(partner.provider());
    let mut secrets = SecretsItem { owner, ..standing.cloned().unwrap_or_default() };
    if let Some(NewCredential::Signature(made)) = credential {
        secrets.signature_secrets = vec![made.reveal().to_owned()];
    }
    if let Some(made) = webhook_secret {
        secrets.webhook_secrets = vec![made.reveal().to_owned()];
    }
    let new = webhook_secret.is_some() || matches!(credential, Some(NewCredential::Signature(_)));
    new.then_some(secrets)
}

fn differences(before: Option<&PartnerItem>, after: &PartnerItem) -> Result<Vec<String>> {
    let lines = |item: &PartnerItem| -> Result<Vec<String>> {
        let value: serde_json::Value = serde_json::from_str(&item.file).context("a stored file cannot be read")?;
        Ok(serde_json::to_string_pretty(&value)?.lines().map(str::to_owned).collect())
    };
    let (before, after) = (before.map(lines).transpose()?.unwrap_or_default(), lines(after)?);
    let mut differences: Vec<String> =
        before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}")).collect();
    differences.extend(after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}")));
    Ok(differences)
}

#[cfg(test)]
mod tests;
