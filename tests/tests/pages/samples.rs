//! Tests that every sample printed on a page is valid.

use std::{collections::BTreeSet, fs, process::Command};

use domain::inbound::conversion::{Conversion, SCHEMA_VERSION};
use jsonschema::Validator;
use serde_json::Value;
use tests::{built, fresh};

use crate::{page::Page, repository};

fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(repository().join("shared/domain/schemas").join(name)).unwrap();
    let schema = serde_json::from_str(&text).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn every_partner_file_passes_the_check() {
    let mut looked_at = 0;
    for page in Page::all() {
        for block in page.blocks.iter().filter(|block| block.language == "yaml") {
            let provider = block.text.lines().find_map(|line| line.strip_prefix("provider: ")).unwrap();
            let provider = provider.split(' ').next().unwrap();
            let folder = std::env::temp_dir().join(fresh("pages"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{provider}.yaml")), &block.text).unwrap();
            let output = Command::new(built("postbackctl")).args(["apply", "--check"]).arg(&folder).output().unwrap();
            fs::remove_dir_all(&folder).unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}\n{said}", page.path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at >= 1, "docs/partner-files.md has no sample file");
}

#[test]
fn every_event_and_conversion_matches_its_schema() {
    let (event, conversion) = (schema("event.json"), schema("conversion.json"));
    let known = ["tracking_link.opened", "user.registered", "gg_button.clicked", "main_quest.completed"];
    let mut looked_at = 0;
    for page in Page::all() {
        for block in page.blocks.iter().filter(|block| block.language == "json") {
            let place = format!("{}\n{}", page.path.display(), block.text);
            let sample: Value = serde_json::from_str(&block.text).unwrap_or_else(|fault| panic!("{fault}: {place}"));
            let kind = sample["type"].as_str().unwrap();
            let schema = if kind.starts_with("conversion.") { &conversion } else { &event };
            assert!(kind.starts_with("conversion.") || known.contains(&kind), "{place}");
            let faults: Vec<String> = schema.iter_errors(&sample).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?}: {place}");
            looked_at += 1;
        }
    }
    assert!(looked_at >= 6, "docs/platform.md has a sample of each type; only {looked_at} are found");
}

#[test]
fn every_published_conversion_fits_its_schema_and_is_read() {
    let schema = schema("conversion.json");
    let (mut kinds, page) = (BTreeSet::new(), Page::at("docs/platform.md"));
    for entry in fs::read_dir(repository().join("shared/domain/examples/conversions")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let faults: Vec<String> = schema.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}: {}", path.display());
        let read: Conversion = serde_json::from_str(&text).unwrap();
        assert_eq!((read.schema_version, serde_json::to_value(&read).unwrap()), (SCHEMA_VERSION, value.clone()));
        kinds.insert(value["type"].as_str().unwrap().to_owned());
    }
    for block in page.blocks.iter().filter(|block| block.text.contains("\"conversion.")) {
        let kind = serde_json::from_str::<Value>(&block.text).unwrap()["type"].as_str().unwrap().to_owned();
        assert!(kinds.remove(&kind), "the page has one sample of {kind}");
    }
    assert_eq!(kinds, BTreeSet::new(), "the page has a sample of each published type");
}

/// Lists texts of the shell blocks that other tests run.
const RUN: [&str; 2] = ["send_message", "_control/acme"];

#[test]
fn every_fenced_block_is_run_or_checked() {
    let examples = fs::read_dir(repository().join("infra/examples")).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<String> =
        examples.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect();
    let is_example = |text: &str| examples.iter().any(|example| example.trim_end() == text.trim_end());
    for page in Page::all() {
        for block in &page.blocks {
            let is_checked = match (page.path.to_str().unwrap(), block.language.as_str()) {
                // The commands of indented blocks are checked with the commands of the text.
                (_, "") => !block.text.starts_with('{') || serde_json::from_str::<Value>(&block.text).is_ok(),
                // Other tests of this file validate these samples.
                (_, "yaml" | "json") => true,
                ("docs/local-stack.md", "sh") => RUN.iter().any(|text| block.text.contains(text)),
                // tests/tests/examples.rs runs the files that partners.md quotes.
                _ => is_example(&block.text),
            };
            assert!(is_checked, "no test runs or checks this block of {}:\n{}", page.path.display(), block.text);
        }
    }
}
