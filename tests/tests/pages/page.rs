//! Splits a Markdown page into code blocks, code spans and links.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::repository;

/// Lists the folders and files whose pages are checked.
const PLACES: [&str; 5] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs"];

/// Holds a page, split into its parts.
pub(crate) struct Page {
    /// Holds the path inside the repository.
    pub(crate) path: PathBuf,
    /// Holds the code blocks, fenced or indented.
    pub(crate) blocks: Vec<Block>,
    /// Holds all other text, one paragraph an entry.
    paragraphs: Vec<String>,
}

/// Holds a code block.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Holds the word after the fence, or nothing for an indented block.
    pub(crate) language: String,
    /// Holds the lines of the block.
    pub(crate) text: String,
}

impl Page {
    /// Reads every page of the repository.
    pub(crate) fn all() -> Vec<Self> {
        let mut paths = Vec::new();
        for place in PLACES {
            collect(&repository().join(place), &mut paths);
        }
        paths.sort();
        let pages: Vec<Self> = paths.iter().map(|path| Self::read(path)).collect();
        assert!(pages.len() > 10, "only {} pages are found", pages.len());
        pages
    }

    /// Reads the page at this path of the repository.
    pub(crate) fn at(path: &str) -> Self {
        Self::read(&repository().join(path))
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(repository()).unwrap().to_owned();
        let (mut blocks, mut paragraphs) = (Vec::new(), vec![String::new()]);
        let mut lines = text.lines().peekable();
        let mut after_blank = true;
        while let Some(line) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let inside: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
                blocks.push(Block { language: language.to_owned(), text: inside.join("\n") });
            } else if after_blank && line.starts_with("    ") {
                let mut inside = vec![&line[4..]];
                while let Some(more) = lines.next_if(|line| line.starts_with("    ")) {
                    inside.push(&more[4..]);
                }
                blocks.push(Block { language: String::new(), text: inside.join("\n") });
            } else if line.is_empty() || line.starts_with('|') {
                // Each row of a table becomes a separate paragraph.
                paragraphs.push(line.to_owned());
            } else {
                let paragraph = paragraphs.last_mut().unwrap();
                paragraph.push(' ');
                paragraph.push_str(line.trim());
            }
            after_blank = line.is_empty();
        }
        Self { path, blocks, paragraphs }
    }

    /// Returns the code spans of the text, each on one line.
    pub(crate) fn spans(&self) -> impl Iterator<Item = &str> {
        self.paragraphs.iter().flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
    }

    /// Returns the targets of the links and pictures.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        let prose = self.paragraphs.iter().flat_map(|paragraph| paragraph.split('`').step_by(2));
        // A link's text may itself be code, so the whole paragraph is searched too.
        let whole = self.paragraphs.iter().map(String::as_str);
        let links = |text| str::split(text, "](").skip(1).filter_map(|rest: &str| rest.split_once(')'));
        prose.chain(whole).flat_map(links).map(|(target, _)| target)
    }

    /// Returns the anchors of the headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self.paragraphs.iter().filter_map(|paragraph| paragraph.trim().strip_prefix('#'));
        let anchor = |heading: &str| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|sign| sign.is_alphanumeric() || [' ', '-', '_'].contains(sign));
            kept.collect::<String>().replace(' ', "-")
        };
        headings.map(anchor).collect()
    }

    /// Returns the lines of the shell blocks and all spans. Continued lines are joined, and comments are removed.
    pub(crate) fn commands(&self) -> Vec<String> {
        let is_shell = |block: &&Block| ["", "sh", "bash"].contains(&block.language.as_str());
        let joined = self.blocks.iter().filter(is_shell).map(|block| block.text.replace("\\\n", " "));
        let mut commands: Vec<String> = self.spans().map(str::to_owned).collect();
        for text in joined {
            commands.extend(text.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()));
        }
        commands
    }
}

fn collect(path: &Path, paths: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), paths);
        }
    } else if path.extension().is_some_and(|ending| ending == "md") {
        paths.push(path.to_owned());
    }
}
