//! Serves the style sheet and the icon. Browsers keep them for an hour.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

const SHEET: &str = include_str!("../../assets/style.css");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Serves the style sheet of all pages.
pub(crate) async fn sheet() -> Response {
    file("text/css; charset=utf-8", SHEET)
}

/// Serves the icon of all pages.
pub(crate) async fn icon() -> Response {
    file("image/svg+xml", ICON)
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    let mut response = content.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}
