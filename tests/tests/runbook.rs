//! Tests that every alarm has a section in the runbook.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

const TEMPLATE: &str = include_str!("../../template.yaml");
const RUNBOOK: &str = include_str!("../../docs/runbook.md");

/// Returns the sections that are named by the descriptions of the alarms whose actions contain this text. In a
/// `Fn::ForEach`, an alarm names one section for each turn of the loop.
fn named_sections(acting: &str) -> BTreeSet<String> {
    let mut sections = BTreeSet::new();
    for alarm in TEMPLATE.match_indices("Type: AWS::CloudWatch::Alarm\n").map(|(at, _)| at) {
        let (before, after) = TEMPLATE.split_at(alarm);
        let actions = after.split_once("AlarmActions:").unwrap().1.lines().next().unwrap();
        if !actions.contains(acting) {
            continue;
        }
        let description = after.split_once("AlarmDescription:").unwrap().1;
        let description = description.split("Namespace:").next().unwrap().split("Metrics:").next().unwrap();
        let (_, named) = description
            .split_once("Runbook: ")
            .unwrap_or_else(|| panic!("the alarm names no section of the runbook: {description}"));
        let named = named.split_once(['.', '\n']).unwrap().0;
        match named.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(turn) => sections.extend(turns(before, turn)),
            None => {
                sections.insert(named.to_owned());
            }
        }
    }
    sections
}

/// Returns the values of the last loop over this name.
fn turns(before: &str, name: &str) -> Vec<String> {
    let list = before.rsplit_once(&format!("- {name}\n")).unwrap().1.split_once('[').unwrap().1;
    list.split_once(']').unwrap().0.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_alarm_has_a_section_and_every_section_an_alarm() {
    let alarms = RUNBOOK.split_once("\n## Alarms\n").unwrap().1.split("\n## ").next().unwrap();
    let sections: BTreeSet<String> =
        alarms.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(named_sections(""), sections);
}

#[test]
fn the_page_lists_the_alarms_that_can_wait() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(RUNBOOK);
    let list = page.split_once("can wait for the next working day: ").unwrap().1.split_once('.').unwrap().0;
    let listed: BTreeSet<String> = list.split(", ").map(str::to_owned).collect();
    assert_eq!(named_sections("!Ref NoticeTopic,"), listed);
}

#[test]
fn every_section_says_what_to_look_at_and_how_to_mend() {
    let alarms = RUNBOOK.split_once("\n## Alarms\n").unwrap().1.split("\n## ").next().unwrap();
    for section in alarms.split("\n### ").skip(1) {
        let (name, body) = section.split_once('\n').unwrap();
        let says =
            |word: &str| body.contains(&format!("\n{word}:")) || body.contains(&format!("| {} |", word.to_lowercase()));
        // The section Concurrency refers to Function throttles instead of repeating it.
        let elsewhere = body.contains("As Function throttles");
        assert!(elsewhere || (says("Look at") && says("Mend")), "{name}");
    }
}
