//! Shows the examples that a partner copies: those that send its calls, and those that verify our webhooks.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use domain::inbound::credential::CredentialKind;
use maud::{Markup, html};

use super::{agreed, base_url, own};
use crate::{
    layout::{self, value},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Includes an example of `infra/examples`.
macro_rules! example {
    ($file:literal) => {
        include_str!(concat!("../../../../../infra/examples/", $file))
    };
}

/// Holds examples by language.
type Examples = [(&'static str, &'static str)];

const BY_TOKEN: &Examples = &[
    ("curl", example!("postback-token.sh")),
    ("Go", example!("postback-token.go")),
    ("Node", example!("postback-token.mjs")),
    ("PHP", example!("postback-token.php")),
    ("Python", example!("postback-token.py")),
];
const SIGNED: &Examples = &[
    ("Shell", example!("postback-signed.sh")),
    ("Go", example!("postback-signed.go")),
    ("Node", example!("postback-signed.mjs")),
    ("PHP", example!("postback-signed.php")),
    ("Python", example!("postback-signed.py")),
];
const WEBHOOKS: &Examples = &[
    ("Node, with the library of Standard Webhooks", example!("webhook-library.mjs")),
    ("Python, with the library of Standard Webhooks", example!("webhook-library.py")),
    ("Rust, with the library of Standard Webhooks", example!("webhook-library.rs")),
    ("Go", example!("webhook.go")),
    ("Node", example!("webhook.mjs")),
    ("PHP", example!("webhook.php")),
    ("Python", example!("webhook.py")),
];

/// Shows the examples for this partner's credential.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (_, partner) = agreed(&console, own(&visit)?).await?;
    let calls = match partner.credential() {
        CredentialKind::Token => BY_TOKEN,
        CredentialKind::Signature => SIGNED,
    };
    let names = &partner.rules().names;
    let is_renamed = super::fields(&partner).any(|(field, _)| names.of(field) != field.as_str());
    let body = html! {
        h1 { "Code" }
        section.card {
            h2 { "Everything at once" }
            p { "The kit is a guide with your own URLs, names and campaigns, these examples, vectors for tests, and the description of the API. It holds no secret." }
            p.links { a.button href=(console.site.path("/kit")) download { "Download the kit" } }
        }
        section.card {
            h2 { "Send us your calls" }
            p { "POSTBACK_URL is " code { (base_url(&console, &partner)) } @if is_renamed { ", and the parameters have the names on the page Integration" } "." }
            (examples(calls))
        }
        section.card {
            h2 { "Verify our webhooks" }
            p { "SECRET is the secret that begins with " code { "whsec_" } ". The page Signature says what is off if a webhook does not verify." }
            (examples(WEBHOOKS))
        }
    };
    Ok(layout::page(&console.site, &visit, "Code", &body))
}

fn examples(examples: &Examples) -> Markup {
    html! { @for (language, text) in examples { details { summary { (value(language)) } pre tabindex="0" { code { (text) } } } } }
}
