//! Reads URL templates, and fills in values that cannot change the host or the path segments of the URL.

use core::fmt;

use percent_encoding::{percent_decode, utf8_percent_encode};
use thiserror::Error;
use url::{Host, Position, Url};

use super::{
    allowance::Allowance,
    parts::{Parts, UrlPart},
    url::WebhookUrl,
};
use crate::outbound::address::Blocked;
use crate::outbound::agreed_ids::{AgreedIds, TrackingId};
use crate::outbound::attempt::AttemptFault;
use crate::outbound::macros::{WebhookMacro, WebhookValues};
use crate::prelude::*;
use crate::values::ids::EventLabel;
use crate::values::signature::STRICT;
use crate::values::spelling::same_letters;
use crate::values::url_text;

/// Bounds a template, in bytes. The bound applies both to the written text and to the stored text, which is
/// percent-encoded.
pub const MAX_TEMPLATE_BYTES: usize = 2048;

/// Bounds the number of macros in a template. An id has at most 255 bytes, or 765 when encoded, so a rendered URL has
/// at most 8,168 bytes and fits into the 8 KB that servers accept.
pub const MAX_MACROS: usize = 8;

/// Holds a URL with macros in its path and query, such as `https://a.example/hook?click={clickId}&event={event}`.
///
/// A template is stored as the `url` crate writes it. Host, port and path are therefore fixed when the template is
/// parsed, however they were spelled, and only values are added later.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    pieces: Vec<Piece>,
    /// Counts the segments of the path. The number is the same however often the path is decoded.
    segments: usize,
    allowance: Allowance,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Macro(WebhookMacro),
}

