//! Reads a request's body, which holds parameters either form-encoded or as one flat JSON object.
//!
//! A JSON object is turned into form-encoded parameters here, so all later code, from the signed text to a kept
//! refusal, handles only one form. A number keeps its original text, because [`RawValue`] does not convert the number.
//! The feature `arbitrary_precision` of `serde_json` would keep the text too, but Cargo unites features, so the feature
//! would change how every crate of the program reads numbers. Reading takes time in proportion to the body, and nested
//! values take no stack.

use alloc::borrow::Cow;
use core::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode, utf8_percent_encode};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::inbound::fault::{Fault, FaultCode};
use crate::inbound::refusal::MAX_KEPT_REQUEST_BYTES;
use crate::prelude::*;
use crate::values::parameter_names::MAX_NAME_BYTES;
use crate::values::signature::STRICT;

/// Names the media type of form-encoded parameters.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// Names the media type of a JSON object.
pub const JSON: &str = "application/json";

/// Lists the characters that are encoded because they would break the kept text of a request. All others stay readable.
const KEPT: &AsciiSet = &CONTROLS.add(b'%').add(b'&').add(b'+');

/// Holds a request's body as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// Holds form-encoded parameters. An absent body is empty here.
    Form(&'a [u8]),
    /// Holds the members of a JSON object, in order.
    Json(Vec<Member>),
    /// Holds a body that cannot be read.
    Unreadable {
        /// Holds the body as text for people. Characters that would break the kept text of a request are
        /// percent-encoded.
        text: String,
        /// Holds the reason why the body cannot be read.
        fault: Fault,
    },
}

/// Holds one member of a JSON object. Name and value are percent-encoded, as in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub(super) name: String,
    pub(super) value: String,
    /// Holds the reason if a parameter cannot have this value. `value` then holds the JSON text.
    pub(super) fault: Option<Fault>,
    /// Is true for a number with a point or an exponent, which programs write for a number that lost digits.
    pub(super) is_fraction: bool,
}

impl<'a> Body<'a> {
    /// Holds a body that is too large to be read. Its beginning is kept for people.
    pub fn too_large(bytes: &[u8], fault: Fault) -> Self {
        let beginning = bytes.get(..MAX_KEPT_REQUEST_BYTES).unwrap_or(bytes);
        Self::Unreadable { text: percent_encode(beginning, KEPT).to_string(), fault }
    }

    /// Returns the ways to read a body of another type than it says, by which its signature can be checked.
    pub fn readings(bytes: &'a [u8]) -> impl Iterator<Item = Self> {
        [Some(Self::Form(bytes)), members(bytes).ok().map(Self::Json)].into_iter().flatten()
    }

    /// Reads a body by its media type. Never fails: a fault of the body is reported only after the credential is
    /// checked, so that the request of a partner can be kept.
    pub fn read(bytes: &'a [u8], content_type: Option<&str>, is_post: bool) -> Self {
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let is_form = is_post && media_type.eq_ignore_ascii_case(FORM);
        // Some programs say that every body is a form.
        let looks_like_a_form = !matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'));
        if bytes.is_empty() || (is_form && looks_like_a_form) {
            return Self::Form(bytes);
        }
        let read = if is_form {
            let fix = "say what the body is, for instance content-type: application/json";
            Err((format!("parameters in a body of type {FORM}"), fix))
        } else if !is_post {
            Err(("no body with a GET".to_owned(), "send the parameters in the query, or send a POST"))
        } else if media_type.eq_ignore_ascii_case(JSON) {
            members(bytes)
        } else {
            let fix = "send the parameters in the query, or in the body of a POST with its content type";
            Err((format!("no body, or one of type {FORM} or {JSON}"), fix))
        };
        read.map_or_else(
            |(expected, fix)| Self::Unreadable {
                text: percent_encode(bytes, KEPT).to_string(),
                fault: Fault::whole(FaultCode::UnsupportedBody, expected, fix),
            },
            Self::Json,
        )
    }
}

