//! Makes the certificate authority of this run, and servers with certificates of this authority.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Lists the files in which Linux distributions keep the trusted authorities.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Holds an authority, and the files that make functions trust this authority.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    alone: PathBuf,
    bundle: PathBuf,
}

impl Authority {
    /// Makes a new authority with its files in this folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // OpenSSL considers a certificate self-signed if the subject's name equals the issuer's name.
        params.distinguished_name.push(DnType::CommonName, "the benchmark's authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let (alone, bundle) = (folder.join("authority.pem"), folder.join("authorities.pem"));
        let system = SYSTEM_AUTHORITIES.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        fs::write(&alone, issuer.pem())?;
        fs::write(&bundle, system + "\n" + &issuer.pem())?;
        Ok(Self { issuer, alone, bundle })
    }

    /// Returns the file with this authority alone.
    pub fn alone(&self) -> &Path {
        &self.alone
    }

    /// Returns the file with the system's authorities and this one. Reading this file takes as long as reading the
    /// system's file on Lambda.
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// Makes a server on 127.0.0.1 speak TLS as AWS's servers do, with HTTP/1.1 and an elliptic-curve certificate.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        self.acceptor_of(b"http/1.1")
    }

    /// Does the same with this protocol.
    pub fn acceptor_of(&self, protocol: &[u8]) -> Result<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).ok().context("a new key must be readable")?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone(), self.issuer.der().clone()], key)?;
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
