//! Reads the values of a postback and collects their faults.

use super::{DERIVED_PREFIX, Extra};
use crate::inbound::astray::{self, Swallowed};
use crate::inbound::doubt;
use crate::inbound::fault::{Fault, FaultCode, quoted};
use crate::inbound::parameters::{self, DRY_RUN, MAX_VALUE_BYTES, Parameters};
use crate::inbound::rules::{NegativeAmounts, PostbackRules};
use crate::prelude::*;
use crate::values::ids::{IdFault, MAX_ID_BYTES, TransactionId};
use crate::values::money::{Amount, AmountFault, Currency, CurrencyFault};
use crate::values::parameter_names::Field;
use crate::values::placeholder::{self, Place, Placeholder};

/// Reads values and collects faults. It continues after each fault.
pub(super) struct Reader<'a> {
    pub(super) sent: &'a Parameters<'a>,
    pub(super) rules: &'a PostbackRules,
    pub(super) faults: Vec<Fault>,
}

impl Reader<'_> {
    /// Returns the decoded value of a parameter. An empty value counts as missing.
    pub(super) fn value(&mut self, field: Field) -> Option<String> {
        let name = self.rules.names.of(field);
        let text = self.text(name, Some(field).filter(|field| *field != Field::Status))?;
        // The words of a status are agreed, so they may be any words.
        if field != Field::Status && self.is_name(field, &text) {
            self.stands_for_nothing(name, text, "which is a parameter's name, as in a template");
            return None;
        }
        Some(text)
    }

    /// Returns the decoded value under this name. The value of a parameter of ours, `field`, must also be no word that
    /// stands for no value, and must contain no other parameter.
    fn text(&mut self, name: &str, field: Option<Field>) -> Option<String> {
        let raw = self.sent.raw(name).filter(|raw| !raw.is_empty())?;
        if raw.len() > MAX_VALUE_BYTES {
            let expected = format!("at most {MAX_VALUE_BYTES} bytes, percent-encoded; this value has {}", raw.len());
            let fix = "send the value alone, with nothing around it";
            self.faults.push(Fault::of(name, FaultCode::TooLong, expected, fix));
            return None;
        }
        let place = match field {
            Some(Field::AmountDecimal | Field::Currency) => Place::Value,
            Some(Field::EventId | Field::EventName) => Place::Event,
            Some(Field::Status) | None => Place::Text,
            Some(_) => Place::Id,
        };
        match placeholder::find(raw, place).filter(|found| !self.may_be_meant(field, found.text())) {
            Some(Placeholder::Macro(text)) => {
                self.macro_not_replaced(name, text);
                return None;
            }
            Some(Placeholder::Word { text, cause }) => {
                self.stands_for_nothing(name, text, cause);
                return None;
            }
            None => {}
        }
        if let Some(found) = field.and_then(|_| self.swallowed_by(raw)) {
            self.faults.push(swallowed_fault(name, found));
            return None;
        }
        parameters::decode(raw).map_err(|code| self.undecodable(name, code)).ok()
    }

    /// Returns true if a text that looks like a macro or a word for no value may be the value all the same. An event's id
    /// may be agreed, and an amount or a currency is told more exactly later.
    fn may_be_meant(&self, field: Option<Field>, text: &str) -> bool {
        match field {
            Some(Field::EventId) => self.rules.event_ids.iter().flatten().any(|event| event.as_str() == text),
            Some(Field::AmountDecimal) => {
                let is_of_number = |sign: char| sign.is_ascii_digit() || "eE$.,+".contains(sign);
                // JSON's true and false are no amounts, which says more than that they stand for nothing.
                text.chars().all(is_of_number) || text == "true" || text == "false"
            }
            Some(Field::Currency) => {
                matches!(Currency::parse(text, &self.rules.currencies), Err(CurrencyFault::Misspelt(_)))
            }
            _ => false,
        }
    }

    /// Returns another parameter that this value contains.
    fn swallowed_by(&self, raw: &[u8]) -> Option<Swallowed> {
        if !may_contain_parameter(raw) {
            return None;
        }
        let is_known =
            |name: &str| self.rules.known().any(|known| astray::is_near(name, known)) || doubt::is_near_dry_run(name);
        astray::swallowed(&astray::readable(raw), Some('='), is_known, self.rules.known())
    }

    /// Returns true if a value is the name of a parameter. A partner may call an event by the partner's name of the
    /// parameter, as in `goal=goal`.
    fn is_name(&self, field: Field, text: &str) -> bool {
        let is = |name: &str| placeholder::repeats_name(text, name);
        let is_event = matches!(field, Field::EventId | Field::EventName);
        is(field.as_str()) || (!is_event && self.rules.names.all().chain(Field::ALL.map(Field::as_str)).any(is))
    }

    fn macro_not_replaced(&mut self, name: &str, found: String) {
        let expected = format!("a value; the macro {} came unreplaced", quoted(found));
        let fix =
            "check the macro's spelling in your tracker's postback URL, and that your tracker fills it for this event";
        self.faults.push(Fault::of(name, FaultCode::MacroNotReplaced, expected, fix));
    }

    fn stands_for_nothing(&mut self, name: &str, text: String, cause: &str) {
        let expected = format!("a value; {} came, {cause}", quoted(text));
        let fix = "send the value; if there is none, find out why your program or tracker has none for this event";
        self.faults.push(Fault::of(name, FaultCode::PlaceholderValue, expected, fix));
    }

    fn undecodable(&mut self, name: &str, code: FaultCode) {
        let fix = if code == FaultCode::BadPercentEncoding {
            "write a literal % as %25"
        } else {
            "encode the value as UTF-8, then percent-encode it"
        };
        self.faults.push(Fault::of(name, code, "percent-encoded UTF-8", fix));
    }

    pub(super) fn id<T>(&mut self, field: Field, parse: impl Fn(String) -> Result<T, IdFault>) -> Option<T> {
        let text = self.value(field)?;
        let form = self.rules.ids.get(&field).filter(|form| !form.fits(&text)).map(ToString::to_string);
        if form.is_some() || self.sent.is_fraction(self.rules.names.of(field)) {
            let form =
                form.map_or("a string, or a whole number in JSON".to_owned(), |form| format!("{form}, as agreed"));
            let fix = "send the id as it is, and an id in JSON as a string; if its form has changed, tell us";
            self.fault(field, FaultCode::WrongForm, format!("{form}; {} came", quoted(text)), fix);
            return None;
        }
        match parse(text) {
            Ok(id) => Some(id),
            Err(fault) => {
                let code = match fault {
                    IdFault::Blank => FaultCode::Missing,
                    IdFault::TooLong { .. } => FaultCode::TooLong,
                    IdFault::Control => FaultCode::ControlCharacter,
                    IdFault::Begins(_) | IdFault::Ends(_) => FaultCode::WhiteSpaceAround,
                };
                let expected = format!(
                    "1 to {MAX_ID_BYTES} bytes of UTF-8, nothing invisible around or controls in it; this one {fault}"
                );
                self.fault(field, code, expected, "send the id alone, with nothing around it");
                None
            }
        }
    }

    /// Returns the values that the partner's file keeps. An empty value counts as missing.
    pub(super) fn extra(&mut self) -> Extra {
        let mut extra = Extra::new();
        for name in &self.rules.keep {
            let Some(text) = self.text(name, None) else { continue };
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

    pub(super) fn transaction_id(&mut self) -> Option<TransactionId> {
        let id = self.id(Field::TransactionId, TransactionId::new)?;
        if id.as_str().starts_with(DERIVED_PREFIX) {
            let expected = format!("an id that does not begin with {DERIVED_PREFIX}, which is reserved");
            self.fault(Field::TransactionId, FaultCode::ReservedTransactionId, expected, "send your own identifier");
        }
        Some(id)
    }

    pub(super) fn currency(&mut self, text: &str) -> Option<Currency> {
        let fault = match Currency::parse(text, &self.rules.currencies) {
            Ok(currency) => return Some(currency),
            Err(fault) => fault,
        };
        let extra: Vec<&str> = self.rules.currencies.iter().collect();
        let agreed = if extra.is_empty() { String::new() } else { format!(" or an agreed one: {}", extra.join(", ")) };
        let fix = match &fault {
            CurrencyFault::Misspelt(code) => format!("send {code}"),
            CurrencyFault::Withdrawn(_, Some(successor)) => {
                format!("send the amount in {successor}, which replaced it")
            }
            CurrencyFault::Withdrawn(_, None) => "send the amount in a current currency".to_owned(),
            CurrencyFault::Sign => "send the three-letter code; several currencies share a sign".to_owned(),
            CurrencyFault::NotMoney(_) | CurrencyFault::Unknown => {
                "send the three-letter code; to use another currency, ask us to add it".to_owned()
            }
        };
        let shown = quoted(text);
        let expected = format!("a current ISO 4217 code such as USD{agreed}; {shown} {fault}");
        self.fault(Field::Currency, FaultCode::UnknownCurrency, expected, fix);
        None
    }

    pub(super) fn amount(&mut self, text: &str) -> Option<Amount> {
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
            AmountFault::TooLarge => {
                (FaultCode::AmountOutOfRange, "check the unit: send whole units of the currency, not cents")
            }
            AmountFault::TooPrecise => (FaultCode::AmountOutOfRange, "round to 8 decimal places"),
            AmountFault::Plus => (FaultCode::NotAnAmount, "leave the plus sign out"),
            AmountFault::NoWhole => (FaultCode::NotAnAmount, "write 0 before the point, as in 0.5"),
            AmountFault::NoFraction => (FaultCode::NotAnAmount, "leave the point out, or write digits after it"),
            AmountFault::Separator => {
                (FaultCode::NotAnAmount, "write the digits without separators, and a point before decimals: 1000.00")
            }
            AmountFault::Points => (FaultCode::NotAnAmount, "write one point, before the decimals: 1000.00"),
            AmountFault::Exponent => (FaultCode::NotAnAmount, "write all digits, such as 1000 instead of 1e3"),
            AmountFault::Around => (FaultCode::NotAnAmount, "send the digits alone"),
            AmountFault::Beside => {
                (FaultCode::NotAnAmount, "send the digits alone; the currency is a parameter of its own")
            }
            AmountFault::Foreign => (FaultCode::NotAnAmount, "write ASCII digits, and - and . as in ASCII"),
            AmountFault::Bracketed => (
                FaultCode::NegativeAmount,
                "write a negative amount with a minus sign, after we have agreed on such amounts",
            ),
            AmountFault::NotDecimal => (FaultCode::NotAnAmount, "send digits with a point, such as 100.00"),
        };
        let expected = "a decimal from 0, such as 100.00, with at most 15 digits before the point and 8 after it";
        self.fault(Field::AmountDecimal, code, format!("{expected}; this one {fault}"), fix);
        None
    }

    /// Returns true if the call asks that nothing be recorded.
    pub(super) fn dry_run(&mut self) -> bool {
        let raw = match self.sent.raw(DRY_RUN) {
            None | Some(b"false") => return false,
            Some(b"true") => return true,
            Some(raw) => raw,
        };
        let found = if raw.len() > MAX_VALUE_BYTES { None } else { placeholder::find(raw, Place::Value) };
        let code = match found {
            Some(Placeholder::Macro(_)) => FaultCode::MacroNotReplaced,
            Some(Placeholder::Word { .. }) => FaultCode::PlaceholderValue,
            None => FaultCode::NotABoolean,
        };
        self.faults.push(Fault::of(DRY_RUN, code, "true or false", "leave it out to record the postback"));
        false
    }

    pub(super) fn fault(&mut self, field: Field, code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) {
        self.faults.push(Fault::of(self.rules.names.of(field), code, expected, fix));
    }
}

/// Returns true if a raw value has a `=`, encoded or not. Hardly any value has one.
pub(super) fn may_contain_parameter(raw: &[u8]) -> bool {
    raw.contains(&b'=') || raw.windows(2).any(|part| part.eq_ignore_ascii_case(b"3d"))
}

/// Makes the fault of a value that contains another parameter.
fn swallowed_fault(name: &str, found: Swallowed) -> Fault {
    match found {
        Swallowed::After(sign, inner) => {
            let expected = format!("the value alone; {} came inside it, after {sign:?}", quoted(inner));
            let fix = "separate parameters by & alone: no other sign, no &amp; and no second ?, and encode values";
            Fault::of(name, FaultCode::SwallowedParameter, expected, fix)
        }
        Swallowed::Entity(entity, came) => {
            let written = came.chars().skip(1).collect::<String>();
            let expected = format!(
                "the value alone; {} inside it was &{entity}{}, where HTML reads &{entity} as one character",
                quoted(came),
                quoted(written)
            );
            let fix = "build the URL outside of HTML, or write each & in HTML as &amp;; or put that parameter first in the URL";
            Fault::of(name, FaultCode::HtmlEntity, expected, fix)
        }
    }
}
