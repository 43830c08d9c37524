//! Describes one attempt to deliver a webhook: its outcome, and the consequence for the delivery.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::outbound::address::Blocked;
use crate::outbound::macros::WebhookMacro;
use crate::outbound::retry::RetryAfter;
use crate::prelude::*;
use crate::values::time::UnixMillis;

/// Bounds the kept part of a partner's answer, in bytes.
pub const MAX_ANSWER_BYTES: usize = 256;

/// Says how an attempt ended. Once the head of an answer is complete, the status decides, even if the body never ends:
/// 200 with an endless body counts as 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The partner answered with this status code.
    Status(u16),
    /// The partner sent no answer with a complete head.
    Fault(AttemptFault),
}

/// Names the consequence of an outcome for the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The partner has received the webhook.
    Delivered,
    /// The partner refuses this webhook for good.
    Gone,
    /// The webhook must be sent again.
    Failed,
    /// The webhook cannot be sent with its values, so another attempt would fail in the same way.
    Unsendable,
}

impl Verdict {
    /// Returns the verdict's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Failed => "failed",
            Self::Unsendable => "unsendable",
        }
    }
}

impl AttemptOutcome {
    /// Returns the status code of the answer, or `None` if there was no answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(code) => Some(*code),
            Self::Fault(_) => None,
        }
    }

    /// Returns the verdict: 2xx means delivered, 410 means gone, and a value that the URL cannot take means unsendable.
    /// Everything else means failed, including redirects.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Status(200..=299) => Verdict::Delivered,
            Self::Status(410) => Verdict::Gone,
            Self::Fault(AttemptFault::UnsafeValue(_) | AttemptFault::MissingValue(_)) => Verdict::Unsendable,
            Self::Status(_) | Self::Fault(_) => Verdict::Failed,
        }
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code @ 300..=399) => write!(f, "answered {code}, a redirect, which is never followed"),
            Self::Status(code) => write!(f, "answered {code}"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// Says why there was no answer. The displayed text never contains the URL, because the URL's query must not be logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFault {
    /// The host's name did not resolve.
    Dns(DnsFault),
    /// The host resolved to an address that must not be dialled.
    Blocked(Blocked),
    /// The connection was refused.
    Refused,
    /// No route leads to the host.
    Unreachable,
    /// The TLS connection failed.
    Tls(TlsFault),
    /// The attempt took too long.
    TimedOut {
        /// Names the phase in which the time ran out.
        waiting_for: Phase,
        /// Counts the milliseconds since the attempt began.
        after_ms: u32,
    },
    /// The connection broke before an answer came.
    Disconnected,
    /// The answer was not HTTP, or its headers were too large.
    NotHttp,
    /// The request was not sent, because the value of this macro would make the URL lead elsewhere.
    UnsafeValue(WebhookMacro),
    /// The request was not sent, because the delivery has no value for this macro of the URL.
    MissingValue(WebhookMacro),
    /// Something else failed. The text does not contain the URL.
    Other(String),
}

/// Says why a name did not resolve to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsFault {
    /// The name does not exist.
    NoSuchName,
    /// The name has no address.
    NoAddress,
    /// The name servers did not answer.
    NoAnswer,
}

/// Says why a TLS connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate belongs to another host.
    WrongHost,
    /// No authority that we trust signed the certificate.
    UnknownIssuer,
    /// The certificate was revoked.
    Revoked,
    /// The certificate is broken or meant for another use.
    BadCertificate,
    /// The two sides have no protocol in common, or one side broke off.
    Handshake,
}

/// Names the phases of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The host's name is being resolved.
    Resolve,
    /// The connection is being opened, with TLS where the URL asks for it.
    Connect,
    /// The TLS handshake is under way. Only attempts of earlier versions have this phase; it is now part of `Connect`.
    Tls,
    /// The request is being written. Only attempts of earlier versions have this phase.
    Send,
    /// The worker waits for the answer's status line and headers.
    Headers,
}

impl fmt::Display for AttemptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(fault) => write!(f, "could not resolve: {}", fault.words()),
            Self::Blocked(blocked) => write!(f, "not sent: {blocked}"),
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable => f.write_str("no route to the host"),
            Self::Tls(fault) => write!(f, "TLS: {}", fault.words()),
            Self::TimedOut { waiting_for, after_ms } => {
                write!(f, "timed out after {} waiting for {}", Seconds(*after_ms), waiting_for.words())
            }
            Self::Disconnected => f.write_str("the connection broke before an answer came"),
            Self::NotHttp => f.write_str("the answer was not HTTP"),
            Self::UnsafeValue(name) => {
                write!(f, "not sent, unsafe_value: the value of {name} would lead the URL elsewhere")
            }
            Self::MissingValue(name) => {
                write!(f, "not sent: the delivery has no value for {name} of the URL")
            }
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// Displays milliseconds as seconds: `10 s`, `2.5 s`, `0.25 s`.
struct Seconds(u32);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:03}", self.0 % 1000);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{}{point}{decimals} s", self.0 / 1000)
    }
}

