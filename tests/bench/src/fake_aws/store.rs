//! Holds tables and queues, and carries out the operations on them.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{
    Item, Usage,
    expression::{Condition, Names, update},
};

/// Holds an answer that is an error.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Value);

type StoreAnswer = Result<Value, Refused>;

#[derive(Debug, Default)]
struct Table {
    key: Vec<String>,
    items: HashMap<String, Item>,
}

impl Table {
    fn key_of(&self, item: &Item) -> String {
        let parts = self.key.iter().map(|name| item.get(name).map(Value::to_string).unwrap_or_default());
        parts.collect::<Vec<_>>().join("\n")
    }
}

/// Holds all tables, and counts the messages.
#[derive(Debug, Default)]
pub(super) struct Store {
    tables: BTreeMap<String, Table>,
    pub(super) messages: u64,
    pub(super) usage: Usage,
}

impl Store {
    pub(super) fn create(&mut self, name: &str, key: &[&str]) {
        let key = key.iter().map(|name| (*name).to_owned()).collect();
        self.tables.insert(name.to_owned(), Table { key, items: HashMap::new() });
    }

    pub(super) fn put_unasked(&mut self, table: &str, item: Item) {
        if let Some(table) = self.tables.get_mut(table) {
            table.items.insert(table.key_of(&item), item);
        }
    }

