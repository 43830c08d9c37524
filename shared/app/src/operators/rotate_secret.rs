//! An operator makes another token or signing secret for a partner without losing a call, or another secret for its webhooks
//! without sending one that the partner cannot verify.
//!
//! The new one is good at once, and the one before it stays good until the old is dropped: the partner changes over when it
//! likes.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::credential::{CredentialKind, Token, TokenHash},
    jiff::Timestamp,
    values::{ids::Provider, signature::Secret},
};
use thiserror::Error;

use crate::ports::{Partners, Replaced, StoredPartner, StoredSecrets, Unavailable};

/// How many may be good at once: the new one and the one that it replaces.
const LIVE: usize = 2;

/// Names a kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// The token in a partner's postback URL.
    Token,
    /// The secret that a partner signs its postbacks with.
    Signature,
    /// The secret that a partner's webhooks are signed with.
    Webhook,
}

impl SecretKind {
    /// Returns its name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Signature => "signing secret",
            Self::Webhook => "webhook secret",
        }
    }
}

/// The way in which a partner's secrets are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Makes another one beside the one that is good.
    Add,
    /// Makes another one in place of the newest, which was never handed over.
    ReplaceNewest,
    /// Drops all but the newest.
    DropOld,
}

/// The partner whose secrets are rotated, and the way.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The partner.
    pub provider: &'a Provider,
    /// Means the secret of its webhooks, instead of the credential of its postbacks.
    pub webhook: bool,
    /// The way.
    pub rotation: Rotation,
    /// Random bytes, of which a token or signing secret takes the first 20.
    pub random: [u8; 32],
}

/// The result of a rotation. The secret is in it and nowhere else, so it must be told whatever the fault.
#[derive(Debug)]
pub struct Rotated {
    /// The kind that was rotated.
    pub kind: SecretKind,
    /// The secret that was made, if one was.
    pub made: Option<Secret>,
    /// Why it is not known whether the change is stored.
    pub unclear: Option<Unavailable>,
}

/// Why nothing was rotated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotateFault {
    /// A service failed before anything was changed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such partner.
    #[error("there is no partner {0}")]
    Unknown(Provider),
    /// The stored configuration cannot be read.
    #[error("the stored configuration of {0}: {1}")]
    Unreadable(Provider, String),
    /// The partner has no webhook secret.
    #[error("{0} has no webhook secret yet")]
    NoWebhookSecret(Provider),
    /// Two are good, and a third would put out the older, which the partner may be using.
    #[error("{0} has two {words}s that are good already", words = .1.words())]
    Both(Provider, SecretKind),
    /// The partner is using the only one, so there is no newer one to replace.
    #[error("{0} has one {words} only", words = .1.words())]
    One(Provider, SecretKind),
    /// Another operator has changed the partner in the meantime.
    #[error("{0} was changed by another operator in the meantime")]
    Changed(Provider),
}

/// Rotates a secret of a partner.
pub async fn rotate(
    partners: &impl Partners,
    wanted: Wanted<'_>,
    (operation, now): (&Operation, Timestamp),
) -> Result<Rotated, RotateFault> {
    let provider = wanted.provider.clone();
    let Some(item) = partners.partner(&provider).await? else { return Err(RotateFault::Unknown(provider)) };
    let partner = item.partner().map_err(|reason| RotateFault::Unreadable(provider.clone(), reason))?;
    let owner = StoredSecrets::partner_owner(&provider);
    let secrets = partners.secrets(&owner).await?.unwrap_or_default();
    let secrets = StoredSecrets { owner, ..secrets };
    let kind = match (wanted.webhook, partner.credential()) {
        (true, _) => SecretKind::Webhook,
        (false, CredentialKind::Token) => SecretKind::Token,
        (false, CredentialKind::Signature) => SecretKind::Signature,
    };
    match (wanted.rotation, live(&item, &secrets, kind)) {
        (_, 0) if kind == SecretKind::Webhook => return Err(RotateFault::NoWebhookSecret(provider)),
        (Rotation::Add, LIVE..) => return Err(RotateFault::Both(provider, kind)),
        (Rotation::ReplaceNewest, ..LIVE) => return Err(RotateFault::One(provider, kind)),
        _ => {}
    }
    let made = (wanted.rotation != Rotation::DropOld).then(|| make(kind, wanted.random));
    let action = if made.is_some() { Action::RotateSecret } else { Action::DropOldSecret };
    let (item, secrets) = rotated(item, secrets, kind, made.as_ref(), now);
    let audit = operation.record(now, action, Subject::Partner { provider: provider.clone() });
    let mut audit = audit.with("secret", kind.words()).with("version", item.version);
    if wanted.rotation == Rotation::ReplaceNewest {
        audit = audit.with("replaced", "the newest, which was never handed over");
    }
    match partners.put_partner(&item, (kind != SecretKind::Token).then_some(&secrets), &audit).await {
        Ok(Replaced::Done) => Ok(Rotated { kind, made, unclear: None }),
        Ok(Replaced::Changed) => Err(RotateFault::Changed(provider)),
        Err(unavailable) => Ok(Rotated { kind, made, unclear: Some(unavailable) }),
    }
}

fn make(kind: SecretKind, random: [u8; 32]) -> Secret {
    match kind {
        SecretKind::Token | SecretKind::Signature => {
            let mut first = [0; 20];
            first.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
            Secret::new(Token::from_random(first).reveal())
        }
        SecretKind::Webhook => Secret::for_webhooks(random),
    }
}

