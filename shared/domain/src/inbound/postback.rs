//! Reads a postback, in which a partner reports that one of our users did the agreed action, and compares the content
//! of two postbacks.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::inbound::click::{ClickKeys, ClickOrigin};
use crate::inbound::fault::{self, Fault, FaultCode, MAX_QUOTE_BYTES};
use crate::inbound::parameters::{self, MAX_VALUE_BYTES, Parameters};
use crate::inbound::rules::{NegativeAmounts, PostbackRules, TransactionIdRule};
use crate::inbound::status::{self, State, StatusMeaning};
use crate::prelude::*;
use crate::values::digest::hash_parts;
use crate::values::ids::{ClickId, EventId, EventName, IdFault, MAX_ID_BYTES, Provider, TransactionId, UserId};
use crate::values::money::{Amount, AmountFault, Currency, CurrencyFault};
use crate::values::parameter_names::Field;
use crate::values::placeholder::{self, Placeholder};

/// Begins every derived transaction id. A transaction id that a partner sends must not begin with this prefix.
pub const DERIVED_PREFIX: &str = "derived:";

/// Names the parameter that asks us to check a call without recording it.
pub const DRY_RUN: &str = "dry_run";

/// Holds the content of a postback: everything that is compared, without the transaction id. Two postbacks of a
/// transaction with equal contents count as the same.
///
/// Ids compare byte by byte, amounts compare as numbers, and an empty optional parameter equals a missing one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Identifies the GG3 user.
    pub user_id: UserId,
    /// Identifies the click that brought the user.
    pub click_id: ClickId,
    /// Holds the currency of the amount.
    pub currency: Currency,
    /// Holds the exact amount.
    pub amount_decimal: Amount,
    /// Identifies the event of a multi-event campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Names the event for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName>,
}

/// Holds one parameter in which two postbacks of a transaction differ. An empty text stands for a missing value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Names the parameter in our words.
    pub field: Field,
    /// Holds the value of the recorded postback.
    pub original: String,
    /// Holds the value of this postback.
    pub sent: String,
}

impl Content {
    /// Returns the differences between this original and `sent`. The list is empty if both are the same, and only then.
    pub fn differences(&self, sent: &Self) -> Vec<Difference> {
        let (ours, theirs) = (self.canonical_texts(), sent.canonical_texts());
        let shown = self.texts().into_iter().zip(sent.texts());
        shown
            .zip(ours.into_iter().zip(theirs))
            .filter(|(_, (ours, theirs))| ours.1 != theirs.1)
            .map(|(((field, original), (_, sent)), _)| Difference { field, original, sent })
            .collect()
    }

    /// Returns a text that is the same for equal contents: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let texts = self.canonical_texts();
        hash_parts("content", &texts.each_ref().map(|(_, text)| text.as_str()))
    }

    fn texts(&self) -> [(Field, String); 6] {
        let optional = |text: Option<&str>| text.unwrap_or_default().to_owned();
        [
            (Field::UserId, self.user_id.to_string()),
            (Field::ClickId, self.click_id.to_string()),
            (Field::Currency, self.currency.to_string()),
            (Field::AmountDecimal, self.amount_decimal.to_string()),
            (Field::EventId, optional(self.event_id.as_ref().map(EventId::as_str))),
            (Field::EventName, optional(self.event_name.as_ref().map(EventName::as_str))),
        ]
    }

    fn canonical_texts(&self) -> [(Field, String); 6] {
        self.texts().map(|(field, text)| match field {
            Field::AmountDecimal => (field, self.amount_decimal.canonical()),
            _ => (field, text),
        })
    }
}

/// Holds a postback that is well formed and follows the agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postback {
    /// Names the partner that sent the postback.
    pub provider: Provider,
    /// Identifies the transaction, sent or derived.
    pub transaction_id: TransactionId,
    /// Holds the content.
    pub content: Content,
    /// Says whether we made the click id for this user.
    pub click: ClickOrigin,
    /// Names the state of the transaction, if the partner agreed on statuses. Absent means approved.
    pub state: Option<State>,
    /// Identifies the transaction that a negative amount reverses, if the postback names it.
    pub reference: Option<TransactionId>,
    /// Maps the parameters that the partner's file keeps to their values. They do not count as content.
    pub extra: Extra,
}

