//! Compares what the deploying role must be allowed with the kinds of resources in template.yaml.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::policies::{statements, texts};

/// Returns the service of IAM whose actions make a resource of this kind.
fn service(kind: &str) -> &str {
    let service = kind.split("::").nth(1).unwrap_or_default();
    match service {
        "ApiGatewayV2" => "apigateway",
        "Athena" => "athena",
        "CloudWatch" => "cloudwatch",
        "Cognito" => "cognito-idp",
        "DynamoDB" => "dynamodb",
        "Events" => "events",
        "Glue" => "glue",
        "IAM" => "iam",
        "KinesisFirehose" => "firehose",
        "Lambda" | "Serverless" => "lambda",
        "Logs" => "logs",
        "S3" => "s3",
        "SNS" => "sns",
        "SQS" => "sqs",
        unknown => panic!("name the service of IAM for {unknown}, and its actions in infra/deploy/policy.json"),
    }
}

#[test]
fn the_deployers_policy_names_actions_for_every_kind() {
    let policy: Value = serde_json::from_str(include_str!("../../../infra/deploy/policy.json")).unwrap();
    let actions: BTreeSet<&str> =
        statements(&policy).iter().flat_map(|statement| texts(&statement["Action"])).collect();
    assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
    let template = include_str!("../../../template.yaml");
    let kinds: BTreeSet<&str> = template.lines().filter_map(|line| line.trim().strip_prefix("Type: AWS::")).collect();
    assert!(kinds.len() > 15, "{kinds:?}");
    for kind in kinds {
        let prefix = format!("{}:", service(&format!("AWS::{kind}")));
        assert!(actions.iter().any(|action| action.starts_with(&prefix)), "{kind}: {prefix}");
    }
    for action in ["CreateLogDelivery", "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"] {
        assert!(actions.contains(format!("logs:{action}").as_str()), "{action}");
    }
}
