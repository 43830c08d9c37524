//! Tests what is removed, kept and refused when a stack goes, and that its name can be used again.

use tests::fresh;

use crate::fixture::Deployer;

/// Creates a stack with a table, a queue and a bucket that are kept. With `fails`, the emulator refuses the last resource.
fn create(deployer: &Deployer, name: &str, fails: bool) -> String {
    deployer.script(&format!(
        "import json, time\n\
         table = dict(TableName='{name}-partners', BillingMode='PAY_PER_REQUEST',\n\
         \x20   AttributeDefinitions=[dict(AttributeName='provider', AttributeType='S')],\n\
         \x20   KeySchema=[dict(AttributeName='provider', KeyType='HASH')])\n\
         resources = dict(\n\
         \x20   Table=dict(Type='AWS::DynamoDB::Table', DeletionPolicy='Retain', Properties=table),\n\
         \x20   Queue=dict(Type='AWS::SQS::Queue', DeletionPolicy='Retain', Properties=dict(QueueName='{name}-webhooks')),\n\
         \x20   ArchiveBucket=dict(Type='AWS::S3::Bucket', DeletionPolicy='Retain'))\n\
         if {fails}:\n\
         \x20   computed = dict(Metrics=[dict(Id='a', Expression='1')])\n\
         \x20   resources['Fails'] = dict(Type='AWS::CloudWatch::Alarm', DependsOn=['Table', 'Queue', 'ArchiveBucket'], Properties=computed)\n\
         outputs = dict(ApiUrl=dict(Value='https://api.example.com'))\n\
         cloudformation.create_stack(StackName='{name}', TemplateBody=json.dumps(dict(Resources=resources, Outputs=outputs)))\n\
         while (status := cloudformation.describe_stacks(StackName='{name}')['Stacks'][0]['StackStatus']).endswith('_IN_PROGRESS'):\n\
         \x20   time.sleep(0.1)\n\
         print(status)\n",
        fails = if fails { "True" } else { "False" },
    ))
}

fn put_item(deployer: &Deployer, name: &str) {
    deployer.script(&format!("dynamodb.put_item(TableName='{name}-partners', Item=dict(provider=dict(S='acme')))"));
}

#[test]
fn a_first_deployment_that_failed_can_be_repeated() {
    let deployer = Deployer::new();
    let name = fresh("first");
    deployer.configure(&name, &["DeletionProtection=false"]);
    assert_eq!(create(&deployer, &name, true).trim(), "ROLLBACK_COMPLETE");
    // This is allowed for production too: a stack that was never complete cannot hold any data.
    deployer.run("deploy --env prod").assert_refused(&["ROLLBACK_COMPLETE", "make destroy ENV=prod"]);
    let ran = deployer.run("destroy --env prod --yes");
    ran.assert_done();
    assert!(ran.said.contains("Nothing is left."), "{}", ran.said);
    assert_eq!(create(&deployer, &name, false).trim(), "CREATE_COMPLETE");
    deployer.run("deploy --env prod").assert_done();
}

#[test]
fn what_a_failed_deployment_left_is_kept_if_it_holds_anything() {
    let deployer = Deployer::new();
    let name = fresh("holds");
    deployer.configure(&name, &[]);
    create(&deployer, &name, true);
    put_item(&deployer, &name);
    let ran = deployer.run("destroy --env prod --yes");
    ran.assert_done();
    assert!(ran.said.contains(&format!("Kept: {name}-partners.")), "{}", ran.said);
    deployer.run("deploy --env prod").assert_refused(&[&format!("names are taken: {name}-partners.")]);
}

#[test]
fn destroying_keeps_tables_and_queues_unless_told() {
    let deployer = Deployer::new();
    let name = fresh("kept");
    deployer.configure(&name, &[]);
    create(&deployer, &name, false);
    put_item(&deployer, &name);
    let bucket = deployer.script(&format!(
        "s3 = boto3.client('s3')\n\
         bucket = cloudformation.describe_stack_resource(StackName='{name}', LogicalResourceId='ArchiveBucket')\n\
         bucket = bucket['StackResourceDetail']['PhysicalResourceId']\n\
         for n in range(3): s3.put_object(Bucket=bucket, Key=f'clicks/day=2026-11-30/{{n}}', Body=b'row')\n\
         print(bucket)\n"
    ));
    deployer.run("destroy --env prod --yes").assert_refused(&["is production, and is not destroyed"]);
    deployer.run("destroy --env staging").assert_refused(&["are kept", "Confirmation required", "YES=1"]);
    let ran = deployer.run("destroy --env staging --yes");
    ran.assert_done();
    assert!(ran.said.contains(&format!("Kept: {name}-partners, {name}-webhooks, {}.", bucket.trim())), "{}", ran.said);
    let ran = deployer.run("destroy --env staging --yes --data delete");
    ran.assert_done();
    assert!(ran.said.contains("Nothing is left."), "{}", ran.said);
    assert_eq!(create(&deployer, &name, false).trim(), "CREATE_COMPLETE");
}

#[test]
fn a_deployed_stack_is_protected_as_its_tables_are() {
    let deployer = Deployer::new();
    let name = fresh("protected");
    deployer.configure(&name, &["DeletionProtection=true"]);
    create(&deployer, &name, false);
    deployer.run("deploy --env staging").assert_done();
    let refused = deployer.run("destroy --env staging --yes --data delete");
    refused.assert_refused(&["is protected from deletion", "--no-enable-termination-protection"]);
    let kept = deployer.script(&format!("print(sqs.get_queue_url(QueueName='{name}-webhooks')['QueueUrl'])"));
    assert!(kept.contains(&name), "{kept}");
}