/// Returns how many are good now.
fn live(item: &StoredPartner, secrets: &StoredSecrets, kind: SecretKind) -> usize {
    match kind {
        SecretKind::Token => item.token_hashes.len(),
        SecretKind::Signature => secrets.signature_secrets.len(),
        SecretKind::Webhook => secrets.webhook_secrets.len(),
    }
}

/// Puts the new one first and keeps at most two; without a new one, keeps the newest alone. Where there are two already, the
/// new one stands in place of the newest: the older is the one that the partner has.
fn rotated(
    mut item: StoredPartner,
    mut secrets: StoredSecrets,
    kind: SecretKind,
    made: Option<&Secret>,
    now: Timestamp,
) -> (StoredPartner, StoredSecrets) {
    let text = made.map(|made| made.reveal().to_owned());
    match kind {
        SecretKind::Token => renew(&mut item.token_hashes, text.as_deref().map(TokenHash::of)),
        SecretKind::Signature => renew(&mut secrets.signature_secrets, text),
        SecretKind::Webhook => renew(&mut secrets.webhook_secrets, text),
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
    use std::collections::BTreeMap;

    use domain::audit::{Author, Channel};

    use super::*;
    use crate::memory::{Trouble, World};

    fn acme() -> StoredPartner {
        StoredPartner {
            provider: Provider::new("acme").unwrap(),
            version: 1,
            updated_at: Timestamp::UNIX_EPOCH,
            file: r#"{"provider":"acme"}"#.into(),
            token_hashes: vec![Token::from_random([0; 20]).hash()],
        }
    }

    fn world() -> World {
        let world = World::default();
        world.state().partners.insert(acme().provider, acme());
        world
    }

    async fn rotate_with(world: &World, rotation: Rotation, random: u8) -> Result<Rotated, RotateFault> {
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [random; 8]);
        let provider = acme().provider;
        let wanted = Wanted { provider: &provider, webhook: false, rotation, random: [random; 32] };
        rotate(world, wanted, (&operation, Timestamp::UNIX_EPOCH)).await
    }

    #[tokio::test]
    async fn a_rotation_and_its_record_are_stored_both_or_neither() {
        for call in 0..3 {
            for trouble in [Trouble::Before, Trouble::After] {
                let world = world();
                world.state().trouble = BTreeMap::from([(call, trouble)]);
                let rotated = rotate_with(&world, Rotation::Add, 1).await;
                let state = world.state();
                let version = state.partners.values().next().unwrap().version;
                assert_eq!(version, 1 + u64::try_from(state.audit.len()).unwrap(), "call {call}, {trouble:?}");
                // A token that may be stored is told.
                assert!(version == 1 || rotated.unwrap().made.is_some(), "call {call}, {trouble:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_third_secret_is_refused_and_leaves_no_record() {
        let world = world();
        rotate_with(&world, Rotation::Add, 1).await.unwrap();
        let third = rotate_with(&world, Rotation::Add, 2).await;
        assert_eq!(third.unwrap_err(), RotateFault::Both(acme().provider, SecretKind::Token));
        assert_eq!(world.state().audit.len(), 1);
        rotate_with(&world, Rotation::DropOld, 3).await.unwrap();
        let replaced = rotate_with(&world, Rotation::ReplaceNewest, 4).await;
        assert_eq!(replaced.unwrap_err(), RotateFault::One(acme().provider, SecretKind::Token));
        let actions: Vec<Action> = world.state().audit.iter().map(|record| record.action).collect();
        assert_eq!(actions, [Action::RotateSecret, Action::DropOldSecret]);
    }

    #[test]
    fn two_are_good_after_a_rotation_and_one_after_dropping() {
        let tokens: Vec<Token> = (0..3).map(|n| Token::from_random([n; 20])).collect();
        let mut item = acme();
        let made: Vec<Secret> = tokens.iter().map(|token| Secret::new(token.reveal())).collect();
        let none = StoredSecrets::default;
        let now = Timestamp::UNIX_EPOCH;
        // The one that the partner has, 0, stays good until it is dropped by name.
        for (new, good) in [(Some(1), &[1, 0][..]), (Some(2), &[2, 0]), (None, &[2]), (None, &[2])] {
            let new = new.map(|n: usize| &made[n]);
            item = rotated(item, none(), SecretKind::Token, new, now).0;
            assert_eq!(item.token_hashes, good.iter().map(|n| tokens[*n].hash()).collect::<Vec<_>>());
        }
        assert_eq!(item.version, 5);

        let both = || StoredSecrets {
            signature_secrets: vec!["old".into()],
            webhook_secrets: vec!["whsec_old".into()],
            ..none()
        };
        let made_text = || made[0].reveal().to_owned();
        let (_, secrets) = rotated(item.clone(), both(), SecretKind::Signature, Some(&made[0]), now);
        assert_eq!((secrets.signature_secrets, secrets.webhook_secrets.len()), (vec![made_text(), "old".into()], 1));
        let (_, secrets) = rotated(item, both(), SecretKind::Webhook, Some(&made[0]), now);
        assert_eq!(
            (secrets.webhook_secrets, secrets.signature_secrets.len()),
            (vec![made_text(), "whsec_old".into()], 1)
        );
    }
}