/// Reads one flat JSON object. Otherwise returns the expected form of the body and how to correct the body.
fn members(bytes: &[u8]) -> Result<Vec<Member>, (String, &'static str)> {
    let text = core::str::from_utf8(bytes)
        .map_err(|_| ("JSON in UTF-8".to_owned(), "write the body as UTF-8, without another charset"))?;
    if text.starts_with('\u{feff}') {
        return Err(("JSON without a byte order mark".to_owned(), "write the body as UTF-8 without the mark"));
    }
    let is_blank = |sign: char| matches!(sign, ' ' | '\t' | '\r' | '\n');
    if !text.trim_start_matches(is_blank).starts_with('{') {
        let fix = r#"send one object, such as {"user_id": "12345"}, without a list around it"#;
        return Err(("one JSON object with a member for each parameter".to_owned(), fix));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let members = json.deserialize_map(Members).map_err(|fault| {
        let expected = format!("valid JSON; it breaks off at line {}, column {}", fault.line(), fault.column());
        (expected, "let a JSON library write the body")
    })?;
    json.end().map_err(|_| ("nothing after the JSON object".to_owned(), "send each postback in a call of its own"))?;
    Ok(members)
}

/// Collects all members of an object, including members with repeated names.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Vec<Member>, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = object.next_entry::<String, &RawValue>()? {
            members.push(Member::of(&name, value.get()));
        }
        Ok(members)
    }
}