    pub(super) fn items(&self, table: &str) -> Vec<Item> {
        self.tables.get(table).map(|table| table.items.values().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn call(&mut self, target: &str, body: &[u8]) -> StoreAnswer {
        let request: Value =
            serde_json::from_slice(body).map_err(|_| refusal("SerializationException", "the body is not JSON"))?;
        let operation = target.rsplit('.').next().unwrap_or_default();
        let tables = || request["RequestItems"].as_object()?.keys().next().map(String::as_str);
        let queue = || request["QueueUrl"].as_str()?.rsplit('/').next();
        let place =
            request["TableName"].as_str().or_else(queue).or_else(|| tables().filter(|_| operation == "BatchWriteItem"));
        let name = place.map_or_else(|| operation.to_owned(), |place| format!("{operation} {place}"));
        *self.usage.calls.entry(name).or_default() += 1;
        match operation {
            "PutItem" => self.put_item(&request),
            "UpdateItem" => self.update_item(&request),
            "GetItem" => self.get_item(&request),
            "BatchGetItem" => self.batch_get_item(&request),
            "BatchWriteItem" => self.batch_write_item(&request),
            "Query" => self.query(&request),
            "TransactWriteItems" => self.transact_write_items(&request),
            // Firehose keeps nothing here. Its calls are counted like all others.
            "PutRecord" => Ok(json!({"RecordId": "r", "Encrypted": false})),
            "SendMessage" => Ok(self.send_message(&request)),
            "SendMessageBatch" => Ok(self.send_message_batch(&request)),
            _ => Err(refusal("UnknownOperationException", operation)),
        }
    }

    fn table(&mut self, name: &Value) -> Result<&mut Table, Refused> {
        let name = name.as_str().unwrap_or_default();
        self.tables.get_mut(name).ok_or_else(|| refusal("ResourceNotFoundException", name))
    }

    fn put_item(&mut self, request: &Value) -> StoreAnswer {
        let item = object(&request["Item"])?;
        let table = self.table(&request["TableName"])?;
        let key = table.key_of(&item);
        let stored = table.items.get(&key);
        let units = write_units(&item).max(stored.map_or(0, write_units));
        let checked = check(request, stored);
        if checked.is_ok() {
            table.items.insert(key, item);
        }
        self.usage.write_units += units;
        checked.map(|()| json!({}))
    }

    fn update_item(&mut self, request: &Value) -> StoreAnswer {
        let keys = object(&request["Key"])?;
        let table = self.table(&request["TableName"])?;
        let key = table.key_of(&keys);
        let stored = table.items.get(&key);
        let before = stored.map_or(0, write_units);
        let checked = check(request, stored);
        let mut units = before.max(1);
        let mut answer = json!({});
        if checked.is_ok() {
            let mut item = stored.cloned().unwrap_or(keys);
            let expression = request["UpdateExpression"].as_str().unwrap_or_default();
            update(expression, &Names::of(request), &mut item)
                .map_err(|reason| refusal("ValidationException", &reason))?;
            units = units.max(write_units(&item));
            if request["ReturnValues"] == "ALL_NEW" {
                answer = json!({"Attributes": &item});
            }
            table.items.insert(key, item);
        }
        self.usage.write_units += units;
        checked.map(|()| answer)
    }

    fn get_item(&mut self, request: &Value) -> StoreAnswer {
        let consistent = request["ConsistentRead"] == true;
        let key = object(&request["Key"])?;
        let table = self.table(&request["TableName"])?;
        let found = table.items.get(&table.key_of(&key)).cloned();
        self.usage.half_read_units += half_read_units(found.as_ref(), consistent);
        Ok(found.map_or_else(|| json!({}), |item| json!({"Item": item})))
    }

    fn batch_get_item(&mut self, request: &Value) -> StoreAnswer {
        let (mut responses, mut halves) = (Map::new(), 0);
        for (name, asked) in request["RequestItems"].as_object().into_iter().flatten() {
            let table = self.table(&json!(name))?;
            let mut items = Vec::new();
            for key in asked["Keys"].as_array().into_iter().flatten() {
                let found = table.items.get(&table.key_of(&object(key)?));
                halves += half_read_units(found, asked["ConsistentRead"] == true);
                items.extend(found.cloned().map(Value::Object));
            }
            responses.insert(name.clone(), Value::Array(items));
        }
        self.usage.half_read_units += halves;
        Ok(json!({"Responses": responses, "UnprocessedKeys": {}}))
    }

    /// Carries out puts only.
    fn batch_write_item(&mut self, request: &Value) -> StoreAnswer {
        for (name, asked) in request["RequestItems"].as_object().into_iter().flatten() {
            for write in asked.as_array().into_iter().flatten() {
                let item = object(&write["PutRequest"]["Item"])?;
                self.usage.write_units += write_units(&item);
                self.table(&json!(name))?;
                self.put_unasked(name, item);
            }
        }
        Ok(json!({"UnprocessedItems": {}}))
    }

    /// Answers every query of an index with no items, because no job leaves a late delivery for the sweep.
    fn query(&mut self, request: &Value) -> StoreAnswer {
        self.table(&request["TableName"])?;
        if request["IndexName"].is_null() {
            return Err(refusal("ValidationException", "only an index is queried here"));
        }
        self.usage.half_read_units += half_read_units(None, false);
        Ok(json!({"Items": [], "Count": 0, "ScannedCount": 0}))
    }

    /// Carries out puts only.
    fn transact_write_items(&mut self, request: &Value) -> StoreAnswer {
        let writes: Vec<&Value> =
            request["TransactItems"].as_array().into_iter().flatten().map(|w| &w["Put"]).collect();
        for put in &writes {
            let item = object(&put["Item"])?;
            let table = self.table(&put["TableName"])?;
            check(put, table.items.get(&table.key_of(&item))).map_err(|_| {
                let mut cancelled = refusal("TransactionCanceledException", "cancelled");
                cancelled.0["CancellationReasons"] = json!([{"Code": "ConditionalCheckFailed"}]);
                cancelled
            })?;
        }
        for put in writes {
            let item = object(&put["Item"])?;
            self.usage.write_units += 2 * write_units(&item);
            self.put_unasked(put["TableName"].as_str().unwrap_or_default(), item);
        }
        Ok(json!({}))
    }

    fn send_message(&mut self, request: &Value) -> Value {
        let length = request["MessageBody"].as_str().map_or(0, str::len);
        self.usage.sqs_requests += units(length, 65536);
        self.messages += 1;
        json!({"MessageId": format!("{:032x}", self.messages), "MD5OfMessageBody": "00000000000000000000000000000000"})
    }

    fn send_message_batch(&mut self, request: &Value) -> Value {
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let length = entries.iter().filter_map(|entry| entry["MessageBody"].as_str()).map(str::len).sum();
        self.usage.sqs_requests += units(length, 65536);
        let successful: Vec<Value> = entries
            .iter()
            .map(|entry| {
                self.messages += 1;
                let id = format!("{:032x}", self.messages);
                json!({"Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": "00000000000000000000000000000000"})
            })
            .collect();
        json!({"Successful": successful, "Failed": []})
    }
}

fn check(request: &Value, stored: Option<&Item>) -> Result<(), Refused> {
    let Some(expression) = request["ConditionExpression"].as_str() else { return Ok(()) };
    let condition = Condition::parse(expression).map_err(|reason| refusal("ValidationException", &reason))?;
    let nothing = Item::new();
    if condition.holds(&Names::of(request), stored.unwrap_or(&nothing)) {
        return Ok(());
    }
    let mut failed = refusal("ConditionalCheckFailedException", "The conditional request failed");
    if let (Some(item), "ALL_OLD") =
        (stored, request["ReturnValuesOnConditionCheckFailure"].as_str().unwrap_or_default())
    {
        failed.0["Item"] = Value::Object(item.clone());
    }
    Err(failed)
}

fn object(value: &Value) -> Result<Item, Refused> {
    value.as_object().cloned().ok_or_else(|| refusal("ValidationException", "an object is missing"))
}

fn refusal(code: &str, message: &str) -> Refused {
    Refused(json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message}))
}

fn units(bytes: usize, of: usize) -> u64 {
    u64::try_from(bytes.div_ceil(of).max(1)).unwrap_or(u64::MAX)
}

fn write_units(item: &Item) -> u64 {
    units(size(item), 1024)
}

fn half_read_units(item: Option<&Item>, consistent: bool) -> u64 {
    units(item.map_or(0, size), 4096) * if consistent { 2 } else { 1 }
}

/// Returns an item's size in bytes as DynamoDB counts it, for texts, numbers, lists and maps.
fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|of| of.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        ("N", Value::String(number)) => number.len() / 2 + 2,
        ("L", Value::Array(values)) => 3 + values.iter().map(|value| 1 + size_of_value(value)).sum::<usize>(),
        ("M", Value::Object(map)) => 3 + map.len() + size(map),
        (_, Value::String(text)) => text.len(),
        _ => 1,
    }
}
