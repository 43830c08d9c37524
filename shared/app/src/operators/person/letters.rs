//! Finds and deletes the dead letters that name a person.

use std::collections::BTreeSet;

use domain::{inbound::parameters, values::parameter_names::Field};
use serde_json::Value;

use crate::ports::{DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter, Unavailable};

/// Sets how long the letters of a queue are hidden while they are read, in seconds. An interrupted search leaves them
/// hidden for at most this long.
const HIDDEN_SECONDS: u16 = 600;
/// Limits the letters of one request.
const AT_ONCE: usize = 10;
/// Limits how deep texts that hold JSON are read.
const DEPTH: usize = 8;

/// The ids of a person, by their kinds.
pub(super) struct Names<'a> {
    pub(super) users: BTreeSet<&'a str>,
    /// The ids that partners gave, each with the partner.
    pub(super) partner_users: BTreeSet<(&'a str, &'a str)>,
    pub(super) clicks: BTreeSet<&'a str>,
    /// The transaction ids, each with the partner.
    pub(super) transactions: BTreeSet<(&'a str, &'a str)>,
}

impl Names<'_> {
    /// Returns true if a parameter of a partner's call names the person. A click id alone does not, because partners
    /// may give one click id to many users.
    pub(super) fn contain(&self, provider: &str, field: Field, value: &str) -> bool {
        match field {
            Field::UserId => self.users.contains(value),
            Field::TransactionId | Field::Reference => self.transactions.contains(&(provider, value)),
            _ => false,
        }
    }

    /// Returns true if a message names the person. A message that is no JSON is searched for the quoted ids.
    fn are_in(&self, body: &str) -> bool {
        if let Ok(json) = serde_json::from_str::<Value>(body) {
            return self.are_in_json("", &json, DEPTH);
        }
        let quoted = |id: &str| body.contains(&format!("\"{id}\""));
        let theirs = self.partner_users.iter().chain(&self.transactions).map(|(_, id)| *id);
        self.users.iter().copied().chain(theirs).any(quoted)
    }

    /// `name` is the name of the nearest member around the value that is no type of DynamoDB's JSON.
    fn are_in_json(&self, name: &str, value: &Value, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        match value {
            Value::Object(members) => members.iter().any(|(member, value)| {
                let is_type = matches!(member.as_str(), "S" | "M" | "L" | "N" | "SS");
                self.are_in_json(if is_type { name } else { member }, value, depth)
            }),
            Value::Array(values) => values.iter().any(|value| self.are_in_json(name, value, depth)),
            Value::String(text) if text.starts_with('{') => {
                serde_json::from_str(text).is_ok_and(|json| self.are_in_json(name, &json, depth))
            }
            Value::String(text) => self.is_one(name, text),
            _ => false,
        }
    }

    fn is_one(&self, name: &str, text: &str) -> bool {
        let of_any = |ids: &BTreeSet<(&str, &str)>| ids.iter().any(|(_, id)| *id == text);
        let of_any_part = |part: &str| self.transactions.iter().any(|(_, id)| *id == part);
        match name {
            "user_id" => self.users.contains(text) || of_any(&self.partner_users),
            "click_id" => self.clicks.contains(text),
            "transaction_id" | "reference" | "used_by" => of_any(&self.transactions),
            // A refusal keeps its request as a text, and a conflict its differences.
            "request" | "original" | "sent" => {
                let parts = text.split(['&', '=']).filter_map(|part| parameters::decode(part.as_bytes()).ok());
                parts.into_iter().any(|part| self.users.contains(part.as_str()) || of_any_part(&part))
            }
            _ => false,
        }
    }
}

/// Finds the dead letters that name a person. All letters stay where they are.
pub(super) async fn find(
    queues: &impl DeadLetterQueues,
    names: &Names<'_>,
) -> Result<Vec<(DeadLetterQueue, DeadLetter)>, Unavailable> {
    let mut found = Vec::new();
    for queue in DeadLetterQueue::ALL {
        let received = receive(queues, queue).await?;
        queues.put_back(queue, &received).await?;
        let theirs = received.into_iter().filter(|received| names.are_in(&received.letter.body));
        found.extend(theirs.map(|received| (queue, received.letter)));
    }
    Ok(found)
}

/// Deletes the dead letters that name a person, and returns how many were deleted.
pub(super) async fn delete(queues: &impl DeadLetterQueues, names: &Names<'_>) -> Result<usize, Unavailable> {
    let mut deleted = 0;
    for queue in DeadLetterQueue::ALL {
        let received = receive(queues, queue).await?;
        let (theirs, others): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|received| names.are_in(&received.letter.body));
        queues.put_back(queue, &others).await?;
        for letter in &theirs {
            queues.delete(queue, letter).await?;
        }
        deleted += theirs.len();
    }
    Ok(deleted)
}

/// Receives all letters of a queue. They stay hidden until they are put back, so that none is received twice.
async fn receive(queues: &impl DeadLetterQueues, queue: DeadLetterQueue) -> Result<Vec<ReceivedLetter>, Unavailable> {
    if queues.depth(queue).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut received: Vec<ReceivedLetter> = Vec::new();
    loop {
        match queues.receive(queue, AT_ONCE, HIDDEN_SECONDS).await {
            Ok(batch) if batch.is_empty() => return Ok(received),
            Ok(batch) => received.extend(batch),
            Err(unavailable) => {
                queues.put_back(queue, &received).await.ok();
                return Err(unavailable);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_id_in_a_kept_request_is_found() {
        let users = BTreeSet::from(["plus+%user"]);
        let names =
            Names { users, partner_users: BTreeSet::new(), clicks: BTreeSet::new(), transactions: BTreeSet::new() };
        let letter = |request: &str| format!(r#"{{"dynamodb":{{"NewImage":{{"request":{{"S":"{request}"}}}}}}}}"#);
        assert!(names.are_in(&letter("user_id=plus%2B%25user&click_id=1")));
        assert!(!names.are_in(&letter("user_id=other&click_id=1")));
    }
}
