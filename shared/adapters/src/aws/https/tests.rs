use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    named("an authority")
}

fn named(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn trusting(authority: &Authority) -> TrustStore {
    TrustStore::empty().with_pem_certificate(authority.pem())
}

/// Something that answers every request as DynamoDB does when there is no table; its port.
async fn dynamodb(authority: &Authority) -> u16 {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust us hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            while !matches!(stream.read(&mut request).await, Ok(0) | Err(_)) {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"TableNames\":[]}";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    port
}

/// A client that has as many attempts as a function's calls have.
fn client_of(https: Https, port: u16) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .endpoint_url(format!("https://localhost:{port}"))
        .http_client(SharedHttpClient::new(https));
    Client::from_conf(config.build())
}

#[tokio::test]
async fn a_server_of_amazons_is_answered_without_the_systems_authorities() {
    let amazon = authority();
    let https = Https::new(trusting(&amazon), TrustStore::empty());
    let strange = https.strange.clone();
    let answer = client_of(https, dynamodb(&amazon).await).list_tables().send().await.unwrap();
    assert!(answer.table_names().is_empty());
    assert!(!strange.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_server_that_only_the_systems_authorities_vouch_for_is_answered_within_one_call() {
    // Known by no name, and of a name that is known.
    for others in [named("another"), authority()] {
        let https = Https::new(trusting(&authority()), trusting(&others));
        let client = client_of(https, dynamodb(&others).await);
        client.list_tables().send().await.unwrap();
        client.list_tables().send().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_told_nothing() {
    let https = Https::new(trusting(&authority()), trusting(&authority()));
    let fault = client_of(https, dynamodb(&authority()).await).list_tables().send().await.unwrap_err();
    assert!(is_of_strangers(&fault), "{fault:?}");
}

#[tokio::test]
async fn a_connection_that_is_refused_is_no_doubt_about_amazon() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let https = Https::new(trusting(&authority()), TrustStore::empty());
    let strange = https.strange.clone();
    client_of(https, port).list_tables().send().await.unwrap_err();
    assert!(!strange.load(Ordering::Relaxed));
}

#[test]
fn the_authorities_have_the_keys_that_amazon_publishes() {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(AMAZON.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let key_hash = |key: &[u8]| {
        // The key without its outermost tag: given back to it, as DER has it.
        let length = u16::try_from(key.len()).unwrap().to_be_bytes();
        let tag: &[u8] = match key.len() {
            ..0x80 => &[0x30, length[1]],
            0x80..0x100 => &[0x30, 0x81, length[1]],
            _ => &[0x30, 0x82, length[0], length[1]],
        };
        data_encoding::HEXLOWER.encode(&Sha256::digest([tag, key].concat()))
    };
    let hashes: Vec<String> = roots.roots.iter().map(|root| key_hash(&root.subject_public_key_info)).collect();
    let published = [
        "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
        "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
        "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
        "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
        "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
    ];
    assert_eq!(hashes, published);
}

#[test]
fn a_bundle_without_a_certificate_is_refused_and_its_content_is_not_told() {
    let path = std::env::temp_dir().join(format!("ca-bundle-test-{}.pem", std::process::id()));
    for content in ["", "secret", "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n"] {
        fs::write(&path, content).unwrap();
        let fault = CaBundle::read(&path).unwrap_err();
        assert_eq!(fault.to_string(), "it is not a list of certificates in PEM");
    }
    fs::write(&path, authority().pem()).unwrap();
    assert!(CaBundle::read(&path).is_ok());
    fs::remove_file(&path).unwrap();
    assert!(matches!(CaBundle::read(&path), Err(CaBundleFault::File(_))));
}
