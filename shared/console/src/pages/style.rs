//! Serves the files that are the same for all: the style sheet, the icon, and the description of the API. Browsers keep
//! them for an hour.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

const SHEET: &str = include_str!("../../assets/style.css");
const OPENAPI: &str = include_str!("../../assets/v1.yaml");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Serves the style sheet of all pages.
pub(crate) async fn sheet() -> Response {
    file("text/css; charset=utf-8", SHEET)
}

/// Serves the icon of all pages.
pub(crate) async fn icon() -> Response {
    file("image/svg+xml", ICON)
}

/// Serves the description of the API.
pub(crate) async fn openapi() -> Response {
    file("application/yaml; charset=utf-8", OPENAPI)
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    let mut response = content.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}
