//! Explains the answer to a call of a postback URL, as the caller would get it.

use app::accept_postback::{Contradiction, HandledCall, PostbackAnswer};
use domain::inbound::{conversion::Receipt, fault::Fault};
use maud::{Markup, html};

use crate::layout::{value, words};

/// Draws an answer with its status and its meaning.
pub(super) fn answer(HandledCall { answer, dry_run, .. }: &HandledCall) -> Markup {
    let (status, is_good, words) = told(answer, *dry_run);
    html! {
        p.answer.good[is_good].bad[!is_good] role="status" { strong { (status) } " " (words) }
        @match answer {
            PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) => (receipt_of(receipt)),
            PostbackAnswer::Conflict(contradiction) => (differences(contradiction)),
            PostbackAnswer::Malformed(faults) => (self::faults(faults)),
            PostbackAnswer::Forbidden(fault) => (self::faults(std::slice::from_ref(fault))),
            _ => {},
        }
    }
}

fn told(answer: &PostbackAnswer, dry_run: bool) -> (u16, bool, &'static str) {
    match answer {
        PostbackAnswer::Accepted(_) if dry_run => (200, true, "This call would be accepted. Nothing was recorded."),
        PostbackAnswer::Accepted(_) => (200, true, "The call is accepted and recorded."),
        PostbackAnswer::Duplicate(_) => {
            (200, true, "The same transaction is recorded with the same content: a duplicate.")
        }
        PostbackAnswer::Ignored => (200, true, "This status is agreed to be ignored. No conversion follows."),
        PostbackAnswer::Conflict(_) => (409, false, "This transaction is recorded with another content, which stays."),
        PostbackAnswer::Erased(_) => (409, false, "The person of this transaction was erased."),
        PostbackAnswer::Malformed(_) => (400, false, "The call has faults. Each is listed with its cure."),
        PostbackAnswer::Unauthorized | PostbackAnswer::UnauthorizedTooOften(_) => {
            (401, false, "The partner is not configured any more.")
        }
        PostbackAnswer::Forbidden(_) => (403, false, "The caller's address is not agreed."),
        PostbackAnswer::RateExceeded(_) => (429, false, "The partner's rate is used up. Send the call again later."),
        PostbackAnswer::Paused => (503, false, "The partner's postbacks are paused. Send the call again later."),
        PostbackAnswer::Unavailable(_) => (503, false, "A service does not answer. Sending the call again is safe."),
    }
}

fn receipt_of(receipt: &Receipt) -> Markup {
    let ignored = (!receipt.ignored.is_empty()).then(|| receipt.ignored.join(", "));
    html! {
        dl.facts {
            div { dt { "transaction" } dd { (value(receipt.transaction_id.as_str())) } }
            @if let Some(state) = receipt.state { div { dt { "state" } dd { (value(state.as_str())) } } }
            @if let Some(names) = &ignored { div { dt { "ignored parameters" } dd { (value(names)) } } }
        }
    }
}

fn differences(Contradiction { differences, .. }: &Contradiction) -> Markup {
    html! {
        div.wide tabindex="0" { table.sides {
            thead { tr { th scope="col" { "parameter" } th scope="col" { "recorded" } th scope="col" { "sent" } } }
            tbody { @for (name, one) in differences {
                tr.differs { th scope="row" { (value(name)) } td { (value(&one.original)) } td { (value(&one.sent)) } }
            } }
        } }
    }
}

/// Draws faults, each with its cure.
pub(super) fn faults(faults: &[Fault]) -> Markup {
    html! {
        ul.faults {
            @for fault in faults {
                li {
                    strong { (value(fault.parameter.as_deref().unwrap_or("the whole call"))) } " "
                    "Expected: " (words(&fault.expected)) ". "
                    span.cure { "Cure: " (words(&fault.fix)) "." }
                }
            }
        }
    }
}
