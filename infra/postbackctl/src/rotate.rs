//! `postbackctl rotate`: another token or signing secret for a partner, without losing a call.
//!
//! The new one is good at once and the one before it stays good, until the old is dropped: so the partner changes over when
//! it likes.

use std::process::ExitCode;

use adapters::{
    dynamodb::{
        configuration::Written,
        item::{PartnerItem, SecretsItem},
    },
    random,
};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use domain::{
    credential::{CredentialKind, Token},
    ids::Provider,
    jiff::Timestamp,
};

use crate::Connection;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Makes no new one, but drops all but the newest: when the partner has changed over.
    #[arg(long)]
    drop_old: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let provider = Provider::new(arguments.provider).map_err(|fault| anyhow!("the provider {fault}"))?;
    let configuration = Connection::open(stack).await?.configuration();
    let item = configuration.partner(&provider).await?.with_context(|| format!("there is no partner {provider}"))?;
    let kind =
        item.partner().map_err(|faults| anyhow!("the stored configuration of {provider}: {faults}"))?.credential();
    let owner = SecretsItem::partner_owner(&provider);
    let secrets = configuration.secrets(&owner).await?.unwrap_or_default();
    let secrets = SecretsItem { owner, ..secrets };
    let made = if arguments.drop_old { None } else { Some(Token::from_random(random::bytes()?)) };
    let (item, secrets) = rotated(item, secrets, kind, made.as_ref(), Timestamp::now());
    let signs = kind == CredentialKind::Signature;
    if configuration.put_partner(&item, signs.then_some(&secrets)).await? == Written::Lost {
        bail!("{provider} was changed by somebody else in the meantime; nothing was overwritten. Look, and try again");
    }
    match made {
        Some(made) => {
            let what = if signs { "signing secret" } else { "token" };
            println!("{provider}: {what} {}   (shown this once: hand it to the partner now)", made.reveal());
            eprintln!(
                "in effect within a minute; the one before it stays good until `postbackctl rotate {provider} --drop-old`"
            );
        }
        None => eprintln!("{provider}: only the newest is good from within a minute on"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest first, and never more than two; without a new one, the newest alone.
fn rotated(
    mut item: PartnerItem,
    mut secrets: SecretsItem,
    kind: CredentialKind,
    made: Option<&Token>,
    now: Timestamp,
) -> (PartnerItem, SecretsItem) {
    let keep = if made.is_some() { 2 } else { 1 };
    match kind {
        CredentialKind::Token => {
            item.token_hashes.splice(0..0, made.map(Token::hash));
            item.token_hashes.truncate(keep);
        }
        CredentialKind::Signature => {
            secrets.signature_secrets.splice(0..0, made.map(|made| made.reveal().to_owned()));
            secrets.signature_secrets.truncate(keep);
        }
    }
    item.version += 1;
    item.updated_at = now;
    (item, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_good_after_a_rotation_and_the_newest_alone_after_the_old_is_dropped() {
        let tokens: Vec<Token> = (0..3).map(|n| Token::from_random([n; 20])).collect();
        let mut item = PartnerItem {
            provider: Provider::new("acme").unwrap(),
            version: 1,
            updated_at: Timestamp::UNIX_EPOCH,
            file: r#"{"provider":"acme"}"#.into(),
            token_hashes: vec![tokens[0].hash()],
        };
        let none = SecretsItem::default;
        for (made, good) in [(Some(1), &[1, 0][..]), (Some(2), &[2, 1]), (None, &[2]), (None, &[2])] {
            let made = made.map(|n: usize| &tokens[n]);
            item = rotated(item, none(), CredentialKind::Token, made, Timestamp::UNIX_EPOCH).0;
            assert_eq!(item.token_hashes, good.iter().map(|n| tokens[*n].hash()).collect::<Vec<_>>());
        }
        assert_eq!(item.version, 5);

        let secrets = SecretsItem { signature_secrets: vec!["old".into()], ..none() };
        let (_, secrets) = rotated(item, secrets, CredentialKind::Signature, Some(&tokens[0]), Timestamp::UNIX_EPOCH);
        assert_eq!(secrets.signature_secrets, [tokens[0].reveal(), "old"]);
    }
}
