//! Makes text from outside safe to show to people, on a terminal or on a page. Control characters are not obeyed, and the
//! text cannot hide or reverse the text beside it. JSON contains such text unchanged.

use alloc::vec;

use crate::prelude::*;

/// Returns a text in one line, with control characters and invisible characters escaped.
pub fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if is_obeyed(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Returns true if a terminal would not simply show the character.
fn is_obeyed(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    );
    c.is_control() || unseen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_characters_that_turn_or_hide_text_are_escaped() {
        assert_eq!(printable("a\u{202e}b\u{1b}[31m\u{200b}c\n"), "a\\u{202e}b\\u{1b}[31m\\u{200b}c\\n");
        assert_eq!(printable("Пример 例 é 🙂 \"x\" \\"), "Пример 例 é 🙂 \"x\" \\");
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_is_obeyed(text: String) {
            prop_assert!(!printable(&text).chars().any(is_obeyed));
        }
    }
}
