//! Runs the operator's command against the running stack, as an operator types it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use adapters::dynamodb::{audit::DynamoAudit, configuration::Configuration, item::PartnerItem};
use app::{
    operators::audit,
    ports::{Partners as _, Replaced, SecretPurpose, StoredSecrets},
};
use domain::{
    jiff::Timestamp,
    values::{ids::Provider, signature::Secret},
};
use serde_json::Value;
use tests::{
    now,
    operator::audit_record,
    stack::{STACK_FILE, Stack},
};

fn stack() -> Stack {
    Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"))
}

fn postbackctl(arguments: &[&str]) -> Output {
    tests::operator::postbackctl(&stack(), arguments)
}

fn demo(stack_file: &str, log: &Path) -> Output {
    let stack = stack();
    let environment = stack.aws_environment(&stack.aws_endpoint_url);
    let mut demo = std::process::Command::new(tests::built("demo"));
    let demo = demo.args(["--stack-file", stack_file, "--width", "80", "--log"]).arg(log);
    demo.env_clear().envs(environment).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_done(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Holds a folder with the files of one test. Dropping this value removes the folder.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("postbackctl-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            fs::write(path.join(file), text).unwrap();
        }
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_demo_plays_the_documents_examples_and_shows_the_result() {
    let (file, folder) = (std::env::var(STACK_FILE).unwrap(), Folder::with("demo", &[]));
    let log = folder.0.join("story.log");
    // The second run finds everything stored already, and must report the same.
    for _ in 0..2 {
        let shown = assert_done(&demo(&file, &log));
        for line in [
            "postback   accepted from acme, transaction 123123123: 100.00 USD",
            "409 conflict: amount_decimal 100.00 stays, 999.00 is kept",
            "click verified",
            "sign-up: reached, webhook ",
            "1 of round 1: answered 500",
            ": answered 200",
            "\nWhat happened\n",
            "GG3's quests got 4 conversions, each once.",
            "5 of 9 attempts failed, and all webhooks were delivered.\n",
        ] {
            assert!(shown.contains(line), "{line} is missing in\n{shown}");
        }
        assert!(shown.lines().count() < 90, "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let whole = fs::read_to_string(&log).unwrap();
        let (before, attempts) = whole.split_once("acme's server fails at first").unwrap();
        assert_eq!(before.matches("reached; delivery ").count(), 4, "{whole}");
        assert_eq!(attempts.matches("  delivery   owed to acme").count(), 4, "{whole}");
        for line in [
            "click ",
            "conflict ",
            "refusal ",
            "derived:",
            "(verified)",
            "opening ",
            "its answer began: down for maintenance",
            "\"type\": \"conversion.accepted\"",
            "&amount_decimal=100.00",
        ] {
            assert!(whole.contains(line), "{line} is missing in\n{whole}");
        }
    }
}

#[test]
fn version_says_what_is_installed_and_what_is_deployed() {
    // The local stack is built from whatever is in the folder, so its deployment names no commit.
    let shown = assert_done(&postbackctl(&["version"]));
    assert_eq!(shown, format!("postbackctl {}\n{} unknown\n", env!("CARGO_PKG_VERSION"), stack().stack_name));
}

#[test]
fn the_smoke_test_passes_only_on_a_running_stack() {
    let stack = stack();
    let acme = stack.partner("acme");
    let arguments = ["smoke", "--url", &stack.api_url, "--provider", "acme", "--token", acme.token.as_ref().unwrap()];
    let with_link = [&arguments[..], &["--click-url", &acme.landings["welcome"]]].concat();
    let shown = assert_done(&postbackctl(&with_link));
    assert!(shown.ends_with("8 passed, 0 failed\n"), "{shown}");
    assert!(shown.contains("\nencoded {|\" in the query        200  the function  as it was sent\n"), "{shown}");
    let wrong = postbackctl(&["smoke", "--url", &stack.api_url, "--provider", "acme", "--token", "wrong"]);
    assert!(!wrong.status.success() && text(&wrong.stdout).contains("FAIL"));
    assert!(!postbackctl(&["smoke", "--url", "http://127.0.0.1:9"]).status.success());
}

#[test]
fn a_faulty_file_keeps_apply_from_changing_any_partner() {
    let files = [("good-one.yaml", "provider: good-one\n"), ("worse.yaml", "provider: worse\npostbck: {}\n")];
    let folder = Folder::with("faulty", &files);
    assert_eq!(postbackctl(&["apply", folder.path(), "--yes"]).status.code(), Some(1));
    let link = postbackctl(&["link", "click", "good-one", "x", "--user", "1", "--api-url", "https://a.example"]);
    assert!(text(&link.stderr).contains("there is no partner good-one"));
}

#[test]
fn apply_shows_a_token_only_when_it_creates_the_partner() {
    let folder = Folder::with("partners", &[("massive-dynamic.yaml", "provider: massive-dynamic\n")]);
    let apply = || -> Value {
        let output = postbackctl(&["apply", folder.path(), "--yes", "--json"]);
        let mut report: Value = serde_json::from_str(&assert_done(&output)).unwrap();
        report["partners"][0].take()
    };
    let created = apply();
    assert_eq!((created["change"].as_str(), created["token"].is_string()), (Some("created"), true));
    let kept = apply();
    assert_eq!((kept["change"].as_str(), kept["token"].is_null()), (Some("unchanged"), true));
    fs::write(
        folder.0.join("massive-dynamic.yaml"),
        "provider: massive-dynamic\nname: Massive Dynamic\nlandings:\n  x: https://a.example/\n",
    )
    .unwrap();
    let changed = apply();
    assert_eq!((changed["change"].as_str(), changed["token"].is_null()), (Some("changed"), true));
    let link =
        postbackctl(&["link", "click", "massive-dynamic", "x", "--user", "u 1", "--api-url", "https://a.example/"]);
    assert!(assert_done(&link).starts_with("https://a.example/click/massive-dynamic/x?user_id=u%201&expires="));
    // Without --yes and without a terminal nothing is changed.
    fs::write(folder.0.join("massive-dynamic.yaml"), "provider: massive-dynamic\n").unwrap();
    let unasked = postbackctl(&["apply", folder.path()]);
    assert!(!unasked.status.success() && text(&unasked.stderr).contains("--yes"));
}

#[test]
fn apply_leaves_a_partner_whose_file_is_gone_and_says_so() {
    let files = [("initrode.yaml", "provider: initrode\nname: A\n"), ("vandelay.yaml", "provider: vandelay\n")];
    let folder = Folder::with("gone", &files);
    assert_done(&postbackctl(&["apply", folder.path(), "--yes"]));
    fs::remove_file(folder.0.join("vandelay.yaml")).unwrap();
    fs::write(folder.0.join("initrode.yaml"), "provider: initrode\nname: B\n").unwrap();
    let applied = postbackctl(&["apply", folder.path(), "--yes"]);
    assert_done(&applied);
    let said = text(&applied.stderr);
    let left = said.lines().find(|line| line.starts_with("leave  ")).unwrap_or_default();
    assert!(left.contains("vandelay") && said.contains("change initrode"), "{said}");
    assert!(said.contains("- name: \"A\"\n") && said.contains("+ name: \"B\"\n"), "{said}");
    assert_done(&postbackctl(&["kit", "vandelay"]));
    // The report of a single file says nothing about other partners.
    let one = folder.0.join("initrode.yaml");
    let applied = postbackctl(&["apply", one.to_str().unwrap(), "--yes"]);
    assert!(!text(&applied.stderr).contains("vandelay"), "{}", text(&applied.stderr));
}

#[tokio::test]
async fn a_partner_that_is_created_twice_keeps_its_first_secret() {
    let stack = stack();
    let table = |noun: &str| stack.table(noun).to_owned();
    let configuration = Configuration::new(stack.dynamodb(), table("partners"), table("secrets"), table("audit"));
    let provider = Provider::new("tyrell").unwrap();
    let item = |seconds: i64| PartnerItem {
        pauses: domain::partner::Pauses::default(),
        provider: provider.clone(),
        version: 1,
        updated_at: Timestamp::from_second(seconds).unwrap(),
        file: r#"{"provider":"tyrell","postback":{"credential":"signature"}}"#.into(),
        token_hashes: Vec::new(),
    };
    let purpose = SecretPurpose::Postback(provider.clone());
    let secrets = |text: &str| StoredSecrets {
        purpose: purpose.clone(),
        version: 1,
        newest_at: Timestamp::UNIX_EPOCH,
        secrets: vec![Secret::new(text)],
    };
    let (ours, theirs) = (audit_record("tyrell"), audit_record("tyrell"));
    assert_eq!(configuration.put_partner(&item(1), &[secrets("first")], &ours).await, Ok(Replaced::Done));
    assert_eq!(configuration.put_partner(&item(2), &[secrets("second")], &theirs).await, Ok(Replaced::Changed));
    // If the same write comes a second time, as after a lost answer, the second write counts as done.
    assert_eq!(configuration.put_partner(&item(1), &[secrets("first")], &ours).await, Ok(Replaced::Done));
    // The change that came too late left no record.
    let trail = DynamoAudit::new(stack.dynamodb(), table("audit"));
    let stored = audit::list(&trail, (ours.at, now()), Some(&provider)).await.unwrap();
    assert_eq!(stored, [ours]);
    assert_eq!(configuration.partner(&provider).await, Ok(Some(item(1))));
    assert!(configuration.secrets(&purpose).await == Ok(Some(secrets("first"))));
}

#[tokio::test]
async fn the_sample_partners_webhooks_lead_to_the_simulator() {
    let stack = stack();
    let table = |noun: &str| stack.table(noun).to_owned();
    let configuration = Configuration::new(stack.dynamodb(), table("partners"), table("secrets"), table("audit"));
    let acme = configuration.partner(&Provider::new("acme").unwrap()).await.unwrap().unwrap();
    let stored: Value = serde_json::from_str(&acme.file).unwrap();
    let file = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/partners/acme.yaml")).unwrap();
    let simulator = stack.partner_simulator();
    let campaigns = stored["media_buying"]["campaigns"].as_array().unwrap();
    assert_eq!(campaigns.len(), file.matches("url: ").count());
    for campaign in campaigns {
        let url = campaign["webhook"]["url"].as_str().unwrap();
        let rest = url
            .strip_prefix(&simulator.webhook_url("acme"))
            .expect("the webhook leads to the simulator under the name acme");
        assert!(file.contains(&format!("{rest}\"")), "{url}");
    }
    // This request fails if the simulator does not run.
    simulator.requests("acme").await;
}

#[test]
fn a_rotation_keeps_the_old_token_until_it_is_dropped() {
    let stack = stack();
    let folder = Folder::with("rotated", &[("pied-piper.yaml", "provider: pied-piper\n")]);
    let output = postbackctl(&["apply", folder.path(), "--yes", "--json"]);
    let report: Value = serde_json::from_str(&assert_done(&output)).unwrap();
    let old = report["partners"][0]["token"].as_str().unwrap().to_owned();
    let shown = assert_done(&postbackctl(&["rotate", "pied-piper"]));
    let new = shown.split_once("token ").unwrap().1.split(' ').next().unwrap().to_owned();

    // The function uses the configuration that it has read for one second here, and for one minute on AWS.
    let smoke = |token: &str| {
        let arguments = ["smoke", "--url", &stack.api_url, "--provider", "pied-piper", "--token", token];
        postbackctl(&arguments).status.success()
    };
    let in_time = |wanted: &dyn Fn() -> bool| (0..100).any(|_| wanted());
    assert!(in_time(&|| smoke(&new)), "the new token is accepted");
    assert!(smoke(&old), "the old token is still accepted");
    assert_done(&postbackctl(&["rotate", "pied-piper", "--drop-old"]));
    assert!(in_time(&|| !smoke(&old)), "the old token is no longer accepted");
    assert!(smoke(&new), "the new token is still accepted");
}

#[test]
fn a_media_buying_link_keeps_the_partners_macros() {
    let page = "https://gg3.xyz/quests/complete-50-quests";
    let link = postbackctl(&["link", "media-buying", "acme", "--page", page]);
    assert_eq!(assert_done(&link).trim(), format!("{page}?click_id={{clickId}}&user_id={{userId}}&provider=acme"));
}

#[test]
fn the_kit_has_a_partners_urls_and_none_of_its_secrets() {
    let stack = stack();
    let kit = assert_done(&postbackctl(&["kit", "acme", "--api-url", &stack.api_url]));
    assert!(
        kit.contains(&format!("{}/postback/acme/{{token}}?user_id={{userId}}&click_id={{clickId}}", stack.api_url))
    );
    let initech = assert_done(&postbackctl(&["kit", "initech"]));
    assert!(initech.contains("https://{api}/postback/initech?"), "{initech}");
    let (token, secret) = (stack.partner("acme").token.as_ref(), stack.partner("initech").signature_secret.as_ref());
    assert!(!kit.contains(token.unwrap()) && !initech.contains(secret.unwrap()));
    let nobody = postbackctl(&["kit", "nobody-here"]);
    assert!(!nobody.status.success() && text(&nobody.stderr).contains("there is no partner nobody-here"));
}

#[test]
fn commands_report_the_same_to_programs_in_json() {
    let folder = Folder::with("for-programs", &[("for-programs.yaml", "provider: for-programs\n")]);
    let json = |arguments: &[&str]| -> Value {
        let output = postbackctl(&[arguments, &["--json"]].concat());
        serde_json::from_str(&assert_done(&output)).unwrap_or_else(|fault| panic!("{fault}: {arguments:?}"))
    };
    json(&["apply", folder.path(), "--yes"]);
    let rotated = json(&["rotate", "for-programs"]);
    assert_eq!((&rotated["rotated"], rotated["token"].is_string()), (&"token".into(), true));
    let dropped = json(&["rotate", "for-programs", "--drop-old"]);
    assert_eq!((&dropped["rotated"], &dropped["token"]), (&"token".into(), &Value::Null));

    let page = "https://gg3.xyz/quests/complete-50-quests";
    let media_buying = json(&["link", "media-buying", "acme", "--page", page]);
    assert!(media_buying["link"].as_str().unwrap().starts_with(page) && media_buying["expires_at"].is_null());
    let click = json(&["link", "click", "acme", "welcome", "--user", "u", "--api-url", "https://a.example"]);
    let expires: Timestamp = click["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(click["link"].as_str().unwrap().contains(&format!("expires={}", expires.as_second())), "{click}");

    let kit = json(&["kit", "acme"]);
    assert_eq!(kit["markdown"].as_str().unwrap(), assert_done(&postbackctl(&["kit", "acme"])));
    let dead = "webhook-retries-dead-letters";
    let nothing = serde_json::json!({"queue": dead, "to": "webhook-retries", "moved": 0, "of": 0});
    assert_eq!(json(&["redrive", dead, "--yes"]), nothing);
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is_reported() {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(std::path::Path::parent).unwrap().join("postbackctl");
    let run = |sink: &str| {
        let script = format!("{} cost {sink}; echo \"code ${{PIPESTATUS[0]}}\" >&2", program.display());
        let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        text(&output.stderr)
    };
    // The reader may end before or after the last line is written. Both exit codes are correct.
    let said = run("| true");
    assert!(["code 141\n", "code 0\n"].contains(&said.as_str()), "{said}");
    if std::path::Path::new("/dev/full").exists() {
        let said = run("> /dev/full");
        assert!(
            said.contains("cannot be written") && said.ends_with("code 1\n") && !said.contains("panicked"),
            "{said}"
        );
    }
}
