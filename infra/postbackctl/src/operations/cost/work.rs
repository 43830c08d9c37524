//! The calls that each unit of work makes. Tests count these calls at the wire.

use domain::outbound::retry::RESENDS;
use rust_decimal::{Decimal, dec};

use super::{Arguments, messages_for, usage::Usage};

/// Limits the number of participants' changes in one batch, because the items of participants are larger than other
/// items.
const PARTICIPANTS_BATCH: u32 = 20;

/// Returns each unit of work with its use of AWS.
pub(super) fn units_of_work(arguments: &Arguments) -> Vec<(&'static str, Usage)> {
    let work = Work(arguments);
    let (duplicate, event) = (work.recorded(arguments.postback_bytes), work.event());
    vec![
        ("postback, new", duplicate + work.conversion()),
        ("postback, new, its click used once", work.used_once() + work.conversion()),
        ("postback, duplicate", duplicate),
        ("postback, duplicate, click used once", work.used_once()),
        ("first step of a transaction", duplicate + writes(arguments.postback_bytes) + work.conversion()),
        ("later step of a transaction", work.later_step() + work.conversion()),
        ("negative amount that names another", work.adjustment() + work.conversion()),
        ("postback, refused", work.recorded(arguments.refusal_bytes) + counted_as_new()),
        ("postback, refused again", work.recorded(arguments.refusal_bytes)),
        ("postback, conflicting", duplicate + writes(arguments.postback_bytes) + counted_as_new()),
        ("postback, conflicting again", duplicate + writes(arguments.postback_bytes)),
        ("click", work.click()),
        ("event that no campaign needs", event),
        ("event seen before", event + work.participant_read()),
        ("event that changes something", event + work.participant_read() + work.participant_write()),
        ("delivery put and queued", work.delivery()),
        ("delivery's first attempt", work.attempt()),
        ("resend", work.resend()),
        ("delivery's end", index_write()),
        ("lookups of a postback or refusal", work.lookups(3)),
        ("lookups of a click", work.lookups(1)),
        ("lookups of a delivery, at most", work.lookups(4)),
        ("lookups of an opening, at most", work.opening()),
        ("participant's change, looked at", work.participant_looked_at()),
        ("archived postback, click or opening", work.archived(1)),
        ("archived delivery with an attempt", work.archived_delivery()),
    ]
}

struct Work<'a>(&'a Arguments);

