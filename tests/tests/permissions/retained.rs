//! Checks that deleting the stack, or replacing a resource, deletes nothing that partners are owed or paid for.

use crate::policies::resources;

#[test]
fn tables_and_queues_survive_deletion_and_replacement() {
    let resources = resources();
    let durable = resources.iter().filter(|(_, resource)| {
        ["AWS::DynamoDB::Table", "AWS::SQS::Queue"].contains(&resource["Type"].as_str().unwrap_or_default())
    });
    let mut seen = 0;
    for (name, resource) in durable {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(resource[policy], "Retain", "{name}: {policy}");
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen} tables and queues");
}
