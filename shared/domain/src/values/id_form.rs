//! Names the forms that ids may have by agreement.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Names a form of ids. A value of another form is no id, so an agreed form finds every macro and every placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// The digits 0 to 9 alone.
    Digits,
    /// Hexadecimal digits in either case.
    Hex,
    /// A UUID in its usual form, in either case.
    Uuid,
    /// ASCII letters and digits.
    LettersAndDigits,
    /// ASCII letters, digits, `-` and `_`, as in base64url and nanoids.
    Base64url,
}

impl IdForm {
    /// Returns true if an id has this form.
    pub fn fits(self, id: &str) -> bool {
        let all = |is_of_form: fn(&u8) -> bool| id.bytes().all(|byte| is_of_form(&byte));
        match self {
            Self::Digits => all(u8::is_ascii_digit),
            Self::Hex => all(u8::is_ascii_hexdigit),
            Self::Uuid => {
                let lengths = id.split('-').map(str::len);
                lengths.eq([8, 4, 4, 4, 12]) && all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
            }
            Self::LettersAndDigits => all(u8::is_ascii_alphanumeric),
            Self::Base64url => all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
        }
    }
}

impl fmt::Display for IdForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "digits alone",
            Self::Hex => "hexadecimal digits alone",
            Self::Uuid => "a UUID of 36 characters",
            Self::LettersAndDigits => "the letters A to Z and a to z and digits alone",
            Self::Base64url => "letters, digits, - and _ alone",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [(IdForm, &str); 5] = [
        (IdForm::Digits, "[0-9]{1,40}"),
        (IdForm::Hex, "[0-9a-fA-F]{1,40}"),
        (IdForm::Uuid, "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        (IdForm::LettersAndDigits, "[0-9a-zA-Z]{1,40}"),
        (IdForm::Base64url, "[0-9a-zA-Z_-]{1,40}"),
    ];

    proptest! {
        #[test]
        fn an_id_of_a_form_fits_it(
            (form, id) in prop::sample::select(&ALL[..]).prop_flat_map(|(form, ids)| (Just(form), ids)),
        ) {
            prop_assert!(form.fits(&id));
        }

        #[test]
        fn no_macro_fits_a_form(
            form in prop::sample::select(&ALL[..]), name in "[a-z]{1,9}",
            marks in prop::sample::select(&[("{", "}"), ("[", "]"), ("(", ")"), ("<", ">"), ("%", "%"), ("#", "#"), ("$", "")][..]),
        ) {
            let text = [marks.0, &name, marks.1].concat();
            prop_assert!(!form.0.fits(&text), "{}", text);
        }

        #[test]
        fn no_word_is_of_digits_or_a_uuid(text in "[a-z_-]{1,12}|null|undefined|XXX") {
            prop_assert!(!IdForm::Digits.fits(&text) && !IdForm::Uuid.fits(&text));
        }
    }
}
