//! The forms in which programs get stored items: from `postbackctl --json` and from the API. They are the same in lists
//! and traces: every time is RFC 3339 with three decimals, every text is text, and keys and attributes that only the
//! storage needs are left out. docs/operating.md names the fields.

mod answer;
mod event;
mod inbound;
mod outbound;

pub use answer::AnswerView;
pub use event::EventView;
pub use inbound::{ClickView, PostbackView, RefusalView, TransactionView};
pub use outbound::{AttemptView, DeliveryView, DueView, OpeningView};
