//! A console over ports in memory, and a browser that visits it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use app::{
    accept_postback::StrangerRates,
    memory::{Held, World, lookup_key},
    operators::trace::Trace,
    ports::{
        ArchiveFault, AskArchive, KnownPartner, KnownRecipient, Lookups as _, NewDeliveries as _, Postbacks as _,
        Refusals as _, Rows, StoredPartner, StoredRefusal, Unavailable,
    },
    sign_in,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use domain::{
    audit::Author,
    inbound::{
        click::{ClickKeys, ClickOrigin},
        conversion::{Receipt, RecordedPostback},
        credential::Credentials,
        postback::{Difference, Extra, Postback},
        refusal::{Conflict, ContentKey, KeptRequest, Refusal},
    },
    jiff::{SignedDuration, Timestamp},
    lookup::{Kind, LookupEntry, Place, Subject},
    outbound::{
        agreed_ids::PartnerIds,
        attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt},
        delivery::{AttemptDecision, Claim, Delivery},
        participant::Owed,
        retry::RetryPolicy,
        webhook::Allowance,
    },
    partner::{Partner, Pauses},
    retention::Expiring,
    session::{Role, Token, Visitor},
    values::{
        ids::{
            CampaignName, ChainTicket, ClaimMark, ClickId, DeliveryId, Provider, ReceiptId, TransactionId,
            TransactionKey, UserId,
        },
        parameter_names::Field,
        signature::Secret,
    },
};
use tower::ServiceExt;

use crate::{
    gateway::Source,
    issuer::{Identity, IdentityFault, Issuer, STATE},
    ports::{Console, Ports},
    routes::router,
    site::Site,
    visit::FORM,
};

/// Names people by the codes that a test gives out. Each code is good once.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeIssuer(Arc<Mutex<HashMap<String, Result<Identity, IdentityFault>>>>);

impl Issuer for FakeIssuer {
    fn sign_in_url(&self, secret: &Token) -> String {
        format!("https://issuer.example/authorize?state={}", secret.derive(STATE))
    }

    async fn identify(&self, code: &str, _: &Token) -> Result<Identity, IdentityFault> {
        let found = self.0.lock().unwrap().remove(code);
        found.unwrap_or_else(|| Err(IdentityFault::Refused("invalid_grant".to_owned())))
    }

    async fn bearer(&self, token: &str) -> Result<Identity, IdentityFault> {
        let found = self.0.lock().unwrap().get(token).cloned();
        found.unwrap_or_else(|| Err(IdentityFault::Refused("no ID token".to_owned())))
    }
}

/// Gives every question to the archive the same answer, unless one is set for its table. Keeps the labels of the
/// questions.
#[derive(Debug, Clone)]
pub(super) struct Canned {
    label: String,
    pub(super) answer: Arc<Mutex<Result<Rows, ArchiveFault>>>,
    pub(super) of_tables: Arc<Mutex<HashMap<&'static str, Rows>>>,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

impl Default for Canned {
    fn default() -> Self {
        let answer = Arc::new(Mutex::new(Ok(Rows::new())));
        Self { label: String::new(), answer, of_tables: Arc::default(), asked: Arc::default() }
    }
}

impl AskArchive for Canned {
    async fn ask(&self, sql: &str) -> Result<Rows, ArchiveFault> {
        self.asked.lock().unwrap().push(self.label.clone());
        let of_table = self.of_tables.lock().unwrap().clone();
        if let Some((_, rows)) = of_table.into_iter().find(|(table, _)| sql.contains(&format!("FROM {table}"))) {
            return Ok(rows);
        }
        self.answer.lock().unwrap().clone()
    }
}

/// Names the ports in memory.
pub(super) enum InMemory {}

impl Ports for InMemory {
    type Issuer = FakeIssuer;
    type Sessions = World;
    type Requests = World;
    type Configuration = World;
    type Publishing = World;
    type Audits = World;
    type Archive = Canned;
    type Listings = World;
    type Inbound = World;
    type Deliveries = World;
    type Participants = World;
    type Catalogues = World;
    type Recipients = Held<Provider, KnownRecipient>;
    type Partners = Held<Provider, Partner>;
    type Endpoints = World;
    type ClickKeys = Held<(), ClickKeys>;
    type Resolutions = World;
    type Accepting = World;
    type Resubmissions = World;
    type Rounds = World;
    type Resends = World;
    type Permits = World;
    type Servers = World;
    type DeadLetters = World;
    type Alarms = World;
    type Clock = World;
}

/// Counts the tokens that were drawn, so that no two are the same.
static DRAWN: AtomicU8 = AtomicU8::new(0);

#[expect(clippy::unnecessary_wraps, reason = "the console's source of random bytes can fail")]
fn draw() -> Result<[u8; 32], Unavailable> {
    let mut bytes = [7; 32];
    bytes[0] = DRAWN.fetch_add(1, Ordering::Relaxed);
    bytes[9] = bytes[0];
    Ok(bytes)
}

/// Sets the instant of every visit: noon of a day.
pub(super) fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

pub(super) fn provider(name: &str) -> Provider {
    Provider::new(name).unwrap()
}

/// A console with the partners acme and globex.
pub(super) struct Rig {
    pub(super) world: World,
    pub(super) issuer: FakeIssuer,
    pub(super) archive: Canned,
    router: Router,
}

/// A response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) bytes: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the value of a cookie that the response sets.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(header::SET_COOKIE).into_iter().map(|value| value.to_str().unwrap());
        let found = set.filter_map(|cookie| cookie.split_once(';')?.0.split_once('='));
        found.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).next_back()
    }
}

