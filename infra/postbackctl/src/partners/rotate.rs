//! `postbackctl rotate`: makes another token or signing secret for a partner, another secret for its webhooks, or another key
//! of the system.

use std::process::ExitCode;

use adapters::random;
use anyhow::{Result, anyhow, bail};
use app::operators::{
    apply_partners::split_secrets,
    rotate_secret::{RotateFault, Rotated, Rotation, SecretKind, Wanted, rotate},
    rotate_system_key::{RotateSystemFault, SystemKey, rotate_system_key},
};
use clap::{Args, ValueEnum};
use domain::values::ids::Provider;
use serde_json::json;

use crate::{Connection, ask, change::Change, output::say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    #[arg(required_unless_present = "system")]
    provider: Option<String>,
    /// Rotates a key of the system instead of a partner's credential. The key is not printed, because only functions use it.
    #[arg(long, value_enum, conflicts_with_all = ["provider", "webhook", "replace_newest"])]
    system: Option<System>,
    /// Makes nothing new, and ends the validity of all but the newest. Use it once the partner uses the newest.
    #[arg(long)]
    drop_old: bool,
    /// Rotates the secret that signs the partner's webhooks instead of the credential of its postbacks.
    #[arg(long)]
    webhook: bool,
    /// Replaces the newest. Use it if the newest was never handed over. The older one stays valid.
    #[arg(long, conflicts_with = "drop_old")]
    replace_newest: bool,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum System {
    /// The key that click ids are made with.
    Click,
    /// The secret that tracking links are signed with.
    Link,
    /// The key that the archive hashes ids with. It is never rotated.
    Archive,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    if let Some(system) = arguments.system {
        return rotate_system(stack, system, arguments).await;
    }
    let provider = ask::provider(arguments.provider.as_deref().unwrap_or_default())?;
    let connection = Connection::open(stack).await?;
    let rotation = match (arguments.drop_old, arguments.replace_newest) {
        (true, _) => Rotation::DropOld,
        (false, true) => Rotation::ReplaceNewest,
        (false, false) => Rotation::Add,
    };
    let wanted = Wanted { provider: &provider, webhook: arguments.webhook, rotation, random: random::bytes()? };
    let operation = connection.operation(arguments.change.why.clone()).await?;
    let partners = connection.configuration();
    split_secrets(&partners, &[&provider], (&operation, ask::now())).await?;
    let rotated = rotate(&partners, wanted, (&operation, ask::now())).await.map_err(unrotated)?;
    show(&provider, &rotated, arguments.change.json)?;
    // The secret may be stored even if the call failed, so it is printed in either case.
    match rotated.unclear {
        None => Ok(ExitCode::SUCCESS),
        Some(unavailable) => Err(anyhow::Error::from(unavailable).context(format!(
            "it is unknown if {provider} was changed. If it was, the printed secret is valid; --replace-newest makes another"
        ))),
    }
}

async fn rotate_system(stack: &str, system: System, arguments: Arguments) -> Result<ExitCode> {
    let (key, name) = match system {
        System::Click => (SystemKey::Click, "click"),
        System::Link => (SystemKey::Link, "link"),
        System::Archive => bail!(
            "the archive's key is never rotated, because the rows of one person would then have two hashes; nothing was changed"
        ),
    };
    let connection = Connection::open(stack).await?;
    let random = if arguments.drop_old { None } else { Some(random::bytes()?) };
    let operation = connection.operation(arguments.change.why).await?;
    let partners = connection.configuration();
    split_secrets(&partners, &[], (&operation, ask::now())).await?;
    let rotated = rotate_system_key(&partners, (key, random), (&operation, ask::now())).await;
    let good = rotated.map_err(|fault| unrotated_system(fault, name))?;
    if arguments.change.json {
        say!("{}", json!({"system": name, "good": good}))?;
    }
    let drop = format!("`postbackctl rotate --system {name} --drop-old`");
    match (arguments.drop_old, key) {
        (true, _) => eprintln!("{name}: in at most a minute only the newest {} is valid", key.words()),
        (false, SystemKey::Click) => eprintln!(
            "{name}: {good} are valid. The new one makes click ids within three minutes; ids of the others verify until {drop}"
        ),
        (false, SystemKey::Link) => eprintln!(
            "{name}: {good} are valid within a minute. New links are signed with the new one; the others work until {drop}"
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds the cure to a fault.
fn unrotated_system(fault: RotateSystemFault, name: &str) -> anyhow::Error {
    let cure = match &fault {
        RotateSystemFault::Unavailable(_) => return fault.into(),
        RotateSystemFault::Missing(_) => "apply a partner first".to_owned(),
        RotateSystemFault::Full(_) => {
            format!("drop the older ones with `postbackctl rotate --system {name} --drop-old`")
        }
        RotateSystemFault::TooSoon { .. } => "drop the older ones after that".to_owned(),
        RotateSystemFault::Changed(_) => {
            "nothing was overwritten. Look at `postbackctl audit`, then run this again".to_owned()
        }
        RotateSystemFault::Unclear { .. } => {
            "look at `postbackctl audit`, and run this again if the change is not there".to_owned()
        }
    };
    anyhow!("{fault}; {cure}")
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

/// Returns the JSON key of a kind of secret. `apply` uses the same keys.
fn key(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Token => "token",
        SecretKind::Signature => "signature_secret",
        SecretKind::Webhook => "webhook_secret",
    }
}

fn show(provider: &Provider, rotated: &Rotated, as_json: bool) -> Result<()> {
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
        eprintln!("{provider}: in at most a minute only the newest is valid");
        return Ok(());
    };
    if !as_json {
        say!("{provider}: {} {secret}   (shown only once; hand it to the partner now)", kind.words())?;
    }
    if *kind == SecretKind::Webhook {
        eprintln!(
            "in at most a minute each webhook has two signatures, until `postbackctl rotate {provider} --webhook --drop-old`"
        );
    } else {
        eprintln!("valid within a minute; the older one stays valid until `postbackctl rotate {provider} --drop-old`");
    }
    Ok(())
}
