//! The forms in which `--json` shows stored items. They are the same in lists and traces: every time is RFC 3339 with
//! three decimals, every text is text, and keys and attributes that only the storage needs are left out.
//! docs/operating.md names the fields.

mod inbound;
mod outbound;

pub(crate) use inbound::{ClickView, PostbackView, RefusalView};
pub(crate) use outbound::{AttemptView, DeliveryView, DueView, OpeningView};
