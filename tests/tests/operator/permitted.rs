//! Tests that the operators' role permits every call that the command makes.

use serde_json::Value;
use tests::{
    proxy::{Call, Proxy, Service},
    stack::Stack,
};

use crate::{
    command::{eventually, postbackctl_through},
    fixture::{Fixture, fresh, sample},
    partner::Partner,
    policies::{policies, resources, texts},
};

/// Returns the resource in the template of this table, index or queue.
fn resource(stack: &Stack, name: &str) -> String {
    let name = name.rsplit('/').next().unwrap();
    let noun = name.strip_prefix(&format!("{}-", stack.stack_name)).unwrap_or(name);
    let words: String = noun.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let kind = if stack.queues.contains_key(noun) { "Queue" } else { "Table" };
    format!("{words}{kind}.Arn")
}

/// Returns each action and resource that a call needs.
fn needs(stack: &Stack, call: &Call) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{call:?}")).to_owned();
    if call.service == Service::Sqs {
        let queue = call.body.get("QueueUrl").or_else(|| call.body.get("QueueName")).unwrap();
        let action = call.operation.trim_end_matches("Batch");
        return vec![(format!("sqs:{action}"), resource(stack, &text(queue)))];
    }
    if let Some(writes) = call.body["TransactItems"].as_array() {
        let parts = writes.iter().flat_map(|write| write.as_object().unwrap());
        return parts
            .map(|(kind, part)| (format!("dynamodb:{kind}Item"), resource(stack, &text(&part["TableName"]))))
            .collect();
    }
    let action = format!("dynamodb:{}", call.operation);
    if let Some(tables) = call.body["RequestItems"].as_object() {
        return tables.keys().map(|table| (action.clone(), resource(stack, table))).collect();
    }
    let table = resource(stack, &text(&call.body["TableName"]));
    let index = call.body.get("IndexName").map(|_| "${DeliveriesTable.Arn}/index/*".to_owned());
    vec![(action, index.unwrap_or(table))]
}

#[tokio::test]
async fn the_operators_role_is_allowed_all_that_commands_do() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let (partner, transaction) = (Partner::with_token(stack, ""), fresh("t"));
    partner.postback(&fixture, &sample(&transaction)).await;
    partner.postback(&fixture, &sample(&transaction).replace("100.00", "90")).await;
    partner.postback(&fixture, "user_id=1").await;
    let name = partner.name.as_str();
    let list = |what: &'static str| [what, "--provider", name, "--json"];
    let open = eventually(stack, &list("conflicts"), |found| found["conflicts"][0].is_object()).await;
    let conflict = open["conflicts"][0]["provider_content"].as_str().unwrap();
    let refused = eventually(stack, &list("refusals"), |found| found["refusals"][0].is_object()).await;
    let refusal = refused["refusals"][0]["provider_content"].as_str().unwrap();

    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let replay = ["conversions", "replay", "--provider", name, "--from", "1h", "--to", "2100-01-01T00:00:00Z", "--yes"];
    let folder = std::env::temp_dir().join(fresh("permitted"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("partner.yaml"), format!("provider: {name}\nname: Another\n")).unwrap();
    for command in [
        &["apply", folder.to_str().unwrap(), "--yes"][..],
        &["rotate", name],
        &["rotate", name, "--drop-old"],
        &["conflicts", "resolve", name, &transaction, conflict, "--accept", "--yes"],
        &["refusals", "resubmit", refusal],
        &["trace", "--provider", name, "--transaction", &transaction],
        &["trace", "--user", "12345"],
        &["progress", "--user", "12345"],
        &["deliveries", "--provider", name],
        &["deliveries", "--overdue"],
        &["deliveries", "--provider", name, "--status", "exhausted"],
        &["audit", "--provider", name],
        &["dead-letters"],
        &replay,
    ] {
        let said = postbackctl_through(&proxy, stack, command).await;
        assert_ne!(said.code, Some(2), "{command:?}: {}", said.err);
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let resources = resources();
    let allowed = policies(&resources).remove("OperatorRole").unwrap();
    let calls = proxy.take_calls();
    let calls = calls.iter().filter(|call| matches!(call.service, Service::DynamoDb | Service::Sqs));
    let needed: std::collections::BTreeSet<_> = calls.flat_map(|call| needs(stack, call)).collect();
    assert!(needed.len() > 20, "{needed:?}");
    for (action, resource) in needed {
        let allows = |statement: &&Value| {
            texts(&statement["Action"]).contains(&action.as_str())
                && texts(&statement["Resource"]).contains(&resource.as_str())
        };
        assert!(allowed.iter().any(allows), "{action} on {resource}");
    }
}
