//! `postbackctl rotate`: another token or signing secret for a partner, without losing a call; or another secret that its
//! webhooks are signed with, without one that it cannot verify.
//!
//! The new one is good at once and the one before it stays good, until the old is dropped: so the partner changes over when
//! it likes.

use std::process::ExitCode;

use adapters::{
    dynamodb::{
        configuration::Written,
        item::{PartnerItem, SecretsItem},
    },
    random, webhook,
};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use domain::{
    credential::{CredentialKind, Token, TokenHash},
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
    /// The secret that its webhooks are signed with, instead of the credential of its postbacks.
    #[arg(long)]
    webhook: bool,
}

/// What is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Token,
    Signature,
    Webhook,
}

impl From<CredentialKind> for What {
    fn from(kind: CredentialKind) -> Self {
        match kind {
            CredentialKind::Token => Self::Token,
            CredentialKind::Signature => Self::Signature,
        }
    }
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Signature => "signing secret",
            Self::Webhook => "webhook secret",
        }
    }
}

/// A new token or secret.
struct Made(String);

impl Made {
    fn new(what: What) -> Result<Self> {
        Ok(Self(match what {
            What::Token | What::Signature => Token::from_random(random::bytes()?).reveal().to_owned(),
            What::Webhook => webhook::secret_of(random::bytes()?).reveal().to_owned(),
        }))
    }
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
    let what = if arguments.webhook { What::Webhook } else { kind.into() };
    if what == What::Webhook && secrets.webhook_secrets.is_empty() {
        bail!("{provider} has no webhook secret yet: apply makes one with its first campaign");
    }
    let made = if arguments.drop_old { None } else { Some(Made::new(what)?) };
    let (item, secrets) = rotated(item, secrets, what, made.as_ref(), Timestamp::now());
    if configuration.put_partner(&item, (what != What::Token).then_some(&secrets)).await? == Written::Lost {
        bail!("{provider} was changed by somebody else in the meantime; nothing was overwritten. Look, and try again");
    }
    match made {
        Some(made) => {
            println!("{provider}: {} {}   (shown this once: hand it to the partner now)", what.words(), made.0);
            if what == What::Webhook {
                eprintln!(
                    "from within a minute on each webhook has two signatures, until `postbackctl rotate {provider} --webhook --drop-old`"
                );
                return Ok(ExitCode::SUCCESS);
            }
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
    what: What,
    made: Option<&Made>,
    now: Timestamp,
) -> (PartnerItem, SecretsItem) {
    let keep = if made.is_some() { 2 } else { 1 };
    let text = made.map(|made| made.0.clone());
    match what {
        What::Token => {
            item.token_hashes.splice(0..0, text.as_deref().map(TokenHash::of));
            item.token_hashes.truncate(keep);
        }
        What::Signature => {
            secrets.signature_secrets.splice(0..0, text);
            secrets.signature_secrets.truncate(keep);
        }
        What::Webhook => {
            secrets.webhook_secrets.splice(0..0, text);
            secrets.webhook_secrets.truncate(keep);
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
        let made: Vec<Made> = tokens.iter().map(|token| Made(token.reveal().to_owned())).collect();
        let none = SecretsItem::default;
        let now = Timestamp::UNIX_EPOCH;
        for (new, good) in [(Some(1), &[1, 0][..]), (Some(2), &[2, 1]), (None, &[2]), (None, &[2])] {
            let new = new.map(|n: usize| &made[n]);
            item = rotated(item, none(), What::Token, new, now).0;
            assert_eq!(item.token_hashes, good.iter().map(|n| tokens[*n].hash()).collect::<Vec<_>>());
        }
        assert_eq!(item.version, 5);

        let both = || SecretsItem {
            signature_secrets: vec!["old".into()],
            webhook_secrets: vec!["whsec_old".into()],
            ..none()
        };
        let (_, secrets) = rotated(item.clone(), both(), What::Signature, Some(&made[0]), now);
        assert_eq!(
            (secrets.signature_secrets, secrets.webhook_secrets.len()),
            (vec![made[0].0.clone(), "old".into()], 1)
        );
        let (_, secrets) = rotated(item, both(), What::Webhook, Some(&made[0]), now);
        assert_eq!(
            (secrets.webhook_secrets, secrets.signature_secrets.len()),
            (vec![made[0].0.clone(), "whsec_old".into()], 1)
        );
    }
}
