//! Partners as files: YAML, one partner a file, named after it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use domain::partner::{ConfigFault, Partner, PartnerFile};

/// A partner's file that is valid.
#[derive(Debug)]
pub(crate) struct ValidFile {
    /// What it says.
    pub(crate) file: PartnerFile,
    /// What it means.
    pub(crate) partner: Partner,
}

/// Reads every partner file under these paths, or tells every fault of all of them.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<ValidFile>> {
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
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        match parse(&path, &text) {
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

fn parse(path: &Path, text: &str) -> Result<ValidFile, Vec<String>> {
    let file: PartnerFile =
        serde_saphyr::from_str(text).map_err(|fault| vec![format!("{}: {fault}", path.display())])?;
    let partner = Partner::try_from(file.clone()).map_err(|faults| located(path, text, &faults))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if stem == partner.provider().as_str() {
        Ok(ValidFile { file, partner })
    } else {
        Err(vec![format!("{}: the file of {} must be called {}.yaml", path.display(), file.provider, file.provider)])
    }
}

/// Each fault with its file and, where its key stands on a line of its own, the line.
fn located(path: &Path, text: &str, faults: &[ConfigFault]) -> Vec<String> {
    let line_of = |fault: &ConfigFault| {
        let mut lines = text.lines().enumerate();
        let mut line = None;
        for key in fault.path.split(['.', '[']).take_while(|key| !key.ends_with(']')) {
            match lines.find(|(_, text)| text.trim_start().trim_start_matches(['"', '\'']).starts_with(key)) {
                Some((at, _)) => line = Some(at + 1),
                None => break,
            }
        }
        line
    };
    let located = |fault: &ConfigFault| match line_of(fault) {
        Some(line) => format!("{}:{line}: {fault}", path.display()),
        None => format!("{}: {fault}", path.display()),
    };
    faults.iter().map(located).collect()
}

fn display(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_with_its_file_and_line() {
        let text = "provider: acme\npostback:\n  currencies: [usdt]\n  allow_from:\n    - nonsense\nlandings:\n  welcome: http://a.example/\n";
        let faults = parse(Path::new("acme.yaml"), text).unwrap_err();
        assert_eq!(faults.len(), 3);
        assert!(faults[0].starts_with("acme.yaml:3: postback.currencies[0]: "), "{faults:?}");
        assert!(faults[1].starts_with("acme.yaml:4: postback.allow_from[0]: "), "{faults:?}");
        assert!(faults[2].starts_with("acme.yaml:7: landings.welcome: "), "{faults:?}");
    }

    #[test]
    fn a_file_is_named_after_its_partner_and_has_no_unknown_key() {
        assert!(parse(Path::new("acme.yaml"), "provider: acme\n").is_ok());
        assert!(parse(Path::new("other.yaml"), "provider: acme\n").is_err());
        let unknown = parse(Path::new("acme.yaml"), "provider: acme\npostbck: {}\n").unwrap_err();
        assert!(unknown[0].contains("postbck"), "{unknown:?}");
    }
}
