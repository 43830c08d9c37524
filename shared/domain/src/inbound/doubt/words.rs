//! Knows the words of names and values that say what became of a conversion.

use super::Said;
use crate::prelude::*;
use crate::values::spelling::{begins, ends, letters, nearly_begins, words};

/// Says what a word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The conversion is not valid, or not yet.
    Rejected,
    /// The conversion is not valid, or not yet; alone as a value, the word may mean something else.
    Bad,
    /// The conversion was taken back.
    Reversal,
    /// A test, which may be one of pages: `test_group`.
    Test,
    /// A place for tests alone.
    Sandbox,
    /// The conversion is valid.
    Yes,
    /// The conversion is valid, as a value; in a name, the word tells nothing.
    Good,
    /// A status of whatever the words beside it name.
    Status,
    /// A place where software runs, of which all but one are for tests.
    Stage,
    /// A word that means a status only with the value of one.
    State,
    /// A word that means a status only with a word for one.
    Kind,
    /// The opposite of the words beside it.
    Not,
    /// A conversion, by one of its names.
    Deal,
    /// A word that adds nothing.
    Aux,
    /// A thing that says nothing about the conversion, whatever words stand before it.
    Thing,
    /// A matter of the user or of the advertisement, whose state says nothing about the conversion.
    Matter,
    /// Any other word.
    Other,
}

/// Bounds a word, in bytes.
const LONGEST_WORD: usize = 24;

/// Lists the words in the order of the alphabet. Those that [`Word::is_inflected`] are here by their beginnings.
#[rustfmt::skip]
const KNOWN: [(&str, Word); 184] = {
    use Word::{
        Aux, Bad, Deal, Good, Kind, Matter, Not, Rejected, Reversal, Sandbox, Stage, State, Status, Test, Thing, Yes,
    };
    [
        ("a", Aux), ("abandon", Bad), ("accept", Yes), ("action", Kind), ("active", Good), ("ad", Matter),
        ("address", Matter), ("adgroup", Matter), ("adset", Matter), ("analytics", Matter),
        ("annul", Rejected), ("approv", Yes), ("att", Matter), ("awaiting", Rejected),
        ("bad", Bad), ("banned", Bad), ("been", Aux), ("billable", Yes), ("blocked", Bad), ("bounce", Bad),
        ("campaign", Matter), ("cancel", Rejected), ("captured", Yes), ("charge", Deal),
        ("chargeback", Reversal), ("chargedback", Reversal), ("clawback", Reversal), ("clawed", Reversal),
        ("cnv", Deal), ("commission", Deal), ("complet", Yes), ("confirm", Yes), ("consent", Matter),
        ("conv", Deal), ("conversion", Deal), ("converted", Good), ("cookie", Matter), ("cookies", Matter),
        ("created", Aux), ("creative", Matter),
        ("day", Thing), ("days", Thing), ("debug", Test), ("decision", State), ("declin", Rejected),
        ("definition", Thing), ("deleted", Bad), ("delivered", Good), ("demo", Test), ("denial", Rejected),
        ("denied", Rejected), ("deny", Rejected), ("deposit", Deal), ("disposition", State),
        ("disput", Rejected), ("done", Good), ("dummy", Test), ("dup", Bad), ("dupe", Bad), ("duplicat", Bad),
        ("eligible", Yes), ("env", Stage), ("environment", Stage), ("error", Bad), ("event", Deal),
        ("expired", Bad),
        ("fail", Bad), ("failed", Bad), ("failure", Bad), ("fake", Bad), ("finished", Good), ("flag", Aux),
        ("fraud", Rejected),
        ("good", Good), ("group", Thing),
        ("has", Aux), ("held", Bad), ("hold", Bad),
        ("inreview", Rejected), ("ip", Thing), ("is", Aux), ("issued", Aux),
        ("junk", Bad),
        ("keyword", Matter), ("kind", Kind), ("ko", Bad),
        ("language", Thing), ("lead", Deal), ("link", Thing), ("live", Yes),
        ("marketing", Matter), ("mock", Test), ("mode", Kind),
        ("never", Not), ("newsletter", Matter), ("no", Not), ("nok", Bad), ("non", Not), ("not", Not),
        ("offer", Deal), ("ok", Yes), ("okay", Yes), ("onhold", Rejected), ("order", Deal),
        ("outcome", State), ("overquota", Rejected),
        ("page", Thing), ("paid", Yes), ("path", Thing), ("pay", Deal), ("payable", Yes), ("payed", Yes),
        ("payer", Matter), ("payment", Deal), ("payout", Deal), ("pending", Rejected), ("period", Thing),
        ("personalization", Matter), ("policy", Thing), ("postback", Deal), ("prod", Good),
        ("production", Yes), ("purchase", Deal),
        ("qualif", Yes), ("quotafull", Rejected),
        ("received", Aux), ("refund", Reversal), ("refus", Rejected), ("reject", Rejected), ("removed", Bad),
        ("result", State), ("retracted", Bad), ("returned", Reversal), ("reversal", Reversal),
        ("reverse", Reversal), ("revert", Reversal), ("revok", Rejected), ("reward", Deal),
        ("rollback", Reversal), ("rolledback", Reversal),
        ("sale", Good), ("sandbox", Sandbox), ("screenedout", Rejected), ("screenout", Rejected),
        ("scrub", Bad), ("settled", Yes), ("simulat", Sandbox), ("spam", Bad), ("staging", Sandbox),
        ("stat", State), ("state", State), ("status", Status), ("storage", Matter), ("storn", Reversal),
        ("sts", State), ("succeed", Yes), ("success", Yes), ("suspicious", Bad),
        ("terms", Thing), ("test", Test), ("testing", Test), ("the", Aux), ("this", Aux),
        ("trans", Deal), ("transaction", Deal), ("trash", Bad), ("tx", Deal), ("txn", Deal), ("type", Kind),
        ("un", Not), ("underreview", Rejected), ("uri", Thing), ("url", Thing), ("utm", Matter),
        ("valid", Yes), ("verdict", State), ("verified", Yes), ("void", Bad), ("voided", Rejected),
        ("waiting", Bad), ("was", Aux), ("window", Thing), ("withdrawn", Bad), ("won", Good),
    ]
};

