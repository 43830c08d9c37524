//! Makes the short page for a person who opened a link that does not work.

use lambda_http::{
    Body, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY},
    },
};

use crate::problem::Problem;

/// Returns the problem's status and headers with a page as the body. The page has fixed words only: nothing of the
/// request, no script and no style.
pub(super) fn of(problem: Problem<'_>) -> Response<Body> {
    let mut response = problem.into_response();
    let status = response.status();
    let (title, advice) = words(status);
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1><p>{advice}</p></html>\n"
    );
    *response.body_mut() = Body::Text(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().extend([
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
        (VARY, HeaderValue::from_static("Accept")),
    ]);
    response
}

/// Returns the title and the advice for a person.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::GONE => ("This link has expired", "Go back to GG3 and open the offer again to get a new link."),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Please try again", "We could not open this link just now. Try it again in a minute.")
        }
        _ => (
            "This link does not work",
            "It may have been copied incompletely. Go back to GG3 and open the offer again.",
        ),
    }
}
