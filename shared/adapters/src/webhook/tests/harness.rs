//! Provides partners on loopback that follow a test's script, and clients with limits that a test can wait for.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{
    outbound::{
        agreed_ids::{AgreedIds, PartnerIds},
        attempt::{AttemptFault, AttemptOutcome, FinishedAttempt},
        macros::WebhookValues,
        webhook::{Allowance, BodyNames, Development, Method, UrlTemplate, Webhook, WebhookRequest},
    },
    values::{
        ids::{CampaignName, ClickId, DeliveryId, EventLabel, Provider, UserId},
        parameter_names::ParameterNames,
        signature::Secret,
        time::UnixMillis,
    },
};
use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpSocket,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::super::{Limits, Reach, Signer, WebhookClient, WebhookSettings, resolve::Resolver};

pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Holds the partner's side of a connection.
pub(super) struct Call {
    pub(super) stream: Box<dyn Stream>,
    /// Numbers the connection, from 1.
    pub(super) n: usize,
    pub(super) seen: Arc<Mutex<Vec<String>>>,
}

impl Call {
    /// Reads the head and the body of the next request, and records the request for the test. Returns `None` after the
    /// last request.
    pub(super) async fn request(&mut self) -> Option<String> {
        let mut text = String::new();
        while !text.contains("\r\n\r\n") {
            text.push(char::from(self.stream.read_u8().await.ok()?));
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).await.ok()?;
        text.push_str(&String::from_utf8(body).unwrap());
        self.seen.lock().unwrap().push(text.clone());
        Some(text)
    }

    /// Writes this text. Returns false if the other side no longer accepts it.
    pub(super) async fn say(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(text.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }
}

/// Holds a partner and the requests that it received.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
    ended: Arc<Semaphore>,
}

impl Peer {
    /// Starts a partner that runs this script on every connection, over http or, with a certificate, over https.
    pub(super) fn start<F>(tls: Option<TlsAcceptor>, does: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let socket = TcpSocket::new_v4().unwrap();
        // The buffer is small, so that the client soon cannot write to a partner that has stopped reading.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let ended = Arc::new(Semaphore::new(0));
        let peer = Self { address, connections: connections.clone(), seen: seen.clone(), ended: ended.clone() };
        let does = Arc::new(does);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let n = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (tls, does, seen, ended) = (tls.clone(), does.clone(), seen.clone(), ended.clone());
                tokio::spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    does(Call { stream, n, seen }).await;
                    ended.add_permits(1);
                });
            }
        });
        peer
    }

    /// Starts a partner that answers every request with this text and leaves the connection open.
    pub(super) fn answering(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::start(None, move |mut call| {
            let answer = answer.clone();
            async move { while call.request().await.is_some() && call.say(answer.as_bytes()).await {} }
        })
    }

    /// Waits until the script has ended on every connection. An endless script ends when the client closes the
    /// connection.
    pub(super) async fn is_left(&self) {
        self.ended(u32::try_from(self.connections()).unwrap()).await;
    }

    /// Waits until the script has ended on this many connections.
    pub(super) async fn ended(&self, connections: u32) {
        let ended = timeout(Duration::from_secs(10), self.ended.acquire_many(connections)).await;
        assert!(ended.is_ok(), "a connection is still open");
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn http(&self) -> String {
        format!("http://{}/hook?click={{clickId}}", self.address)
    }

    pub(super) fn https(&self) -> String {
        format!("https://partner.example:{}/hook?click={{clickId}}", self.address.port())
    }
}

pub(super) fn development() -> Development {
    Development::try_new("http://localhost:4570").unwrap()
}

/// Returns limits so generous that a busy machine can keep them.
pub(super) fn limits() -> Limits {
    Limits::within(Duration::from_secs(4))
}

/// Returns a client with short limits, for partners that let the client wait.
pub(super) fn hasty() -> WebhookClient {
    hasty_trusting(None)
}

pub(super) fn hasty_trusting(extra_authorities: Option<PathBuf>) -> WebhookClient {
    let limits = Limits::within(Duration::from_millis(400));
    client_at(&WebhookSettings { limits, ..settings(extra_authorities) }, &["127.0.0.1"])
}

pub(super) fn settings(extra_authorities: Option<PathBuf>) -> WebhookSettings {
    WebhookSettings { reach: Reach::Development { proof: development(), extra_authorities }, limits: limits() }
}

/// Returns a client that resolves every name to these addresses.
pub(super) fn client_at(settings: &WebhookSettings, addresses: &[&str]) -> WebhookClient {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let lookup = move |_| {
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) }) as _
    };
    let resolver = Resolver::with(settings.reach.allowance(), settings.limits.resolve, Arc::new(lookup));
    WebhookClient::with_resolver(settings, resolver).unwrap()
}

pub(super) fn client() -> WebhookClient {
    client_at(&settings(None), &["127.0.0.1"])
}

pub(super) fn delivery_id() -> DeliveryId {
    let campaign = CampaignName::new("welcome").unwrap();
    DeliveryId::of(&Provider::new("acme").unwrap(), &campaign, &UserId::new("gg3-42").unwrap())
}

/// Returns the request of this template. A POST has a body with our own names of the fields.
pub(super) fn request(method: Method, template: &str) -> WebhookRequest {
    let allowance = Allowance::Development(development());
    let template = UrlTemplate::parse(template, &AgreedIds::default(), allowance).unwrap();
    let values = WebhookValues {
        ids: &PartnerIds { user_id: None, click_id: ClickId::new("c-1").ok() },
        event: &EventLabel::new("registration").unwrap(),
        campaign: &CampaignName::new("welcome").unwrap(),
        delivery_id: &delivery_id(),
        occurred_at: UnixMillis::from("2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap()),
    };
    let names = BodyNames::try_new(&ParameterNames::default()).unwrap();
    Webhook { template, method, names }.request(&values).unwrap()
}

pub(super) async fn send(client: &WebhookClient, template: &str) -> FinishedAttempt {
    let signer = Signer::try_new(&[Secret::new(SECRET)]).unwrap();
    let began = std::time::Instant::now();
    let answered = client.send(&request(Method::Get, template), &delivery_id(), &signer, Timestamp::now()).await;
    assert!(began.elapsed() < Duration::from_secs(10), "the attempt did not end within its bound");
    answered
}

/// Returns the outcome of one request to a partner that sends this answer and then closes the connection.
pub(super) async fn outcome_of(says: impl Into<Vec<u8>>) -> AttemptOutcome {
    let says: Arc<[u8]> = says.into().into();
    let peer = Peer::start(None, move |mut call| {
        let says = says.clone();
        async move {
            call.request().await;
            call.say(says).await;
        }
    });
    let outcome = send(&client(), &peer.http()).await.outcome;
    assert_eq!(peer.requests().len(), 1, "the partner must get exactly one request");
    outcome
}

pub(super) fn fault(outcome: AttemptOutcome) -> AttemptFault {
    match outcome {
        AttemptOutcome::Fault(fault) => fault,
        AttemptOutcome::Status(status) => panic!("answered {status}"),
    }
}
