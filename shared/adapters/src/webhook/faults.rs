//! Names the faults of an attempt in the domain's words, without the URL and without anything that the partner wrote.

use std::{error::Error, io};

use domain::outbound::attempt::{AttemptFault, Phase, TlsFault};
use rustls::{CertificateError, Error as TlsError};

use super::resolve::Unresolved;

/// Describes a request on a kept connection that the partner closed at the same moment.
pub(super) const CLOSED_MEANWHILE: &str =
    "the partner closed a kept connection as the request was sent: it may have come or not";

/// Describes a partner that sent more bytes than an attempt allows before the head of the answer was complete.
pub(super) const TOO_MUCH: &str = "the partner sent more than 64 KiB before its answer's head was complete";

/// Holds the facts about an attempt that its error lacks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// Is true for https.
    pub(super) secure: bool,
    /// Is true if the attempt needed no new connection.
    pub(super) on_kept: bool,
    /// Says how long the attempt took, in milliseconds.
    pub(super) after_ms: u32,
}

/// Returns the fault for a request without an answer.
pub(super) fn of(error: &reqwest::Error, circumstances: Circumstances) -> AttemptFault {
    let Circumstances { secure, on_kept, after_ms } = circumstances;
    let timed_out = |waiting_for| AttemptFault::TimedOut { waiting_for, after_ms };
    match in_chain::<Unresolved>(error) {
        Some(Unresolved::Fault(fault)) => return fault.clone(),
        Some(Unresolved::TimedOut) => return timed_out(Phase::Resolve),
        None => {}
    }
    // With TLS 1.3 a server can refuse its client after the client considers the handshake finished.
    if let Some(error) = in_chain::<TlsError>(error) {
        return AttemptFault::Tls(tls(error));
    }
    if error.is_connect() {
        return match innermost_io(error) {
            Some(error) if error.kind() != io::ErrorKind::TimedOut || is_of_system(error) => connecting(error, secure),
            _ if error.is_timeout() => timed_out(Phase::Connect),
            _ => AttemptFault::Disconnected,
        };
    }
    if error.is_timeout() {
        return timed_out(Phase::Headers);
    }
    if error.is_builder() {
        return AttemptFault::Other("not sent: the URL is not fit for a request".to_owned());
    }
    let not_http1 = in_chain::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    let not_http2 = in_chain::<h2::Error>(error).is_some_and(|error| !error.is_remote() && !error.is_io());
    if not_http1 || not_http2 {
        AttemptFault::NotHttp
    } else if on_kept {
        AttemptFault::Other(CLOSED_MEANWHILE.to_owned())
    } else {
        AttemptFault::Disconnected
    }
}

/// Returns the fault for a connection that could not be opened.
fn connecting(error: &io::Error, secure: bool) -> AttemptFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => AttemptFault::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied
        // The operating system gave up before our own limit ended.
        | io::ErrorKind::TimedOut => AttemptFault::Unreachable,
        // TCP reports these errors only on an open connection. They therefore mean that the TLS handshake was
        // interrupted.
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            if secure { AttemptFault::Tls(TlsFault::Handshake) } else { AttemptFault::Disconnected }
        }
        kind => AttemptFault::Other(format!("could not connect: {kind}")),
    }
}

/// Returns true for errors of the operating system. Returns false for errors of a library, such as hyper when it gives
/// up on an address.
fn is_of_system(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
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

/// Returns the error and its causes. An `io::Error` that wraps another error hides it from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    })
}

fn in_chain<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

/// Returns the innermost `io::Error`. The outer ones only wrap it.
fn innermost_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    causes(error).filter_map(|error| error.downcast_ref::<io::Error>()).last()
}
