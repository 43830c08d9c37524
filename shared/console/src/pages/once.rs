//! Lets a form be sent once. A reload of its answer sends it again, and would make another link or token.
//!
//! Each copy of such a form has a name of its own, which is claimed as the API claims an `Idempotency-Key`. The answer
//! holds a secret, so it is not kept, and the second time says so.

use app::ports::NamedRequests as _;
use axum::{body::Body, response::Response};
use domain::{
    named_request::{KeptAnswer, NamedRequest, RequestKey, Standing},
    session::{Token, Visitor},
};
use maud::{Markup, html};

use crate::{
    api::unless_failed,
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

const FIELD: &str = "once";

/// Draws the field that names a copy of a form.
pub(super) fn field<P: Ports>(console: &Console<P>) -> Result<Markup, Trouble> {
    let name = Token::from_random((console.random)()?).reveal();
    Ok(html! { input type="hidden" name=(FIELD) value=(name); })
}

/// Does what a form asks for, unless the same copy of it was sent before. A form that changed nothing may be sent again.
pub(super) async fn once<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    run: impl Future<Output = Result<Response<Body>, Trouble>>,
) -> Result<Response<Body>, Trouble> {
    let Some(Visitor::Operator { author, .. }) = visit.visitor() else { return Err(Trouble::NotFound) };
    let name = Token::parse(visit.form.get(FIELD));
    let key = name.and_then(|name| RequestKey::new(author, &format!("form:{}", name.reveal())));
    let key = key.ok_or_else(|| Trouble::Malformed("Open the page of the partner, and send its form.".to_owned()))?;
    let now = (console.now)();
    let begins = NamedRequest::begin(&[&visit.page], now);
    if let Some(stored) = console.requests.begin(&key, &begins, now).await? {
        let words = match stored.standing(&begins, now) {
            Standing::Answered(_) | Standing::OfAnother => {
                "This form was sent before, and its answer was shown only once. Nothing was done again. Open the page of the partner to send another."
            }
            Standing::UnderWay | Standing::Free => "This form was just sent. Open the page of the partner in a minute.",
        };
        return Err(Trouble::Conflict(words.to_owned()));
    }
    let done = run.await;
    unless_failed(match &done {
        Ok(response) => {
            let kept = KeptAnswer { status: response.status().as_u16(), body: None };
            console.requests.answer(&key, &begins.answered(kept)).await
        }
        Err(_) => console.requests.forget(&key).await,
    });
    done
}
