//! Calls that change something. Each has the field `why`, which lands in the audit record.

use std::sync::Arc;

use app::{
    accept_postback::PostbackAnswer,
    operators::{
        current_revision,
        resend::{Resent, Stopped},
        rotate_secret::Rotated,
        view::AnswerView,
    },
    ports::RefusalKind,
    resolve_conflict::Resolution,
};
use axum::{
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::{
    inbound::refusal::ContentKey,
    session::LINK_LASTS,
    values::{
        ids::{DeliveryId, Provider, TransactionKey},
        signature::Secret,
    },
};
use serde_json::json;

use super::{Answer, ShownOnce, answer, lists::content_id};
use crate::{
    pages::{self, conflicts, partners, portal, refusals, resend as sending, test_webhook as testing, webhooks},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Pauses the webhooks or the postbacks of a partner.
pub(super) async fn pause<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    paused(&console, &visit, &name, true).await
}

/// Ends a pause.
pub(super) async fn resume<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    paused(&console, &visit, &name, false).await
}

async fn paused<P: Ports>(console: &Console<P>, visit: &Visit, name: &str, paused: bool) -> Answer {
    let provider = partners::named(console, name).await?.provider;
    partners::changed(console, visit, &provider, paused).await?;
    let shown = json!({"provider": provider, "part": visit.form.get("part"), "paused": paused});
    Ok(answer(StatusCode::OK, &shown))
}

/// Makes a link to the portal of a partner.
pub(super) async fn link<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    let provider = partners::named(&console, &name).await?.provider;
    let expires_at = (console.now)() + LINK_LASTS;
    let url = partners::credentials::made_link(&console, &visit, &provider).await?;
    let shown = json!({"provider": provider, "url": url, "expires_at": format!("{expires_at:.3}")});
    Ok(once(answer(StatusCode::CREATED, &shown)))
}

/// Checks a file of a partner, or publishes it. The partner may be a new one.
pub(super) async fn file<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    let provider = Provider::new(name).map_err(|_| Trouble::NotFound)?;
    let is_published = match visit.form.get("do") {
        "check" => false,
        "publish" => true,
        _ => return Err(Trouble::Malformed("Choose what to do: check or publish.".to_owned())),
    };
    let compared = partners::file::compared(&console, &provider, visit.form.get("file")).await?;
    let compared = compared.map_err(|faults| Trouble::Malformed(faults.join("\n")))?;
    let mut shown = json!({
        "provider": provider, "change": compared.change(), "differences": compared.planned.differences,
        "notes": compared.notes, "replaces_version": compared.replaces().to_string(),
    });
    if !is_published {
        return Ok(answer(StatusCode::OK, &shown));
    }
    let done = partners::file::published(&console, &visit, compared, visit.form.get("version")).await?;
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("token".to_owned(), json!(done.token));
        shown.insert("warnings".to_owned(), json!(done.warnings));
    }
    let answer = answer(StatusCode::OK, &shown);
    Ok(if done.token.is_some() { once(answer) } else { answer })
}

/// Makes, replaces or drops a token of a partner.
pub(super) async fn token<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    let partner = partners::named(&console, &name).await?;
    let Rotated { made, unclear, .. } = partners::credentials::rotated(&console, &visit, &partner).await?;
    let token = made.as_ref().map(Secret::reveal);
    let shown = json!({"provider": partner.provider, "token": token, "is_stored": unclear.is_none()});
    let answer = answer(StatusCode::OK, &shown);
    Ok(if token.is_some() { once(answer) } else { answer })
}

fn once(mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(ShownOnce);
    response
}

/// Handles a refused call again.
pub(super) async fn resubmit<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(parts): Path<(String, String)>,
    visit: Visit,
) -> Answer {
    let refused = refusals::found(&console, &content_id(&parts), RefusalKind::Refusal).await?;
    let handled = refusals::handled_again(&console, &visit, &refused).await?;
    let current = match &handled.answer {
        PostbackAnswer::Conflict(conflict) => {
            let transaction = TransactionKey::of(&refused.stored.provider, &conflict.transaction_id);
            // The call was handled, so its answer is given even if the revision that stands cannot be read.
            let read = current_revision::read(&console.trace.inbound, &transaction, (&conflict.sent, None)).await;
            read.ok().flatten()
        }
        _ => None,
    };
    let mut shown = json!(AnswerView::of(&handled.answer, current.as_ref()));
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("dry_run".to_owned(), json!(handled.dry_run));
    }
    Ok(answer(StatusCode::OK, &shown))
}

/// Decides about a conflict.
pub(super) async fn resolve<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(parts): Path<(String, String)>,
    visit: Visit,
) -> Answer {
    let (_, key) = ContentKey::parse(&content_id(&parts)).ok_or(Trouble::NotFound)?;
    let resolution = conflicts::decided(&console, &visit, &key).await?;
    let receipt = match &resolution {
        Resolution::Accepted(revision) => Some(revision.receipt()),
        _ => None,
    };
    let name = if receipt.is_some() { "accepted" } else { "original_kept" };
    Ok(answer(StatusCode::OK, &json!({"resolution": name, "receipt": receipt})))
}

/// Sends a webhook again.
pub(super) async fn resend<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(id): Path<String>,
    visit: Visit,
) -> Answer {
    let id = DeliveryId::new(id).map_err(|_| Trouble::NotFound)?;
    webhooks::opened_again(&console, &visit, &id).await?;
    Ok(answer(StatusCode::ACCEPTED, &json!({"delivery_id": id})))
}

/// Sends webhooks of a partner again that failed in a period. If there is more than one call has time for, `is_done` is
/// false, and the same call with the period of the answer goes on.
pub(super) async fn resend_failed<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    let provider = partners::named(&console, &name).await?.provider;
    let (operation, _) = pages::begin(&console, &visit)?;
    let sending::Sent { ends: [since, before], resent: Resent { opened, waiting }, done, .. } =
        sending::sent_again(&console, &visit, &provider, operation).await?;
    if let Err(Stopped::Unavailable(fault)) = &done
        && opened == 0
    {
        return Err(Trouble::Unavailable(fault.clone()));
    }
    let is_done = done.is_ok();
    let stopped = done.err().filter(|stopped| *stopped != Stopped::Interrupted);
    let shown = json!({
        "provider": provider, "since": since.to_string(), "before": before.to_string(), "sent_again": opened,
        "waiting_for_a_pause": waiting, "is_done": is_done, "stopped_by": stopped.map(|it| webhooks::stopped_words(&it)),
    });
    Ok(answer(StatusCode::ACCEPTED, &shown))
}

/// Sends a partner's server a test webhook.
pub(super) async fn test_webhook<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Answer {
    let provider = partners::named(&console, &name).await?.provider;
    let (_, partner) = portal::agreed(&console, &provider).await?;
    let tested = testing::tested(&console, &visit, &partner).await?;
    let (request, answered) = (&tested.request, &tested.answered);
    let shown = json!({
        "provider": provider, "campaign": visit.form.get("campaign"), "webhook_id": tested.id,
        "request": {"method": request.method(), "url": request.url().as_str(), "body": request.body()},
        "outcome": answered.outcome.to_string(), "http_status": answered.outcome.status(), "took_ms": tested.took_ms(),
        "answer": answered.answer.to_string(), "is_good": tested.is_good(), "advice": tested.advice(),
    });
    Ok(answer(StatusCode::OK, &shown))
}
