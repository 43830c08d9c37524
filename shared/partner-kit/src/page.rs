//! The page for partners' engineers, section by section, and its parameters in a partner's own names.

use anyhow::{Context, Result};
use domain::values::parameter_names::{Field, ParameterNames};

/// The page as it is published.
const PARTNERS_PAGE: &str = include_str!("../../../docs/partners.md");

/// The page.
pub(super) struct Page(&'static str);

/// A section: its heading, such as `## 1. Its heading`, and the text up to the next heading.
pub(super) struct Section<'a> {
    heading: &'a str,
    pub(super) body: &'a str,
}

impl Page {
    pub(super) fn published() -> Self {
        Self(PARTNERS_PAGE)
    }

    /// Returns the section with this heading, whatever its number.
    pub(super) fn section(&self, heading: &'static str) -> Result<Section<'static>> {
        let mut sections = self.0.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
        let found = sections.find(|(numbered, _)| numbered.split_once(". ").is_some_and(|(_, words)| words == heading));
        let (_, body) = found.with_context(|| format!("the partners' page has no section {heading}"))?;
        Ok(Section { heading, body: body.trim_start_matches('\n') })
    }
}

impl Section<'_> {
    /// Writes the section's heading and its text. `put` changes the text before it is written.
    pub(super) fn write(&self, text: &mut String, put: impl Fn(&str) -> String) -> Result<()> {
        use std::fmt::Write;
        writeln!(text, "## {}\n\n{}\n", self.heading, put(self.body).trim_end())?;
        Ok(())
    }

    /// Returns the text before the first part, without the block of code at the beginning.
    pub(super) fn intro_after_block(&self) -> &str {
        let intro = self.body.split("\n### ").next().unwrap_or_default();
        intro.split_once("\n\n").map_or(intro, |(_, rest)| rest)
    }

    /// Returns a part with its heading.
    pub(super) fn part(&self, heading: &str) -> Result<&str> {
        let from = self.body.find(&format!("### {heading}\n")).with_context(|| format!("no part {heading}"))?;
        let part = self.body.get(from..).unwrap_or_default();
        let end = part.find("\n\n### ").map_or(part.len(), |end| end + 2);
        Ok(part.get(..end).unwrap_or(part))
    }
}

/// Returns the text with its first block of indented code replaced by `block`.
pub(super) fn with_block(text: &str, block: &str) -> String {
    let is_code = |line: &&str| line.starts_with("    ");
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(is_code).unwrap_or(lines.len());
    let (before, rest) = lines.split_at(start);
    let after = rest.iter().skip_while(|line| is_code(line)).copied();
    let all = before.iter().copied().chain([block]).chain(after);
    all.collect::<Vec<_>>().join("\n")
}

/// The partner's names of our parameters.
pub(super) struct Names<'a>(&'a ParameterNames);

impl<'a> Names<'a> {
    pub(super) fn of_partner(names: &'a ParameterNames) -> Self {
        Self(names)
    }

    pub(super) fn of<'b>(&'b self, ours: &'b str) -> &'b str {
        let field = Field::ALL.into_iter().find(|field| field.as_str() == ours);
        field.map_or(ours, |field| self.0.of(field))
    }

    /// Returns the text with the partner's names. Lines of the JSON that GG3 answers keep our names.
    pub(super) fn put_into(&self, text: &str) -> String {
        let put = |line: &str| {
            if line.starts_with("    ") && line.contains("\":") { line.to_owned() } else { self.put_into_all(line) }
        };
        text.split('\n').map(put).collect::<Vec<_>>().join("\n")
    }

    /// Returns the text with the partner's names in every line.
    pub(super) fn put_into_all(&self, text: &str) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (mut put, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(start) = rest.find(is_word) {
            let (between, word) = rest.split_at(start);
            let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            put.push_str(between);
            put.push_str(self.of(word));
            rest = after;
        }
        put.push_str(rest);
        put
    }
}
