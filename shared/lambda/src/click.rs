//! Runs the function `click`, which redirects a tracking link to the partner's landing page.

mod page;

use std::convert::Infallible;

use adapters::{
    aws::CallLimits,
    deployed::Deployed,
    dynamodb::{
        clicks::DynamoClicks,
        partners::{DynamoPartners, DynamoSystemKeys},
    },
    random,
};
use app::{
    cache::Cache,
    follow_click::{FollowClick, Led},
};
use domain::{inbound::tracking_link::ClickLinkFault, retention::Expiring};
use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header::LOCATION},
};
use tracing::{error, info};

use crate::{
    environment::{Environment, EnvironmentFaults},
    http, now,
    problem::Problem,
};

/// Handles requests to `/click`.
pub struct ClickFunction {
    follow: FollowClick<Deployed>,
}

impl ClickFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let (aws, policy, timeout) = (env.aws(), env.cache_policy(), env.function_timeout());
        let retention = env.retention("CLICK_RETENTION_DAYS", Expiring::Click);
        let mut table = |name: &str| env.required(name);
        let (partners, secrets, clicks) = (table("PARTNERS_TABLE"), table("SECRETS_TABLE"), table("CLICKS_TABLE"));
        env.finish()?;
        // At worst three operations follow each other: reading the partner, reading the keys and recording the click.
        // Recording may take at most a second.
        let recording = aws.dynamodb(CallLimits::REDIRECTING);
        let reading = timeout.saturating_sub(CallLimits::REDIRECTING.operation_timeout);
        let reading = aws.dynamodb(CallLimits::answering(reading, 2));
        let follow = FollowClick {
            partners: Cache::new(DynamoPartners::new(reading.clone(), partners), policy),
            keys: Cache::new(DynamoSystemKeys::new(reading, secrets, policy.fresh * 2), policy),
            clicks: DynamoClicks::new(recording, clicks, retention),
        };
        Ok(Self { follow })
    }

    /// Reads the system's keys during init, as `postback` does.
    pub async fn warm(&self) {
        if let Err(unavailable) = self.follow.keys.get(&(), now()).await {
            error!(reason = %unavailable, "warm-up failed; the first request tries again");
        }
    }

    /// Handles one request. Every failure becomes a response.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, Infallible> {
        let segment = |name| http::segment(&request, name).unwrap_or_default();
        let (provider, landing, query) = (segment("provider"), segment("landing"), http::raw_query(&request));
        let led = match random::bytes() {
            Ok(random) => self.follow.handle(provider, landing, query, now(), random).await,
            Err(unavailable) => Led::Unavailable(unavailable),
        };
        log(http::request_id(&request), &led);
        Ok(respond(led, http::prefers_html(&request)))
    }
}

/// Makes the response. A person gets a page for an error, and a program JSON.
fn respond(led: Led, is_person: bool) -> Response<Body> {
    let problem = match led {
        // A URL is ASCII without control characters, so it always fits a header.
        Led::To { url, .. } => match HeaderValue::try_from(url) {
            Ok(url) => {
                let mut response = http::response(StatusCode::FOUND, "text/plain; charset=utf-8", String::new());
                response.headers_mut().insert(LOCATION, url);
                return response;
            }
            Err(_) => Problem::unavailable(),
        },
        Led::Unknown => {
            let detail = "There is no such partner or landing page.";
            Problem::new(StatusCode::NOT_FOUND, "unknown-link", "No such link", detail)
        }
        Led::Refused(fault) => {
            let detail = fault.to_string();
            match fault {
                ClickLinkFault::Malformed(_) => {
                    Problem::new(StatusCode::BAD_REQUEST, "malformed-link", "The link is malformed", detail)
                }
                ClickLinkFault::BadSignature => {
                    Problem::new(StatusCode::FORBIDDEN, "bad-signature", "The link is not ours", detail)
                }
                ClickLinkFault::Expired => {
                    Problem::new(StatusCode::GONE, "expired-link", "The link has expired", detail)
                }
            }
        }
        Led::Unavailable(_) => Problem::unavailable(),
    };
    if is_person { page::of(problem) } else { problem.into_response() }
}

/// Writes one line for the request. It names neither the user nor the click, because no line can be erased.
fn log(request_id: &str, led: &Led) {
    let refused = |outcome: &str| info!(request_id, outcome, clicks = 1, "click");
    match led {
        Led::To { provider, unrecorded: None, .. } => {
            info!(request_id, %provider, outcome = "redirected", clicks = 1, "click");
        }
        Led::To { provider, unrecorded: Some(reason), .. } => {
            let outcome = "unrecorded";
            error!(request_id, %provider, outcome, %reason, clicks = 1, "click");
        }
        Led::Unknown => refused("unknown"),
        Led::Refused(ClickLinkFault::Malformed(_)) => refused("malformed"),
        Led::Refused(ClickLinkFault::BadSignature) => refused("bad_signature"),
        Led::Refused(ClickLinkFault::Expired) => refused("expired"),
        Led::Unavailable(reason) => {
            error!(request_id, outcome = "unavailable", %reason, clicks = 1, "click");
        }
    }
}

#[cfg(test)]
mod described;
