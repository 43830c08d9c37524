//! Remembers the script and the received requests of each name, within bounds.

use std::collections::{HashMap, VecDeque};

use hyper::HeaderMap;
use thiserror::Error;

use crate::{
    answer::Act,
    limits::Limits,
    name::Name,
    received::{Request, Requests, Signature},
    signature::{self, Secret},
};

/// Estimates the memory that a remembered request takes in addition to its texts, in bytes.
const OVERHEAD_BYTES: usize = 512;

/// Holds a request whose body has been read.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) at_ms: i64,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Reports that the limit of names is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there are too many names; forget one with DELETE /_control/{{name}}")]
pub(crate) struct TooManyNames;

/// Holds everything that the simulator remembers.
#[derive(Debug)]
pub(crate) struct Memory {
    limits: Limits,
    /// Holds the secrets for names without secrets in their scripts.
    secrets: Vec<Secret>,
    names: HashMap<Name, NameRecord>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct NameRecord {
    acts: VecDeque<Act>,
    secrets: Option<Vec<Secret>>,
    received: u64,
    requests: VecDeque<Request>,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(limits: Limits, secrets: Vec<Secret>) -> Self {
        Self { limits, secrets, names: HashMap::new(), bytes: 0 }
    }

    /// Sets a name's answers, secrets or both. `None` keeps the earlier answers or secrets. New answers begin with the
    /// first one.
    pub(crate) fn set_script(
        &mut self,
        name: &Name,
        acts: Option<Vec<Act>>,
        secrets: Option<Vec<Secret>>,
    ) -> Result<(), TooManyNames> {
        let entry = self.entry(name)?;
        if let Some(acts) = acts {
            entry.acts = acts.into();
        }
        if secrets.is_some() {
            entry.secrets = secrets;
        }
        Ok(())
    }

    /// Remembers a request and returns the act for it. Both happen in one step, so that requests and answers have the
    /// same order.
    pub(crate) fn receive(&mut self, name: &Name, incoming: Incoming) -> Result<(Act, Signature), TooManyNames> {
        let general = self.secrets.clone();
        let entry = self.entry(name)?;
        let secrets = entry.secrets.as_ref().unwrap_or(&general);
        let signature = signature::check(secrets, &incoming.headers, &incoming.target, &incoming.body);
        let act = entry.next_act();
        entry.received += 1;
        let request = request(entry.received, incoming, act.label.clone(), signature.clone());
        let bytes = size(&request);
        entry.requests.push_back(request);
        entry.bytes += bytes;
        self.bytes += bytes;
        while self.bytes > self.limits.remembered_bytes && self.forget_one() {}
        Ok((act, signature))
    }

    /// Returns the requests of a name. An unknown name has no requests.
    pub(crate) fn requests(&self, name: &Name) -> Requests {
        self.names.get(name).map_or_else(Requests::default, |entry| Requests {
            received: entry.received,
            requests: entry.requests.iter().cloned().collect(),
        })
    }

    /// Returns all names with the number of their requests.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.names.iter().map(|(name, entry)| (name, entry.received))
    }

    /// Forgets a name's requests and counts from 1 again.
    pub(crate) fn forget_requests(&mut self, name: &Name) {
        if let Some(entry) = self.names.get_mut(name) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            (entry.received, entry.bytes) = (0, 0);
            entry.requests.clear();
        }
    }

    /// Forgets a name with its requests and its script.
    pub(crate) fn forget(&mut self, name: &Name) {
        self.forget_requests(name);
        self.names.remove(name);
    }

    fn entry(&mut self, name: &Name) -> Result<&mut NameRecord, TooManyNames> {
        if !self.names.contains_key(name) && self.names.len() >= self.limits.names {
            return Err(TooManyNames);
        }
        Ok(self.names.entry(name.clone()).or_default())
    }

    /// Forgets the oldest request of the name with the most bytes, so that a busy name cannot displace the requests of
    /// other names. Returns false if no request was remembered.
    fn forget_one(&mut self) -> bool {
        let Some(entry) = self.names.values_mut().max_by_key(|entry| entry.bytes) else { return false };
        let Some(oldest) = entry.requests.pop_front() else { return false };
        let bytes = size(&oldest);
        entry.bytes = entry.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

impl NameRecord {
    fn next_act(&mut self) -> Act {
        let last = self.acts.len() == 1;
        let Some(act) = self.acts.front_mut() else { return Act::unscripted() };
        let now = act.clone();
        if !last {
            act.times = act.times.saturating_sub(1);
            if act.times == 0 {
                self.acts.pop_front();
            }
        }
        now
    }
}

fn request(number: u64, incoming: Incoming, answered: String, signature: Signature) -> Request {
    let Incoming { at_ms, method, target, headers, body } = incoming;
    let named = |name: &hyper::header::HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (name.as_str().to_owned(), values.join(", "))
    };
    let headers = headers.keys().map(named).collect();
    let body = String::from_utf8(body).unwrap_or_else(|fault| String::from_utf8_lossy(fault.as_bytes()).into_owned());
    Request { number, at_ms, method, target, headers, body, answered, signature }
}

fn size(request: &Request) -> usize {
    let headers = request.headers.iter().map(|(name, value)| name.len() + value.len() + 64).sum::<usize>();
    OVERHEAD_BYTES + request.target.len() + request.body.len() + headers
}

#[cfg(test)]
mod tests;
