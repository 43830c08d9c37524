use std::{path::PathBuf, sync::Arc};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Holds a file with this content, deleted when it is dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ca-bundle-{name}-{}.pem", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Starts a server that answers every request like a DynamoDB without tables. Returns the server's port.
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
            // A client that does not trust the server hangs up.
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

async fn is_answered(http: SharedHttpClient, port: u16) -> bool {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .endpoint_url(format!("https://localhost:{port}"))
        .http_client(http);
    Client::from_conf(config.build()).list_tables().send().await.is_ok()
}

#[tokio::test]
async fn a_server_is_trusted_only_with_the_bundle() {
    let ours = authority();
    let (bundle, port) = (File::new("one", &ours.pem()), dynamodb(&ours).await);
    assert!(is_answered(client(Some(&bundle.0)).unwrap(), port).await);
    assert!(!is_answered(client(None).unwrap(), port).await);
}

#[tokio::test]
async fn every_authority_of_a_bundle_is_trusted_and_no_other() {
    let (first, second) = (authority(), authority());
    let bundle = File::new("two", &format!("{}{}", first.pem(), second.pem()));
    for (authority, trusted) in [(&first, true), (&second, true), (&authority(), false)] {
        assert_eq!(is_answered(client(Some(&bundle.0)).unwrap(), dynamodb(authority).await).await, trusted);
    }
}

#[test]
fn a_bundle_without_certificates_is_refused_without_quoting() {
    for content in ["", "secret", "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n"] {
        let bundle = File::new("broken", content);
        let fault = client(Some(&bundle.0)).unwrap_err();
        assert_eq!(fault.to_string(), "it is not a list of certificates in PEM");
    }
    assert!(matches!(client(Some(Path::new("/nonexistent/bundle.pem"))), Err(CaBundleFault::File(_))));
}
