//! One attempt to deliver a webhook: what came of it, and what that means.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{address::Blocked, moment::Moment, prelude::*, retry::RetryAfter, webhook::Macro};

/// How much of a partner's answer is kept, in bytes.
pub const MAX_ANSWER_BYTES: usize = 256;

/// Says how an attempt ended. An answer whose head is complete counts by its status, even if its body never ends: an
/// endless 200 is delivered, and an endless 500 says 500.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The status code of the answer.
    Status(u16),
    /// There was no answer with a complete head.
    Fault(AttemptFault),
}

/// What an outcome means for its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The partner has it.
    Delivered,
    /// The partner wants no more of it.
    Gone,
    /// It is to be sent again.
    Failed,
}

impl Outcome {
    /// 2xx is delivered, 410 is gone, everything else has failed: a redirect as well, since none is followed.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Status(200..=299) => Verdict::Delivered,
            Self::Status(410) => Verdict::Gone,
            Self::Status(_) | Self::Fault(_) => Verdict::Failed,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code @ 300..=399) => write!(f, "answered {code}, a redirect, which is never followed"),
            Self::Status(code) => write!(f, "answered {code}"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// Why there was no answer. None of its words quotes the URL: its query is nobody's to read in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFault {
    /// The host's name did not lead to an address.
    Dns(DnsFault),
    /// An address that must not be dialled.
    Blocked(Blocked),
    /// Nobody listens there.
    Refused,
    /// No way leads there.
    Unreachable,
    /// The connection was secure to nobody's satisfaction.
    Tls(TlsFault),
    /// It took too long.
    TimedOut {
        /// For what it waited in the end.
        waiting_for: Phase,
        /// How long the attempt had taken by then, in milliseconds.
        after_ms: u32,
    },
    /// The connection broke before there was an answer.
    Disconnected,
    /// What came was not HTTP, or its headers were beyond all bounds.
    NotHttp,
    /// With this participant's value in it, the URL would lead elsewhere: not sent.
    UnsafeValue(Macro),
    /// The URL asks for a value that this delivery does not have: not sent.
    MissingValue(Macro),
    /// Anything else, in few words and without the URL.
    Other(String),
}

/// Why a name did not lead to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsFault {
    /// There is no such name.
    NoSuchName,
    /// The name has no address.
    NoAddress,
    /// Whoever should know did not say.
    NoAnswer,
}

/// Why a connection was not secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not come.
    NotYetValid,
    /// The certificate is another host's.
    WrongHost,
    /// Nobody we trust signed the certificate.
    UnknownIssuer,
    /// The certificate was taken back.
    Revoked,
    /// The certificate is broken or for another use.
    BadCertificate,
    /// The two sides have no way of speaking in common, or one broke off.
    Handshake,
}

/// What an attempt was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The host's address.
    Resolve,
    /// The connection, with TLS where the URL asks for it.
    Connect,
    /// The TLS handshake. Attempts of earlier versions name it; later ones name it `Connect`.
    Tls,
    /// The request to be taken. Attempts of earlier versions name it.
    Send,
    /// The answer's status line and headers.
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
            Self::NotHttp => f.write_str("what came back was not an HTTP answer"),
            Self::UnsafeValue(name) => {
                write!(f, "not sent, unsafe_value: with this {name} the URL would lead elsewhere")
            }
            Self::MissingValue(name) => {
                write!(f, "not sent: the URL asks for {name}, which this delivery does not have")
            }
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// Milliseconds, as a human reads them: `10 s`, `2.5 s`, `0.25 s`.
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
            Self::NoSuchName => "there is no such name",
            Self::NoAddress => "the name has no address",
            Self::NoAnswer => "its name servers gave no answer",
        }
    }
}

impl TlsFault {
    fn words(self) -> &'static str {
        match self {
            Self::Expired => "expired certificate",
            Self::NotYetValid => "certificate not valid yet",
            Self::WrongHost => "certificate of another host",
            Self::UnknownIssuer => "certificate signed by nobody we trust",
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
            Self::Send => "the request to be taken",
            Self::Headers => "headers",
        }
    }
}

/// The first 256 bytes of an answer's body, as they came: a partner's bytes, so nothing to print unescaped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answer(#[serde(with = "serde_bytes")] Vec<u8>);

impl Answer {
    /// What is kept of this body.
    pub fn of(body: &[u8]) -> Self {
        Self(body.get(..MAX_ANSWER_BYTES).unwrap_or(body).to_owned())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// In one line and harmless to a terminal: control characters and bytes that are not UTF-8 as `\x1b`.
impl fmt::Display for Answer {
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

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({self})")
    }
}

/// An attempt as whoever made it reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// When it began, cut to the millisecond.
    pub sent_at: Moment,
    /// When it ended, rounded up to the millisecond: what is counted from it is never early.
    pub ended_at: Moment,
    /// What it ended with.
    pub outcome: Outcome,
    /// The beginning of the answer's body.
    pub answer: Answer,
    /// What the answer asked for.
    pub retry_after: Option<RetryAfter>,
}

impl Answered {
    /// What is reported of an attempt that was not sent for this reason.
    pub fn unsent(fault: AttemptFault, now: Moment) -> Self {
        let outcome = Outcome::Fault(fault);
        Self { sent_at: now, ended_at: now, outcome, answer: Answer::default(), retry_after: None }
    }
}

/// An attempt as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which of its round: 1 to 6.
    pub n: u8,
    /// When it was due.
    pub due_at: Moment,
    /// When it began.
    pub sent_at: Moment,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// What it ended with.
    pub outcome: Outcome,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "Answer::is_empty")]
    pub answer: Answer,
}

impl Attempt {
    /// What is kept of attempt `n`.
    pub fn of(n: u8, due_at: Moment, answered: &Answered) -> Self {
        let Answered { sent_at, ended_at, outcome, answer, .. } = answered.clone();
        let duration_ms = ended_at.as_millisecond().saturating_sub(sent_at.as_millisecond());
        let duration_ms = u32::try_from(duration_ms.max(0)).unwrap_or(u32::MAX);
        Self { n, due_at, sent_at, duration_ms, outcome, answer }
    }
}

#[cfg(test)]
mod tests;
