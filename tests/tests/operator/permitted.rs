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

/// Returns the name in the template of this table, index or queue.
fn resource(stack: &Stack, name: &str) -> String {
    if name.contains('/') {
        return "${DeliveriesTable.Arn}/index/*".to_owned();
    }
    let noun = stack.noun(name);
    let words: String = noun.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let kind = if stack.queues.contains_key(noun) { "Queue" } else { "Table" };
    format!("{words}{kind}.Arn")
}

#[tokio::test]
async fn the_operators_role_is_allowed_all_that_commands_do() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let (partner, transaction) = (Partner::with_token(stack, ""), fresh("t"));
    partner.postback(&fixture, &sample(&transaction)).await;
    partner.postback(&fixture, &sample(&transaction).replace("100.00", "90")).await;
    partner.postback(&fixture, "user_id=1").await;
    let erased = fresh("erased");
    partner.postback(&fixture, &sample(&fresh("t")).replace("12345", &erased)).await;
    partner.postback(&fixture, &format!("user_id={erased}")).await;
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
        &["doctor", name],
        &["pause", name],
        &["resume", name],
        &["conflicts", "resolve", name, &transaction, conflict, "--accept", "--yes"],
        &["refusals", "resubmit", refusal],
        &["trace", "--provider", name, "--transaction", &transaction],
        &["trace", "--user", "12345"],
        &["progress", "--user", "12345"],
        &["postbacks", "--provider", name],
        &["deliveries", "--provider", name],
        &["deliveries", "--overdue"],
        &["deliveries", "--provider", name, "--status", "exhausted"],
        &["resend", "--provider", name, "--owed-since", "1h", "--owed-before", "now", "--preview"],
        &["audit", "--provider", name],
        &["dead-letters"],
        &["portal", name, "--api-url", "https://api.example.com"],
        &replay,
        &["person", "show", "--user", "12345"],
        &["person", "erase", "--user", &erased, "--yes"],
        &["person", "replay-erasures", "--since", "1h", "--rate", "100000", "--yes"],
    ] {
        let said = postbackctl_through(&proxy, stack, command).await;
        assert_ne!(said.code, Some(2), "{command:?}: {}", said.err);
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let resources = resources();
    let allowed = policies(&resources).remove("OperatorRole").unwrap();
    let calls = proxy.take_calls();
    let calls = calls.iter().filter(|call| matches!(call.service, Service::DynamoDb | Service::Sqs));
    let needed: std::collections::BTreeSet<_> =
        calls.flat_map(Call::needs).map(|(action, name)| (action, resource(stack, &name))).collect();
    assert!(needed.len() > 20, "{needed:?}");
    for (action, resource) in needed {
        let allows = |statement: &&Value| {
            texts(&statement["Action"]).contains(&action.as_str())
                && texts(&statement["Resource"]).contains(&resource.as_str())
        };
        assert!(allowed.iter().any(allows), "{action} on {resource}");
    }
}