/// Says why a text cannot be a URL template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateFault {
    /// The text has more than [`MAX_TEMPLATE_BYTES`] bytes.
    #[error("must be at most {MAX_TEMPLATE_BYTES} bytes, percent-encoded where it must be")]
    TooLong,
    /// The text has white space, a control character, or another sign that URL readers treat differently.
    #[error("has the character {0:?}; percent-encode it")]
    Character(char),
    /// The text is not a URL.
    #[error("is not an absolute URL: {0}")]
    NotUrl(String),
    /// The scheme is not https.
    #[error("must begin with https://")]
    Scheme,
    /// The URL has a user name or a password.
    #[error("must not have a user name or password in it")]
    Userinfo,
    /// The host is not a public address.
    #[error("must lead to a public host: {0}")]
    Host(#[from] Blocked),
    /// The host's name always means the caller's own machine.
    #[error("must lead to a public host; {0} is always the caller's own machine")]
    LocalName(String),
    /// The host's name exists only inside private networks, or nowhere. Holds the name and its reserved end.
    #[error("must lead to a public host; {0} is none, because names under .{1} are never public")]
    PrivateName(String, &'static str),
    /// The host ends in a dot.
    #[error("must not have a dot at the end of its host")]
    TrailingDot,
    /// The host's name is not a name for which a certificate can be issued.
    #[error("has the host {0}, which is not a name: write parts of 1 to 63 letters, digits and hyphens between dots")]
    HostName(String),
    /// The port is neither 443 nor 8443.
    #[error("must use port 443 or 8443, not {0}")]
    Port(u16),
    /// The URL has a fragment, which is never sent.
    #[error("must not have a fragment (#…): it is never sent; write a # as %23")]
    Fragment,
    /// A `%` is not followed by two hexadecimal digits. A value after the `%` could supply them.
    #[error("has a % that is not followed by two hexadecimal digits; write a literal one as %25")]
    PercentEncoding,
    /// The path leads elsewhere if it is decoded again, or leaves a macro out.
    #[error("has dots or encoded slashes in its path, which lead elsewhere when it is read; remove them")]
    Path,
    /// A macro is outside path and query.
    #[error("has a macro in its {0}; macros may stand in path and query only")]
    MacroOutOfPlace(UrlPart),
    /// The macro does not exist.
    #[error("has the unknown macro {{{0}}}; use one of {known}", known = known_macros())]
    UnknownMacro(String),
    /// The macro belongs to an id that was not agreed on.
    #[error("has {0}, whose id is not agreed with this partner; add the id to media_buying.ids, or remove the macro")]
    NotAgreed(WebhookMacro),
    /// A brace is unmatched.
    #[error("has an unmatched brace; write macros as in {{clickId}}")]
    StrayBrace,
    /// A brace is encoded, so its macro would never be replaced.
    #[error("has an encoded brace (%7B or %7D); write macros unencoded, as in {{clickId}}")]
    EncodedBrace,
    /// A macro is written in the spelling of a tracker or of a programming language.
    #[error("has {0}, which is not how we write macros; write them as in {{clickId}}, with nothing else around")]
    ForeignMacro(String),
    /// A dollar stands before a macro.
    #[error("has a $ before a macro, which would stay in the value; write macros as in {{clickId}}, and a $ as %24")]
    Dollar,
    /// An ampersand is escaped as in HTML.
    #[error("has &amp; or another HTML escape of an ampersand; write & between parameters")]
    EscapedAmpersand,
    /// A second question mark stands before a macro.
    #[error("has a second ? before a macro; write & between parameters, and a literal ? as %3F")]
    SecondQuery,
    /// The template has more than [`MAX_MACROS`] macros.
    #[error("must have at most {MAX_MACROS} macros")]
    TooManyMacros,
}

impl TemplateFault {
    /// Returns the fault in words for a log. The words quote nothing from the URL's path and query.
    pub fn unquoted(&self) -> String {
        match self {
            Self::UnknownMacro(_) => format!("has an unknown macro; use one of {}", known_macros()),
            Self::ForeignMacro(_) => "has another spelling of a macro; write macros as in {clickId}".to_owned(),
            _ => self.to_string(),
        }
    }
}

/// Returns the endpoint of a template's text: its host, with the port only if it is not the scheme's own. Returns `None`
/// if the text is not a URL.
pub fn endpoint_of(template: &str) -> Option<String> {
    let url = Url::parse(template).ok().filter(Url::has_host)?;
    Some(WebhookUrl(url).authority().to_owned())
}

fn known_macros() -> String {
    WebhookMacro::ALL.map(|name| name.to_string()).join(", ")
}

impl UrlTemplate {
    /// Parses a template. Returns every fault if there are any.
    pub fn parse(text: &str, agreed: &AgreedIds, allowance: Allowance) -> Result<Self, Vec<TemplateFault>> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err([TemplateFault::TooLong].into());
        }
        let ambiguous = |letter: &char| letter.is_control() || letter.is_whitespace() || "\\\"<>".contains(*letter);
        let mut faults: Vec<TemplateFault> =
            text.chars().find(ambiguous).map(TemplateFault::Character).into_iter().collect();
        let Some(parts) = Parts::split(text) else {
            faults.push(TemplateFault::NotUrl("it has no // between scheme and host".to_owned()));
            return Err(faults);
        };
        let misplaced = parts.misplaced_macros();
        // If a macro is in one of these parts, the URL parser's message would not help.
        let readable = !misplaced.iter().any(|place| [UrlPart::Scheme, UrlPart::Host, UrlPart::Port].contains(place));
        faults.extend(misplaced.into_iter().map(TemplateFault::MacroOutOfPlace));
        check_macros(&parts, agreed, &mut faults);
        let url = if readable { parse_url(text, &parts, allowance, &mut faults) } else { None };
        let Some(url) = url.filter(|_| faults.is_empty()) else { return Err(faults) };
        let template = Self { pieces: split_pieces(&url), segments: 0, allowance };
        // In `/{clickId}/../x`, the dots remove the macro.
        if template.macros().count() < text.matches('{').count() {
            return Err([TemplateFault::Path].into());
        }
        if template.text().len() > MAX_TEMPLATE_BYTES {
            return Err([TemplateFault::TooLong].into());
        }
        // This value is harmless, so if the URL leads elsewhere now, the cause is the template's own path.
        let harmless = template.fill(|_| Some("x".to_owned())).as_deref().and_then(settled);
        let segments = harmless.and_then(|url| segments(url.path()));
        segments.map(|segments| Self { segments, ..template }).ok_or_else(|| [TemplateFault::Path].into())
    }

    /// Returns the template as it is stored.
    pub fn text(&self) -> String {
        self.fill(|name| Some(name.to_string())).unwrap_or_default()
    }

    /// Returns the endpoint, which no value changes: see [`endpoint_of`].
    pub fn endpoint(&self) -> String {
        endpoint_of(&self.text()).unwrap_or_default()
    }

    /// Returns the allowance with which the template was parsed.
    pub fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Returns the URL with these values, or the fault because of which it must not be called.
    ///
    /// Values are encoded down to unreserved characters, so they can neither end their segment nor begin a query. Two
    /// dangers remain: a value that makes its segment `.` or `..`, which every URL reader removes, encoded or not; and
    /// slashes, backslashes and dots that appear only when a careless server decodes once more. Both are refused, so
    /// the URL has the template's host and the template's segments in their number and order.
    pub fn render(&self, values: &WebhookValues<'_>) -> Result<WebhookUrl, AttemptFault> {
        if let Some(name) = self.macros().find(|name| values.of(*name).is_none()) {
            return Err(AttemptFault::MissingValue(name));
        }
        let url = self.with(|name| values.of(name));
        url.map(WebhookUrl).ok_or_else(|| AttemptFault::UnsafeValue(self.suspect(values)))
    }

    /// Returns true if a URL with this name of the goal could be called, provided that all other values are harmless.
    pub fn takes(&self, event: &EventLabel) -> bool {
        self.with(|name| Some(if name == WebhookMacro::Event { event.to_string() } else { "x".to_owned() })).is_some()
    }

    /// Returns the URL with these values, or `None` if they would make it lead elsewhere.
    fn with(&self, value: impl Fn(WebhookMacro) -> Option<String>) -> Option<Url> {
        let encode = |name| value(name).map(|value| utf8_percent_encode(&value, STRICT).to_string());
        let url = self.fill(encode).as_deref().and_then(settled);
        url.filter(|url| segments(url.path()) == Some(self.segments))
    }

    /// Guesses the macro whose value made the URL lead elsewhere.
    fn suspect(&self, values: &WebhookValues<'_>) -> WebhookMacro {
        let moving = |name: &WebhookMacro| {
            let value = values.of(*name).unwrap_or_default();
            decode_fully(value.as_bytes()).iter().any(|byte| b"./\\".contains(byte))
        };
        self.path_macros().find(moving).or_else(|| self.macros().next()).unwrap_or(WebhookMacro::ClickId)
    }

    fn fill(&self, value: impl Fn(WebhookMacro) -> Option<String>) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(text.clone()),
                Piece::Macro(name) => value(*name),
            })
            .collect()
    }

    /// Returns the ids in the path. An id that is like `..` or contains a slash cannot be sent there.
    pub fn ids_in_path(&self) -> impl Iterator<Item = WebhookMacro> {
        self.path_macros().filter(|name| [WebhookMacro::UserId, WebhookMacro::ClickId].contains(name))
    }

    fn macros(&self) -> impl Iterator<Item = WebhookMacro> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Macro(name) => Some(*name),
            Piece::Literal(_) => None,
        })
    }

    fn path_macros(&self) -> impl Iterator<Item = WebhookMacro> {
        let path = self.pieces.iter().take_while(|piece| !matches!(piece, Piece::Literal(text) if text.contains('?')));
        // The piece with the question mark contains the last characters of the path.
        path.filter_map(|piece| match piece {
            Piece::Macro(name) => Some(*name),
            Piece::Literal(_) => None,
        })
    }
}

impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let origin = Url::parse(&text).map(|url| url[..Position::BeforePath].to_owned()).unwrap_or_default();
        write!(f, "UrlTemplate({origin}/…)")
    }
}

fn check_macros(parts: &Parts<'_>, agreed: &AgreedIds, faults: &mut Vec<TemplateFault>) {
    let text = parts.path_and_query;
    let names = macro_names(text);
    let before = faults.len();
    check_spelling(text, faults);
    if names.is_none() && faults.len() == before {
        faults.push(TemplateFault::StrayBrace);
    }
    let names = names.unwrap_or_default();
    for name in &names {
        match WebhookMacro::ALL.into_iter().find(|known| known.name() == *name) {
            None => faults.push(TemplateFault::UnknownMacro((*name).to_owned())),
            Some(WebhookMacro::UserId) if !agreed.contain(TrackingId::UserId) => {
                faults.push(TemplateFault::NotAgreed(WebhookMacro::UserId));
            }
            Some(WebhookMacro::ClickId) if !agreed.contain(TrackingId::ClickId) => {
                faults.push(TemplateFault::NotAgreed(WebhookMacro::ClickId));
            }
            Some(_) => {}
        }
    }
    if names.len() > MAX_MACROS {
        faults.push(TemplateFault::TooManyMacros);
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("%7b") || lower.contains("%7d") {
        faults.push(TemplateFault::EncodedBrace);
    }
    let whole = |part: &str| part.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !text.split('%').skip(1).all(whole) {
        faults.push(TemplateFault::PercentEncoding);
    }
}

/// Adds a fault for each value that would not become the macro's value alone.
fn check_spelling(text: &str, faults: &mut Vec<TemplateFault>) {
    // Each macro is replaced by a word. If the value then looks like a tracker's macro, such as the rest of
    // `{{clickId}}`, the partner would receive what is around the word.
    let is_foreign = |written: &&str| {
        let filled = replaced(written, "id7");
        let is_balanced = written.matches('{').count() == written.matches('}').count();
        let is_marked = matches!(filled.as_str(), "'id7'" | "@id7" | ":id7");
        is_balanced && (is_marked || is_variable(written) || url_text::with_macros(&filled).next().is_some())
    };
    let encoded = |written: &&str| written.to_ascii_lowercase().contains("%7b");
    let values = text.split(['/', '?', '&', '=', ';', ',']).filter(|written| !encoded(written));
    let foreign: Vec<&str> = values.filter(is_foreign).collect();
    if foreign.is_empty() && text.contains("${") {
        faults.push(TemplateFault::Dollar);
    }
    faults.extend(foreign.into_iter().map(|written| TemplateFault::ForeignMacro(written.to_owned())));
    if url_text::has_escaped_ampersand(text) {
        faults.push(TemplateFault::EscapedAmpersand);
    }
    if text.split('?').skip(2).any(|parameters| parameters.contains('{')) {
        faults.push(TemplateFault::SecondQuery);
    }
}

/// Returns true for one of our macros as a variable of another language: `:clickId` or `$click_id`.
fn is_variable(written: &str) -> bool {
    let name = written.strip_prefix([':', '$', '@']).unwrap_or_default();
    !name.contains('{') && WebhookMacro::ALL.into_iter().any(|known| same_letters(known.name(), name))
}

/// Replaces each name in braces that contains no braces itself, with the braces.
fn replaced(text: &str, value: &str) -> String {
    let mut rest = text;
    let mut all = String::new();
    while let Some((before, after)) = rest.split_once('}') {
        match before.rsplit_once('{') {
            Some((before, _)) => all.extend([before, value]),
            None => all.extend([before, "}"]),
        }
        rest = after;
    }
    all + rest
}

/// Returns the names in braces in order, or `None` if a brace is unmatched.
fn macro_names(text: &str) -> Option<Vec<&str>> {
    let mut pieces = text.split('{');
    let before = pieces.next().unwrap_or_default();
    let names = pieces.map(|piece| piece.split_once('}').filter(|(_, rest)| !rest.contains('}')));
    let names: Option<Vec<&str>> = names.map(|split| split.map(|(name, _)| name)).collect();
    names.filter(|_| !before.contains('}'))
}

fn parse_url(text: &str, parts: &Parts<'_>, allowance: Allowance, faults: &mut Vec<TemplateFault>) -> Option<Url> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(fault) => {
            faults.push(TemplateFault::NotUrl(fault.to_string()));
            return None;
        }
    };
    // The URL parser normalises letters of the host, which turns full-width braces into braces.
    if url.host_str().is_some_and(|host| host.contains(['{', '}'])) {
        faults.push(TemplateFault::MacroOutOfPlace(UrlPart::Host));
    }
    if !allowance.permits_scheme(url.scheme()) {
        faults.push(TemplateFault::Scheme);
    }
    if parts.userinfo.is_some() {
        faults.push(TemplateFault::Userinfo);
    }
    let port = url.port_or_known_default().unwrap_or_default();
    if !allowance.permits_port(port) {
        faults.push(TemplateFault::Port(port));
    }
    faults.extend(check_host(&url, allowance));
    if parts.fragment.is_some() {
        faults.push(TemplateFault::Fragment);
    }
    Some(url)
}