/// Returns what a word tells. Inflected, negated and misspelt words are recognised.
fn word(text: &str) -> Word {
    let text = text.trim_end_matches(|sign: char| sign.is_ascii_digit());
    if text.is_empty() {
        return Word::Aux;
    }
    if text.len() > LONGEST_WORD {
        return Word::Other;
    }
    let found = find(text, |kind, stem| is_form_of(text, kind, stem));
    if found != Word::Other {
        return found;
    }
    let negated = ["un", "in", "dis", "non", "not"].into_iter().filter(|no| begins(text, no));
    if negated
        .filter_map(|no| text.get(no.len()..))
        .any(|rest| rest.len() > 3 && matches!(word(rest), Word::Yes | Word::Good))
    {
        return Word::Rejected;
    }
    match find(text, |kind, stem| kind.is_inflected() && stem.len() > 5 && nearly_begins(text, stem)) {
        // A misspelt word may be another word, so only its value decides.
        Word::Status => Word::State,
        word => word,
    }
}

/// Returns the kind of the first known word that fits, of those with the same first letter.
fn find(text: &str, fits: impl Fn(Word, &str) -> bool) -> Word {
    let first = text.bytes().next().map(|first| first.to_ascii_lowercase());
    let from = KNOWN.partition_point(|(known, _)| known.bytes().next() < first);
    let same = KNOWN.get(from..).unwrap_or_default().iter().take_while(|(known, _)| known.bytes().next() == first);
    same.into_iter().find(|(known, kind)| fits(*kind, known)).map_or(Word::Other, |(_, kind)| *kind)
}

impl Word {
    /// Returns true if words of this kind are known by their beginnings.
    fn is_inflected(self) -> bool {
        matches!(self, Self::Reversal | Self::Rejected | Self::Bad | Self::Sandbox | Self::Yes | Self::Status)
    }
}

