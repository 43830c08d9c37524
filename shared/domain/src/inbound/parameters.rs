//! Reads the parameters of a request from the raw query string and the body.
//!
//! A gateway's parameter map joins repeated parameters with commas and loses their encoding. Partners must be told of
//! repeated and badly encoded parameters, so this module reads the raw text. Splitting never fails. A value is checked
//! only when it is read, so that one answer can list every fault. Names that mean nothing are never checked.

use alloc::borrow::Cow;

use percent_encoding::{CONTROLS, percent_decode, percent_encode};

use crate::inbound::astray;
use crate::inbound::body::{Body, Member};
use crate::inbound::fault::{self, Fault, FaultCode};
use crate::prelude::*;
use crate::values::ids::MAX_ID_BYTES;
use crate::values::parameter_names::MAX_NAME_BYTES;
use crate::values::signature;

/// Bounds the raw query string, in bytes. API Gateway itself stops at about 10 KB for the request line and headers.
pub const MAX_QUERY_BYTES: usize = 8 * 1024;
/// Bounds the body, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// Bounds the number of parameters in query and body together.
pub const MAX_PARAMETERS: usize = 64;
/// Bounds the raw value of a known parameter, in bytes. It is the size of the longest id with every byte
/// percent-encoded. A longer value is refused unread.
pub const MAX_VALUE_BYTES: usize = 3 * MAX_ID_BYTES;

/// Names the parameter that stands for a body that cannot be read. The name is a replacement character, which no sender
/// uses.
const UNREADABLE: &[u8] = "\u{fffd}".as_bytes();

/// Holds a request's parameters as they were sent, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    pairs: Vec<Pair<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// Holds the decoded name. It is decoded once, because each name is compared many times.
    decoded: Cow<'a, [u8]>,
    /// Holds the reason if the value cannot be read.
    fault: Option<&'a Fault>,
    /// Is true for a JSON number with a point or an exponent.
    is_fraction: bool,
}

impl Pair<'_> {
    fn is_named(&self, name: &str) -> bool {
        self.decoded.as_ref() == name.as_bytes()
    }

    /// Returns true if `is_known` holds for the name. No known name has a `%`, so it does not matter if an escape is
    /// broken.
    fn has_name_that(&self, is_known: impl Fn(&str) -> bool) -> bool {
        core::str::from_utf8(&self.decoded).is_ok_and(is_known)
    }
}

impl<'a> Parameters<'a> {
    /// Splits a raw query string and a raw form-encoded body.
    pub fn split(query: &'a [u8], body: &'a [u8]) -> Self {
        let pairs = segments(query, body)
            .map(|segment| {
                let mut halves = segment.splitn(2, |byte| *byte == b'=');
                let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
                Pair { name, value, decoded: bytes(name), fault: None, is_fraction: false }
            })
            .collect();
        Self { pairs }
    }

    /// Joins the parameters of a raw query string and of a body.
    pub fn of(query: &'a [u8], body: &'a Body<'a>) -> Self {
        let (form, members): (&[u8], &[Member]) = match body {
            Body::Form(form) => (form, &[]),
            Body::Json(members) => (b"", members),
            Body::Unreadable { .. } => (b"", &[]),
        };
        let mut sent = Self::split(query, form);
        sent.pairs.extend(members.iter().map(|Member { name, value, fault, is_fraction }| {
            let (name, value, is_fraction) = (name.as_bytes(), value.as_bytes(), *is_fraction);
            Pair { name, value, decoded: bytes(name), fault: fault.as_ref(), is_fraction }
        }));
        if let Body::Unreadable { text, fault } = body {
            sent.pairs.push(Pair {
                name: UNREADABLE,
                value: text.as_bytes(),
                decoded: Cow::Borrowed(UNREADABLE),
                fault: Some(fault),
                is_fraction: false,
            });
        }
        sent
    }

    /// Returns a fault for each part that is too large. Nothing is parsed for this check.
    pub fn size_faults(query: &[u8], body: &[u8]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (what, bytes, limit) in [("query", query.len(), MAX_QUERY_BYTES), ("body", body.len(), MAX_BODY_BYTES)] {
            if bytes > limit {
                faults.push(Fault::whole(
                    FaultCode::TooLarge,
                    format!("a {what} of at most {limit} bytes; this one has {bytes}"),
                    "send only the agreed parameters, each once",
                ));
            }
        }
        faults
    }