/// Maps the names of kept parameters to their values. A parameter that was not sent is left out.
pub type Extra = BTreeMap<String, String>;

impl Postback {
    /// Returns the state, which is approved if none was agreed.
    pub fn state(&self) -> State {
        self.state.unwrap_or_default()
    }
}

/// Holds a request that was read completely and has no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPostback {
    /// Holds the postback.
    pub postback: Postback,
    /// Names the ignored parameters.
    pub ignored: Vec<String>,
    /// Is true if the request asks that nothing be recorded.
    pub dry_run: bool,
}

impl ParsedPostback {
    /// Reads a request's parameters by this partner's rules. Returns at most [`MAX_FAULTS`](fault::MAX_FAULTS) faults
    /// if the request has any. Faults of the body and of values come first, because there may be many faults of names.
    ///
    /// A call with a status that is agreed to be ignored has exactly one fault, [`FaultCode::StatusIgnored`].
    pub fn parse(
        sent: &Parameters<'_>,
        provider: &Provider,
        rules: &PostbackRules,
        keys: &ClickKeys,
    ) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { sent, rules, faults: sent.body_faults() };
        let state = match reader.status() {
            Some(StatusMeaning::Ignored) if reader.faults.is_empty() && sent.name_faults().is_empty() => {
                return Err(Vec::from([reader.ignored()]));
            }
            Some(StatusMeaning::State(state)) => Some(state),
            _ => None,
        };
        let user_id = reader.id(Field::UserId, UserId::new);
        let click_id = reader.id(Field::ClickId, ClickId::new);
        let transaction_id = reader.transaction_id();
        let currency = reader.value(Field::Currency).and_then(|text| reader.currency(&text));
        let amount_decimal = reader.value(Field::AmountDecimal).and_then(|text| reader.amount(&text));
        let negative = amount_decimal.filter(Amount::is_negative);
        let reference = negative.and_then(|_| reader.reference(state));
        reader.statuses_not_agreed(negative.is_some());
        reader.agreed_amount(currency.as_ref().zip(amount_decimal));
        let event_id = reader.id(Field::EventId, EventId::new);
        let event_name = reader.id(Field::EventName, EventName::new);
        let dry_run = reader.dry_run();
        let extra = reader.extra();
        reader.agreed_event(event_id.as_ref());
        let click = user_id.as_ref().zip(click_id.as_ref()).map(|(user, click)| keys.origin(provider, user, click));
        reader.required_click(click);
        reader.missing();
        reader.faults.extend(sent.name_faults());
        let is_known = |name: &str| rules.knows(name) || rules.keep.contains(name);
        match (user_id, click_id, currency, amount_decimal, click) {
            (Some(user_id), Some(click_id), Some(currency), Some(amount_decimal), Some(click))
                if reader.faults.is_empty() =>
            {
                let content = Content { user_id, click_id, currency, amount_decimal, event_id, event_name };
                let transaction_id = transaction_id.unwrap_or_else(|| derive_transaction_id(provider, &content));
                let provider = provider.clone();
                let postback = Postback { provider, transaction_id, content, click, state, reference, extra };
                Ok(Self { postback, ignored: sent.others(is_known), dry_run })
            }
            _ => Err(fault::bounded(reader.faults)),
        }
    }
}

/// Derives the transaction id for a postback without one. The id depends only on provider, user, click and event.
fn derive_transaction_id(provider: &Provider, content: &Content) -> TransactionId {
    let event_id = content.event_id.as_ref().map_or("", EventId::as_str);
    let parts = [provider.as_str(), content.user_id.as_str(), content.click_id.as_str(), event_id];
    let text = format!("{DERIVED_PREFIX}{}", hash_parts("transaction", &parts));
    TransactionId::new(text).unwrap_or_else(|_| unreachable!("72 letters and digits are a transaction id"))
}

/// Returns true if a value repeats the name of its parameter. A partner may call an event by the partner's name of the
/// parameter, as in `goal=goal`.
fn repeats_name(field: Field, name: &str, text: &str) -> bool {
    let is_theirs = placeholder::repeats_name(text, name) && !matches!(field, Field::EventId | Field::EventName);
    is_theirs || placeholder::repeats_name(text, field.as_str())
}