/// Returns true for the word itself, and for a longer beginning with an ending. `refundable` says only that something
/// may happen, and a `holder` is a person.
fn is_form_of(word: &str, kind: Word, stem: &str) -> bool {
    const LONGEST_ENDING: usize = 6;
    let is_longer = || {
        let is_ending = word.len() - stem.len() <= LONGEST_ENDING;
        kind.is_inflected() && stem.len() > 4 && is_ending && !["ble", "er", "or"].iter().any(|end| ends(word, end))
    };
    begins(word, stem) && (word.len() == stem.len() || is_longer())
}

/// Returns the words of which people glue names: `isrefunded`, `livemode`, `orderstatus`, `testlead`.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let is_deal = |text: Option<&str>| text.is_some_and(|text| word(text) == Word::Deal);
    let is_before = |known: &&str| begins(text, known) && (*known != "test" || is_deal(text.get(known.len()..)));
    let before = ["is", "was", "has", "test"].into_iter().find(is_before).map_or(0, str::len);
    let mut glued = ["status", "state", "mode", "flag"].into_iter().filter(|known| ends(text, known));
    // An `estate` is no state.
    let after = glued.find(|known| *known != "state" || is_deal(text.strip_suffix("state")));
    let end = text.len() - after.map_or(0, str::len);
    let (before, end) = if word(text) == Word::Other { (before.min(end), end) } else { (0, text.len()) };
    let cut = [text.get(..before), text.get(before..end), text.get(end..)];
    cut.into_iter().flatten().filter(|part| !part.is_empty())
}

/// Returns what the words of a name tell, in order. A sign may stand inside a word, as in `charge_back` and `sta-tus`.
pub(super) fn of_name(name: &str) -> Vec<Word> {
    let mut before: Option<&str> = None;
    let mut found = Vec::new();
    for part in words(name).flat_map(parts) {
        let alone = word(part);
        let is_open =
            matches!(alone, Word::Other | Word::Bad) && matches!(found.last(), Some(Word::Other | Word::Deal));
        let whole = before.replace(part).filter(|_| is_open).map(|before| exactly(&format!("{before}{part}")));
        let whole = whole.filter(|whole| *whole != Word::Other);
        if whole.is_some() {
            found.pop();
        }
        found.push(whole.unwrap_or(alone));
    }
    if found.len() > 2 {
        let spelt: String = letters(name).take(LONGEST_WORD + 1).map(char::from).collect();
        found.extend(Some(exactly(&spelt)).filter(|whole| *whole != Word::Other));
    }
    found
}

/// Returns what a word tells that has no slip and no negation.
fn exactly(text: &str) -> Word {
    find(text, |kind, stem| stem.len() > 5 && is_form_of(text, kind, stem))
}

/// Returns what the words of a value tell together.
pub(super) fn of_value(value: &str) -> Said {
    let found = of_name(value);
    let has = |kind: Word| found.contains(&kind);
    let is_yes = |word: &Word| matches!(word, Word::Yes | Word::Good | Word::Deal | Word::Aux | Word::Status);
    match () {
        () if has(Word::Reversal) => Said::Reversed,
        () if has(Word::Rejected) || has(Word::Bad) || (has(Word::Not) && has(Word::Yes)) => Said::Rejected,
        () if has(Word::Test) || has(Word::Sandbox) => Said::Test,
        () if (has(Word::Yes) || has(Word::Good)) && found.iter().all(is_yes) => Said::Yes,
        () => Said::Other,
    }
}

/// Returns true if a value has only words that say without doubt that a conversion is not valid, and words that say
/// nothing else. The name of a conversion, before the value or in it, takes the doubt from a word: `lead=duplicate`.
pub(super) fn only_reject(name: &str, value: &str) -> bool {
    let says_more = |word: &Word| matches!(word, Word::Other | Word::Thing | Word::Matter | Word::Test);
    let only_reject = |found: Vec<Word>| {
        let is_sure = !found.contains(&Word::Bad) || found.contains(&Word::Deal);
        is_sure && !found.is_empty() && !found.iter().any(says_more)
    };
    only_reject(of_name(value)) || only_reject(of_name(&format!("{name} {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_in_order_and_each_is_there_once() {
        assert!(KNOWN.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
