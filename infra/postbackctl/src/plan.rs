//! What a file would change: computed before anything is, and shown.

use adapters::dynamodb::item::{PartnerItem, SecretsItem};
use anyhow::{Context, Result};
use domain::{
    credential::{CredentialKind, Token, TokenHash},
    jiff::Timestamp,
    signature::Secret,
};
use serde::Serialize;

use crate::partner_files::ValidFile;

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
    /// The lines that differ, for people.
    pub(crate) differences: Vec<String>,
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
}

/// Compares a file with what stands.
pub(crate) fn plan(
    valid: &ValidFile,
    standing: Option<&PartnerItem>,
    secrets: Option<&SecretsItem>,
    entropy: Entropy,
    now: Timestamp,
) -> Result<Planned> {
    let file = serde_json::to_string(&valid.file)?;
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
    let change = match standing {
        None => Change::Created,
        Some(standing) if standing.file == file && credential.is_none() => Change::Unchanged,
        Some(_) => Change::Changed,
    };
    let version = standing.map_or(0, |item| item.version) + 1;
    let provider = valid.partner.provider().clone();
    let item = PartnerItem { provider, version, updated_at: now, file, token_hashes };
    let differences = differences(standing, &item)?;
    Ok(Planned { change, item, credential, differences })
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
mod tests {
    use domain::partner::{Partner, PartnerFile};

    use super::*;

    fn valid(json: &str) -> ValidFile {
        let file: PartnerFile = serde_json::from_str(json).unwrap();
        ValidFile { partner: Partner::try_from(file.clone()).unwrap(), file }
    }

    fn planned(json: &str, standing: Option<&PartnerItem>) -> Planned {
        let entropy = Entropy { token: [1; 20], secret: [2; 20] };
        plan(&valid(json), standing, None, entropy, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_new_partner_gets_a_credential_and_the_same_file_again_changes_nothing() {
        let first = planned(r#"{"provider":"acme"}"#, None);
        assert_eq!((first.change, first.item.version), (Change::Created, 1));
        assert!(matches!(first.credential, Some(NewCredential::Token(_))));
        let again = planned(r#"{"provider":"acme"}"#, Some(&first.item));
        assert_eq!(again.change, Change::Unchanged);
        assert!(again.credential.is_none() && again.differences.is_empty());
    }

    #[test]
    fn a_changed_file_keeps_the_token_and_counts_the_version() {
        let first = planned(r#"{"provider":"acme"}"#, None);
        let changed = planned(r#"{"provider":"acme","name":"Acme"}"#, Some(&first.item));
        assert_eq!((changed.change, changed.item.version), (Change::Changed, 2));
        assert_eq!(changed.item.token_hashes, first.item.token_hashes);
        assert!(changed.differences.iter().any(|line| line.contains("Acme")));
    }

    #[test]
    fn no_secret_is_part_of_what_is_shown_as_a_difference() {
        let first = planned(r#"{"provider":"acme"}"#, None);
        let Some(NewCredential::Token(token)) = &first.credential else { panic!("no token") };
        assert!(!first.differences.concat().contains(token.reveal()));
    }
}
