//! Tests TLS, the names of its faults, and HTTP/2.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::outbound::attempt::{AttemptFault, AttemptOutcome, Phase, TlsFault};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, SupportedProtocolVersion, crypto::ring, pki_types::PrivateKeyDer, version::TLS12};
use tokio::{io::AsyncReadExt, time::sleep};
use tokio_rustls::TlsAcceptor;

use super::{
    super::{WebhookClient, WebhookSettings},
    harness::{OK, Peer, client_at, fault, hasty_trusting, limits, send, settings},
};

const ONLY_TLS_1_2: &[&SupportedProtocolVersion] = &[&TLS12];

/// Holds a certificate authority of one test, and the file that makes a client trust it.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) file: PathBuf,
    /// Lists the versions of TLS that servers with certificates of this authority speak.
    versions: &'static [&'static SupportedProtocolVersion],
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let unique = data_encoding::HEXLOWER.encode(&crate::random::bytes::<8>().unwrap());
        params.distinguished_name.push(DnType::CommonName, unique.as_str());
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = std::env::temp_dir().join(format!("webhook-client-test-{unique}.pem"));
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file, versions: rustls::ALL_VERSIONS }
    }

    /// Returns an authority whose servers speak TLS 1.2 only.
    pub(super) fn of_tls_1_2() -> Self {
        let mut authority = Self::new();
        authority.versions = ONLY_TLS_1_2;
        authority
    }

    pub(super) fn client(&self) -> WebhookClient {
        client_at(&settings(Some(self.file.clone())), &["127.0.0.1"])
    }

    /// Returns a server's TLS with a certificate for this name, altered by the test.
    pub(super) fn certify(
        &self,
        name: &str,
        protocols: &[&[u8]],
        alter: impl FnOnce(&mut CertificateParams),
    ) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        alter(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn peer(tls: TlsAcceptor) -> Peer {
    Peer::start(Some(tls), |mut call| async move { while call.request().await.is_some() && call.say(OK).await {} })
}

async fn tls_fault(client: &WebhookClient, tls: TlsAcceptor) -> TlsFault {
    let peer = peer(tls);
    let AttemptFault::Tls(fault) = fault(send(client, &peer.https()).await.outcome) else { panic!("not of TLS") };
    assert!(peer.requests().is_empty());
    fault
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_accepted() {
    let authority = Authority::new();
    let peer = peer(authority.certify("partner.example", &[], |_| ()));
    let client = authority.client();
    for _ in 0..2 {
        assert_eq!(send(&client, &peer.https()).await.outcome, AttemptOutcome::Status(200));
    }
    let request = peer.requests().remove(0);
    assert!(request.contains(&format!("host: partner.example:{}\r\n", peer.address.port())), "{request}");
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_fault_names_what_is_wrong_with_a_certificate() {
    let (trusted, stranger) = (Authority::new(), Authority::new());
    let client = trusted.client();
    let expired = trusted.certify("partner.example", &[], |params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_eq!(tls_fault(&client, expired).await, TlsFault::Expired);
    let early = trusted.certify("partner.example", &[], |params| params.not_before = date_time_ymd(4000, 1, 1));
    assert_eq!(tls_fault(&client, early).await, TlsFault::NotYetValid);
    let other = trusted.certify("other.example", &[], |_| ());
    assert_eq!(tls_fault(&client, other).await, TlsFault::WrongHost);
    let unknown = stranger.certify("partner.example", &[], |_| ());
    assert_eq!(tls_fault(&client, unknown).await, TlsFault::UnknownIssuer);
    let plain = client_at(&settings(None), &["127.0.0.1"]);
    assert_eq!(tls_fault(&plain, trusted.certify("partner.example", &[], |_| ())).await, TlsFault::UnknownIssuer);
}

#[tokio::test]
async fn a_partner_without_tls_fails_the_handshake() {
    let authority = Authority::new();
    let plain = Peer::start(None, |mut call| async move {
        call.say(OK).await;
    });
    let said = fault(send(&authority.client(), &plain.https()).await.outcome);
    assert_eq!(said, AttemptFault::Tls(TlsFault::Handshake));
    let mute = Peer::start(None, |call| async move {
        sleep(Duration::from_mins(1)).await;
        drop(call);
    });
    let client = hasty_trusting(Some(authority.file.clone()));
    let said = fault(send(&client, &mute.https()).await.outcome);
    assert!(matches!(said, AttemptFault::TimedOut { waiting_for: Phase::Connect, .. }), "{said}");
}

#[tokio::test]
async fn an_interrupted_handshake_is_a_handshake_fault() {
    let authority = Authority::new();
    // The second bytes are an alert: fatal, handshake failure.
    for says in [&b""[..], &[21, 3, 3, 0, 2, 2, 40], &[22, 3, 3, 0, 1]] {
        let peer = Peer::start(None, move |mut call| async move {
            let _ = call.stream.read_u8().await;
            call.say(says).await;
        });
        let said = fault(send(&authority.client(), &peer.https()).await.outcome);
        assert_eq!(said, AttemptFault::Tls(TlsFault::Handshake), "{says:?}");
    }
}

#[tokio::test]
async fn an_endless_handshake_ends_at_its_limit() {
    let authority = Authority::new();
    let dripping = Peer::start(None, |mut call| async move {
        // These bytes begin a handshake message of 16 MiB. Its other bytes follow one by one.
        call.say([22, 3, 3, 64, 0, 2, 255, 255, 255]).await;
        while call.say([0]).await {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let client = hasty_trusting(Some(authority.file.clone()));
    let said = fault(send(&client, &dripping.https()).await.outcome);
    assert!(matches!(said, AttemptFault::TimedOut { waiting_for: Phase::Connect, .. }), "{said}");
    dripping.is_left().await;
}

/// Starts a partner that answers over HTTP/2. From the third request on, answers have 10,000 headers.
fn http2_peer(authority: &Authority) -> Peer {
    let tls = authority.certify("partner.example", &[b"h2", b"http/1.1"], |_| ());
    Peer::start(Some(tls), |call| async move {
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let service = service_fn(move |request: Request<Incoming>| {
            let n = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move {
                assert_eq!(request.uri().host(), Some("partner.example"));
                let mut response = Response::new(Full::new(Bytes::from(format!("{:?}", request.version()))));
                for at in 0..if n < 2 { 0 } else { 10_000 } {
                    let name = format!("x-{at}").parse::<hyper::header::HeaderName>().unwrap();
                    response.headers_mut().insert(name, "y".parse().unwrap());
                }
                Ok::<_, Infallible>(response)
            }
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(call.stream), service).await;
    })
}

#[tokio::test]
async fn http_2_is_spoken_if_agreed_on_and_its_connection_kept() {
    let authority = Authority::new();
    let peer = http2_peer(&authority);
    let client = authority.client();
    for _ in 0..2 {
        let answered = send(&client, &peer.https()).await;
        assert_eq!(answered.outcome, AttemptOutcome::Status(200));
        assert_eq!(answered.answer.as_bytes(), b"HTTP/2.0");
    }
    assert_eq!(peer.connections(), 1);
    // These headers exceed all bounds. The next webhook uses a new connection.
    assert_eq!(fault(send(&client, &peer.https()).await.outcome), AttemptFault::NotHttp);
    assert_eq!(send(&client, &peer.https()).await.outcome, AttemptOutcome::Status(200));
    assert_eq!(peer.connections(), 2);
}

#[test]
fn no_client_is_built_with_a_file_without_authorities() {
    let authority = Authority::new();
    std::fs::write(&authority.file, "nothing").unwrap();
    for file in [authority.file.clone(), PathBuf::from("/no/such/file.pem")] {
        let settings = WebhookSettings { limits: limits(), ..settings(Some(file)) };
        let words = WebhookClient::new(&settings).err().unwrap().to_string();
        assert!(words.starts_with("the file of extra certificate authorities cannot be used"), "{words}");
    }
}
