//! Partners as YAML files. Each file describes one partner and is named after the partner. A file may name its sender,
//! whose preset then supplies what the file leaves out.

mod document;
pub mod senders;
mod shape;
mod suggestion;

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use app::operators::plan_partners::Proposed;
use domain::{
    outbound::{
        campaign::Campaigns,
        webhook::{Allowance, UrlTemplate},
    },
    partner::{Partner, PartnerFile},
    values::{config_fault::ConfigFault, ids::Provider, time::UnixMillis},
};
use serde_json::Value;

use self::{
    document::{Document, Unreadable},
    shape::Shape,
};

pub use self::{shape::Schema, suggestion::suggestion};

/// A partner's file that is valid.
#[derive(Debug)]
pub struct ValidFile {
    /// The file, completed with the settings of its sender's preset.
    pub file: PartnerFile,
    /// The partner that the file describes. If a campaign starts on publishing, its beginning is not known yet and must
    /// not be used.
    pub partner: Partner,
    /// The addresses that the partner's webhooks may call.
    pub allowance: Allowance,
    path: PathBuf,
    document: Document,
}

impl ValidFile {
    /// Returns the file without its path and lines, in the form that the use case takes.
    pub fn proposed(&self) -> Proposed<'_> {
        Proposed { file: &self.file, partner: &self.partner, allowance: self.allowance }
    }

    /// Returns each fault with the file's path and the fault's line. A fault may name a campaign by its number or by
    /// its name.
    pub fn located(&self, faults: &[ConfigFault]) -> Vec<String> {
        let line = |fault: &ConfigFault| self.document.line(&self.numbered(&fault.path).unwrap_or(fault.path.clone()));
        faults.iter().map(|fault| located(&self.path, line(fault), fault)).collect()
    }

    /// Returns a note for each id in the path of a webhook's URL, because some ids cannot be sent there.
    pub fn notes(&self) -> Vec<String> {
        let campaigns = self.file.media_buying.iter().flat_map(|section| &section.campaigns).enumerate();
        let live = campaigns.filter(|(_, campaign)| !campaign.archived);
        let notes = live.flat_map(|(at, campaign)| {
            let ids = self.partner.media_buying().ids();
            let template = UrlTemplate::parse(&campaign.webhook.url, ids, self.allowance).ok();
            let macros: Vec<_> = template.iter().flat_map(UrlTemplate::ids_in_path).collect();
            macros.into_iter().map(move |name| ConfigFault {
                path: format!("media_buying.campaigns[{at}].webhook.url"),
                message: format!(
                    "has {name} in its path; an id with a slash would never be sent. Put it into the query"
                ),
            })
        });
        self.located(&notes.collect::<Vec<_>>())
    }

    /// Returns `media_buying.campaigns[1].goal` for `media_buying.campaigns.second.goal`.
    fn numbered(&self, place: &str) -> Option<String> {
        let rest = place.strip_prefix("media_buying.campaigns.")?;
        let (name, beneath) = rest.split_once('.').map_or((rest, None), |(name, beneath)| (name, Some(beneath)));
        let mut campaigns = self.file.media_buying.iter().flat_map(|section| &section.campaigns);
        let campaign = format!("media_buying.campaigns[{}]", campaigns.position(|campaign| campaign.name == name)?);
        Some(beneath.map_or(campaign.clone(), |beneath| format!("{campaign}.{beneath}")))
    }
}

/// Writes a file as YAML. Comments and the order of the file that it was read from are lost.
pub fn yaml(file: &PartnerFile) -> Result<String, String> {
    serde_saphyr::to_string(file).map_err(|fault| fault.to_string())
}

/// Reads every partner file under these paths, or returns all faults of all files.
pub fn read(paths: &[PathBuf], allowance: Allowance) -> Result<Vec<ValidFile>> {
    let schema = Schema::published()?;
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
            fs::read_to_string(&path).map_err(|fault| vec![located(&path, None, format!("cannot be read: {fault}"))]);
        match text.and_then(|text| parse(&path, &text, &schema, allowance)) {
            Ok(parsed) => match valid.iter().find(|other| other.partner.provider() == parsed.partner.provider()) {
                Some(other) => {
                    let message = format!("{} has a file already, {}", parsed.file.provider, other.path.display());
                    faults.push(located(&path, None, message));
                }
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

/// Reads one partner file, or returns all its faults in the order of their lines.
pub fn parse(path: &Path, text: &str, schema: &Schema, allowance: Allowance) -> Result<ValidFile, Vec<String>> {
    let document = Document::read(text).map_err(|Unreadable { line, message }| vec![located(path, line, message)])?;
    let Shape { faults: misshapen, refused, mended } = schema.compare(&document);
    let read = read_file(&mended, allowance);
    let mut faults = document.repeated.clone();
    // A misshapen value was replaced by a stand-in. The domain may report faults of the stand-in, and these are left
    // out.
    let found = read.as_ref().err().into_iter().flatten();
    faults.extend(found.filter(|fault| !misshapen.iter().any(|other| is_within(&fault.path, &other.path))).cloned());
    faults.extend(misshapen);
    if faults.is_empty() {
        faults = refused;
    }
    faults.extend(misnamed(path, &document));
    faults.sort_by_key(|fault| document.line(&fault.path));
    let faults: Vec<String> = faults.iter().map(|fault| located(path, document.line(&fault.path), fault)).collect();
    match read {
        Ok((file, partner)) if faults.is_empty() => {
            Ok(ValidFile { file, partner, allowance, path: path.to_owned(), document })
        }
        _ => Err(faults),
    }
}

/// Reads a file whose shape is right.
fn read_file(value: &Value, allowance: Allowance) -> Result<(PartnerFile, Partner), Vec<ConfigFault>> {
    let (value, unknown) = senders::resolved(value);
    let file: PartnerFile = serde_path_to_error::deserialize(value.as_ref())
        .map_err(|fault| vec![ConfigFault { path: fault.path().to_string(), message: fault.inner().to_string() }])?;
    // The start of such a campaign is not known here. An early start is assumed, because the campaign may already run.
    let dated = file.clone().dated(&Campaigns::new(), UnixMillis::from_millisecond(0));
    match (Partner::check(dated, allowance), unknown) {
        (Ok(partner), None) => Ok((file, partner)),
        (checked, unknown) => Err(unknown.into_iter().chain(checked.err().into_iter().flatten()).collect()),
    }
}

/// Returns the fault of a file that is not named after its partner.
fn misnamed(path: &Path, document: &Document) -> Option<ConfigFault> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let named = Provider::new(document.text("provider")?).ok().filter(|provider| provider.as_str() != stem)?;
    let message = format!("is {named}, but the file is called {stem}. Call the file {named}.yaml");
    Some(ConfigFault { path: "provider".to_owned(), message })
}

fn located(path: &Path, line: Option<u64>, fault: impl Display) -> String {
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    format!("{}{line}: {fault}", path.display())
}

/// Returns true if `place` is `other` or is inside `other`.
fn is_within(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn display(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Reads a file whose shape is right. Does not compare its shape with the schema.
pub fn resolved_file(value: &Value) -> Result<PartnerFile, Vec<ConfigFault>> {
    read_file(value, Allowance::PublicOnly).map(|(file, _)| file)
}

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
