//! Makes a new token or secret for a partner, for an operator. During the change, no postback is refused because of its
//! credential, and every webhook can be verified by the partner.
//!
//! The new secret is valid at once. The one before it stays valid until the operator drops it, so the partner can
//! change over at any time in between.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::credential::{CredentialKind, Token, TokenHash},
    jiff::Timestamp,
    values::{ids::Provider, signature::Secret},
};
use thiserror::Error;

use crate::ports::{Partners, Replaced, SecretPurpose, StoredPartner, StoredSecrets, Unavailable};

/// The greatest number of valid secrets of a kind: the new secret, and the secret that it replaces.
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
    /// Returns the name of the kind for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Signature => "signing secret",
            Self::Webhook => "webhook secret",
        }
    }

    /// Returns the purpose under which secrets of this kind are stored. Returns `None` for a token, because only its
    /// hash is stored, with the partner.
    fn purpose(self, provider: &Provider) -> Option<SecretPurpose> {
        match self {
            Self::Token => None,
            Self::Signature => Some(SecretPurpose::Postback(provider.clone())),
            Self::Webhook => Some(SecretPurpose::Webhook(provider.clone())),
        }
    }
}

/// The way in which a partner's secrets are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Makes a second secret beside the valid one.
    Add,
    /// Makes a secret that replaces the newest one, which was never handed over.
    ReplaceNewest,
    /// Drops all secrets but the newest.
    DropOld,
}

/// A request to rotate a secret of a partner.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The partner.
    pub provider: &'a Provider,
    /// Is true to rotate the secret of the partner's webhooks, and false to rotate the credential of its postbacks.
    pub webhook: bool,
    /// The way in which the secrets are changed.
    pub rotation: Rotation,
    /// Random bytes. A token or a signing secret uses only the first 20.
    pub random: [u8; 32],
}

/// The result of a rotation. It is the only place that holds the new secret, so the secret must be shown even after a
/// fault.
#[derive(Debug)]
pub struct Rotated {
    /// The kind that was rotated.
    pub kind: SecretKind,
    /// The new secret, if one was made.
    pub made: Option<Secret>,
    /// The fault that leaves it unknown if the change is stored, or `None` if the change is certainly stored.
    pub unclear: Option<Unavailable>,
}

/// The reason why nothing was rotated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotateFault {
    /// A service failed before anything was changed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such partner.
    #[error("there is no partner {0}")]
    Unknown(Provider),
    /// The stored configuration cannot be read.
    #[error("the stored configuration of {0} cannot be read: {1}")]
    Unreadable(Provider, String),
    /// The partner has no webhook secret.
    #[error("{0} has no webhook secret yet")]
    NoWebhookSecret(Provider),
    /// Two secrets are already valid. A third secret would invalidate the older one, which the partner may still use.
    #[error("{0} already has two valid {words}s", words = .1.words())]
    Both(Provider, SecretKind),
    /// Only one secret is valid, and the partner uses it. There is no newer secret to replace, and no older one to drop.
    #[error("{0} has only one {words}", words = .1.words())]
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
    let kind = match (wanted.webhook, partner.credential()) {
        (true, _) => SecretKind::Webhook,
        (false, CredentialKind::Token) => SecretKind::Token,
        (false, CredentialKind::Signature) => SecretKind::Signature,
    };
    let stored = match kind.purpose(&provider) {
        Some(purpose) => partners.secrets(&purpose).await?,
        None => None,
    };
    let secrets = stored.map(|stored| stored.secrets).unwrap_or_default();
    let live = if kind == SecretKind::Token { item.token_hashes.len() } else { secrets.len() };
    match (wanted.rotation, live) {
        (_, 0) if kind == SecretKind::Webhook => return Err(RotateFault::NoWebhookSecret(provider)),
        (Rotation::Add, LIVE..) => return Err(RotateFault::Both(provider, kind)),
        (Rotation::ReplaceNewest | Rotation::DropOld, ..LIVE) => return Err(RotateFault::One(provider, kind)),
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
    match partners.put_partner(&item, secrets.as_slice(), &audit).await {
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

/// Returns the changed partner and its changed secrets. A new secret becomes the first of at most two. If there are two
/// already, it replaces the newest, because the partner uses the older one. Without a new secret, only the newest is
/// kept.
fn rotated(
    mut item: StoredPartner,
    mut secrets: Vec<Secret>,
    kind: SecretKind,
    made: Option<&Secret>,
    now: Timestamp,
) -> (StoredPartner, Option<StoredSecrets>) {
    item.version += 1;
    item.updated_at = now;
    let Some(purpose) = kind.purpose(&item.provider) else {
        renew(&mut item.token_hashes, made.map(|made| TokenHash::of(made.reveal())));
        return (item, None);
    };
    renew(&mut secrets, made.cloned());
    let secrets = StoredSecrets { purpose, version: item.version, newest_at: now, secrets };
    (item, Some(secrets))
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
            pauses: domain::partner::Pauses::default(),
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
                // If the token may be stored, the operator gets the token.
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
        let now = Timestamp::UNIX_EPOCH;
        // The partner has token 0, which stays valid until an operator drops the old tokens.
        for (new, good) in [(Some(1), &[1, 0][..]), (Some(2), &[2, 0]), (None, &[2]), (None, &[2])] {
            let new = new.map(|n: usize| &made[n]);
            item = rotated(item, Vec::new(), SecretKind::Token, new, now).0;
            assert_eq!(item.token_hashes, good.iter().map(|n| tokens[*n].hash()).collect::<Vec<_>>());
        }
        assert_eq!(item.version, 5);

        let old = || vec![Secret::new("old")];
        let provider = acme().provider;
        let purposes = [SecretPurpose::Postback(provider.clone()), SecretPurpose::Webhook(provider)];
        for (kind, purpose) in [SecretKind::Signature, SecretKind::Webhook].into_iter().zip(purposes) {
            let (_, stored) = rotated(item.clone(), old(), kind, Some(&made[0]), now);
            let stored = stored.unwrap();
            assert_eq!((stored.purpose, stored.version), (purpose, 6));
            assert_eq!(stored.secrets, [made[0].clone(), Secret::new("old")]);
        }
    }
}
