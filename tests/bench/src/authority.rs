//! A certificate authority of this run's own, and the servers that it vouches for.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where distributions keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// An authority, and the files by which functions come to trust it.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    alone: PathBuf,
    bundle: PathBuf,
}

impl Authority {
    /// A new one, with its files in this folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // OpenSSL takes a certificate for self-signed whose names are its issuer's.
        params.distinguished_name.push(DnType::CommonName, "the benchmark's authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let (alone, bundle) = (folder.join("authority.pem"), folder.join("authorities.pem"));
        let system = SYSTEM_AUTHORITIES.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        fs::write(&alone, issuer.pem())?;
        fs::write(&bundle, system + "\n" + &issuer.pem())?;
        Ok(Self { issuer, alone, bundle })
    }

    /// A file with this authority alone.
    pub fn alone(&self) -> &Path {
        &self.alone
    }

    /// A file with the system's own authorities and this one: as many to read as on Lambda.
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// What makes a server on 127.0.0.1 speak TLS as AWS's do: HTTP/1.1, an elliptic-curve certificate.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).ok().context("a key that was just made")?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone(), self.issuer.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
