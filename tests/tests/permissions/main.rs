//! Tests the permissions of the deployment: the policies of queues and of roles in template.yaml.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod deployer;
mod needed;
mod policies;
mod retained;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::policies::{of_type, policies, resources, statements, texts};

/// Returns the queues on which the statements allow this action.
fn allowed<'a>(statements: &[&'a Value], action: &str) -> BTreeSet<&'a str> {
    let allowing = statements.iter().filter(|statement| texts(&statement["Action"]).contains(&action));
    allowing.flat_map(|statement| texts(&statement["Resource"])).collect()
}

fn denial<'a>(policy: &'a Value, sid: &str) -> &'a Value {
    let found = statements(&policy["PolicyDocument"]).iter().find(|statement| statement["Sid"] == sid);
    found.unwrap_or_else(|| panic!("{} has no statement {sid}", policy["Queues"]))
}

#[test]
fn every_queue_has_a_policy_that_names_roles_and_actions() {
    let resources = resources();
    let mut queues: BTreeSet<&str> = of_type(&resources, "AWS::SQS::Queue").into_keys().collect();
    for (name, policy) in of_type(&resources, "AWS::SQS::QueuePolicy") {
        let [queue] = texts(&policy["Queues"])[..] else { panic!("{name} is of one queue") };
        assert!(queues.remove(queue), "{name}");
        for statement in statements(&policy["PolicyDocument"]) {
            assert_eq!(statement["Resource"], format!("{queue}.Arn"), "{name}");
            let actions = texts(&statement["Action"]);
            assert!(actions.iter().all(|action| action.starts_with("sqs:") && !action.contains('*')), "{name}");
            let everybody = texts(&statement["Principal"]).contains(&"*");
            assert!(!everybody || statement["Effect"] == "Deny", "{name}: {statement}");
        }
        let tls = denial(policy, "NobodyWithoutTls");
        assert_eq!(tls["Condition"]["Bool"]["aws:SecureTransport"], "false", "{name}");
        for action in ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"] {
            assert!(texts(&tls["Action"]).contains(&action), "{name}");
        }
    }
    assert!(queues.is_empty(), "without a policy: {queues:?}");
}