    /// Returns a fault if there are too many parameters. Nothing is decoded for this check.
    pub fn count_fault(&self) -> Option<Fault> {
        (self.pairs.len() > MAX_PARAMETERS).then(|| {
            let expected = format!("at most {MAX_PARAMETERS} parameters");
            Fault::whole(FaultCode::TooManyParameters, expected, "send only the agreed parameters, each once")
        })
    }

    /// Returns the fault of a body that cannot be read, or the faults of those values in a body that cannot be read.
    /// `is_meant` decides by the name if a value matters, and is told if the value is null or empty. Values under other names
    /// are ignored, whatever they are.
    pub fn body_faults(&self, is_meant: impl Fn(&str, bool) -> bool) -> Vec<Fault> {
        let faults = self.pairs.iter().filter_map(|pair| Some((pair, pair.fault?)));
        let meant = faults.filter(|(pair, fault)| {
            let is_empty = || matches!(astray::readable(pair.value).as_ref(), "[]" | "{}");
            let says_nothing = fault.code == FaultCode::NullValue || is_empty();
            pair.name == UNREADABLE || is_meant(&astray::readable(pair.name), says_nothing)
        });
        meant.map(|(_, fault)| fault.clone()).collect()
    }

    /// Returns a fault for each of these names that is repeated. Other names mean nothing, so they are ignored however they
    /// are spelt or repeated.
    pub fn repeated<'n>(&self, known: impl Iterator<Item = &'n str>) -> Vec<Fault> {
        let is_repeated = |name: &&str| self.pairs.iter().filter(|pair| pair.is_named(name)).nth(1).is_some();
        let fault = |name: &str| {
            let fix = "remove all but one; your tracker may append a parameter that your template already has";
            Fault::of(name, FaultCode::Repeated, "each parameter once, in the query or in the body", fix)
        };
        known.filter(is_repeated).map(fault).collect()
    }

    /// Returns the unknown names, as far as people can read them, in order. They are ignored, and the receipt lists them.
    pub fn others(&self, is_known: impl Fn(&str) -> bool) -> Vec<String> {
        let names = self
            .pairs
            .iter()
            .filter(|pair| !pair.name.is_empty() && pair.fault.is_none_or(|_| pair.name != UNREADABLE));
        let unknown = names.filter(|pair| !pair.has_name_that(&is_known));
        let mut others: Vec<String> = unknown.map(|pair| shown(pair.name)).filter(|name| !name.is_empty()).collect();
        others.sort();
        others.dedup();
        others
    }

    /// Returns readable names and values for a search, decoded leniently.
    pub(super) fn searchable(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.first().map(|pair| (astray::readable(pair.name), astray::readable(pair.value)))
    }

    /// Returns the parameters with an unknown name. Names are decoded leniently, and values are as they were sent. An object
    /// or an array of a JSON body is given as its text.
    pub(super) fn unknown(&self, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = (Cow<'a, str>, &'a [u8])> {
        let unknown = self.first().filter(move |pair| !pair.has_name_that(&is_known));
        unknown.map(|pair| (astray::readable(pair.name), pair.value))
    }

    /// Returns the parameters to search: the first [`MAX_PARAMETERS`], because a call that has more is refused for their
    /// number, and none with a longer name than a name and a value of ours have together.
    fn first(&self) -> impl Iterator<Item = &Pair<'a>> {
        let is_text = |fault: &Fault| fault.code == FaultCode::NestedValue;
        let with_text = self.pairs.iter().filter(move |pair| pair.fault.is_none_or(is_text));
        with_text.take(MAX_PARAMETERS).filter(|pair| pair.name.len() <= 2 * MAX_VALUE_BYTES)
    }

    /// Returns the first readable value under this name, as it was sent.
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.readable().find(|pair| pair.is_named(name)).map(|pair| pair.value)
    }

    /// Returns true if the body as a whole cannot be read, so that nobody knows which parameters it has.
    pub fn has_unreadable_body(&self) -> bool {
        self.pairs.iter().any(|pair| pair.name == UNREADABLE && pair.fault.is_some())
    }

    /// Returns true if a value under this name cannot be read. [`Self::body_faults`] gives the reason.
    pub fn is_unreadable(&self, name: &str) -> bool {
        self.pairs.iter().any(|pair| pair.fault.is_some() && pair.is_named(name))
    }

    /// Returns true if the value under this name is a JSON number with a point or an exponent.
    pub fn is_fraction(&self, name: &str) -> bool {
        self.pairs.iter().any(|pair| pair.is_fraction && pair.is_named(name))
    }

    fn readable(&self) -> impl Iterator<Item = &Pair<'a>> {
        self.pairs.iter().filter(|pair| pair.fault.is_none())
    }

    /// Returns true if the last parameter has no value, as in a URL that was cut at a raw `#`.
    pub fn ends_empty(&self) -> bool {
        self.pairs.last().is_some_and(|pair| pair.value.is_empty())
    }

    /// Returns true if no parameter was sent.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Returns the text that a signature is made over. It has every parameter except `signature`, and also those in
    /// `besides`.
    pub fn canonical(&self, besides: &[(&str, &str)]) -> String {
        let sent: Vec<_> = self
            .pairs
            .iter()
            .filter(|pair| !pair.is_named(SIGNATURE))
            .map(|pair| (bytes(pair.name), bytes(pair.value)))
            .collect();
        let besides = besides.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        signature::canonical(sent.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).chain(besides))
    }

    /// Counts the bytes of the text that [`Self::to_kept_text`] writes, before bytes that are not UTF-8 are replaced.
    pub fn kept_bytes(&self) -> usize {
        let pairs = self.pairs.iter().filter(|pair| !pair.is_named(SIGNATURE));
        let mark = |pair: &Pair| if pair.fault.is_some() { char::REPLACEMENT_CHARACTER.len_utf8() } else { 0 };
        let bytes = pairs.map(|pair| pair.name.len() + mark(pair) + pair.value.len() + "=&".len());
        bytes.sum::<usize>().saturating_sub("&".len())
    }

    /// Returns the parameters as one form-encoded text without the signature, to be kept with a refusal.
    ///
    /// A replacement character precedes each value that cannot be read, so that the text is never treated as the
    /// partner's own request.
    pub fn to_kept_text(&self) -> String {
        let mut text = String::new();
        for pair in self.pairs.iter().filter(|pair| !pair.is_named(SIGNATURE)) {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(&String::from_utf8_lossy(pair.name));
            text.push('=');
            if pair.fault.is_some() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            text.push_str(&String::from_utf8_lossy(pair.value));
        }
        text
    }
}

