//! A call whose sender is known, and faults of calls that concern the way of sending.

use std::net::IpAddr;

use domain::{
    inbound::{
        credential::PROVIDER,
        fault::{self, Fault, FaultCode},
        parameters::{DRY_RUN, Parameters},
    },
    jiff::Timestamp,
    partner::Partner,
    values::ids::ReceiptId,
};

use super::{Call, PostbackAnswer};

/// A call with a good credential.
pub(super) struct AuthenticatedCall<'a> {
    pub(super) partner: &'a Partner,
    pub(super) sent: &'a Parameters<'a>,
    pub(super) source: IpAddr,
    /// The faults of the request as a whole, with which it is refused unread.
    pub(super) faults: Vec<Fault>,
    pub(super) now: Timestamp,
    /// The receipt id that the postback gets if it is new.
    pub(super) receipt_id: ReceiptId,
    /// Is true if an operator sends a kept refusal again.
    pub(super) is_resubmitted: bool,
}

impl AuthenticatedCall<'_> {
    pub(super) fn is_dry_run(&self) -> bool {
        self.sent.raw(DRY_RUN) == Some(b"true")
    }
}

/// Returns the answer to a call without a good credential. If its signature may be wrong only because the parameters
/// cannot be read, the answer says that, in the same words for everybody.
pub(super) fn refused_to_nobody(call: &Call<'_>, sent: &Parameters<'_>) -> PostbackAnswer {
    let mut faults = Vec::new();
    if call.token.is_none() {
        faults.extend(sent.body_faults(|_, _| true));
        faults.extend(provider_fault(sent));
    }
    if faults.is_empty() { PostbackAnswer::Unauthorized } else { PostbackAnswer::Malformed(fault::bounded(faults)) }
}

/// Returns a fault if a signed call sends the parameter `provider`. The signature already covers the provider in the
/// path.
pub(super) fn provider_fault(sent: &Parameters<'_>) -> Option<Fault> {
    sent.raw(PROVIDER).map(|_| {
        let expected = "no parameter of this name: the path says it already, and it is signed from there";
        Fault::of(PROVIDER, FaultCode::Repeated, expected, "sign it, but do not send it")
    })
}

/// Makes the fault of a call that a page made its visitor's browser send.
pub(super) fn browser_fault(part: &str) -> Fault {
    let part: String = part.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let expected = format!("a call from your server; this one came from a browser, for a page ({part})");
    let fix = "call the URL from server to server; a page shows each visitor your token, so ask us for a new one";
    Fault::whole(FaultCode::SentByBrowser, expected, fix)
}