impl Work<'_> {
    /// Returns the use of a call that takes one write: a new postback, a duplicate or a refusal.
    fn recorded(&self, item_bytes: u32) -> Usage {
        self.api_call(self.0.postback_ms) + writes(item_bytes)
    }

    /// Returns the use of a call that puts the original and the use of its click, or finds them, in one transaction. A
    /// transaction costs twice its writes, also if it is cancelled.
    fn used_once(&self) -> Usage {
        self.api_call(self.0.postback_ms) + (writes(self.0.postback_bytes) + index_write()) * dec!(2)
    }

    /// Returns the use of a step after the first one. The original and the first step are in the way, the history is
    /// read, and the step is put.
    fn later_step(&self) -> Usage {
        self.api_call(self.0.postback_ms) + writes(self.0.postback_bytes) * dec!(3) + self.history_read()
    }

    /// Returns the use of a negative amount. The history of the other transaction is read, and the negative transaction
    /// is put together with its adjustment.
    fn adjustment(&self) -> Usage {
        self.api_call(self.0.postback_ms) + writes(self.0.postback_bytes) * dec!(4) + self.history_read()
    }

    /// Returns the use of a consistent read of a transaction with three records.
    fn history_read(&self) -> Usage {
        reads(self.0.postback_bytes.saturating_mul(3))
    }

    fn click(&self) -> Usage {
        self.api_call(self.0.click_ms) + writes(self.0.click_bytes)
    }

    fn api_call(&self, billed_ms: u32) -> Usage {
        let access_log = Usage { log_bytes: self.0.access_log_bytes.into(), ..Usage::default() };
        Usage { api_requests: Decimal::ONE, ..Usage::default() } + access_log + self.invocation(billed_ms)
    }

    /// Returns the use of a conversion. `conversion-relay` reads the stream, which is free for Lambda, and sends to the
    /// queue. GG3 receives and deletes the message.
    fn conversion(&self) -> Usage {
        let relayed = self.invocation(self.0.relay_batch_ms) * share(self.0.relay_batch);
        relayed + self.queue_batch() * dec!(3)
    }

    /// Returns the use of an event that is sent, received and deleted, ten at a time.
    fn event(&self) -> Usage {
        self.queue_batch() * dec!(3) + self.batch_invocation(self.0.evaluator_batch_ms)
    }

    fn participant_read(&self) -> Usage {
        reads(self.0.participant_bytes)
    }

    fn participant_write(&self) -> Usage {
        writes(self.0.participant_bytes)
    }

    /// Returns the use of storing a delivery with its entry in the index, and of sending its first message.
    fn delivery(&self) -> Usage {
        writes(self.0.delivery_bytes) + index_write() + self.fair_message()
    }

    /// Returns the use of an attempt. Its message is received and deleted, and the attempt is claimed, made and
    /// recorded.
    fn attempt(&self) -> Usage {
        let claimed_and_recorded = writes(self.0.delivery_bytes) * dec!(2);
        let line = Usage { log_bytes: self.0.attempt_log_bytes.into(), ..Usage::default() };
        self.fair_batch() * dec!(2) + self.batch_invocation(self.0.sender_batch_ms) + claimed_and_recorded + line
    }

    /// Returns the average use of a resend in a round: sending its message, the hops of a long wait, and the attempt.
    fn resend(&self) -> Usage {
        let waits = (1..=RESENDS).map(|n| messages_for(u32::from(n) * self.0.initial_interval_seconds));
        let messages: u32 = waits.sum();
        let hops = Decimal::from(messages) / Decimal::from(RESENDS) - Decimal::ONE;
        let hop = self.fair_message() + self.fair_batch() * dec!(2) + self.batch_invocation(self.0.hop_batch_ms);
        self.fair_message() + hop * hops + self.attempt()
    }

    /// Returns the use of a change for which this many entries of less than 1 KB are written. Reading the stream is
    /// free for Lambda.
    fn lookups(&self, entries: u32) -> Usage {
        let looked_at = self.invocation(self.0.lookup_batch_ms) * share(self.0.lookup_batch);
        looked_at + index_write() * Decimal::from(entries)
    }

    /// Returns the use of an opening with both of the partner's ids.
    fn opening(&self) -> Usage {
        self.participant_looked_at() + index_write() * dec!(4)
    }

    /// Returns the use of a participant's change. `lookup-writer` reads every such change, even if no link was opened.
    fn participant_looked_at(&self) -> Usage {
        let batch = self.0.lookup_batch.min(PARTICIPANTS_BATCH);
        self.invocation(self.0.lookup_batch_ms) * share(batch)
    }

    /// Returns the use of a change with this many rows of the archive. Firehose bills the rows of a batch together, as a
    /// multiple of 5 KB, and S3 keeps them compressed.
    fn archived(&self, rows: u32) -> Usage {
        let rows = Decimal::from(rows);
        let batch = self.0.row_bytes.saturating_mul(self.0.lookup_batch).div_ceil(5 * 1024) * 5 * 1024;
        let billed_ms = Decimal::from(self.0.archive_batch_ms) * share(self.0.lookup_batch);
        Usage {
            mb_milliseconds: Decimal::from(self.0.memory_mb) * billed_ms,
            firehose_bytes: Decimal::from(batch) * share(self.0.lookup_batch) * rows,
            stored_objects: rows / Decimal::from(self.0.object_rows.max(1)),
            stored_byte_months: Decimal::from(self.0.stored_row_bytes) * Decimal::from(self.0.archive_months) * rows,
            ..Usage::default()
        }
    }

    /// Returns the use of a delivery that its first attempt delivers: two rows of it and one of the attempt. The claim
    /// and the record are changes that `lookup-writer` looks at besides.
    fn archived_delivery(&self) -> Usage {
        let looked_at = self.invocation(self.0.lookup_batch_ms) * share(self.0.lookup_batch);
        self.archived(3) + looked_at * dec!(2)
    }

    fn invocation(&self, billed_ms: u32) -> Usage {
        Usage {
            invocations: Decimal::ONE,
            mb_milliseconds: Decimal::from(self.0.memory_mb) * Decimal::from(billed_ms),
            log_bytes: self.0.log_bytes.into(),
            ..Usage::default()
        }
    }

    fn batch_invocation(&self, billed_ms: u32) -> Usage {
        self.invocation(billed_ms) * share(self.0.queue_batch)
    }

    /// Returns one message's share of a request for a whole batch. Each 64 KB of a request are billed as one request.
    fn queue_batch(&self) -> Usage {
        let bytes = self.0.message_bytes.saturating_mul(self.0.queue_batch);
        let billed = Decimal::from(bytes.div_ceil(64 * 1024).max(1));
        Usage { queue_requests: billed * share(self.0.queue_batch), ..Usage::default() }
    }

    fn fair_batch(&self) -> Usage {
        let batch = self.queue_batch();
        Usage { fair_requests: batch.queue_requests, ..batch }
    }

    /// Returns the use of a message that is sent by itself.
    fn fair_message(&self) -> Usage {
        let billed = Decimal::from(self.0.message_bytes.div_ceil(64 * 1024).max(1));
        Usage { queue_requests: billed, fair_requests: billed, ..Usage::default() }
    }
}

/// Returns what a refusal or conflict of new content uses besides its item: the write that finds no item, and the count
/// of the day.
fn counted_as_new() -> Usage {
    index_write() * dec!(2)
}

/// Returns the use of writing an entry that consists of keys alone: one unit.
fn index_write() -> Usage {
    Usage { write_units: Decimal::ONE, ..Usage::default() }
}

/// Returns the use of a consistent read: a unit for each 4 KB.
fn reads(bytes: u32) -> Usage {
    Usage { read_units: bytes.div_ceil(4096).max(1).into(), ..Usage::default() }
}

/// Returns the use of a write: one unit for each KB.
fn writes(item_bytes: u32) -> Usage {
    Usage { write_units: item_bytes.div_ceil(1024).max(1).into(), ..Usage::default() }
}

fn share(batch: u32) -> Decimal {
    Decimal::ONE / Decimal::from(batch.max(1))
}
