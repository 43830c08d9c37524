//! Checks a postback against what was agreed with its partner.

use super::reader::Reader;
use crate::inbound::astray;
use crate::inbound::click::ClickOrigin;
use crate::inbound::doubt;
use crate::inbound::fault::{Fault, FaultCode};
use crate::inbound::status::{State, StatusMeaning};
use crate::prelude::*;
use crate::values::ids::{EventId, TransactionId};
use crate::values::money::{Amount, Currency};
use crate::values::parameter_names::Field;

impl Reader<'_> {
    /// Returns the meaning of the status. Returns `None` if the partner did not agree on statuses or the status has a
    /// fault.
    pub(super) fn status(&mut self) -> Option<StatusMeaning> {
        let agreed = self.rules.status.as_ref()?;
        let faults = self.faults.len();
        let word = self.value(Field::Status).unwrap_or_default();
        let meaning = agreed.meaning(&word);
        if meaning.is_none() {
            let expected = format!("one of the agreed statuses: {}", agreed.listed());
            let fix = "send one of these, or ask us to add the word";
            self.fault(Field::Status, FaultCode::UnknownStatus, expected, fix);
        }
        meaning.filter(|_| self.faults.len() == faults)
    }

    /// Makes the fault that marks a call with a status that is agreed to be ignored.
    pub(super) fn ignored(&self) -> Fault {
        let (expected, fix) = ("a status that says what became of a transaction", "nothing; this call is kept");
        Fault::of(self.rules.names.of(Field::Status), FaultCode::StatusIgnored, expected, fix)
    }

    /// Returns the transaction that a negative amount reverses, if it is named. A negative amount has only one state,
    /// so a status other than approved is a fault.
    pub(super) fn reference(&mut self, state: Option<State>) -> Option<TransactionId> {
        if state.is_some_and(|state| state != State::Approved) {
            let expected = "a negative amount only with a status that means approved";
            let fix = "report a reversal by a negative amount or by a status, not by both";
            self.fault(Field::AmountDecimal, FaultCode::NegativeAmount, expected, fix);
        }
        if self.rules.names.has(Field::Reference) { self.id(Field::Reference, TransactionId::new) } else { None }
    }

    /// Refuses an amount that is not negative beside the transaction that a negative one would reverse. A rejection takes
    /// nothing back by its amount.
    pub(super) fn no_reference(&mut self, amount: Amount, state: Option<State>) {
        let sent = self.sent.raw(self.rules.names.of(Field::Reference)).map(astray::readable);
        let names_one =
            self.rules.names.has(Field::Reference) && sent.is_some_and(|value| !doubt::says_nothing(&value));
        if names_one && state != Some(State::Rejected) {
            let name = self.rules.names.of(Field::Reference);
            let expected = format!("an amount below zero beside {name}, as agreed for reversals; this one is {amount}");
            let fix =
                format!("to reverse that transaction, write the amount with its minus; otherwise leave {name} out");
            self.fault(Field::AmountDecimal, FaultCode::AmountNotNegative, expected, fix);
        }
    }

    pub(super) fn agreed_amount(&mut self, sent: Option<(&Currency, Amount)>) {
        let Some((currency, amount)) = sent else { return };
        let Some(maximum) = self.rules.max_amounts.get(currency).filter(|maximum| amount.absolute() > **maximum) else {
            return;
        };
        let expected = format!("at most {maximum} {currency}, as agreed; this one is {amount}");
        let fix =
            "check the amount and its unit; if it is right, ask us to raise the agreed maximum, then send it again";
        self.fault(Field::AmountDecimal, FaultCode::AmountAboveMaximum, expected, fix);
    }

    pub(super) fn agreed_event(&mut self, event_id: Option<&EventId>) {
        let Some(agreed) = &self.rules.event_ids else { return };
        if event_id.is_some_and(|id| !agreed.contains(id)) {
            let list = agreed.iter().map(EventId::as_str).collect::<Vec<_>>().join(", ");
            let expected = format!("one of the agreed event ids: {list}");
            self.fault(
                Field::EventId,
                FaultCode::EventNotAgreed,
                expected,
                "send one of these, or ask us to add the event",
            );
        }
    }

    pub(super) fn required_click(&mut self, click: Option<ClickOrigin>) {
        if self.rules.require_click && click == Some(ClickOrigin::Foreign) {
            let expected = "a click_id that we put into the landing page's URL, with the user_id that came with it";
            let fix = "pass both on exactly as they came; do not change their case or swap them between users";
            self.fault(Field::ClickId, FaultCode::ClickNotOurs, expected, fix);
        }
    }
}