/// Names the parameter that carries a request's signature. It is never part of the signed text.
pub const SIGNATURE: &str = "signature";

/// Names the parameter that asks us to check a call without recording it.
pub const DRY_RUN: &str = "dry_run";

/// Decodes one name or value: `+` is a space and `%xx` a byte of UTF-8.
///
/// It is stricter than a browser: a `%` that is not followed by two hexadecimal digits is a fault, not a percent sign.
pub fn decode(raw: &[u8]) -> Result<String, FaultCode> {
    decoded(raw).map(Cow::into_owned)
}

/// Decodes like [`decode`], and copies the text only if something is encoded.
fn decoded(raw: &[u8]) -> Result<Cow<'_, str>, FaultCode> {
    let digit = |at: usize| raw.get(at).is_some_and(u8::is_ascii_hexdigit);
    let bytes = bytes(raw);
    let broken = |(at, byte): (usize, &u8)| *byte == b'%' && !(digit(at + 1) && digit(at + 2));
    match bytes {
        Cow::Borrowed(plain) => core::str::from_utf8(plain).map(Cow::Borrowed).map_err(|_| FaultCode::NotUtf8),
        Cow::Owned(_) if raw.iter().enumerate().any(broken) => Err(FaultCode::BadPercentEncoding),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| FaultCode::NotUtf8),
    }
}

/// Returns the non-empty pieces between the `&`s.
fn segments<'a>(query: &'a [u8], body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let pieces = query.split(|byte| *byte == b'&').chain(body.split(|byte| *byte == b'&'));
    pieces.filter(|segment| !segment.is_empty())
}

/// Returns a name for people: decoded if that is possible without control characters, and cut if it is long.
fn shown(raw: &[u8]) -> String {
    let readable = decoded(raw).ok().filter(|name| !name.chars().any(char::is_control)).map(Cow::into_owned);
    let as_sent = || percent_encode(raw, CONTROLS).to_string();
    fault::cut(readable.unwrap_or_else(as_sent), MAX_NAME_BYTES)
}

