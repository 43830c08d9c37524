//! An operator makes another key of click ids, or another secret of tracking links, and later drops the older ones.
//!
//! The older ones verify what was made with them until they are dropped. Nobody outside needs these secrets, so none is told.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::credential::Token,
    jiff::{SignedDuration, Timestamp},
    values::signature::Secret,
};
use thiserror::Error;

use crate::ports::{Partners, Replaced, SecretPurpose, StoredSecrets, Unavailable};

/// How many may be good at once. Each key of click ids costs every postback one more HMAC.
const MOST: usize = 5;
/// How long a new key of click ids must be known before the older ones may be dropped. `click` still makes ids with the key
/// before it for twice the time for which functions keep what they have read, and with what it has read for that time again.
const SETTLES: SignedDuration = SignedDuration::from_mins(10);

/// Names a secret that belongs to no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemKey {
    /// The key that click ids are made with.
    Click,
    /// The secret that tracking links are signed with.
    Link,
}

impl SystemKey {
    /// Returns its name for people.
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

/// Why nothing was rotated, or why that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotateSystemFault {
    /// A service failed before anything was changed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is none yet.
    #[error("there is no {} yet", .0.words())]
    Missing(SystemKey),
    /// As many are good as may be.
    #[error("{MOST} are good already, of the {}", .0.words())]
    Full(SystemKey),
    /// The older one may still make click ids.
    #[error("the newest {} may not make click ids before {until}", SystemKey::Click.words())]
    TooSoon {
        /// When the older ones may be dropped.
        until: Timestamp,
    },
    /// Another operator has rotated it in the meantime.
    #[error("another operator rotated the {} in the meantime", .0.words())]
    Changed(SystemKey),
    /// The change may or may not be stored.
    #[error("the {} may or may not be rotated: {unavailable}", .key.words())]
    Unclear {
        /// The kind of key.
        key: SystemKey,
        /// The fault of the service.
        unavailable: Unavailable,
    },
}

/// Makes another one if there are random bytes for it, and else drops all but the newest. Returns how many are good now.
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
