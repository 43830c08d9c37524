//! Compares what each function's role allows with what the function's calls needed in all other tests.

use std::{collections::BTreeSet, env, fs};

use tests::proxy::NEEDS;

use crate::policies::{policies, resources, texts};

/// Lists what Lambda does with a function's role for its queues and streams, and not the function itself. Lambda brings
/// the console no messages.
const OF_LAMBDA: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
const CONSOLE: &str = "console";

/// Returns `webhook-sender` for `WebhookSender`.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for sign in name.chars() {
        if sign.is_ascii_uppercase() && !slug.is_empty() {
            slug.push('-');
        }
        slug.push(sign.to_ascii_lowercase());
    }
    slug
}

/// Returns the noun of a table, an index, a queue or the archive's streams in a policy.
fn noun(arn: &str) -> String {
    if let Some((_, streams)) = arn.split_once(":deliverystream/${AWS::StackName}-") {
        return streams.to_owned();
    }
    let arn = arn.trim_start_matches("${").replace('}', "");
    let (resource, index) = arn.split_once(".Arn").unwrap();
    let resource = resource.trim_end_matches("Table").trim_end_matches("Queue");
    slug(resource) + &index.replace("/index/", "/")
}

#[test]
#[ignore = "make test runs it last, with what all other tests wrote down"]
fn each_role_allows_exactly_what_its_function_calls() {
    let folder = env::var_os(NEEDS).unwrap_or_else(|| panic!("{NEEDS} is not set; run make test"));
    let mut needed = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        needed.extend(fs::read_to_string(file.unwrap().path()).unwrap().lines().map(str::to_owned));
    }
    let resources = resources();
    let mut allowed = BTreeSet::new();
    for (role, statements) in policies(&resources).into_iter().filter(|(role, _)| *role != "OperatorRole") {
        let function = slug(role.strip_suffix("Role").unwrap());
        for statement in statements {
            let arns = texts(&statement["Resource"])
                .into_iter()
                .filter(|arn| arn.contains(".Arn") || arn.contains("-archive-"));
            for arn in arns {
                let actions = texts(&statement["Action"]).into_iter().filter(|action| {
                    let services = ["dynamodb:", "sqs:", "firehose:"];
                    let is_own = function == CONSOLE || !OF_LAMBDA.contains(action);
                    services.iter().any(|service| action.starts_with(service)) && is_own
                });
                allowed.extend(actions.map(|action| format!("{function} {action} {}", noun(arn))));
            }
        }
    }
    let functions: BTreeSet<&str> = allowed.iter().filter_map(|line| line.split(' ').next()).collect();
    needed.retain(|line| functions.contains(line.split(' ').next().unwrap_or_default()));
    let missing: Vec<_> = needed.difference(&allowed).collect();
    let unused: Vec<_> = allowed.difference(&needed).collect();
    assert!(missing.is_empty() && unused.is_empty(), "not allowed: {missing:#?}\nnever used: {unused:#?}");
}
