//! Tests the decisions of `make deploy` and `make destroy`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;
mod removal;

use std::{fs, os::unix::fs::PermissionsExt as _};

use tests::fresh;

use crate::fixture::Deployer;

#[test]
fn a_deployment_builds_checks_updates_and_looks() {
    let deployer = Deployer::new();
    let ran = deployer.run("deploy --env staging");
    ran.assert_done();
    let [build, sam, smoke] = &ran.calls[..] else { panic!("{:?}", ran.calls) };
    assert!(build.starts_with("cargo lambda build --release --arm64 --locked "), "{build}");
    assert!(build.contains(" -p postback") && build.contains(" -p delivery-sweep"), "{build}");
    let stack = &deployer.stack.stack_name;
    for words in [
        "--config-env staging --region us-east-1 ",
        // An update that changes nothing is a success, and no question is asked, because nobody may be there to answer.
        "--no-fail-on-empty-changeset --no-confirm-changeset ",
        "--tags environment=staging ",
        // Every parameter is named, because CloudFormation keeps the old value of a parameter that is not named.
        " Commit=\"1da60ba1c2\" Release=\"",
        " DeletionProtection=\"false\"",
        " LogRetentionDays=\"30\"",
        " SweepSchedule=\"rate(5 minutes)\"",
        " PlatformPrincipal=\"\"",
    ] {
        assert!(sam.contains(words), "{words} is missing in: {sam}");
    }
    assert!(smoke.contains("-p postbackctl -- smoke --url https://"), "{smoke}");
    assert!(ran.said.contains(&format!("{stack} runs 1da60ba1c2")), "{}", ran.said);
    // A pipeline deploys the same binaries to another environment. The mode of the binary was lost on the way.
    let binary = deployer.folder.join("lambda/click/bootstrap");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o644)).unwrap();
    let again = deployer.run("deploy --env prod --no-build");
    again.assert_done();
    assert!(again.calls[0].starts_with("sam deploy "), "{:?}", again.calls);
    assert_eq!(fs::metadata(&binary).unwrap().permissions().mode() & 0o777, 0o755);
    // A version is published for each change of a binary or a parameter, and for nothing else.
    let release = |call: &str| call.split_once(" Release=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    assert_eq!(release(&again.calls[0]), release(sam));
    deployer.configure(stack, &["DeletionProtection=false", "PartnerStaleSeconds=600"]);
    let changed = deployer.run("deploy --env staging --no-build");
    changed.assert_done();
    assert_ne!(release(&changed.calls[0]), release(sam));
}

#[test]
fn a_deployment_that_fails_says_so() {
    let mut deployer = Deployer::new();
    deployer.variable("SMOKE", "1");
    let ran = deployer.run("deploy --env staging");
    assert!(!ran.is_done && ran.said.contains("is deployed, but does not answer"), "{}", ran.said);
    deployer.variable("SAM", "1");
    let ran = deployer.run("deploy --env staging");
    assert!(!ran.is_done && ran.said.contains("sam deploy failed"), "{}", ran.said);
    assert!(ran.said.contains("in the state CREATE_COMPLETE") && ran.calls.len() == 2, "{}", ran.said);
}

#[test]
fn a_mistake_in_samconfig_is_named() {
    let deployer = Deployer::new();
    deployer.run("deploy --env production").assert_refused(&["ENV=production is not an environment", "prod, staging"]);
    deployer.configure(&deployer.stack.stack_name, &["LogRetentionDay=30"]);
    deployer.run("deploy --env staging").assert_refused(&["sets LogRetentionDay, which template.yaml does not have"]);
    let section = |name: &str| format!("[{name}.deploy.parameters]\nstack_name = \"{name}\"\ns3_prefix = \"same\"\n");
    deployer.write("samconfig.toml", &(section("staging") + &section("prod")));
    deployer.run("deploy --env staging").assert_refused(&["s3_prefix same in [staging] and in [prod]"]);
}

#[test]
fn another_region_than_the_environments_is_refused() {
    let mut deployer = Deployer::new();
    deployer.variable("AWS_REGION", "eu-central-1");
    deployer.run("deploy --env staging").assert_refused(&["AWS_REGION is eu-central-1", "deploys to us-east-1"]);
}

#[test]
fn production_gets_only_what_is_committed() {
    let mut deployer = Deployer::new();
    deployer.variable("CHANGED", " M template.yaml");
    deployer.run("deploy --env prod").assert_refused(&["Files differ from the commit"]);
    let ran = deployer.run("deploy --env staging");
    ran.assert_done();
    assert!(ran.calls[1].contains(" Commit=\"1da60ba1c2-dirty\""), "{:?}", ran.calls);
}

