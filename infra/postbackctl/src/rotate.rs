//! `postbackctl rotate`: another token or signing secret for a partner, without losing a call; or another secret that its
//! webhooks are signed with, without one that it cannot verify.
//!
//! The new one is good at once and the one before it stays good, until the old is dropped: so the partner changes over when
//! it likes.

use std::process::ExitCode;

use adapters::{
    dynamodb::item::{PartnerItem, SecretsItem},
    random, webhook,
};
use anyhow::{Context, Result, anyhow, bail};
use app::ports::Replaced;
use clap::Args;
use domain::{
    audit::{Action, Subject},
    credential::{CredentialKind, Token, TokenHash},
    ids::Provider,
    jiff::Timestamp,
};
use serde_json::json;

use crate::{Connection, output::say, reason::Reason};

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Makes no new one, but drops all but the newest: when the partner has changed over.
    #[arg(long)]
    drop_old: bool,
    /// The secret that its webhooks are signed with, instead of the credential of its postbacks.
    #[arg(long)]
    webhook: bool,
    /// Makes another in place of the newest, which was never handed over; the one before it stays good.
    #[arg(long, conflicts_with = "drop_old")]
    replace_newest: bool,
    /// Answers in JSON. The new secret is in it, once: keep it safe.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reason: Reason,
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
    /// What JSON calls it.
    fn key(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Signature => "signature_secret",
            Self::Webhook => "webhook_secret",
        }
    }

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
    let connection = Connection::open(stack).await?;
    let configuration = connection.configuration();
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
    let live = live(&item, &secrets, what);
    if live >= LIVE && !arguments.drop_old && !arguments.replace_newest {
        let words = what.words();
        bail!(
            "{provider} has two {words}s that are good already, and a third would put out the older, which it may be using. \
             If it has changed over: --drop-old. If the newest was never handed over: --replace-newest"
        );
    }
    if arguments.replace_newest && live < LIVE {
        bail!("{provider} has one {} only, which it is using: there is no newer one to replace", what.words());
    }
    let made = if arguments.drop_old { None } else { Some(Made::new(what)?) };
    let operation = connection.operation(arguments.reason.why).await?;
    let (item, secrets) = rotated(item, secrets, what, made.as_ref(), Timestamp::now());
    let action = if made.is_some() { Action::RotateSecret } else { Action::DropOldSecret };
    let audit = operation.record(item.updated_at, action, Subject::Partner { provider: provider.clone() });
    let audit = audit.with("secret", what.words()).with("version", item.version);
    let audit = if arguments.replace_newest { audit.with("replaced", "the newest, never handed over") } else { audit };
    let written = configuration.put_partner(&item, (what != What::Token).then_some(&secrets), &audit).await;
    if written == Ok(Replaced::Changed) {
        bail!("{provider} was changed by somebody else in the meantime; nothing was overwritten. Look, and try again");
    }
    let told = tell(&provider, what, made, arguments.json);
    // Whatever came of it, the secret was told: it may be stored.
    written.with_context(|| {
        format!(
            "{provider} may or may not be changed. If it is, what is told here is good; --replace-newest makes another"
        )
    })?;
    told
}

/// How many may be good at once: the new one and the one that it replaces.
const LIVE: usize = 2;

/// How many are good now.
fn live(item: &PartnerItem, secrets: &SecretsItem, what: What) -> usize {
    match what {
        What::Token => item.token_hashes.len(),
        What::Signature => secrets.signature_secrets.len(),
        What::Webhook => secrets.webhook_secrets.len(),
    }
}

fn tell(provider: &Provider, what: What, made: Option<Made>, as_json: bool) -> Result<ExitCode> {
    if as_json {
        // By the names that `apply` gives a new partner's.
        let secret = made.as_ref().map(|made| made.0.as_str());
        let of = |kind: What| secret.filter(|_| what == kind);
        say!(
            "{}",
            json!({"provider": provider, "rotated": what.key(), "token": of(What::Token),
            "signature_secret": of(What::Signature), "webhook_secret": of(What::Webhook)})
        )?;
    }
    match made {
        Some(made) => {
            if !as_json {
                say!("{provider}: {} {}   (shown this once: hand it to the partner now)", what.words(), made.0)?;
            }
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

/// The newest first, and never more than two; without a new one, the newest alone. Where there are two already, the new one
/// stands in place of the newest: the older is the one that the partner has.
fn rotated(
    mut item: PartnerItem,
    mut secrets: SecretsItem,
    what: What,
    made: Option<&Made>,
    now: Timestamp,
) -> (PartnerItem, SecretsItem) {
    let text = made.map(|made| made.0.clone());
    match what {
        What::Token => renew(&mut item.token_hashes, text.as_deref().map(TokenHash::of)),
        What::Signature => renew(&mut secrets.signature_secrets, text),
        What::Webhook => renew(&mut secrets.webhook_secrets, text),
    }
    item.version += 1;
    item.updated_at = now;
    (item, secrets)
}

fn renew<T>(live: &mut Vec<T>, new: Option<T>) {
    match new {
        None => live.truncate(1),
        Some(new) => {
            if live.len() >= LIVE {
                live.drain(..=live.len() - LIVE);
            }
            live.insert(0, new);
        }
    }
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
        // The one that the partner has, 0, stays good until it is dropped by name.
        for (new, good) in [(Some(1), &[1, 0][..]), (Some(2), &[2, 0]), (None, &[2]), (None, &[2])] {
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