impl Member {
    /// Makes a member from a name and the JSON text of the value.
    fn of(name: &str, json: &str) -> Self {
        let flat = |kind: &str| format!("a string, a number, true or false; this value is {kind}");
        let read: Result<Cow<str>, _> = match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(json).map(Cow::Owned).map_err(|_| {
                let expected = "a string of Unicode; this one has half of a surrogate pair".to_owned();
                (FaultCode::NotUtf8, expected, "escape both halves of the character, or send it as UTF-8")
            }),
            Some(b'{' | b'[') => {
                let kind = if json.starts_with('{') { "an object" } else { "an array" };
                Err((
                    FaultCode::NestedValue,
                    flat(kind),
                    "send each value under a name of its own, or leave this one out",
                ))
            }
            Some(b'n') => Err((FaultCode::NullValue, flat("null"), "leave the name out, or send the value")),
            _ => Ok(Cow::Borrowed(json)),
        };
        let encoded = |text: &str| utf8_percent_encode(text, STRICT).to_string();
        let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
        match read {
            Ok(value) => {
                let is_fraction = json.starts_with(|sign: char| sign == '-' || sign.is_ascii_digit())
                    && json.contains(['.', 'e', 'E']);
                Self { name: encoded(name), value: encoded(&value), fault: None, is_fraction }
            }
            Err((code, expected, fix)) => {
                let fault = Some(Fault::of(&shown, code, expected, fix));
                Self { name: encoded(name), value: encoded(json), fault, is_fraction: false }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inbound::parameters::{MAX_BODY_BYTES, Parameters};

    fn json(text: &str) -> Body<'_> {
        Body::read(text.as_bytes(), Some("Application/JSON; charset=utf-8"), true)
    }

    /// Returns the kept text of the parameters, and the faults as pairs of parameter and code.
    fn read(body: &Body<'_>) -> (String, Vec<(Option<String>, FaultCode)>) {
        let sent = Parameters::of(b"", body);
        let faults = sent.body_faults(|_, _| true).into_iter().chain(sent.repeated(["a"].into_iter()));
        let faults = faults.map(|fault| (fault.parameter, fault.code)).collect();
        (sent.to_kept_text(), faults)
    }

    #[test]
    fn strings_numbers_and_booleans_keep_their_text() {
        for (value, kept) in [
            (r#""a b""#, "a%20b"),
            (r#""\u017c\ud83d\ude00\n""#, "%C5%BC%F0%9F%98%80%0A"),
            (r#""""#, ""),
            (r#""null""#, "null"),
            ("1.10", "1.10"),
            ("1e3", "1e3"),
            ("-0", "-0"),
            ("1E-400", "1E-400"),
            ("12345678901234567890.00000000000000000001", "12345678901234567890.00000000000000000001"),
            ("true", "true"),
            ("false", "false"),
        ] {
            let text = format!("{{\"a\" : {value} }}\n");
            assert_eq!(read(&json(&text)), (format!("a={kept}"), Vec::new()), "{text}");
        }
        assert_eq!(read(&json("{}")), (String::new(), Vec::new()));
    }

    #[test]
    fn a_value_that_no_parameter_has_is_told_by_its_name() {
        for (value, code) in [
            ("null", FaultCode::NullValue),
            ("[]", FaultCode::NestedValue),
            (r#"{"b": 1}"#, FaultCode::NestedValue),
            (r#""\ud800""#, FaultCode::NotUtf8),
        ] {
            let text = format!(r#"{{"a": {value}, "c": 1}}"#);
            let body = json(&text);
            let (kept, faults) = read(&body);
            assert_eq!(faults, [(Some("a".to_owned()), code)], "{text}");
            assert!(kept.contains(char::REPLACEMENT_CHARACTER), "it must not be taken for the partner's words: {kept}");
            let sent = Parameters::of(b"", &body);
            assert_eq!((sent.raw("a"), sent.raw("c")), (None, Some(&b"1"[..])));
        }
        let repeated = read(&json(r#"{"a": 1, "\u0061": null}"#)).1;
        assert_eq!(
            repeated.iter().map(|fault| fault.1).collect::<Vec<_>>(),
            [FaultCode::NullValue, FaultCode::Repeated]
        );
        assert_eq!(read(&json(r#"{"": 1}"#)).1, []);
    }

    #[test]
    fn a_body_that_is_no_object_is_told_as_a_whole() {
        for text in [
            "\u{feff}{}",
            "[]",
            "1",
            " ",
            "null",
            "{",
            r#"{"a": 1,}"#,
            r#"{"a": 01}"#,
            r#"{"a": NaN}"#,
            r#"{"a": "line
break"}"#,
            r#"{"\ud800": 1}"#,
            r"{'a': 1}",
            "{} {}",
            "{}x",
        ] {
            let (kept, faults) = read(&json(text));
            assert_eq!(faults, [(None, FaultCode::UnsupportedBody)], "{text}");
            assert!(kept.starts_with("\u{fffd}=\u{fffd}"), "{kept}");
        }
        let latin1 = Body::read(b"{\"a\": \"\xfc\"}", Some(JSON), true);
        assert_eq!(
            read(&latin1),
            ("\u{fffd}=\u{fffd}{\"a\": \"%FC\"}".to_owned(), Vec::from([(None, FaultCode::UnsupportedBody)]))
        );
    }

    #[test]
    fn json_and_xml_that_are_sent_as_a_form_are_refused() {
        for sent in [r#"{"state":"rejected"}"#, "\n [1]", "<a>1</a>"] {
            assert!(matches!(Body::read(sent.as_bytes(), Some(FORM), true), Body::Unreadable { .. }), "{sent}");
        }
    }

    #[test]
    fn a_body_is_read_by_its_type_and_method() {
        for (content_type, is_post, is_read) in [
            (Some(FORM), true, true),
            (Some(JSON), true, true),
            (Some(FORM), false, false),
            (Some(JSON), false, false),
            (Some("text/plain"), true, false),
            (Some("application/jsonp"), true, false),
            (None, true, false),
        ] {
            let sent: &[u8] = if content_type == Some(FORM) { b"a=1" } else { b"{}" };
            let body = Body::read(sent, content_type, is_post);
            assert_eq!(!matches!(body, Body::Unreadable { .. }), is_read, "{content_type:?} {is_post}");
            assert_eq!(Body::read(b"", content_type, is_post), Body::Form(b""));
        }
    }

    #[test]
    fn the_deepest_body_takes_no_stack() {
        let deep = "[".repeat(MAX_BODY_BYTES / 2 - 4);
        let closed = format!("{{\"a\":{deep}{}}}", "]".repeat(deep.len()));
        assert_eq!(read(&json(&closed)).1, [(Some("a".to_owned()), FaultCode::NestedValue)]);
        assert_eq!(read(&json(&format!("{{\"a\":{deep}"))).1, [(None, FaultCode::UnsupportedBody)]);
    }

    proptest! {
        #[test]
        fn an_object_says_the_same_as_a_form(members in prop::collection::vec((".{1,10}", ".{0,20}"), 0..8)) {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let object: Vec<String> = members.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
            let encoded = |text: &str| utf8_percent_encode(text, STRICT).to_string();
            let form: Vec<String> = members.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            let (object, form) = (format!("{{{}}}", object.join(",")), form.join("&"));
            let body = json(&object);
            let (sent, formed) = (Parameters::of(b"q=1", &body), Parameters::split(b"q=1", form.as_bytes()));
            prop_assert_eq!(sent.canonical(&[]), formed.canonical(&[]));
            prop_assert_eq!(sent.others(|_| false), formed.others(|_| false));
            prop_assert_eq!(sent.to_kept_text(), formed.to_kept_text());
        }

        #[test]
        fn a_number_keeps_each_digit(number in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,5})?") {
            let text = format!("{{\"a\":{number}}}");
            let body = json(&text);
            let raw = Parameters::of(b"", &body).raw("a").map(<[u8]>::to_vec);
            prop_assert_eq!(crate::inbound::parameters::decode(&raw.unwrap()), Ok(number));
        }

        #[test]
        fn no_body_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), near in r#"[{}\[\]:,"\\a1un ]{0,20}"#) {
            for bytes in [bytes.as_slice(), near.as_bytes()] {
                let _ = read(&Body::read(bytes, Some(JSON), true));
            }
        }
    }
}