/// Makes rows of the archive. Columns are separated by `|`.
pub(super) fn rows(lines: &[&str]) -> Rows {
    let cells = |line: &&str| line.split('|').map(|cell| Some(cell.to_owned())).collect();
    lines.iter().map(cells).collect()
}

impl Rig {
    pub(super) fn new() -> Self {
        let world = World::default();
        let mut partners = Vec::new();
        for name in ["acme", "globex"] {
            let file = format!(
                r#"{{"provider":"{name}","media_buying":{{"campaigns":[{{"name":"welcome","goal":{{"type":"registration"}},
                    "active_from":"2026-11-01T12:00:00Z","webhook":{{"url":"https://{name}.example/?c={{clickId}}"}}}}]}}}}"#
            );
            let stored = StoredPartner {
                provider: provider(name),
                version: 1,
                updated_at: now(),
                file,
                token_hashes: Vec::new(),
                pauses: Pauses::default(),
            };
            partners.push((provider(name), stored.partner().unwrap()));
            world.state().partners.insert(provider(name), stored);
        }
        let issuer = FakeIssuer::default();
        let keys = ClickKeys::new(vec![Secret::new("key")]).unwrap();
        let known = partners.iter().map(|(_, partner): &(Provider, Partner)| KnownPartner {
            partner: Arc::new(partner.clone()),
            credentials: Credentials::Tokens(Vec::new()),
        });
        let archive = Canned::default();
        let canned = archive.clone();
        let (known, of_accept): (Vec<_>, _) = (known.collect(), (world.clone(), keys.clone()));
        let console = Console::<InMemory> {
            site: Site::parse("https://gg3.example/console").unwrap(),
            issuer: issuer.clone(),
            sessions: world.clone(),
            requests: world.clone(),
            configuration: world.clone(),
            publishing: world.clone(),
            allowance: Allowance::PublicOnly,
            campaign_lead: Duration::from_mins(3),
            audits: world.clone(),
            archive: Box::new(move |label| Canned { label: label.to_owned(), ..canned.clone() }),
            trace: Trace {
                listings: world.clone(),
                inbound: world.clone(),
                deliveries: world.clone(),
                participants: world.clone(),
                catalogues: world.clone(),
                recipients: Held::new(&world, []),
                partners: Held::new(&world, partners.clone()),
                endpoints: world.clone(),
            },
            accept: Box::new(move || of_accept.0.accept_postback(known.clone(), of_accept.1.clone())),
            resubmissions: world.clone(),
            partners: Held::new(&world, partners),
            rounds: world.clone(),
            resends: world.clone(),
            permits: world.clone(),
            servers: world.clone(),
            dead_letters: world.clone(),
            alarms: world.clone(),
            clock: world.clone(),
            strangers: StrangerRates::default(),
            click_keys: Held::new(&world, [((), keys)]),
            resolutions: world.clone(),
            audit_retention: Expiring::AuditRecord.default_retention(),
            now,
            random: draw,
        };
        Self { world, issuer, archive, router: router(Arc::new(console)) }
    }

    /// Makes the issuer give out a code for a person with this role.
    pub(super) fn person(&self, code: &str, role: Option<Role>) {
        let author = Author::new(format!("subject-{code}")).unwrap();
        let identity = Identity { author, name: format!("{code}@gg3.example"), role };
        self.issuer.0.lock().unwrap().insert(code.to_owned(), Ok(identity));
    }

    /// Makes the issuer fail for a code.
    pub(super) fn fault(&self, code: &str, fault: IdentityFault) {
        self.issuer.0.lock().unwrap().insert(code.to_owned(), Err(fault));
    }

    /// Opens a session and returns its token.
    pub(super) async fn session(&self, visitor: Visitor) -> Token {
        let token = Token::from_random(draw().unwrap());
        sign_in::open(&self.world, &token, visitor, now()).await.unwrap();
        token
    }

    pub(super) async fn operator(&self, role: Role) -> Token {
        let author = Author::new(format!("subject-{}", role.as_str())).unwrap();
        self.session(Visitor::Operator { author, name: "jo@gg3.example".to_owned(), role }).await
    }

    pub(super) async fn partner(&self, name: &str) -> Token {
        self.session(Visitor::Partner { provider: provider(name), reads_only: false }).await
    }

    /// Opens the session of a partner's engineer who came in by the partner's postback URL.
    pub(super) async fn reader(&self, name: &str) -> Token {
        self.session(Visitor::Partner { provider: provider(name), reads_only: true }).await
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status, headers: parts.headers, text, bytes }
    }

    /// Sends a form without a session from this address.
    pub(super) async fn post_from(&self, source: [u8; 4], page: &str, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(request(Method::POST, page, None).extension(Source(source.into())).body(Body::from(body)).unwrap())
            .await
    }

    /// Opens a page.
    pub(super) async fn get(&self, page: &str, session: Option<&Token>) -> Reply {
        self.send(request(Method::GET, page, session).body(Body::empty()).unwrap()).await
    }

    /// Sends a form of one of our pages.
    pub(super) async fn post(&self, page: &str, session: Option<&Token>, fields: &[(&str, &str)]) -> Reply {
        let secret = session.map(|token| token.derive(FORM)).unwrap_or_default();
        self.post_forged(page, session, &[&[(FORM, secret.as_str())], fields].concat()).await
    }

    /// Sends a form without adding the session's secret.
    pub(super) async fn post_forged(&self, page: &str, session: Option<&Token>, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(request(Method::POST, page, session).body(Body::from(body)).unwrap()).await
    }

    /// Keeps a conflict: 100 is recorded, and 999 came. Returns its content key.
    pub(super) async fn conflict(&self, partner: &str, transaction: &str) -> ContentKey {
        let content = |amount: &str| {
            let content = serde_json::json!({
                "user_id": format!("user of {transaction}"), "click_id": "c", "currency": "USD", "amount_decimal": amount,
            });
            serde_json::from_value(content).unwrap()
        };
        let transaction_id = TransactionId::new(transaction).unwrap();
        let receipt = Receipt {
            transaction_id: transaction_id.clone(),
            receipt_id: ReceiptId::from_random([1; 16]),
            received_at: now(),
            ignored: Vec::new(),
            state: None,
            original_receipt_id: None,
        };
        let postback = Postback {
            provider: provider(partner),
            transaction_id: transaction_id.clone(),
            content: content("100"),
            click: ClickOrigin::Foreign,
            state: None,
            reference: None,
            extra: Extra::new(),
            erased: None,
        };
        self.world.record(&RecordedPostback { postback, receipt, reversed: None }).await.unwrap();
        let difference = Difference { field: Field::AmountDecimal, original: "100".into(), sent: "999".into() };
        let conflict = Conflict {
            provider: provider(partner),
            transaction_id,
            content: content("999"),
            state: None,
            reference: None,
            extra: Extra::new(),
            differences: vec![difference],
            received_at: now(),
        };
        self.world.keep_conflict(&conflict, 99).await.unwrap();
        self.world.put(&StoredRefusal::from(&conflict).lookups(None)).await;
        conflict.key()
    }

    /// Stores lookups.
    pub(super) async fn list(&self, entries: &[LookupEntry]) {
        self.world.put(entries).await;
    }

    /// Stores a delivery that the partner answered 410 with this text a minute ago. Returns its id.
    pub(super) async fn delivery(&self, partner: &str, answer: &str) -> DeliveryId {
        let made_at = now() - SignedDuration::from_mins(1);
        let at = made_at.into();
        let owed = Owed {
            provider: provider(partner),
            campaign: CampaignName::new("welcome").unwrap(),
            ids: PartnerIds { click_id: ClickId::new("c").ok(), user_id: None },
            occurred_at: at,
        };
        let user = UserId::new(format!("user of {partner} {}", DRAWN.fetch_add(1, Ordering::Relaxed))).unwrap();
        let made = Delivery::new(user, owed, at, ChainTicket::from_random([1; 8]));
        let next = made.next().unwrap().clone();
        let mark = ClaimMark::new("m").unwrap();
        let claim = Claim { round: 1, n: 1, ticket: next.ticket, mark, due_at: next.due_at, until: at };
        let (outcome, answer) = (AttemptOutcome::Status(410), AnswerExcerpt::of(answer.as_bytes()));
        let finished = FinishedAttempt { sent_at: at, ended_at: at, outcome, answer, retry_after: None };
        let ticket = ChainTicket::from_random([2; 8]);
        let recorded = made.with_claim(claim.clone()).record(&claim, &finished, RetryPolicy::default(), ticket);
        let AttemptDecision::Stored { delivery, .. } = recorded else { panic!("the attempt is recorded") };
        self.world.put_if_absent(&delivery).await.unwrap();
        let place = Place::new(made_at, Kind::Delivery, delivery.id().as_str());
        let entries = LookupEntry::under([Subject::Deliveries(provider(partner))], &place, None);
        self.world.put(&entries).await;
        delivery.id().clone()
    }

    /// Keeps a refusal whose request is this text.
    pub(super) async fn refusal(&self, partner: &str, request: &str) -> ContentKey {
        let key = ContentKey::of_refusal(&provider(partner), request);
        let refusal = Refusal {
            key: key.clone(),
            provider: provider(partner),
            request: KeptRequest { text: request.into(), sent_bytes: None },
            source: [192, 0, 2, 1].into(),
            user_id: UserId::new("u").ok(),
            click_id: ClickId::new("c").ok(),
            faults: Vec::new(),
            received_at: now(),
        };
        self.world.keep_refusal(&refusal, 99).await.unwrap();
        self.world.put(&StoredRefusal::of_refusal(&refusal, Expiring::Refusal.default_retention()).lookups(None)).await;
        key
    }
}

/// Begins a request like that of a browser on one of our pages.
pub(super) fn request(method: Method, page: &str, session: Option<&Token>) -> axum::http::request::Builder {
    let mut request = Request::builder().uri(format!("/console{page}")).header(header::ORIGIN, "https://gg3.example");
    if method == Method::GET {
        request = Request::builder().uri(format!("/console{page}"));
    }
    if let Some(token) = session {
        request = request.header(header::COOKIE, format!("other=1; __Host-session={}", token.reveal()));
    }
    request.method(method)
}

/// Returns the entry by which a postback is listed.
pub(super) fn entries_of(original: &RecordedPostback) -> Vec<LookupEntry> {
    let postback = &original.postback;
    let key = lookup_key(&TransactionKey::of(&postback.provider, &postback.transaction_id), 0);
    let place = Place::new(original.receipt.received_at, Kind::Postback, key);
    LookupEntry::under([Subject::Postbacks(original.postback.provider.clone())], &place, None)
}
