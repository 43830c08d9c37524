//! Opens, finds and ends the console's sessions, and makes the links that let a partner in.

use domain::{
    audit::{Action, Operation, Subject},
    jiff::Timestamp,
    session::{Purpose, Session, Token, Visitor},
    values::ids::Provider,
};

use crate::ports::{Sessions, Unavailable};

/// Opens a session for this visitor. The caller gives a new token.
pub async fn open(
    sessions: &impl Sessions,
    token: &Token,
    visitor: Visitor,
    now: Timestamp,
) -> Result<Session, Unavailable> {
    let session = Session::begin(visitor, now);
    sessions.open(&token.key(Purpose::Session), &session).await?;
    Ok(session)
}

/// Returns the session of this token, or `None` if there is none, it was ended, or it has expired.
pub async fn find(sessions: &impl Sessions, token: &Token, now: Timestamp) -> Result<Option<Session>, Unavailable> {
    let found = sessions.find(&token.key(Purpose::Session)).await?;
    Ok(found.filter(|session| !session.has_expired(now)))
}

/// Ends the session of this token. Ending it again does no harm.
pub async fn end(sessions: &impl Sessions, token: &Token) -> Result<(), Unavailable> {
    sessions.end(&token.key(Purpose::Session)).await.map(|_| ())
}

/// Makes a link that lets a person of this partner into its portal once, within [`domain::session::LINK_LASTS`]. The
/// caller gives a new token, and sees to it that the partner exists.
pub async fn make_link(
    sessions: &impl Sessions,
    link: &Token,
    provider: &Provider,
    (operation, now): (&Operation, Timestamp),
) -> Result<(), Unavailable> {
    let subject = Subject::Partner { provider: provider.clone() };
    let audit = operation.record(now, Action::MakePortalLink, subject);
    sessions.make_link(&link.key(Purpose::Link), &Session::link(provider.clone(), now), &audit).await
}

/// Uses up a link and opens a session for it with this new token. Returns `None` if there is no such link, it was used
/// before, or it has expired. If the session cannot be stored, the link is used up all the same, and the partner asks
/// for another.
pub async fn use_link(
    sessions: &impl Sessions,
    link: &Token,
    token: &Token,
    now: Timestamp,
) -> Result<Option<Session>, Unavailable> {
    let found = sessions.end(&link.key(Purpose::Link)).await?;
    match found.filter(|link| !link.has_expired(now)) {
        Some(link) => open(sessions, token, link.visitor, now).await.map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use domain::audit::{Author, Channel};

    use super::*;
    use crate::memory::{Trouble, World};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn token(byte: u8) -> Token {
        Token::from_random([byte; 32])
    }

    fn acme() -> Provider {
        Provider::new("acme").unwrap()
    }

    fn partner() -> Visitor {
        Visitor::Partner { provider: acme() }
    }

    async fn link(world: &World) {
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8]);
        make_link(world, &token(1), &acme(), (&operation, at(0))).await.unwrap();
    }

    #[tokio::test]
    async fn a_session_is_found_until_it_ends_or_expires() {
        let world = World::default();
        open(&world, &token(1), partner(), at(0)).await.unwrap();
        assert_eq!(find(&world, &token(1), at(28_799)).await.unwrap().unwrap().visitor, partner());
        assert_eq!(find(&world, &token(1), at(28_800)).await, Ok(None));
        assert_eq!(find(&world, &token(2), at(0)).await, Ok(None));
        end(&world, &token(1)).await.unwrap();
        end(&world, &token(1)).await.unwrap();
        assert_eq!(find(&world, &token(1), at(0)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_link_opens_one_session_and_is_no_session_itself() {
        let world = World::default();
        link(&world).await;
        assert_eq!(find(&world, &token(1), at(0)).await, Ok(None));
        assert_eq!(use_link(&world, &token(1), &token(2), at(899)).await.unwrap().unwrap().visitor, partner());
        assert_eq!(use_link(&world, &token(1), &token(3), at(899)).await, Ok(None));
        assert!(find(&world, &token(2), at(899)).await.unwrap().is_some());
        assert_eq!(find(&world, &token(3), at(899)).await, Ok(None));
    }

    #[tokio::test]
    async fn an_expired_link_opens_nothing() {
        let world = World::default();
        link(&world).await;
        assert_eq!(use_link(&world, &token(1), &token(2), at(900)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_link_is_used_up_even_if_its_session_is_not_stored() {
        let world = World::default();
        link(&world).await;
        world.state().trouble = [(2, Trouble::Before)].into();
        assert!(use_link(&world, &token(1), &token(2), at(1)).await.is_err());
        assert_eq!(use_link(&world, &token(1), &token(2), at(1)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_link_is_made_together_with_its_audit_record() {
        let world = World::default();
        link(&world).await;
        let audit = world.state().audit.clone();
        assert_eq!((audit.len(), audit[0].action), (1, Action::MakePortalLink));
    }
}
