//! Says which permissions calls need, and writes down what each function's calls needed.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write as _,
    path::PathBuf,
    process,
    sync::{LazyLock, Mutex},
};

use hyper::http::request::Parts;
use serde_json::Value;

use super::{Call, Service};
use crate::stack::{ACCESS_KEY, Stack};

/// Names the environment variable that holds the folder for what functions' calls needed. Each process writes a file.
pub const NEEDS: &str = "GG3_NEEDS_DIR";

static WRITTEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Holds the folder and the stack whose names are left out, if the calls are to be written down.
static WANTED: LazyLock<Option<(PathBuf, Stack)>> =
    LazyLock::new(|| Some((env::var_os(NEEDS)?.into(), Stack::from_env().ok()?)));

impl Call {
    /// Returns each action that this call needs, with the name of its table, queue, or `table/index`, or of
    /// all streams of the archive.
    pub fn needs(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let last = |name: String| name.rsplit('/').next().unwrap_or_default().to_owned();
        if self.service == Service::Sqs {
            let queue = self.body.get("QueueUrl").or_else(|| self.body.get("QueueName"));
            let action = self.operation.trim_end_matches("Batch");
            return vec![(format!("sqs:{action}"), last(text(queue.unwrap_or(&Value::Null))))];
        }
        if self.service == Service::Firehose {
            // The policy names all streams of the archive together.
            let stream = self.table_or_queue.as_deref().and_then(|stream| stream.rsplit_once('-'));
            let streams = stream.map(|(streams, _)| format!("{streams}-*"));
            return vec![(format!("firehose:{}", self.operation), streams.unwrap_or_default())];
        }
        if let Some(parts) = self.body.get("TransactItems").and_then(Value::as_array) {
            let parts = parts.iter().filter_map(Value::as_object).flatten();
            return parts.flat_map(|(kind, part)| of_item(&format!("{kind}Item"), part)).collect();
        }
        if let Some(tables) = self.body.get("RequestItems").and_then(Value::as_object) {
            return tables.keys().map(|table| (format!("dynamodb:{}", self.operation), last(table.clone()))).collect();
        }
        of_item(&self.operation, &self.body)
    }
}

/// Returns `deliveries/under_way` for `deliveries-1796047600328-18918-188/under_way`. Such a table was made by a test.
fn without_number(noun: &str) -> String {
    let (table, index) =
        noun.split_once('/').map_or((noun, String::new()), |(table, index)| (table, format!("/{index}")));
    let is_word = |part: &&str| !part.starts_with(|sign: char| sign.is_ascii_digit());
    table.split('-').take_while(is_word).collect::<Vec<_>>().join("-") + &index
}

/// Returns what an operation on one table needs. Returning an existing item needs the permission to read it.
fn of_item(operation: &str, body: &Value) -> Vec<(String, String)> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let named = text("TableName").or_else(|| text("ResourceArn")?.rsplit('/').next());
    let table = named.unwrap_or_default().to_owned();
    let place = text("IndexName").map_or(table.clone(), |index| format!("{table}/{index}"));
    let mut needs = vec![(format!("dynamodb:{operation}"), place)];
    if text("ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD") {
        needs.push(("dynamodb:GetItem".to_owned(), table));
    }
    needs
}

/// Writes down what a call needs as `function action noun`, once in a process.
pub(super) fn write_down(call: &Call, parts: &Parts) {
    let Some((folder, stack)) = WANTED.as_ref() else { return };
    let signed = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let caller = signed.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next());
    let Some(caller) = caller.filter(|caller| *caller != ACCESS_KEY) else { return };
    if call.service == Service::Other {
        return;
    }
    for (action, name) in call.needs() {
        let line = format!("{caller} {action} {}", without_number(stack.noun(&name)));
        let mut written = WRITTEN.lock().expect("no writer has panicked");
        if written.insert(line.clone()) {
            let file = folder.join(process::id().to_string());
            let mut file = fs::File::options().create(true).append(true).open(file).expect("the folder exists");
            writeln!(file, "{line}").expect("the folder can be written");
        }
    }
}
