//! The files of a kit: the guide, and the examples, vectors and description of the API that it names.

mod zip;

use anyhow::Result;
use domain::inbound::credential::CredentialKind;

use crate::Kit;

/// The examples for partners, by name.
const EXAMPLES: [(&str, &str); 17] = [
    ("postback-signed.go", include_str!("../../../infra/examples/postback-signed.go")),
    ("postback-signed.mjs", include_str!("../../../infra/examples/postback-signed.mjs")),
    ("postback-signed.php", include_str!("../../../infra/examples/postback-signed.php")),
    ("postback-signed.py", include_str!("../../../infra/examples/postback-signed.py")),
    ("postback-signed.sh", include_str!("../../../infra/examples/postback-signed.sh")),
    ("postback-token.go", include_str!("../../../infra/examples/postback-token.go")),
    ("postback-token.mjs", include_str!("../../../infra/examples/postback-token.mjs")),
    ("postback-token.php", include_str!("../../../infra/examples/postback-token.php")),
    ("postback-token.py", include_str!("../../../infra/examples/postback-token.py")),
    ("postback-token.sh", include_str!("../../../infra/examples/postback-token.sh")),
    ("webhook-library.mjs", include_str!("../../../infra/examples/webhook-library.mjs")),
    ("webhook-library.py", include_str!("../../../infra/examples/webhook-library.py")),
    ("webhook-library.rs", include_str!("../../../infra/examples/webhook-library.rs")),
    ("webhook.go", include_str!("../../../infra/examples/webhook.go")),
    ("webhook.mjs", include_str!("../../../infra/examples/webhook.mjs")),
    ("webhook.php", include_str!("../../../infra/examples/webhook.php")),
    ("webhook.py", include_str!("../../../infra/examples/webhook.py")),
];

const SIGNATURES: &str = include_str!("../../domain/vectors/signature.json");
const WEBHOOK_SIGNATURES: &str = include_str!("../../domain/vectors/webhook-signature.json");
const OPENAPI: &str = include_str!("../../../infra/openapi.yaml");

/// The line of the API's description that names the server. A kit replaces the line by one with the API's URL.
const SERVER: &str = "  - url: https://{api}\n";
const SERVER_VARIABLES: &str = "    variables:\n      api: { default: api.example.com }\n";

/// A file of a kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path inside the kit.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Kit<'_> {
    /// Makes the files of the kit. Examples and vectors that do not concern the partner are left out.
    pub fn files(&self) -> Result<Vec<File>> {
        let (credential, vectors) = match self.partner.credential() {
            CredentialKind::Token => ("postback-token.", None),
            CredentialKind::Signature => ("postback-signed.", Some(("signature.json", SIGNATURES))),
        };
        let has_webhooks = self.campaigns().next().is_some();
        let webhooks = has_webhooks.then_some(("webhook-signature.json", WEBHOOK_SIGNATURES));
        let concerns = |name: &str| name.starts_with(credential) || (has_webhooks && name.starts_with("webhook"));
        let file = |path: String, text: &str| File { path, text: text.to_owned() };
        let mut files = vec![file("openapi.yaml".to_owned(), &self.openapi())];
        let examples = EXAMPLES.into_iter().filter(|(name, _)| concerns(name));
        files.extend(examples.map(|(name, text)| file(format!("examples/{name}"), text)));
        let vectors = vectors.into_iter().chain(webhooks);
        files.extend(vectors.map(|(name, text)| file(format!("vectors/{name}"), text)));
        files.insert(0, file("README.md".to_owned(), &self.guide(&files)?));
        Ok(files)
    }

    /// Returns the text of the kit with paths inside the kit, and with a list of the other files.
    fn guide(&self, others: &[File]) -> Result<String> {
        let text = self.text()?.replace("shared/domain/vectors/", "vectors/").replace("infra/examples", "examples");
        let list: Vec<String> = others.iter().map(|file| format!("- [{0}]({0})\n", file.path)).collect();
        Ok(format!("{text}\n## The files beside this page\n\n{}", list.concat()))
    }

    fn openapi(&self) -> String {
        let text = OPENAPI.replace(
            "# This file describes the API for machines; docs/partners.md",
            "# This file describes the API for machines; README.md",
        );
        if self.api_url.contains('{') {
            return text;
        }
        text.replace(SERVER, &format!("  - url: {}\n", self.api_url)).replace(SERVER_VARIABLES, "")
    }
}

/// Returns a zip archive of these files. Equal files make equal archives.
pub fn archive(files: &[File]) -> Result<Vec<u8>> {
    zip::archive(files)
}

#[cfg(test)]
mod tests;