#[test]
fn binaries_of_another_architecture_are_refused() {
    let deployer = Deployer::new();
    deployer.run("package --env staging").assert_done();
    deployer.configure(&deployer.stack.stack_name, &["Architecture=x86_64", "DeletionProtection=false"]);
    let refused = deployer.run("deploy --env staging --no-build");
    refused.assert_refused(&["is built for arm64, but the stack runs x86_64", "make package"]);
    let ran = deployer.run("deploy --env staging");
    ran.assert_done();
    assert!(ran.calls[0].contains("--x86-64"), "{:?}", ran.calls);
}

#[test]
fn binaries_that_are_not_of_these_sources_are_refused() {
    let deployer = Deployer::new();
    deployer.run("deploy --env staging --no-build").assert_refused(&["no record of a build", "make package"]);
    deployer.run("package --env staging").assert_done();
    let record = deployer.folder.join("lambda/build.json");
    let built = fs::read_to_string(&record).unwrap();
    let at = built.find("\"sources\": \"").unwrap() + "\"sources\": \"".len();
    fs::write(&record, format!("{}0{}", &built[..at], &built[at..])).unwrap();
    deployer.run("deploy --env staging --no-build").assert_refused(&["older than their sources", "1da60ba1c2"]);
    fs::write(&record, built).unwrap();
    fs::write(deployer.folder.join("lambda/click/bootstrap"), "\x7fELF another").unwrap();
    deployer.run("deploy --env staging --no-build").assert_refused(&["click is not the one that was built"]);
    fs::remove_file(deployer.folder.join("lambda/click/bootstrap")).unwrap();
    deployer.run("deploy --env staging --no-build").assert_refused(&["click is not built"]);
}

#[test]
fn a_domain_without_an_issued_certificate_is_refused() {
    let deployer = Deployer::new();
    let arn = "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000";
    let name = &deployer.stack.stack_name;
    for (parameters, words) in [
        (&["DomainName=api.example.com"][..], &["no CertificateArn"][..]),
        (&["DomainName=api.example.com", &format!("CertificateArn={arn}")], &["is not issued (MISSING)", "DNS record"]),
        (
            &["DomainName=api.example.com", &format!("CertificateArn={}", arn.replace("us-east-1", "eu-west-1"))],
            &["is not of the region us-east-1"],
        ),
    ] {
        deployer.configure(name, parameters);
        deployer.run("deploy --env staging").assert_refused(words);
    }
}

#[test]
fn a_quota_that_is_too_small_is_refused() {
    let deployer = Deployer::new();
    deployer
        .configure(&deployer.stack.stack_name, &["ClickReservedConcurrency=90000", "PostbackReservedConcurrency=1"]);
    deployer.run("deploy --env staging").assert_refused(&["reserve 90001", "has a concurrency of", "L-B99A9384"]);
}

#[test]
fn a_stack_that_cannot_be_updated_is_named_with_the_cure() {
    let deployer = Deployer::new();
    let said = deployer.script(
        "from pathlib import Path\n\
         from infra.deploy import checks, environments\n\
         from infra.local.console import Failure\n\
         staging = environments.read('staging', Path('samconfig.toml'))\n\
         for status in ('CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE', 'UPDATE_IN_PROGRESS',\n\
         \x20              'UPDATE_ROLLBACK_FAILED', 'ROLLBACK_COMPLETE', 'DELETE_FAILED', 'ROLLBACK_IN_PROGRESS'):\n\
         \x20   try:\n\
         \x20       checks._can_be_updated(staging, status)\n\
         \x20       print(status, 'can be updated')\n\
         \x20   except Failure as failure:\n\
         \x20       print(status, failure.what, failure.cure)\n",
    );
    for (status, words) in [
        ("CREATE_COMPLETE", "can be updated"),
        ("UPDATE_COMPLETE", "can be updated"),
        ("UPDATE_ROLLBACK_COMPLETE", "can be updated"),
        ("UPDATE_IN_PROGRESS", "Another deployment"),
        ("ROLLBACK_IN_PROGRESS", "Another deployment"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("ROLLBACK_COMPLETE", "make destroy ENV=staging"),
        ("DELETE_FAILED", "make destroy ENV=staging"),
    ] {
        let line = said.lines().find(|line| line.starts_with(&format!("{status} "))).unwrap();
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let deployer = Deployer::new();
    let name = fresh("taken");
    deployer.configure(&name, &[]);
    deployer
        .script(&format!("sqs.create_queue(QueueName='{name}-webhooks')\nsqs.create_queue(QueueName='{name}-other')"));
    deployer.run("deploy --env staging").assert_refused(&[&format!("names are taken: {name}-webhooks.\n")]);
}
