//! Opens, finds and ends the console's sessions, and makes the links that let a partner in. A partner also comes in by
//! its own postback URL, to read and to try calls.

use std::net::IpAddr;

use domain::{
    audit::{Action, Operation, Subject},
    inbound::{
        credential::{CredentialKind, Credentials},
        parameters::Parameters,
    },
    jiff::Timestamp,
    session::{Purpose, Session, Token, Visitor},
    values::ids::Provider,
};

use crate::{
    accept_postback::StrangerRates,
    ports::{Partners, Sessions, StoredPartner, Unavailable},
};

/// Names a partner that need not exist. It is read in place of a name that a URL lacks.
const NOBODY: &str = "nobody";

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

/// Says what became of a postback URL that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlEntry {
    /// The URL opened a session that reads and changes nothing.
    Opened(Session),
    /// It is no URL of a partner, or its token is wrong, or the partner's calls may not come from this address. The caller
    /// MUST say the same in all cases.
    Refused,
    /// Too many URLs were refused to this address. The URL was not looked at.
    TooOften,
}

/// Opens a session with this new token for whoever has a partner's postback URL with its token. A partner that signs its
/// calls has no token, and comes in by a link. Each URL that is looked at costs one read and one hash.
pub async fn use_url(
    (partners, sessions, strangers): (&impl Partners, &impl Sessions, &StrangerRates),
    (url, source): (&str, IpAddr),
    token: &Token,
    now: Timestamp,
) -> Result<UrlEntry, Unavailable> {
    if strangers.is_used_up(source, now) {
        return Ok(UrlEntry::TooOften);
    }
    let (name, given) = path_of(url).unwrap_or((NOBODY, ""));
    let provider = Provider::new(name).or_else(|_| Provider::new(NOBODY));
    let Ok(provider) = provider else { return Ok(UrlEntry::Refused) };
    let stored = partners.partner(&provider).await?;
    let known = stored.as_ref().map(|stored| Credentials::Tokens(stored.token_hashes.clone()));
    let is_admitted = Credentials::admit(known.as_ref(), &provider, Some(given), &Parameters::default());
    if is_admitted && stored.is_some_and(|stored| may_call(&stored, source)) {
        let visitor = Visitor::Partner { provider, reads_only: true };
        return open(sessions, token, visitor, now).await.map(UrlEntry::Opened);
    }
    let is_within_rate = strangers.take(source, now).is_ok();
    Ok(if is_within_rate { UrlEntry::Refused } else { UrlEntry::TooOften })
}

/// Returns the name and the token in a postback URL. Whatever stands before the path and after it does not matter.
fn path_of(url: &str) -> Option<(&str, &str)> {
    let path = url.trim().split(['?', '#']).next()?;
    let (_, rest) = path.split_once("/postback/")?;
    rest.trim_end_matches('/').split_once('/')
}

/// Returns true if the partner's calls carry a token and may come from this address.
fn may_call(stored: &StoredPartner, source: IpAddr) -> bool {
    let partner = stored.partner().ok();
    partner.is_some_and(|partner| partner.credential() == CredentialKind::Token && partner.admits(source))
}

#[cfg(test)]
mod tests {
    use domain::{
        audit::{Author, Channel},
        inbound::credential::TokenHash,
        partner::Pauses,
    };

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
        Visitor::Partner { provider: acme(), reads_only: false }
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

    /// Applies acme with the token `good` and this further text in its file.
    fn applied(world: &World, more: &str) {
        let stored = StoredPartner {
            provider: acme(),
            version: 1,
            updated_at: at(0),
            file: format!(r#"{{"provider":"acme"{more}}}"#),
            token_hashes: vec![TokenHash::of("good"), TokenHash::of("older")],
            pauses: Pauses::default(),
        };
        world.state().partners.insert(acme(), stored);
    }

    async fn entered(world: &World, url: &str) -> UrlEntry {
        let (strangers, source) = (StrangerRates::default(), IpAddr::from([192, 0, 2, 1]));
        use_url((world, world, &strangers), (url, source), &token(1), at(0)).await.unwrap()
    }

    #[tokio::test]
    async fn a_partners_own_url_opens_a_session_that_only_reads() {
        for url in [
            "https://api.example/postback/acme/good",
            " https://api.example/postback/acme/older/?user_id={user}&dry_run=true ",
            "http://127.0.0.1:1/_aws/execute-api/x/postback/acme/good#x",
            "/postback/acme/good",
        ] {
            let world = World::default();
            applied(&world, "");
            let UrlEntry::Opened(session) = entered(&world, url).await else { panic!("{url}") };
            assert_eq!(session.visitor, Visitor::Partner { provider: acme(), reads_only: true });
            assert!(find(&world, &token(1), at(3599)).await.unwrap().is_some(), "{url}");
            assert_eq!(find(&world, &token(1), at(3600)).await, Ok(None), "{url}");
        }
    }

    #[tokio::test]
    async fn every_wrong_url_costs_the_same_calls_and_opens_nothing() {
        for (url, file) in [
            ("https://api.example/postback/acme/bad", ""),
            ("https://api.example/postback/acme/", ""),
            ("https://api.example/postback/acme", ""),
            ("https://api.example/postback/hooli/good", ""),
            ("https://api.example/postback/ACME/good", ""),
            ("https://api.example/postback/acme/good/good", ""),
            ("https://api.example/postback/acme/{token}", ""),
            ("acme", ""),
            ("", ""),
            ("/postback/acme/good", r#","postback":{"allow_from":["198.51.100.0/24"]}"#),
            ("/postback/acme/good", r#","postback":{"credential":"signature"}"#),
            ("/postback/acme/good", r#","no":"file"#),
        ] {
            let world = World::default();
            applied(&world, file);
            assert_eq!(entered(&world, url).await, UrlEntry::Refused, "{url} {file}");
            let state = world.state();
            assert_eq!((state.calls.len(), state.sessions.len()), (1, 0), "{url} {file}");
        }
    }

    #[tokio::test]
    async fn an_address_that_guesses_is_refused_without_a_read() {
        let (world, strangers) = (World::default(), StrangerRates::default());
        applied(&world, "");
        let enter = async |url: &'static str, host: u8| {
            let source = IpAddr::from([192, 0, 2, host]);
            use_url((&world, &world, &strangers), (url, source), &token(1), at(0)).await.unwrap()
        };
        while enter("/postback/acme/bad", 1).await == UrlEntry::Refused {}
        let reads = world.state().calls.len();
        assert_eq!(enter("/postback/acme/good", 1).await, UrlEntry::TooOften);
        assert_eq!(world.state().calls.len(), reads);
        assert!(matches!(enter("/postback/acme/good", 2).await, UrlEntry::Opened(_)));
    }
}
