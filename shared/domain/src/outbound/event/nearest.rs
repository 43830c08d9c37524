//! Recognises misspelt types of events.

use crate::prelude::*;
use crate::values::spelling::letters;

/// Lists the known types.
pub const TYPES: [&str; 4] = ["tracking_link.opened", "user.registered", "gg_button.clicked", "main_quest.completed"];

/// Bounds the letters that a misspelt type may have wrong, missing or too many.
const MAX_WRONG: usize = 3;

/// Returns the known type that was most likely meant by this one, such as `user.registered` for `User_registred`.
/// Upper case and separators count for nothing. A type that contains a known one is near too, as
/// `gg3.user.registered.v2` is.
pub(super) fn nearest(unknown: &str) -> Option<&'static str> {
    let unknown: Vec<u8> = letters(unknown).collect();
    let distance = |known: &str| {
        let known: Vec<u8> = letters(known).collect();
        let is_part = unknown.windows(known.len()).any(|part| part == known);
        if is_part { Some(0) } else { distance(&unknown, &known) }
    };
    let near = TYPES.into_iter().filter_map(|known| Some((distance(known)?, known)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Returns true if a name is another spelling of a known one, with one letter wrong, missing or too many at most.
pub(super) fn is_near(name: &str, known: &str) -> bool {
    let [name, known] = [name, known].map(|text| letters(text).collect::<Vec<u8>>());
    distance(&name, &known).is_some_and(|wrong| wrong <= 1)
}

/// Returns the number of letters to add, to remove or to replace so that the texts are equal, or `None` if it is more
/// than [`MAX_WRONG`].
fn distance(one: &[u8], other: &[u8]) -> Option<usize> {
    if one.len().abs_diff(other.len()) > MAX_WRONG {
        return None;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (before, letter) in one.iter().enumerate() {
        let mut diagonal = before;
        let mut left = before + 1;
        let mut next = Vec::from([left]);
        for (above, expected) in row.iter().skip(1).zip(other) {
            left = (diagonal + usize::from(letter != expected)).min(left + 1).min(above + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().filter(|wrong| *wrong <= MAX_WRONG)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_misspelt_type_is_near_the_one_that_was_meant() {
        for (unknown, meant) in [
            ("user.registred", "user.registered"),
            ("User.Registered", "user.registered"),
            ("user_registered", "user.registered"),
            ("userRegistered", "user.registered"),
            (" user.registered", "user.registered"),
            ("user.register", "user.registered"),
            ("users.registered", "user.registered"),
            ("user.registered.v2", "user.registered"),
            ("com.gg3.events.user.registered", "user.registered"),
            ("tracking_link.open", "tracking_link.opened"),
            ("tracking-link.opened", "tracking_link.opened"),
            ("traking_link.opend", "tracking_link.opened"),
            ("gg_button.click", "gg_button.clicked"),
            ("button.clicked", "gg_button.clicked"),
            ("main_quest.complete", "main_quest.completed"),
            ("main_quests.completed", "main_quest.completed"),
        ] {
            assert_eq!(nearest(unknown), Some(meant), "{unknown}");
        }
        for unknown in ["", "x", "user.deleted", "user.slept", "quest.started", "side_quest.abandoned", "é"] {
            assert_eq!(nearest(unknown), None, "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_letter_leaves_a_type_near(known in prop::sample::select(&TYPES[..]), at in 0usize..14, letter in "[a-z]?") {
            let unknown = [&known[..at], &letter, &known[at + 1..]].concat();
            prop_assert_eq!(nearest(&unknown), Some(known));
        }

        #[test]
        fn no_type_makes_the_search_panic(unknown in ".{0,300}") {
            let _ = nearest(&unknown);
        }
    }
}
