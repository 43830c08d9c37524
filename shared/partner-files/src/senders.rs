//! Presets of senders. A sender is a tracker, network or offerwall that makes a partner's calls, and a preset describes
//! these calls.
//!
//! The presets are data, in `infra/senders`. If a partner file names its sender, the preset supplies every setting that
//! the file leaves out. The stored file contains these settings and the sender's name.

mod merge;
mod preset;

use std::{borrow::Cow, sync::LazyLock};

use domain::values::config_fault::ConfigFault;
use serde_json::Value;

pub use self::preset::{Answer, Form, Kind, Name, Sender, Source, Status};
use super::suggestion;

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../infra/senders/", $name, ".yaml")))),*]
    };
}

/// The names and the texts of the presets in `infra/senders`, in alphabetical order.
const FILES: [(&str, &str); 14] = presets![
    "adgate",
    "adgem",
    "affise",
    "appsflyer",
    "ayet",
    "binom",
    "bitlabs",
    "cpx",
    "everflow",
    "keitaro",
    "redtrack",
    "tapjoy",
    "tune",
    "voluum",
];

static PRESETS: LazyLock<Result<Vec<Sender>, String>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        serde_saphyr::from_str(text).map_err(|fault| format!("the preset {name} cannot be read: {fault}"))
    };
    FILES.iter().map(read).collect()
});

/// Returns all presets in alphabetical order.
pub fn all() -> Result<&'static [Sender], String> {
    PRESETS.as_deref().map_err(Clone::clone)
}

/// Returns the preset of this name, or an error that says which names are nearest.
pub fn find(name: &str) -> Result<&'static Sender, String> {
    let all = all()?;
    all.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|preset| preset.name.clone()).collect();
        let cure = suggestion(name, &known).unwrap_or_else(|| format!(". Known: {}", known.join(", ")));
        format!("Unknown sender `{name}`{cure}")
    })
}

/// Returns the text of the preset of this name.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns a partner file completed with the settings of its sender. If the sender is unknown, also returns that fault.
pub(super) fn resolved(file: &Value) -> (Cow<'_, Value>, Option<ConfigFault>) {
    let Some(name) = file.get("sender").and_then(Value::as_str) else {
        return (Cow::Borrowed(file), None);
    };
    match find(name) {
        Ok(sender) => (Cow::Owned(merge::under(&sender.settings(), file)), None),
        Err(message) => (Cow::Borrowed(file), Some(ConfigFault { path: "sender".to_owned(), message })),
    }
}

#[cfg(test)]
mod tests;
