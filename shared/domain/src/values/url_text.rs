//! Finds mistakes in URLs that people paste into a partner's file.

use percent_encoding::percent_decode_str;

use super::{escapes, placeholder};

/// Returns the values of this part of a URL that contain a macro of any tracker, as they were written.
pub(crate) fn with_macros(text: &str) -> impl Iterator<Item = &str> {
    let is_macro = |value: &&str| placeholder::find_macro(value.as_bytes()).is_some();
    text.split(['/', '?', '&', '=', ';', ',']).flat_map(move |value| {
        // A `#` begins the fragment, or is part of a macro such as `#x#`.
        let whole = Some(value).filter(|value| value.starts_with('#')).filter(is_macro);
        let parts = value.split('#').filter(move |part| whole.is_none() && is_macro(part));
        whole.into_iter().chain(parts)
    })
}

/// Returns a part of a URL that a template has for somebody to replace, such as `YOUR_DOMAIN`.
pub(crate) fn request_in(url: &str) -> Option<&str> {
    url.split(['/', '?', '&', '=', ':', '#', '.']).find(|part| placeholder::asks_for_a_value(part))
}

/// Returns true if an ampersand is escaped, also if the escape itself is percent-encoded.
pub(crate) fn has_escaped_ampersand(text: &str) -> bool {
    escapes::has_ampersand(&percent_decode_str(text).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn a_macro_is_found_in_each_part_of_a_url() {
        for (text, expected) in [
            ("/lp/{click_id}/x", "{click_id}"),
            ("/lp?a=1&c={{click_id}}", "{{click_id}}"),
            ("/lp?c=%7Bclick_id%7D", "%7Bclick_id%7D"),
            ("/lp?c=${click_id}", "${click_id}"),
            ("/lp?c=a_{click_id}&d=1", "a_{click_id}"),
            ("/lp#/c=[click_id]", "[click_id]"),
            ("/lp?{click_id}=1", "{click_id}"),
            ("/lp?c=#click_id#", "#click_id#"),
            ("/lp#{click_id}", "{click_id}"),
            ("/lp?c=1;d=%click_id%", "%click_id%"),
        ] {
            assert_eq!(with_macros(text).collect::<Vec<_>>(), [expected], "{text}");
        }
        for text in ["", "/", "/lp?a=1&b=%20x", "/100%25/$5?x[1]=2#top", "/x?u=https%3A%2F%2Fa.example%2F%3Fb%3D1"] {
            assert_eq!(with_macros(text).next(), None, "{text}");
        }
    }

    #[test]
    fn a_part_that_asks_to_be_replaced_is_found() {
        for url in ["https://YOUR_DOMAIN/", "https://your-domain.com/lp", "https://a.example/lp?x=REPLACE_ME"] {
            assert!(request_in(url).is_some(), "{url}");
        }
        for url in ["https://www.example.com/landing-page", "https://yours.example/optional/sample?enter=here"] {
            assert_eq!(request_in(url), None);
        }
    }

    #[test]
    fn an_escaped_ampersand_is_found_even_encoded() {
        for text in ["?a=1&amp;b=2", "?a=1%26amp%3Bb=2", "?a=1\\u0026b=2"] {
            assert!(has_escaped_ampersand(text), "{text}");
        }
        for text in ["?a=1&b=2", "?a=1%26b=2"] {
            assert!(!has_escaped_ampersand(text), "{text}");
        }
    }
}
