//! Tests that every sample printed on a page is valid.

use std::{fs, process::Command};

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