impl DnsFault {
    fn words(self) -> &'static str {
        match self {
            Self::NoSuchName => "the name does not exist",
            Self::NoAddress => "the name has no address",
            Self::NoAnswer => "the name servers did not answer",
        }
    }
}

impl TlsFault {
    fn words(self) -> &'static str {
        match self {
            Self::Expired => "expired certificate",
            Self::NotYetValid => "certificate not valid yet",
            Self::WrongHost => "certificate for another host",
            Self::UnknownIssuer => "certificate of an unknown issuer",
            Self::Revoked => "revoked certificate",
            Self::BadCertificate => "broken certificate",
            Self::Handshake => "handshake failed",
        }
    }
}

impl Phase {
    fn words(self) -> &'static str {
        match self {
            Self::Resolve => "the host's address",
            Self::Connect => "the connection",
            Self::Tls => "the TLS handshake",
            Self::Send => "the request to be sent",
            Self::Headers => "headers",
        }
    }
}

/// Holds the first 256 bytes of an answer's body. They must be escaped before they are printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnswerExcerpt(#[serde(with = "serde_bytes")] Vec<u8>);

impl AnswerExcerpt {
    /// Keeps the beginning of this body.
    pub fn of(body: &[u8]) -> Self {
        Self(body.get(..MAX_ANSWER_BYTES).unwrap_or(body).to_owned())
    }

    /// Returns the raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns true if no byte is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Escapes control characters and bytes that are not UTF-8, so that the text is harmless to a terminal.
impl fmt::Display for AnswerExcerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if letter.is_control() { write!(f, "{}", letter.escape_default())? } else { write!(f, "{letter}")? }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AnswerExcerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerExcerpt({self})")
    }
}

/// Describes a finished attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedAttempt {
    /// Says when the attempt began, cut to the millisecond.
    pub sent_at: UnixMillis,
    /// Says when the attempt ended. It is rounded up to the millisecond, so that no time that counts from this instant
    /// is early.
    pub ended_at: UnixMillis,
    /// Says how the attempt ended.
    pub outcome: AttemptOutcome,
    /// Holds the beginning of the answer's body.
    pub answer: AnswerExcerpt,
    /// Holds the answer's `Retry-After` header, if the answer had one.
    pub retry_after: Option<RetryAfter>,
}

impl FinishedAttempt {
    /// Returns the report of an attempt that was not sent because of this fault.
    pub fn unsent(fault: AttemptFault, now: UnixMillis) -> Self {
        let outcome = AttemptOutcome::Fault(fault);
        Self { sent_at: now, ended_at: now, outcome, answer: AnswerExcerpt::default(), retry_after: None }
    }
}

/// Holds an attempt as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Numbers the attempt within its round, from 1 to 6.
    pub n: u8,
    /// Says when the attempt was due.
    pub due_at: UnixMillis,
    /// Says when the attempt began.
    pub sent_at: UnixMillis,
    /// Says how long the attempt took, in milliseconds.
    pub duration_ms: u32,
    /// Says how the attempt ended.
    pub outcome: AttemptOutcome,
    /// Holds the beginning of the answer's body.
    #[serde(default, skip_serializing_if = "AnswerExcerpt::is_empty")]
    pub answer: AnswerExcerpt,
}

impl Attempt {
    /// Makes the stored form of attempt `n`.
    pub fn of(n: u8, due_at: UnixMillis, answered: &FinishedAttempt) -> Self {
        let FinishedAttempt { sent_at, ended_at, outcome, answer, .. } = answered.clone();
        let duration_ms = ended_at.as_millisecond().saturating_sub(sent_at.as_millisecond());
        let duration_ms = u32::try_from(duration_ms.max(0)).unwrap_or(u32::MAX);
        Self { n, due_at, sent_at, duration_ms, outcome, answer }
    }

    /// Returns the attempt without the beginning of the answer.
    #[must_use]
    pub fn without_answer(&self) -> Self {
        Self { answer: AnswerExcerpt::default(), outcome: self.outcome.clone(), ..*self }
    }
}

#[cfg(test)]
mod tests;
