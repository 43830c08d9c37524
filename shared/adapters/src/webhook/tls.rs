//! Sets up TLS with rustls on ring. Mozilla's certificate authorities are compiled in. Amazon Linux has the same
//! authorities, but reading them costs 0.7 ms at each cold start.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use thiserror::Error;

use super::counted;

/// Says why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsSettingsFault {
    /// The file of extra authorities is at fault.
    #[error("the file of extra certificate authorities cannot be used: {0}")]
    ExtraAuthorities(String),
    /// Our choice of algorithms is at fault.
    #[error("TLS cannot be set up: {0}")]
    Algorithms(#[from] rustls::Error),
}

/// Returns settings that verify certificates and offer HTTP/2 and HTTP/1.1, since reqwest adds no protocols itself.
pub(super) fn config(extra_authorities: Option<&Path>) -> Result<ClientConfig, TlsSettingsFault> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_authorities {
        add(&mut roots, path)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(counted::provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsSettingsFault> {
    let fault = |words: String| TlsSettingsFault::ExtraAuthorities(words);
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    let before = roots.len();
    for certificate in certificates {
        roots.add(certificate.map_err(|error| fault(error.to_string()))?)?;
    }
    if roots.len() == before { Err(fault("it contains no certificates".to_owned())) } else { Ok(()) }
}
