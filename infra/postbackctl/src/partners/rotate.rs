//! `postbackctl rotate`: makes another token or signing secret for a partner, or another secret for its webhooks.

use std::process::ExitCode;

use adapters::random;
use anyhow::{Result, anyhow};
use app::operators::rotate_secret::{RotateFault, Rotated, Rotation, SecretKind, Wanted, rotate};
use clap::Args;
use domain::values::ids::Provider;
use serde_json::json;

use crate::{Connection, ask, change::Change, output::say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Drops all but the newest instead of making another. For when the partner uses the newest.
    #[arg(long)]
    drop_old: bool,
    /// Rotates the secret that signs the partner's webhooks instead of the credential of its postbacks.
    #[arg(long)]
    webhook: bool,
    /// Replaces the newest, for when it was never handed over. The one before it stays valid.
    #[arg(long, conflicts_with = "drop_old")]
    replace_newest: bool,
    #[command(flatten)]
    change: Change,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let provider = ask::provider(&arguments.provider)?;
    let connection = Connection::open(stack).await?;
    let rotation = match (arguments.drop_old, arguments.replace_newest) {
        (true, _) => Rotation::DropOld,
        (false, true) => Rotation::ReplaceNewest,
        (false, false) => Rotation::Add,
    };
    let wanted = Wanted { provider: &provider, webhook: arguments.webhook, rotation, random: random::bytes()? };
    let operation = connection.operation(arguments.change.why.clone()).await?;
    let rotated = rotate(&connection.configuration(), wanted, (&operation, ask::now())).await.map_err(unrotated)?;
    tell(&provider, &rotated, arguments.change.json)?;
    // The secret may be stored even if the call failed, so it is printed in either case.
    match rotated.unclear {
        None => Ok(ExitCode::SUCCESS),
        Some(unavailable) => Err(anyhow::Error::from(unavailable).context(format!(
            "{provider} may or may not be changed. If it is, the printed secret is valid; --replace-newest makes another"
        ))),
    }
}

/// Adds the cure to a fault.
fn unrotated(fault: RotateFault) -> anyhow::Error {
    match fault {
        RotateFault::Unavailable(unavailable) => unavailable.into(),
        RotateFault::NoWebhookSecret(_) => {
            anyhow!("{fault}; `postbackctl apply` makes one with the partner's first campaign")
        }
        RotateFault::Both(..) => anyhow!(
            "{fault}, and a third would invalidate the older, which the partner may be using. If the partner uses the newest, \
             pass --drop-old. If the newest was never handed over, pass --replace-newest"
        ),
        RotateFault::One(..) => anyhow!("{fault}, which the partner is using; there is no newer one to replace"),
        RotateFault::Changed(provider) => anyhow!(
            "another operator changed {provider} in the meantime; nothing was overwritten. Look at it, then run this again"
        ),
        RotateFault::Unknown(_) | RotateFault::Unreadable(..) => fault.into(),
    }
}

/// Returns the JSON key of a kind of secret, which `apply` uses too.
fn key(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Token => "token",
        SecretKind::Signature => "signature_secret",
        SecretKind::Webhook => "webhook_secret",
    }
}

fn tell(provider: &Provider, rotated: &Rotated, as_json: bool) -> Result<()> {
    let Rotated { kind, made, .. } = rotated;
    let secret = made.as_ref().map(domain::values::signature::Secret::reveal);
    if as_json {
        let of = |other: SecretKind| secret.filter(|_| *kind == other);
        say!(
            "{}",
            json!({"provider": provider, "rotated": key(*kind), "token": of(SecretKind::Token),
            "signature_secret": of(SecretKind::Signature), "webhook_secret": of(SecretKind::Webhook)})
        )?;
    }
    let Some(secret) = secret else {
        eprintln!("{provider}: within a minute only the newest is valid");
        return Ok(());
    };
    if !as_json {
        say!("{provider}: {} {secret}   (shown only once; hand it to the partner now)", kind.words())?;
    }
    if *kind == SecretKind::Webhook {
        eprintln!(
            "within a minute each webhook has two signatures, until `postbackctl rotate {provider} --webhook --drop-old`"
        );
    } else {
        eprintln!(
            "valid within a minute; the one before it stays valid until `postbackctl rotate {provider} --drop-old`"
        );
    }
    Ok(())
}
