//! What went wrong, in the domain's words: never the URL, and never what the partner wrote.

use std::{error::Error, io};

use domain::attempt::{AttemptFault, TlsFault};
use rustls::{CertificateError, Error as TlsError};

/// Why there is no connection.
pub(super) fn connecting(error: &io::Error) -> AttemptFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => AttemptFault::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied
        // The system gave up before we did.
        | io::ErrorKind::TimedOut => AttemptFault::Unreachable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => AttemptFault::Disconnected,
        kind => AttemptFault::Other(format!("could not connect: {kind}")),
    }
}

/// Why a connection could not be made secure.
pub(super) fn securing(error: &io::Error) -> AttemptFault {
    AttemptFault::Tls(in_chain::<TlsError>(error).map_or(TlsFault::Handshake, tls))
}

fn tls(error: &TlsError) -> TlsFault {
    match error {
        TlsError::NoCertificatesPresented => TlsFault::BadCertificate,
        TlsError::InvalidCertificate(fault) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongHost,
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            CertificateError::Revoked => TlsFault::Revoked,
            _ => TlsFault::BadCertificate,
        },
        _ => TlsFault::Handshake,
    }
}

/// Why a request was not answered.
pub(super) fn sending(error: &hyper::Error) -> AttemptFault {
    if in_chain::<TlsError>(error).is_some() {
        // TLS 1.3 refuses a client only after it thinks that the handshake is done.
        return AttemptFault::Tls(TlsFault::Handshake);
    }
    let not_http2 = in_chain::<h2::Error>(error).is_some_and(|error| !error.is_remote() && !error.is_io());
    if error.is_parse() || not_http2 { AttemptFault::NotHttp } else { AttemptFault::Disconnected }
}

/// The first error of this type among an error and its causes. An `io::Error` that wraps one does not name it as its
/// cause, but itself.
fn in_chain<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|inner| inner.downcast_ref::<E>()) {
            return Some(found);
        }
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
