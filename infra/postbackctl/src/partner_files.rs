//! Partners as files: YAML, one partner a file, named after it.

mod document;
mod place;
mod shape;
mod words;

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use domain::{
    campaign::Campaigns,
    ids::Provider,
    moment::Moment,
    partner::{ConfigFault, Partner, PartnerFile},
    webhook::Allowance,
};

use self::{document::Document, shape::Shape};

/// A partner's file that is valid.
#[derive(Debug)]
pub(crate) struct ValidFile {
    /// What it says.
    pub(crate) file: PartnerFile,
    /// What it means, wherever it stands; campaigns that start on publishing have a beginning of no meaning.
    pub(crate) partner: Partner,
    /// How far its webhooks may lead.
    pub(crate) allowance: Allowance,
    path: PathBuf,
    text: String,
}

impl ValidFile {
    /// These faults, each with this file and, where it can be found, the line.
    pub(crate) fn located(&self, faults: &[ConfigFault]) -> Vec<String> {
        located(&self.path, &self.text, faults)
    }
}

/// Reads every partner file under these paths, or tells every fault of all of them.
pub(crate) fn read(paths: &[PathBuf], allowance: Allowance) -> Result<Vec<ValidFile>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    if files.is_empty() {
        bail!("no partner files (*.yaml) under {}", display(paths));
    }
    let mut valid: Vec<ValidFile> = Vec::new();
    let mut faults = Vec::new();
    for path in files {
        let text =
            fs::read_to_string(&path).map_err(|fault| vec![format!("{}: cannot be read: {fault}", path.display())]);
        match text.and_then(|text| parse(&path, &text, allowance)) {
            Ok(parsed) => match valid.iter().find(|other| other.partner.provider() == parsed.partner.provider()) {
                Some(_) => faults.push(format!("{}: {} has a file already", path.display(), parsed.file.provider)),
                None => valid.push(parsed),
            },
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(valid) } else { bail!("the files are not valid:\n  {}", faults.join("\n  ")) }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
    paths.sort();
    files.extend(paths);
    Ok(())
}

pub(crate) fn parse(path: &Path, text: &str, allowance: Allowance) -> Result<ValidFile, Vec<String>> {
    let file: PartnerFile = serde_saphyr::from_str(text).map_err(|fault| misshapen(path, text, allowance, &fault))?;
    let misnamed = misnamed(path, &file.provider);
    match check(&file, allowance) {
        Ok(partner) if misnamed.is_none() => {
            Ok(ValidFile { file, partner, allowance, path: path.to_owned(), text: text.to_owned() })
        }
        checked => Err(located(path, text, &checked.err().unwrap_or_default()).into_iter().chain(misnamed).collect()),
    }
}

/// Where a file is not called as its partner is, which is told only where that could be a file's name.
fn misnamed(path: &Path, provider: &str) -> Option<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let named = Provider::new(provider).ok().filter(|provider| provider.as_str() != stem)?;
    Some(format!("{}: the file of {named} must be called {named}.yaml", path.display()))
}

fn check(file: &PartnerFile, allowance: Allowance) -> Result<Partner, Vec<ConfigFault>> {
    // Before anything that may stand: what starts on publishing may have started long ago.
    let dated = file.clone().dated(&Campaigns::new(), Moment::from_millisecond(0));
    Partner::check(dated, allowance)
}

/// Every fault of a file that cannot be read: keys that stand twice, those of its shape, and those of what can be read without
/// them.
fn misshapen(path: &Path, text: &str, allowance: Allowance, told: &serde_saphyr::Error) -> Vec<String> {
    let document = match Document::read(text) {
        Ok(document) => document,
        Err(unreadable) => {
            let line = unreadable.line.map_or_else(String::new, |line| format!(":{line}"));
            return vec![format!("{}{line}: {}", path.display(), unreadable.message)];
        }
    };
    let repeated = document
        .repeated
        .iter()
        .map(|place| ConfigFault { path: place.to_string(), message: "stands more than once".to_owned() });
    let shape = Shape::of(document.value);
    let rest = shape.rest.as_ref().and_then(|file| check(file, allowance).err()).unwrap_or_default();
    let rest = rest.into_iter().map(|fault| shape.relocated(fault)).filter(|fault| !shape.explains(fault));
    let faults: Vec<ConfigFault> = repeated.chain(shape.faults.iter().cloned()).chain(rest).collect();
    if faults.is_empty() {
        // Something that only its own reader knows.
        return vec![format!("{}: {}", path.display(), told.without_snippet())];
    }
    let misnamed = shape.provider().and_then(|provider| misnamed(path, provider));
    located(path, text, &faults).into_iter().chain(misnamed).collect()
}

/// Each fault with its file and, as far as its path can be followed, the line.
fn located(path: &Path, text: &str, faults: &[ConfigFault]) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let located = |fault: &ConfigFault| match line_of(&lines, &fault.path) {
        Some(line) => format!("{}:{line}: {fault}", path.display()),
        None => format!("{}: {fault}", path.display()),
    };
    faults.iter().map(located).collect()
}

/// The line of the last part of a path that stands on a line of its own: for people, so a guess that is good for YAML as
/// people write it is good enough.
fn line_of(lines: &[&str], path: &str) -> Option<usize> {
    let (mut scope, mut found) = (0..lines.len(), None);
    for part in path.split(['.', '[']) {
        let place = match part.strip_suffix(']').and_then(|number| number.parse().ok()) {
            Some(number) => item(lines, &scope, number),
            None => key(lines, &scope, part),
        };
        let Some(place) = place else { break };
        (scope, found) = (place..block_end(lines, place, scope.end), Some(place + 1));
    }
    found
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

/// Where what belongs to a line ends: at the next line that is indented no more. A list may stand right under its key.
fn block_end(lines: &[&str], at: usize, end: usize) -> usize {
    let first = lines.get(at).copied().unwrap_or_default();
    let belongs = |line: &str| {
        line.trim().is_empty()
            || indent(line) > indent(first)
            || (indent(line) == indent(first) && is_item(line) && !is_item(first))
    };
    let rest = lines.iter().enumerate().take(end).skip(at + 1);
    rest.skip_while(|(_, line)| belongs(line)).map(|(at, _)| at).next().unwrap_or(end)
}

/// The line of a key: as `key:`, or as the item of a list that has it for its name.
fn key(lines: &[&str], scope: &Range<usize>, key: &str) -> Option<usize> {
    let bare = |line: &str| line.trim_start_matches([' ', '-', '"', '\'']).replace(['"', '\''], "");
    let named = format!("name: {key}");
    let begins = |line: &str| bare(line).strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let find = |test: &dyn Fn(&str) -> bool| scope.clone().find(|at| lines.get(*at).is_some_and(|line| test(line)));
    find(&begins).or_else(|| find(&|line| bare(line).trim_end() == named))
}

/// The line of an item of the list whose key the scope begins with.
fn item(lines: &[&str], scope: &Range<usize>, number: usize) -> Option<usize> {
    let items = || scope.clone().skip(1).filter(|at| lines.get(*at).is_some_and(|line| is_item(line)));
    let indented = |at: &usize| lines.get(*at).map(|line| indent(line));
    let outermost = items().filter_map(|at| indented(&at)).min()?;
    items().filter(|at| indented(at) == Some(outermost)).nth(number)
}

fn display(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
