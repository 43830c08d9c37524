//! Makes a new key of click ids, or a new secret of tracking links, for an operator, and later drops the older ones.
//!
//! Until they are dropped, older keys and secrets still verify the click ids and links that were made with them. They
//! are used only inside the system, so no new secret is shown.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::credential::Token,
    jiff::{SignedDuration, Timestamp},
    values::signature::Secret,
};
use thiserror::Error;

use crate::ports::{Partners, Replaced, SecretPurpose, StoredSecrets, Unavailable};

/// The greatest number of valid secrets of a kind. Each key of click ids costs every postback one more HMAC.
const MOST: usize = 5;
/// The time that must pass after a new key of click ids was made before older keys may be dropped. For up to twice the
/// time for which functions cache keys, `click` still makes ids with an older key. Its own cached keys may then last
/// for one more such time.
const SETTLES: SignedDuration = SignedDuration::from_mins(10);

/// Names a secret that belongs to no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemKey {
    /// The key that makes click ids.
    Click,
    /// The secret that signs tracking links.
    Link,
}

impl SystemKey {
    /// Returns the name of the kind for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Click => "key of click ids",
            Self::Link => "secret of links",
        }
    }

    fn purpose(self) -> SecretPurpose {
        match self {
            Self::Click => SecretPurpose::Click,
            Self::Link => SecretPurpose::Link,
        }
    }
}

/// The reason why nothing was rotated, or why it is unknown if something was rotated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotateSystemFault {
    /// A service failed before anything was changed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// No secret of this kind exists yet.
    #[error("there is no {} yet", .0.words())]
    Missing(SystemKey),
    /// The greatest number of secrets of this kind is already valid.
    #[error("no room for another {}: {MOST} are already valid", .0.words())]
    Full(SystemKey),
    /// The key before the newest may still make click ids.
    #[error("the newest {} may be unused until {until}", SystemKey::Click.words())]
    TooSoon {
        /// The instant from which the older keys may be dropped.
        until: Timestamp,
    },
    /// Another operator has rotated this kind in the meantime.
    #[error("another operator rotated the {} in the meantime", .0.words())]
    Changed(SystemKey),
    /// The change may or may not be stored.
    #[error("it is unknown if the {} was rotated: {unavailable}", .key.words())]
    Unclear {
        /// The kind of key.
        key: SystemKey,
        /// The fault of the service.
        unavailable: Unavailable,
    },
}

