//! Lets a partner's people in: makes links to its portal, and rotates its token. Signing secrets are rotated by
//! `postbackctl`, because the console may read none.

use std::sync::Arc;

use app::{
    operators::rotate_secret::{RotateFault, Rotated, Rotation, Wanted, rotate},
    ports::StoredPartner,
    sign_in,
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    inbound::credential::CredentialKind,
    session::{Role, Token},
    values::ids::Provider,
};
use maud::{Markup, html};

use super::{
    super::{
        begin,
        once::{field, once},
        reason,
    },
    heading, named,
};
use crate::{
    layout::{self, form_secret},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

const LINK: &str = "/partners-link";
const TOKEN: &str = "/partners-token";

/// Draws the forms that this visitor may send.
pub(super) fn offered<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    partner: &StoredPartner,
) -> Result<Markup, Trouble> {
    let site = &console.site;
    let has_token = partner.partner().is_ok_and(|partner| partner.credential() == CredentialKind::Token);
    Ok(html! {
        @if visit.may(Role::Operator) {
            form.card method="post" action=(site.path(LINK)) {
                h2 { "A link to its portal" }
                p { "The link lets one person of the partner in, once, within 15 minutes." }
                (form_secret(visit))
                (field(console)?)
                input type="hidden" name="name" value=(partner.provider);
                (reason())
                div.choices { button { "Make a link" } }
            }
        }
        @if visit.may(Role::Admin) && has_token {
            form.card method="post" action=(site.path(TOKEN)) {
                h2 { "Its token" }
                @match partner.token_hashes.len() {
                    0 | 1 => p { "Another token is valid within a minute, and the present one stays valid until you drop it." },
                    _ => p { "Two tokens are valid. Drop the older one once the partner calls with the newest. If the newest was never handed over, replace it." },
                }
                (form_secret(visit))
                (field(console)?)
                input type="hidden" name="name" value=(partner.provider);
                (reason())
                div.choices {
                    @if partner.token_hashes.len() < 2 { button name="do" value="add" { "Make another token" } }
                    @else {
                        button name="do" value="drop" { "Drop the older token" }
                        button name="do" value="replace" { "Replace the newest token" }
                    }
                }
            }
        }
    })
}

/// Makes a link to the portal of a partner, as `postbackctl portal` does, and shows it once.
pub(crate) async fn link<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    once(&console, &visit, shown_link(&console, &visit)).await
}

async fn shown_link<P: Ports>(console: &Console<P>, visit: &Visit) -> Result<Response<Body>, Trouble> {
    let provider = named(console, visit.form.get("name")).await?.provider;
    let url = made_link(console, visit, &provider).await?;
    let body = html! {
        (heading(&console.site, &provider))
        section.card {
            h2 { "A link to its portal" }
            pre { code { (url) } }
            p.hint { "This link is shown only here. It works once, within 15 minutes." }
        }
    };
    Ok(layout::page(&console.site, visit, "A link", &body))
}

/// Returns the URL of a new link to the portal of a partner that exists.
pub(crate) async fn made_link<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    provider: &Provider,
) -> Result<String, Trouble> {
    let (operation, _) = begin(console, visit)?;
    let link = Token::from_random((console.random)()?);
    sign_in::make_link(&console.sessions, &link, provider, (&operation, (console.now)())).await?;
    Ok(format!("{}/console/portal?link={}", console.site.api(), link.reveal()))
}

/// Rotates the token of a partner, as `postbackctl rotate` does, and shows the new one once.
pub(crate) async fn token<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    once(&console, &visit, shown_token(&console, &visit)).await
}

async fn shown_token<P: Ports>(console: &Console<P>, visit: &Visit) -> Result<Response<Body>, Trouble> {
    let partner = named(console, visit.form.get("name")).await?;
    let provider = &partner.provider;
    let Rotated { made, unclear, .. } = rotated(console, visit, &partner).await?;
    let body = html! {
        (heading(&console.site, provider))
        section.card {
            h2 { "Its token" }
            @if unclear.is_some() {
                p.warning role="note" { "A service did not answer, so it is unknown if the change is stored. If it is, what follows is valid." }
            }
            @if let Some(made) = &made {
                pre { code { (made.reveal()) } }
                p.hint { "This token is shown only here; hand it to the partner now. It is valid within a minute. The older one stays valid until you drop it." }
            } @else { p { "Within a minute only the newest token is valid." } }
        }
    };
    Ok(layout::page(&console.site, visit, "Its token", &body))
}

/// Rotates the token of a partner as the field `do` says.
pub(crate) async fn rotated<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    partner: &StoredPartner,
) -> Result<Rotated, Trouble> {
    let provider = &partner.provider;
    let rotation = match visit.form.get("do") {
        "add" => Rotation::Add,
        "replace" => Rotation::ReplaceNewest,
        "drop" => Rotation::DropOld,
        _ => {
            return Err(Trouble::Malformed(
                "Choose to make, to replace or to drop a token: add, replace or drop.".to_owned(),
            ));
        }
    };
    if partner.partner().is_ok_and(|partner| partner.credential() != CredentialKind::Token) {
        let words = format!("{provider} signs its calls. postbackctl rotate {provider} makes another secret.");
        return Err(Trouble::Malformed(words));
    }
    let (operation, _) = begin(console, visit)?;
    let wanted = Wanted { provider, webhook: false, rotation, random: (console.random)()? };
    let rotated = rotate(&console.configuration, wanted, (&operation, (console.now)())).await;
    rotated.map_err(|fault| trouble(provider, fault))
}

fn trouble(provider: &Provider, fault: RotateFault) -> Trouble {
    let words = match fault {
        RotateFault::Unavailable(fault) => return Trouble::Unavailable(fault),
        RotateFault::Unknown(_) => return Trouble::NotFound,
        RotateFault::Unreadable(..) => format!("The stored file of {provider} cannot be read. Apply it again."),
        RotateFault::NoWebhookSecret(_) | RotateFault::Both(..) | RotateFault::One(..) => format!("{fault}."),
        RotateFault::Changed(_) => {
            format!("{provider} was changed by somebody else in the meantime. Look at it again.")
        }
    };
    Trouble::Conflict(words)
}
