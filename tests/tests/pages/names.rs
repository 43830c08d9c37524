//! Tests that every link, file and method named on a page exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use crate::{page::Page, repository};

/// Lists the folders with which a path on a page may begin.
const FOLDERS: [&str; 7] = ["shared/", "functions/", "infra/", "tests/", "docs/", ".ci/", ".github/"];

/// Resolves `..` and `.` without looking at the disk.
fn resolved(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut resolved, component| {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
        resolved
    })
}

#[test]
fn every_link_leads_somewhere() {
    let mut looked_at = 0;
    for page in Page::all() {
        for link in page.links().filter(|link| !link.starts_with("https://")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = resolved(&page.path.parent().unwrap().join(target));
            let place = format!("{}: {link}", page.path.display());
            assert!(repository().join(&path).exists(), "{place}");
            if !anchor.is_empty() {
                assert!(Page::at(path.to_str().unwrap()).anchors().iter().any(|known| known == anchor), "{place}");
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 50, "only {looked_at} links are found");
}

#[test]
fn every_file_that_is_named_exists() {
    let mut looked_at = 0;
    for page in Page::all() {
        for span in page.spans().filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder))) {
            let path = span.trim_end_matches("/*");
            assert!(repository().join(path).exists(), "{}: {span}", page.path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "only {looked_at} paths are found");
}

/// Returns the text of every Rust file below this folder.
fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_method_that_is_named_exists() {
    let mut texts = Vec::new();
    sources(&repository().join("shared"), &mut texts);
    let mut looked_at = 0;
    for page in Page::all() {
        for span in page.spans() {
            let Some((owner, method)) = span.split_once("::") else { continue };
            let is_name = |name: &str| name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
            if !(is_name(owner) && is_name(method) && owner.starts_with(|sign: char| sign.is_ascii_uppercase())) {
                continue;
            }
            let defines = |text: &String| text.contains(owner) && text.contains(&format!("fn {method}"));
            assert!(texts.iter().any(defines), "{}: {span}", page.path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at >= 10, "only {looked_at} methods are found");
}

#[test]
fn every_page_is_reached_from_another() {
    let mut reached = BTreeSet::new();
    let pages = Page::all();
    for page in &pages {
        let targets = page.links().map(|link| link.split('#').next().unwrap().to_owned());
        let targets = targets.map(|target| resolved(&page.path.parent().unwrap().join(target)));
        reached.extend(targets.filter(|target| *target != page.path));
    }
    let unreached: Vec<_> = pages.iter().map(|page| &page.path).filter(|path| !reached.contains(*path)).collect();
    assert_eq!(unreached, [Path::new("README.md")]);
}
