//! `postbackctl kit`: a partner's integration guide with its own names, made from the text of docs/partners.md.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use domain::{inbound::tracking_link::BaseUrl, partner::PartnerFile};
use partner_kit::{File, GG3_PAGE, Kit, UNKNOWN_API, archive};
use serde_json::json;

use crate::{
    Connection, ask,
    output::{self, counted, say},
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Uses this base URL of the API instead of a placeholder.
    #[arg(long, env = "GG3_API_URL")]
    api_url: Option<String>,
    /// Makes links to this page on GG3. May be repeated.
    #[arg(long, default_value = GG3_PAGE)]
    page: Vec<String>,
    /// Writes the guide with its examples, vectors and description of the API into this new folder, or into a zip file
    /// if the name ends with .zip.
    #[arg(long, value_name = "FOLDER|FILE.zip", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Replaces what --out names if it exists.
    #[arg(long, requires = "out")]
    force: bool,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let provider = ask::provider(&arguments.provider)?;
    let pages = arguments.page.iter().map(|page| BaseUrl::parse(page).map_err(|fault| anyhow!("the page {fault}")));
    let pages = pages.collect::<Result<Vec<_>>>()?;
    let (item, partner) = Connection::open(stack).await?.partner(&provider).await?;
    let file: PartnerFile =
        serde_json::from_str(&item.file).with_context(|| format!("the stored file of {provider} cannot be read"))?;
    let api_url = arguments.api_url.as_deref().map_or(UNKNOWN_API, |url| url.trim_end_matches('/'));
    let kit = Kit { file: &file, partner: &partner, api_url, pages: &pages };
    if let Some(out) = &arguments.out {
        let files = kit.files()?;
        write(out, &files, arguments.force)?;
        say!("{} in {}, and no secret in them", counted(files.len(), "file"), out.display())?;
        if arguments.api_url.is_none() {
            eprintln!("the URLs begin with {api_url}, which the partner cannot call; give --api-url");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let text = kit.text()?;
    if arguments.json {
        say!("{}", json!({"provider": provider, "markdown": text}))?;
    } else {
        output::print(text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the files into a new folder, or into a zip file if the name of `out` says so. Fails if `out` exists and may
/// not be replaced.
fn write(out: &Path, files: &[File], replaces: bool) -> Result<()> {
    let is_empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if out.exists() && !replaces && !is_empty() {
        bail!("{} exists already; name another, or replace it with --force", out.display());
    }
    let failed = |path: &Path| format!("cannot write {}", path.display());
    if out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) {
        return fs::write(out, archive(files)?).with_context(|| failed(out));
    }
    for File { path, text } in files {
        let path = out.join(path);
        fs::create_dir_all(path.parent().unwrap_or(out)).with_context(|| failed(&path))?;
        fs::write(&path, text).with_context(|| failed(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    /// Returns a new path for a test.
    fn new_path(name: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("kit-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn a_kit_is_written_once_unless_it_may_be_replaced() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let files = [file("README.md", "# Kit\n"), file("examples/webhook.py", "pass\n")];
        for name in ["folder", "file.zip"] {
            let out = new_path(name);
            write(&out, &files, false).unwrap();
            let refused = write(&out, &files, false).unwrap_err().to_string();
            assert!(refused.ends_with("exists already; name another, or replace it with --force"), "{refused}");
            write(&out, &files, true).unwrap();
        }
        let folder = new_path("read");
        write(&folder, &files, false).unwrap();
        for File { path, text } in &files {
            assert_eq!(&fs::read_to_string(folder.join(path)).unwrap(), text);
        }
    }
}