/// Makes a new secret of this kind if random bytes are given. Otherwise drops all secrets but the newest. Returns the
/// number of valid secrets.
pub async fn rotate_system_key(
    partners: &impl Partners,
    (key, random): (SystemKey, Option<[u8; 20]>),
    (operation, now): (&Operation, Timestamp),
) -> Result<usize, RotateSystemFault> {
    let stored = partners.secrets(&key.purpose()).await?.ok_or(RotateSystemFault::Missing(key))?;
    let StoredSecrets { purpose, version, mut newest_at, mut secrets } = stored;
    let action = match random {
        Some(_) if secrets.len() >= MOST => return Err(RotateSystemFault::Full(key)),
        Some(random) => {
            secrets.insert(0, Secret::new(Token::from_random(random).reveal()));
            newest_at = now;
            Action::RotateSecret
        }
        None => {
            let until = newest_at.saturating_add(SETTLES).unwrap_or(Timestamp::MAX);
            if key == SystemKey::Click && secrets.len() > 1 && now < until {
                return Err(RotateSystemFault::TooSoon { until });
            }
            secrets.truncate(1);
            Action::DropOldSecret
        }
    };
    let good = secrets.len();
    let version = version + 1;
    let audit = operation.record(now, action, Subject::SystemKeys);
    let audit = audit.with("secret", key.words()).with("version", version).with("good", good);
    match partners.put_secrets(&[StoredSecrets { purpose, version, newest_at, secrets }], &audit).await {
        Ok(Replaced::Done) => Ok(good),
        Ok(Replaced::Changed) => Err(RotateSystemFault::Changed(key)),
        Err(unavailable) => Err(RotateSystemFault::Unclear { key, unavailable }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{
        audit::{Author, Channel},
        inbound::click::{ClickKeys, ClickOrigin},
        values::ids::{Provider, UserId},
    };

    use super::*;
    use crate::memory::{Trouble, World};

    fn world() -> World {
        let world = World::default();
        for purpose in [SecretPurpose::Click, SecretPurpose::Link] {
            let secrets = vec![Secret::new("old")];
            let stored = StoredSecrets { purpose: purpose.clone(), version: 1, newest_at: at(0), secrets };
            world.state().secrets.insert(purpose, stored);
        }
        world
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn stored(world: &World, purpose: &SecretPurpose) -> StoredSecrets {
        world.state().secrets[purpose].clone()
    }

    async fn rotate(
        world: &World,
        key: SystemKey,
        random: Option<u8>,
        minute: i64,
    ) -> Result<usize, RotateSystemFault> {
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [9; 8]);
        rotate_system_key(world, (key, random.map(|byte| [byte; 20])), (&operation, at(minute))).await
    }

    #[tokio::test]
    async fn an_old_key_verifies_until_it_is_dropped() {
        let world = world();
        let (acme, user) = (Provider::new("acme").unwrap(), UserId::new("u").unwrap());
        let old = ClickKeys::new(vec![Secret::new("old")]).unwrap().mint(&acme, &user, at(0), [1; 9]);
        let origin = |world: &World| {
            let keys = ClickKeys::new(stored(world, &SecretPurpose::Click).secrets).unwrap();
            keys.origin(&acme, &user, &old)
        };
        assert_eq!(rotate(&world, SystemKey::Click, Some(1), 100).await, Ok(2));
        assert_eq!(origin(&world), ClickOrigin::Verified);
        let too_soon = RotateSystemFault::TooSoon { until: at(110) };
        assert_eq!(rotate(&world, SystemKey::Click, None, 109).await, Err(too_soon));
        assert_eq!(rotate(&world, SystemKey::Click, None, 110).await, Ok(1));
        assert_eq!(origin(&world), ClickOrigin::Foreign);
        assert_eq!(stored(&world, &SecretPurpose::Link).version, 1, "the other kind is untouched");
        let actions: Vec<Action> = world.state().audit.iter().map(|record| record.action).collect();
        assert_eq!(actions, [Action::RotateSecret, Action::DropOldSecret]);
    }

    #[tokio::test]
    async fn a_new_click_key_makes_no_ids_before_it_settles() {
        let world = world();
        rotate(&world, SystemKey::Click, Some(1), 100).await.unwrap();
        let keys = stored(&world, &SecretPurpose::Click);
        let newest = ClickKeys::new(vec![keys.secrets[0].clone()]).unwrap();
        let (acme, user) = (Provider::new("acme").unwrap(), UserId::new("u").unwrap());
        for (minute, origin) in [(101, ClickOrigin::Foreign), (102, ClickOrigin::Verified)] {
            let making = keys.clone().click_keys(at(minute), SignedDuration::from_mins(2)).unwrap();
            let made = making.mint(&acme, &user, at(minute), [1; 9]);
            assert_eq!(newest.origin(&acme, &user, &made), origin, "{minute}");
        }
    }

    #[tokio::test]
    async fn a_link_secret_may_be_dropped_at_once() {
        let world = world();
        assert_eq!(rotate(&world, SystemKey::Link, Some(1), 100).await, Ok(2));
        assert_eq!(rotate(&world, SystemKey::Link, None, 100).await, Ok(1));
        let secrets = stored(&world, &SecretPurpose::Link).secrets;
        assert_eq!(secrets, [Secret::new(Token::from_random([1; 20]).reveal())]);
    }

    #[tokio::test]
    async fn a_sixth_key_is_refused() {
        let world = world();
        for good in 2..=5 {
            assert_eq!(rotate(&world, SystemKey::Click, Some(1), 100).await, Ok(good));
        }
        assert_eq!(
            rotate(&world, SystemKey::Click, Some(1), 100).await,
            Err(RotateSystemFault::Full(SystemKey::Click))
        );
    }

    #[tokio::test]
    async fn a_rotation_and_its_record_are_stored_both_or_neither() {
        for call in 0..2 {
            for trouble in [Trouble::Before, Trouble::After] {
                let world = world();
                world.state().trouble = BTreeMap::from([(call, trouble)]);
                assert!(rotate(&world, SystemKey::Link, Some(1), 100).await.is_err());
                let records = u64::try_from(world.state().audit.len()).unwrap();
                assert_eq!(stored(&world, &SecretPurpose::Link).version, 1 + records, "call {call}, {trouble:?}");
            }
        }
    }
}
