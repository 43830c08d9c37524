//! Sends requests that API Gateway may or may not pass on, because AWS's pages do not say so, and prints what it did.
//!
//! No probe passes or fails. `docs/aws.md` says which results would matter.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;
use url::Url;

use super::{
    QUERY,
    raw::{self, Answer},
};
use crate::output::{print, say};

/// A request to try. The bytes in question are in a parameter's name, because a dry run answers with the names of the
/// parameters that it ignored.
struct Probe {
    what: &'static str,
    method: &'static str,
    /// The text that follows the postback URL's path.
    path: &'static str,
    name: &'static [u8],
    /// The parameter's name as the function reads it, if it arrives as it was sent.
    read_as: &'static str,
    header_bytes: usize,
    json: bool,
}

const PLAIN: Probe =
    Probe { what: "plain", method: "GET", path: "", name: b"n", read_as: "n", header_bytes: 0, json: false };

const PROBES: [Probe; 14] = [
    PLAIN,
    Probe { what: "raw { in the query", name: b"n{", read_as: "n{", ..PLAIN },
    Probe { what: "raw } in the query", name: b"n}", read_as: "n}", ..PLAIN },
    Probe { what: "raw | in the query", name: b"n|", read_as: "n|", ..PLAIN },
    Probe { what: "raw < in the query", name: b"n<", read_as: "n<", ..PLAIN },
    Probe { what: "raw \" in the query", name: b"n\"", read_as: "n\"", ..PLAIN },
    Probe { what: "raw UTF-8 in the query", name: b"n\xc3\xa9", read_as: "n\u{e9}", ..PLAIN },
    Probe { what: "raw byte FF in the query", name: b"n\xff", read_as: "n\u{fffd}", ..PLAIN },
    Probe { what: "encoded {|\" in the query", name: b"n%7B%7C%22", read_as: "n{|\"", ..PLAIN },
    Probe { what: "encoded UTF-8 in the query", name: b"n%C3%A9", read_as: "n\u{e9}", ..PLAIN },
    Probe { what: "HEAD", method: "HEAD", ..PLAIN },
    Probe { what: "a slash behind the path", path: "/", ..PLAIN },
    Probe { what: "a JSON body", method: "POST", json: true, ..PLAIN },
    Probe { what: "10 KB of headers", header_bytes: 10_240, ..PLAIN },
];

/// Prints a table of what the API did. Without a partner's path, the requests name an unknown partner. A refusal by the
/// function then shows that the request reached the function.
pub(super) async fn run(base: &str, path: &str) -> Result<()> {
    let url = Url::parse(base).context("--url is no URL")?;
    let mut table = format!("{:<28}{:>7}  {:<14}{}\n", "tried", "status", "answered by", "read as");
    for probe in PROBES {
        let (url, request) = (url.clone(), probe.request(&url, path));
        let answered = tokio::task::spawn_blocking(move || raw::send(&url, &request)).await?;
        match answered {
            Ok(answer) => writeln!(
                table,
                "{:<28}{:>7}  {:<14}{}",
                probe.what,
                answer.status,
                answered_by(&answer),
                probe.arrived(&answer)
            )?,
            Err(fault) => writeln!(table, "{:<28}{:>7}  {fault:#}", probe.what, "-")?,
        }
    }
    say!("\nThe gateway and unusual requests:\n")?;
    print(table + "\n")?;
    Ok(())
}

impl Probe {
    fn request(&self, base: &Url, path: &str) -> Vec<u8> {
        let prefix = base.path().trim_end_matches('/');
        let mut request = format!("{} {prefix}{path}{}", self.method, self.path).into_bytes();
        let body = if self.json { self.body() } else { String::new() };
        if !self.json {
            request.extend(format!("?{QUERY}&").bytes());
            request.extend(self.name);
            request.extend(b"=1");
        }
        let host = base.host_str().unwrap_or_default();
        let host = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        request.extend(format!(" HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n").bytes());
        if self.header_bytes > 0 {
            request.extend(format!("x-padding: {}\r\n", "x".repeat(self.header_bytes)).bytes());
        }
        if self.json {
            request.extend(format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()).bytes());
        }
        request.extend(format!("\r\n{body}").bytes());
        request
    }

    /// Returns the query as one flat JSON object.
    fn body(&self) -> String {
        let pairs = QUERY.split('&').filter_map(|pair| pair.split_once('='));
        let mut fields: serde_json::Map<String, Value> =
            pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        fields.insert(self.read_as.to_owned(), Value::from("1"));
        Value::Object(fields).to_string()
    }

    /// Says how the function read the parameter's name. Only the answer to a partner's dry run contains the name.
    fn arrived(&self, answer: &Answer) -> String {
        let ignored = answer.body.get("ignored").and_then(Value::as_array);
        let name = ignored.and_then(|names| names.first()).and_then(Value::as_str);
        match name {
            None => String::new(),
            Some(name) if name == self.read_as => "as it was sent".to_owned(),
            Some(name) => name.escape_debug().to_string(),
        }
    }
}

/// Says who answered. The function's errors are problem documents, and its answer to a dry run has a status. API
/// Gateway's own errors are plain JSON.
fn answered_by(answer: &Answer) -> &'static str {
    let is_ours = answer.head.contains("application/problem+json") || answer.body.get("status").is_some();
    if is_ours { "the function" } else { "the gateway" }
}
