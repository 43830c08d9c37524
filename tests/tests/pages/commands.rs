//! Tests that every command printed on a page is accepted by its program.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output, Stdio},
};

use tests::built;

use crate::{page::Page, repository};

/// Runs the operator's command without access to AWS, so that it can only read its arguments and fail.
fn postbackctl(words: &[String]) -> Output {
    Command::new(built("postbackctl"))
        .args(words)
        .current_dir(repository())
        .env_clear()
        .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Returns the arguments of the operator's command in a shell line or a code span. Returns `None` if the text does not
/// contain the command.
fn arguments(command: &str) -> Option<Vec<String>> {
    let in_subshell = || command.split_once("<(postbackctl ").map(|(_, rest)| rest);
    let starts = ["postbackctl ", "cargo run -p postbackctl -- "];
    let rest = starts.into_iter().find_map(|start| command.strip_prefix(start)).or_else(in_subshell)?;
    Some(words(rest))
}

/// Splits a line as a shell does, up to a redirection or the end of a subshell. Keeps `<content-id>` as a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for sign in line.chars() {
        match (quote, sign) {
            (Some(end), _) if sign == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(sign);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, ')' | '|' | ';') => break,
            (None, '>') if word.is_none() => break,
            _ => word.get_or_insert_default().push(sign),
        }
    }
    words.extend(word);
    words
}

#[test]
fn postbackctl_accepts_every_printed_command() {
    let mut looked_at = 0;
    for page in Page::all() {
        for command in page.commands() {
            let Some(words) = arguments(&command).filter(|words| !words.is_empty()) else { continue };
            looked_at += 1;
            let place = format!("{}: {command}", page.path.display());
            // A bare name in a sentence about the command only needs to exist.
            let is_name = words.iter().all(|word| word.chars().all(|sign| sign.is_ascii_lowercase() || sign == '-'));
            let help = postbackctl(&[words.as_slice(), &["--help".to_owned()]].concat());
            if is_name && help.status.success() {
                continue;
            }
            let output = postbackctl(&words);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.starts_with("error: "), "{place}\n{said}");
        }
    }
    assert!(looked_at > 80, "only {looked_at} commands are found");
}

#[test]
fn every_make_target_exists() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let rules = makefile.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| !name.starts_with('\t'));
    let targets: BTreeSet<&str> = rules.flat_map(|(names, _)| names.split(' ')).collect();
    let mut found = BTreeSet::new();
    for page in Page::all() {
        for command in page.commands() {
            let mut words = command.split(' ').skip_while(|word| word.contains('='));
            if words.next() != Some("make") {
                continue;
            }
            let target = words.next().unwrap_or("help").to_owned();
            assert!(targets.contains(target.as_str()), "{}: {command}", page.path.display());
            found.insert(target);
        }
    }
    assert!(found.len() > 10, "only these targets are found: {found:?}");
}

#[test]
fn every_package_exists() {
    for page in Page::all() {
        for command in page.commands().iter().filter(|command| command.starts_with("cargo ")) {
            let named = command.split(" -p ").skip(1).map(|rest| rest.split(' ').next().unwrap().to_owned());
            let named: BTreeSet<String> = named.collect();
            for package in &named {
                let homes = ["functions", "infra", "shared", "tests"].map(|room| repository().join(room).join(package));
                assert!(
                    homes.iter().any(|home| home.join("Cargo.toml").exists()),
                    "{}: {command}",
                    page.path.display()
                );
            }
        }
    }
}

#[test]
fn every_deployment_parameter_is_in_the_template() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    let (template, samconfig, page) = (read("template.yaml"), read("samconfig.toml"), read("docs/deploying.md"));
    let mut looked_at = 0;
    for assignment in samconfig.split('"').chain(page.split('`').map(|span| span.trim_matches('"'))) {
        let Some((name, _)) = assignment.split_once('=') else { continue };
        let is_name = name.starts_with(|sign: char| sign.is_ascii_uppercase());
        if is_name && name.contains(|sign: char| sign.is_ascii_lowercase()) && !name.contains([' ', '\n']) {
            assert!(template.contains(&format!("\n  {name}:\n    Description: ")), "{name}");
            looked_at += 1;
        }
    }
    assert!(looked_at >= 8, "only {looked_at} parameters are found");
}
