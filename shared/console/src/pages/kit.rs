//! Serves a partner's integration kit as a zip file, as `postbackctl kit --out` writes it. It holds no secret.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{
    inbound::tracking_link::BaseUrl,
    partner::{Partner, PartnerFile},
    values::ids::Provider,
};
use partner_kit::{File, GG3_PAGE, Kit, archive};
use tracing::error;

use super::portal::{agreed, own};
use crate::{
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Serves operators the kit of a partner.
pub(crate) async fn of_partner<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = Provider::new(visit.query.get("name")).map_err(|_| Trouble::NotFound)?;
    zipped(&console, &provider).await
}

/// Serves a partner its own kit.
pub(crate) async fn own_kit<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    zipped(&console, own(&visit)?).await
}

async fn zipped<P: Ports>(console: &Console<P>, provider: &Provider) -> Result<Response<Body>, Trouble> {
    let archive = archive(&files(console, provider).await?).map_err(|fault| unmade(&fault))?;
    let mut response = archive.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    let name = HeaderValue::try_from(format!("attachment; filename=\"gg3-kit-{provider}.zip\""));
    headers.extend(name.ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    Ok(response)
}

/// Returns the files of a partner's kit.
pub(crate) async fn files<P: Ports>(console: &Console<P>, provider: &Provider) -> Result<Vec<File>, Trouble> {
    let (stored, partner) = agreed(console, provider).await?;
    let file = stored.file().map_err(|_| Trouble::Lost("the configuration cannot be read; tell GG3".into()))?;
    made(&file, &partner, console.site.api()).map_err(|fault| unmade(&fault))
}

fn made(file: &PartnerFile, partner: &Partner, api_url: &str) -> anyhow::Result<Vec<File>> {
    let pages = [BaseUrl::parse(GG3_PAGE)?];
    Kit { file, partner, api_url, pages: &pages }.files()
}

fn unmade(fault: &anyhow::Error) -> Trouble {
    error!(reason = %fault, "a kit cannot be made");
    Trouble::Later("The kit cannot be made now. Tell GG3.".to_owned())
}