/// Lists the ends of names that are never public, by IANA's registry of special-use domain names as of October 2025.
/// `localhost` has a fault of its own, and the registry's names for examples are used in tests and documents.
const PRIVATE: [&str; 7] = ["local", "internal", "home.arpa", "test", "invalid", "onion", "alt"];

fn check_host(url: &Url, allowance: Allowance) -> Option<TemplateFault> {
    let name = match url.host()? {
        Host::Ipv4(v4) => return allowance.check(v4.into()).err().map(TemplateFault::Host),
        Host::Ipv6(v6) => return allowance.check(v6.into()).err().map(TemplateFault::Host),
        Host::Domain(name) => name,
    };
    let bare = name.trim_end_matches('.');
    if (bare == "localhost" || bare.ends_with(".localhost")) && allowance == Allowance::PublicOnly {
        return Some(TemplateFault::LocalName(name.to_owned()));
    }
    let private = PRIVATE
        .into_iter()
        .find(|end| bare.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if let Some(end) = private.filter(|_| allowance == Allowance::PublicOnly) {
        return Some(TemplateFault::PrivateName(name.to_owned(), end));
    }
    // Certificates are issued for names without a dot at the end.
    if bare != name {
        return Some(TemplateFault::TrailingDot);
    }
    // Braces in the host are already reported as a misplaced macro.
    (!is_host_name(name) && !name.contains(['{', '}'])).then(|| TemplateFault::HostName(name.to_owned()))
}

/// Returns true for a name that TLS accepts. The URL parser also accepts empty parts and characters like `*`.
fn is_host_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(known) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Cuts the text of a URL, as the `url` crate writes it, at its macros.
///
/// The crate encodes braces in the path and leaves them in the query. A template contains no encoded brace of its own,
/// so every encoded brace belongs to a macro.
fn split_pieces(url: &Url) -> Vec<Piece> {
    let text = url.as_str().replace("%7B", "{").replace("%7D", "}");
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, tail)| Some((before, tail.split_once('}')?)))
    {
        pieces.push(Piece::Literal(before.to_owned()));
        pieces.extend(WebhookMacro::ALL.into_iter().find(|known| known.name() == name).map(Piece::Macro));
        rest = after;
    }
    pieces.push(Piece::Literal(rest.to_owned()));
    pieces
}

/// Decodes until nothing changes any more, as a chain of careless servers would.
fn decode_fully(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    loop {
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded == bytes {
            return bytes;
        }
        bytes = decoded;
    }
}

/// Parses this text and returns the URL. Returns `None` if parsing changes the text, because a value then has a meaning
/// in the URL.
fn settled(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| url.as_str() == text)
}

/// Counts the segments of this path after any amount of decoding. Returns `None` if one of them is `.` or `..`.
///
/// Some servers treat the text after a `;` in a segment as a parameter, so `..;x` counts as `..`.
fn segments(path: &str) -> Option<usize> {
    let decoded = decode_fully(path.as_bytes());
    let segments = decoded.split(|byte| b"/\\".contains(byte));
    let names = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    names.map(|name| if [&b"."[..], b".."].contains(&name) { None } else { Some(1) }).sum()
}