#[test]
fn a_queue_lets_in_exactly_the_roles_that_use_it() {
    let resources = resources();
    let policies = policies(&resources);
    let platform = "HasPlatform PlatformPrincipal OperatorRole.Arn";
    for (name, policy) in of_type(&resources, "AWS::SQS::QueuePolicy") {
        let queue = format!("{}.Arn", texts(&policy["Queues"])[0]);
        for (action, sid) in [("sqs:SendMessage", "NobodyElseSends"), ("sqs:ReceiveMessage", "NobodyElseReceives")] {
            let using = policies.iter().filter(|(_, statements)| allowed(statements, action).contains(queue.as_str()));
            let mut using: BTreeSet<String> = using.map(|(role, _)| format!("{role}.Arn")).collect();
            if (name, action) == ("Gg3EventsQueuePolicy", "sqs:SendMessage")
                || (name, action) == ("Gg3ConversionsQueuePolicy", "sqs:ReceiveMessage")
            {
                using.insert(platform.to_owned());
            }
            let sid = if using.is_empty() { "OnlySqsSends" } else { sid };
            let denial = denial(policy, sid);
            assert!(texts(&denial["Action"]).contains(&action), "{name}");
            assert_eq!(denial["Condition"]["Bool"]["aws:PrincipalIsAWSService"], "false", "{name}");
            let spared = &denial["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
            let spared = spared.as_array().into_iter().flatten().map(|one| texts(one).join(" "));
            assert_eq!(spared.collect::<BTreeSet<_>>(), using, "{name}: {action}");
        }
    }
}

#[test]
fn the_platforms_policy_allows_what_its_queues_allow() {
    let resources = resources();
    let managed = of_type(&resources, "AWS::IAM::ManagedPolicy");
    let given: BTreeSet<Vec<&str>> = statements(&managed["Gg3PlatformPolicy"]["PolicyDocument"])
        .iter()
        .map(|statement| [texts(&statement["Resource"]), texts(&statement["Action"])].concat())
        .collect();
    let queues = of_type(&resources, "AWS::SQS::QueuePolicy").into_values();
    let let_in = queues.flat_map(|policy| statements(&policy["PolicyDocument"]));
    let let_in = let_in.filter(|statement| statement["Sid"] == "Platform");
    let let_in = let_in.map(|statement| [texts(&statement["Resource"]), texts(&statement["Action"])].concat());
    assert_eq!(given, let_in.collect());
}

#[test]
fn each_function_reads_only_the_secrets_of_its_purpose() {
    let resources = resources();
    let reads = policies(&resources).into_iter().filter(|(role, _)| *role != "OperatorRole").flat_map(|(role, all)| {
        let of_secrets =
            all.into_iter().filter(|statement| texts(&statement["Resource"]).contains(&"SecretsTable.Arn"));
        of_secrets.flat_map(move |statement| {
            assert!(texts(&statement["Action"]).iter().all(|action| action.ends_with("GetItem")), "{role}");
            let condition = &statement["Condition"];
            if texts(&condition["ForAllValues:StringEquals"]["dynamodb:Attributes"]) == ["owner"] {
                // This read sees only which secrets there are. A read that names no attributes would see all of them.
                assert_eq!(condition["Null"]["dynamodb:Attributes"], "false", "{role}");
                return Vec::new();
            }
            let keys = texts(condition);
            assert!(!keys.is_empty(), "{role} may read every secret");
            keys.into_iter().map(|key| (role, key)).collect()
        })
    });
    let expected = [
        ("ClickRole", "click"),
        ("ClickRole", "link"),
        ("ConsoleRole", "click"),
        ("LookupWriterRole", "archive"),
        ("PostbackRole", "click"),
        ("PostbackRole", "postback#*"),
        ("WebhookSenderRole", "webhook#*"),
    ];
    assert_eq!(reads.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
}

#[test]
fn no_role_may_do_all_actions_or_change_an_audit_record() {
    let resources = resources();
    for (role, statements) in policies(&resources) {
        for statement in statements {
            let actions = texts(&statement["Action"]);
            assert!(actions.iter().all(|action| !action.contains('*')), "{role}: {actions:?}");
            let changes = ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"];
            let audit = texts(&statement["Resource"]).contains(&"AuditTable.Arn");
            assert!(!audit || actions.iter().all(|action| !changes.contains(action)), "{role}: {actions:?}");
        }
    }
}

#[test]
fn every_table_queue_and_bucket_takes_a_customers_key() {
    let resources = resources();
    for (name, table) in of_type(&resources, "AWS::DynamoDB::Table") {
        assert!(texts(&table["SSESpecification"]).contains(&"KmsKeyArn"), "{name}");
    }
    for (name, queue) in of_type(&resources, "AWS::SQS::Queue") {
        assert!(texts(&queue["KmsMasterKeyId"]).contains(&"KmsKeyArn"), "{name}");
    }
    for (name, bucket) in of_type(&resources, "AWS::S3::Bucket") {
        assert!(texts(&bucket["BucketEncryption"]).contains(&"KmsKeyArn"), "{name}");
    }
    let roles: BTreeSet<&str> =
        texts(&of_type(&resources, "AWS::IAM::Policy")["KeyPolicy"]["Roles"]).into_iter().collect();
    assert_eq!(roles, of_type(&resources, "AWS::IAM::Role").into_keys().collect());
}

#[test]
fn the_threat_model_lists_what_each_role_may_do() {
    let resources = resources();
    let page = include_str!("../../../docs/threat-model.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows =
        rows.filter(|(role, _)| resources.get(*role).is_some_and(|resource| resource["Type"] == "AWS::IAM::Role"));
    let mut listed = BTreeSet::new();
    for (role, may) in rows {
        for (place, actions) in may.split("; ").filter_map(|one| one.split_once(": ")) {
            listed.extend(actions.split(", ").map(|action| (role.to_owned(), place.to_owned(), action.to_owned())));
        }
    }
    let mut allowed = BTreeSet::new();
    for (role, statements) in policies(&resources).into_iter().filter(|(role, _)| *role != "OperatorRole") {
        for statement in statements {
            let actions = texts(&statement["Action"]).into_iter().filter_map(|action| action.split_once(':'));
            let of_stores =
                actions.filter(|(service, action)| ["dynamodb", "sqs"].contains(service) && *action != "ListStreams");
            for (_, action) in of_stores {
                let places = texts(&statement["Resource"]).into_iter().map(|arn| {
                    let arn = arn.replace("${", "").replace(".Arn}/index", "").replace(".StreamArn", "/stream");
                    arn.replace(".Arn", "")
                });
                allowed.extend(places.map(|place| (role.to_owned(), place, action.to_owned())));
            }
        }
    }
    assert_eq!(listed, allowed);
}