fn is_plain(raw: &[u8]) -> bool {
    !raw.iter().any(|byte| matches!(byte, b'%' | b'+'))
}

/// Decodes the bytes, and borrows them if nothing is encoded.
fn bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    if is_plain(raw) {
        return Cow::Borrowed(raw);
    }
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plus_is_a_space_and_a_percent_needs_two_digits() {
        assert_eq!(decode(b"a+b%2Bc%20d"), Ok("a b+c d".to_owned()));
        assert_eq!(decode(b"100%"), Err(FaultCode::BadPercentEncoding));
        assert_eq!(decode(b"%4"), Err(FaultCode::BadPercentEncoding));
        assert_eq!(decode(b"%zz"), Err(FaultCode::BadPercentEncoding));
        assert_eq!(decode(b"%ff"), Err(FaultCode::NotUtf8));
        assert_eq!(decode("zażółć".as_bytes()), Ok("zażółć".to_owned()));
    }

    #[test]
    fn a_repeated_parameter_is_found_in_any_place_and_encoding() {
        for (query, body) in [("a=1&a=1", ""), ("a=1", "a=2"), ("a=1&%61=2", ""), ("", "b=1&a=1&c=3&a=&a=4")] {
            let sent = Parameters::split(query.as_bytes(), body.as_bytes());
            let faults = sent.repeated(["a", "b", "d"].into_iter());
            assert_eq!(faults.len(), 1, "{query} {body}");
            assert_eq!((faults[0].parameter.as_deref(), faults[0].code), (Some("a"), FaultCode::Repeated));
            assert!(sent.repeated(["b", "c"].into_iter()).is_empty());
        }
    }

    #[test]
    fn unknown_names_are_shown_to_people_however_they_are_spelt() {
        for (query, shown) in [
            ("b=1&a%20b=2&b=3", &["a b", "b"][..]),
            ("%1b%5b31m=1&x%0a=1", &["%1b%5b31m", "x%0a"]),
            ("=x&&=", &[]),
            ("tags[]=1&tags[]=2", &["tags[]"]),
            ("%zz=1&%ff=1", &["%ff", "%zz"]),
            ("known=1", &[]),
        ] {
            let sent = Parameters::split(query.as_bytes(), b"");
            assert_eq!(sent.others(|name| name == "known"), shown, "{query}");
        }
        let long = format!("{}=1", "n".repeat(5000));
        let others = Parameters::split(long.as_bytes(), b"\x1b=1").others(|_| false);
        assert_eq!(others, ["%1B".to_owned(), format!("{}…", "n".repeat(61))]);
    }

    #[test]
    fn at_most_sixty_four_parameters_are_accepted() {
        let many = |count: usize| "a=1&".repeat(count);
        let count_fault = |query: &str, body: &str| Parameters::split(query.as_bytes(), body.as_bytes()).count_fault();
        for (query, body) in [(64, 0), (0, 64), (32, 32)] {
            assert!(count_fault(&many(query), &many(body)).is_none());
            assert!(count_fault(&many(query + 1), &many(body)).is_some());
        }
        assert!(count_fault(&"&".repeat(500), "").is_none());
    }

    #[test]
    fn a_kept_request_has_no_signature() {
        let parameters = Parameters::split(b"a=1&signature=abc&%73ignature=x", b"b=%20");
        assert_eq!(parameters.to_kept_text(), "a=1&b=%20");
        assert_eq!(parameters.kept_bytes(), "a=1&b=%20".len());
        assert_eq!(parameters.canonical(&[("provider", "acme")]), "a=1&b=%20&provider=acme");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(query in prop::collection::vec(any::<u8>(), 0..200), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let parameters = Parameters::split(&query, &body);
            let _ = (Parameters::size_faults(&query, &body), parameters.count_fault(), parameters.others(|_| false), parameters.canonical(&[]), parameters.to_kept_text());
        }

        #[test]
        fn an_encoded_text_decodes_to_itself(text in ".{0,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&text, signature::STRICT).to_string();
            prop_assert_eq!(decode(encoded.as_bytes()), Ok(text));
        }
    }
}