/// Reads values and collects faults. It continues after each fault.
struct Reader<'a> {
    sent: &'a Parameters<'a>,
    rules: &'a PostbackRules,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// Returns the decoded value of a parameter. An empty value counts as missing.
    fn value(&mut self, field: Field) -> Option<String> {
        let name = self.rules.names.of(field);
        let raw = self.sent.raw(name).filter(|raw| (1..=MAX_VALUE_BYTES).contains(&raw.len()));
        if raw.is_some_and(|raw| self.has_stand_in(field, name, raw)) { None } else { self.text(name) }
    }

    /// Reports a word that stands for no value, or the parameter's own name. The words of a status are agreed.
    fn has_stand_in(&mut self, field: Field, name: &str, raw: &[u8]) -> bool {
        let found = match placeholder::find(raw) {
            _ if field == Field::Status => return false,
            Some(Placeholder::Macro(_)) => return false,
            // An event's name is a text for people.
            Some(Placeholder::Word { is_ordinary: true, .. }) if field == Field::EventName => return false,
            Some(Placeholder::Word { text, cause, .. }) => Some((text, cause)),
            None => parameters::decode(raw).ok().filter(|text| repeats_name(field, name, text)).map(|text| {
                (text, "which is the parameter's name, as in a template")
            }),
        };
        let Some((text, cause)) = found else { return false };
        let text = fault::cut(text, MAX_QUOTE_BYTES);
        self.faults.push(Fault::of(
            name,
            FaultCode::PlaceholderValue,
            format!("a value; {text} came, {cause}"),
            "send the value; if there is none, find out why your program or tracker has none for this event",
        ));
        true
    }

    /// Returns the decoded value under this name.
    fn text(&mut self, name: &str) -> Option<String> {
        let raw = self.sent.raw(name).filter(|raw| !raw.is_empty())?;
        if raw.len() > MAX_VALUE_BYTES {
            let expected = format!("at most {MAX_VALUE_BYTES} bytes, percent-encoded; this value has {}", raw.len());
            self.faults.push(Fault::of(
                name,
                FaultCode::TooLong,
                expected,
                "send the value alone, with nothing around it",
            ));
            return None;
        }
        if let Some(Placeholder::Macro(found)) = placeholder::find(raw) {
            let found = fault::cut(found, MAX_QUOTE_BYTES);
            self.faults.push(Fault::of(
                name,
                FaultCode::MacroNotReplaced,
                format!("a value; the macro {found} came unreplaced"),
                "check the macro's spelling in your tracker's postback URL, and that your tracker fills it for this event",
            ));
            return None;
        }
        match parameters::decode(raw) {
            Ok(text) => Some(text),
            Err(code) => {
                let fix = if code == FaultCode::BadPercentEncoding {
                    "write a literal % as %25"
                } else {
                    "encode the value as UTF-8, then percent-encode it"
                };
                self.faults.push(Fault::of(name, code, "percent-encoded UTF-8", fix));
                None
            }
        }
    }

    fn id<T>(&mut self, field: Field, parse: impl Fn(String) -> Result<T, IdFault>) -> Option<T> {
        let text = self.value(field)?;
        match parse(text) {
            Ok(id) => Some(id),
            Err(fault) => {
                let code = match fault {
                    IdFault::Blank => FaultCode::Missing,
                    IdFault::TooLong { .. } => FaultCode::TooLong,
                    IdFault::Control => FaultCode::ControlCharacter,
                };
                let expected =
                    format!("1 to {MAX_ID_BYTES} bytes of UTF-8 without control characters; this one {fault}");
                self.fault(field, code, expected, "send the id alone, with nothing around it");
                None
            }
        }
    }

    /// Returns the values that the partner's file keeps. An empty value counts as missing.
    fn extra(&mut self) -> Extra {
        let mut extra = Extra::new();
        for name in &self.rules.keep {
            let Some(text) = self.text(name) else { continue };
            let code = match text.len() > MAX_ID_BYTES {
                true => FaultCode::TooLong,
                false if text.chars().any(char::is_control) => FaultCode::ControlCharacter,
                false => {
                    extra.insert(name.clone(), text);
                    continue;
                }
            };
            let expected = format!(
                "at most {MAX_ID_BYTES} bytes of UTF-8 without control characters; this value has {} bytes",
                text.len()
            );
            self.faults.push(Fault::of(name, code, expected, "correct the value, or leave the parameter out"));
        }
        extra
    }

    fn transaction_id(&mut self) -> Option<TransactionId> {
        let id = self.id(Field::TransactionId, TransactionId::new)?;
        if id.as_str().starts_with(DERIVED_PREFIX) {
            let expected = format!("an id that does not begin with {DERIVED_PREFIX}, which is reserved");
            self.fault(Field::TransactionId, FaultCode::ReservedTransactionId, expected, "send your own identifier");
        }
        Some(id)
    }

    fn currency(&mut self, text: &str) -> Option<Currency> {
        let fault = match Currency::parse(text, &self.rules.currencies) {
            Ok(currency) => return Some(currency),
            Err(fault) => fault,
        };
        let extra: Vec<&str> = self.rules.currencies.iter().collect();
        let agreed = if extra.is_empty() { String::new() } else { format!(" or an agreed one: {}", extra.join(", ")) };
        let fix = match fault {
            CurrencyFault::LowerCase => format!("send {}", text.to_ascii_uppercase()),
            CurrencyFault::Unknown => {
                "send the three-letter code; to use another currency, ask us to add it".to_owned()
            }
        };
        let expected = format!("an upper-case ISO 4217 code such as USD{agreed}");
        self.fault(Field::Currency, FaultCode::UnknownCurrency, expected, fix);
        None
    }

    fn amount(&mut self, text: &str) -> Option<Amount> {
        let parsed = match self.rules.negative_amounts {
            NegativeAmounts::Refused => Amount::parse(text),
            NegativeAmounts::Reverse => Amount::parse_signed(text),
        };
        let fault = match parsed {
            Ok(amount) => return Some(amount),
            Err(fault) => fault,
        };
        let (code, fix) = match fault {
            AmountFault::Negative => (
                FaultCode::NegativeAmount,
                "send 0 or more; to report a reversal, ask us to agree on a status for it, or on negative amounts",
            ),
            AmountFault::NotDecimal => {
                (FaultCode::NotAnAmount, "send digits with a point, without sign, exponent, comma, space or currency")
            }
            AmountFault::TooLarge => {
                (FaultCode::AmountOutOfRange, "check the unit: send whole units of the currency, not cents")
            }
            AmountFault::TooPrecise => (FaultCode::AmountOutOfRange, "round to 8 decimal places"),
        };
        let expected = "a decimal from 0, such as 100.00, with at most 15 digits before the point and 8 after it";
        self.fault(Field::AmountDecimal, code, format!("{expected}; this one {fault}"), fix);
        None
    }

    /// Returns the meaning of the status. Returns `None` if the partner did not agree on statuses or the status has a
    /// fault.
    fn status(&mut self) -> Option<StatusMeaning> {
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
    fn ignored(&self) -> Fault {
        let (expected, fix) = ("a status that says what became of a transaction", "nothing; this call is kept");
        Fault::of(self.rules.names.of(Field::Status), FaultCode::StatusIgnored, expected, fix)
    }

    /// Returns the transaction that a negative amount reverses, if it is named. A negative amount has only one state,
    /// so a status other than approved is a fault.
    fn reference(&mut self, state: Option<State>) -> Option<TransactionId> {
        if state.is_some_and(|state| state != State::Approved) {
            let expected = "a negative amount only with a status that means approved";
            let fix = "report a reversal by a negative amount or by a status, not by both";
            self.fault(Field::AmountDecimal, FaultCode::NegativeAmount, expected, fix);
        }
        if self.rules.names.has(Field::Reference) { self.id(Field::Reference, TransactionId::new) } else { None }
    }

    /// Refuses each parameter that may say that the transaction is not valid, if the parameter was not agreed.
    fn statuses_not_agreed(&mut self, is_negative: bool) {
        for (name, raw) in self.sent.named().filter(|(name, _)| status::is_status_name(name)) {
            let stands = |value: &str| {
                status::says_it_stands(&name, value) || (is_negative && status::says_it_reverses(&name, value))
            };
            if self.rules.knows(&name) || parameters::decode(raw).is_ok_and(|value| stands(&value)) {
                continue;
            }
            let expected = "no status but one that says that the conversion stands; we agreed on no other";
            let fix = match &self.rules.status {
                Some(_) => format!("send the status as {}, as agreed with you", self.rules.names.of(Field::Status)),
                None => format!("ask us to agree on the statuses that you send, or leave {name} out"),
            };
            self.faults.push(Fault::of(&name, FaultCode::StatusNotAgreed, expected, fix));
        }
    }

    fn agreed_amount(&mut self, sent: Option<(&Currency, Amount)>) {
        let Some((currency, amount)) = sent else { return };
        let Some(maximum) = self.rules.max_amounts.get(currency).filter(|maximum| amount.absolute() > **maximum) else {
            return;
        };
        let expected = format!("at most {maximum} {currency}, as agreed; this one is {amount}");
        let fix =
            "check the amount and its unit; if it is right, ask us to raise the agreed maximum, then send it again";
        self.fault(Field::AmountDecimal, FaultCode::AmountAboveMaximum, expected, fix);
    }

    fn dry_run(&mut self) -> bool {
        match self.sent.raw(DRY_RUN) {
            None | Some(b"false") => false,
            Some(b"true") => true,
            Some(raw) => {
                let code = match placeholder::find(raw.get(..MAX_VALUE_BYTES).unwrap_or(raw)) {
                    _ if raw.len() > MAX_VALUE_BYTES => FaultCode::NotABoolean,
                    Some(Placeholder::Macro(_)) => FaultCode::MacroNotReplaced,
                    Some(Placeholder::Word { .. }) => FaultCode::PlaceholderValue,
                    None => FaultCode::NotABoolean,
                };
                self.faults.push(Fault::of(DRY_RUN, code, "true or false", "leave it out to record the postback"));
                false
            }
        }
    }

    fn agreed_event(&mut self, event_id: Option<&EventId>) {
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

    fn required_click(&mut self, click: Option<ClickOrigin>) {
        if self.rules.require_click && click == Some(ClickOrigin::Foreign) {
            let expected = "a click_id that we put into the landing page's URL, with the user_id that came with it";
            let fix = "pass both on exactly as they came; do not change their case or swap them between users";
            self.fault(Field::ClickId, FaultCode::ClickNotOurs, expected, fix);
        }
    }

    fn missing(&mut self) {
        let derived = self.rules.transaction_id == TransactionIdRule::Derived;
        let sent_transaction = self.present(Field::TransactionId);
        let required = Field::ALL.into_iter().filter(|field| match field {
            Field::TransactionId => !derived,
            Field::EventId => derived && !sent_transaction,
            Field::EventName => false,
            _ => true,
        });
        let missing: Vec<Field> = required.filter(|field| !self.present(*field)).collect();
        let cut = self.looks_cut(&missing);
        for field in missing {
            let name = self.rules.names.of(field);
            let mut fix = format!("add {name}={}", field.example());
            if field == Field::EventId {
                fix.push_str(", or send a transaction_id of your own");
            }
            if name != field.as_str() && self.sent.raw(field.as_str()).is_some() {
                fix = format!("it came as {field}; send it as {name}, as agreed with you");
            } else if cut {
                fix.push_str("; if your URL has it, a raw # before it may have cut the URL: write # as %23");
            }
            self.fault(field, FaultCode::Missing, format!("the required parameter {name}"), fix);
        }
    }

    fn present(&self, field: Field) -> bool {
        let name = self.rules.names.of(field);
        self.sent.is_unreadable(name) || self.sent.raw(name).is_some_and(|raw| !raw.is_empty())
    }

    /// Returns true if the missing parameters were probably cut off by a raw `#` in the URL.
    fn looks_cut(&self, missing: &[Field]) -> bool {
        let last_present = Field::ALL.into_iter().filter(|field| self.present(*field)).max();
        let later = missing.iter().any(|field| last_present.is_some_and(|last| *field > last));
        !self.sent.is_empty() && (later || self.sent.ends_empty())
    }

    fn fault(&mut self, field: Field, code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) {
        self.faults.push(Fault::of(self.rules.names.of(field), code, expected, fix));
    }
}

#[cfg(test)]
mod tests;
