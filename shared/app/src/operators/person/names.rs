//! Recognises a person's ids in refused calls, conflicts and dead letters.

use std::collections::BTreeSet;

use domain::{
    erasure::readings::Readings,
    inbound::{
        parameters::{self, Parameters},
        postback::Difference,
    },
    values::{
        ids::UserId,
        parameter_names::{Field, ParameterNames},
        placeholder,
    },
};
use serde_json::{Map, Value};

use crate::ports::StoredRefusal;

/// Limits how deep JSON is read, with the texts in it that hold JSON.
const DEPTH: usize = 16;

/// Lists the members whose ids are a partner's: of an event, of a delivery, and of a participant.
const PARTNERS_IDS: [&str; 3] = ["tracking", "ids", "latest"];

/// The ids of a person, by their kinds.
pub(super) struct Names<'a> {
    pub(super) users: BTreeSet<&'a str>,
    /// The ids that partners gave, each with the partner.
    pub(super) partner_users: BTreeSet<(&'a str, &'a str)>,
    /// All click ids. A partner may give one of its own to many users.
    pub(super) clicks: BTreeSet<&'a str>,
    /// The click ids that we made. Each belongs to one user.
    pub(super) made_clicks: BTreeSet<&'a str>,
    /// The transaction ids, each with the partner.
    pub(super) transactions: BTreeSet<(&'a str, &'a str)>,
}

impl Names<'_> {
    /// Returns true if a refused call or a conflict of a partner names the person. `names` are the partner's parameters.
    pub(super) fn are_in_refusal(&self, item: &StoredRefusal, names: &ParameterNames) -> bool {
        let provider = item.provider.as_str();
        let is_one = |field: Field, value: &str| self.are_under(provider, field, value);
        let (user, click) = item.ids();
        user.is_some_and(|user| is_one(Field::UserId, user.as_str()))
            || click.is_some_and(|click| is_one(Field::ClickId, click.as_str()))
            || item.transaction_id.as_ref().is_some_and(|id| is_one(Field::TransactionId, id.as_str()))
            || item.reference.as_ref().is_some_and(|id| is_one(Field::Reference, id.as_str()))
            || item
                .differences
                .iter()
                .any(|Difference { field, original, sent }| is_one(*field, original) || is_one(*field, sent))
            || item.request.as_deref().is_some_and(|request| self.are_in_request(provider, request, names))
    }

    /// Returns true if a parameter of a partner's call names the person by its own meaning. A click id of the partner's
    /// own does not, because partners may give one click id to many users.
    fn are_under(&self, provider: &str, field: Field, value: &str) -> bool {
        match field {
            Field::UserId => self.users.contains(value),
            Field::ClickId => self.made_clicks.contains(value),
            Field::TransactionId | Field::Reference => self.transactions.contains(&(provider, value)),
            _ => false,
        }
    }

    /// Returns true if a refused request names the person anywhere: in its own parameters, under other names, inside
    /// other values, or in a body that could not be read.
    ///
    /// If the call names another user, the other agreed parameters mean what was agreed: the event `7` is not the user `7`.
    /// Amounts, currencies and statuses never name anybody.
    fn are_in_request(&self, provider: &str, request: &str, names: &ParameterNames) -> bool {
        let decoded = |raw: &[u8]| parameters::decode(raw).ok();
        let sent = Parameters::split(request.as_bytes(), b"");
        let user =
            sent.raw(names.of(Field::UserId)).filter(|raw| placeholder::find(raw, placeholder::Place::Id).is_none());
        let is_known = user.and_then(decoded).is_some_and(|user| UserId::try_from(user).is_ok());
        request.split('&').any(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded_name = decoded(name.as_bytes()).unwrap_or_default();
            let agreed = Field::ALL.into_iter().chain([Field::Status, Field::Reference]);
            let field = agreed.into_iter().find(|field| names.has(*field) && names.of(*field) == decoded_name);
            let value = Readings::of(value);
            let is_held = |id: &&str| value.hold(id);
            let of_partner = || self.transactions.iter().filter(|(of, _)| *of == provider).map(|(_, id)| *id);
            let is_inside = |id: &&str| value.hold(id) && !(is_known && field.is_some() && value.are(id));
            let found = match field {
                Some(Field::Currency | Field::AmountDecimal | Field::Status) => return false,
                Some(Field::UserId) => self.users.iter().any(is_held),
                Some(Field::ClickId) => self.made_clicks.iter().any(is_held),
                Some(Field::TransactionId | Field::Reference) => of_partner().any(|id| is_held(&id)),
                _ => false,
            };
            let anywhere = || self.users.iter().chain(&self.made_clicks).any(is_inside);
            let of_nobody_else =
                || !is_known && (self.clicks.iter().any(is_held) || of_partner().any(|id| is_held(&id)));
            let name = Readings::of(name);
            found || anywhere() || of_nobody_else() || self.users.iter().any(|user| name.are(user))
        })
    }

    /// Returns true if a message names the person. A message that is no JSON is searched for the ids as whole values.
    pub(super) fn are_in_letter(&self, body: &str) -> bool {
        if let Ok(json) = serde_json::from_str::<Value>(body) {
            return self.are_in_json(Place::default(), &json, DEPTH);
        }
        let body = Readings::of(body);
        let theirs = self.partner_users.iter().chain(&self.transactions).map(|(_, id)| *id);
        self.users.iter().chain(&self.made_clicks).copied().chain(theirs).any(|id| body.hold(id))
    }

    fn are_in_json(&self, place: Place<'_>, value: &Value, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        match value {
            Value::Object(members) => {
                let of = place.with(members);
                members.iter().any(|(name, value)| self.are_in_json(of.member(name), value, depth))
            }
            Value::Array(values) => values.iter().any(|value| self.are_in_json(place, value, depth)),
            Value::String(text) if text.starts_with('{') => {
                let json = serde_json::from_str(text);
                json.is_ok_and(|json| self.are_in_json(place, &json, depth)) || self.are_at(place, text)
            }
            Value::String(text) => self.are_at(place, text),
            _ => false,
        }
    }

    fn are_at(&self, place: Place<'_>, text: &str) -> bool {
        let is_theirs = |ids: &BTreeSet<(&str, &str)>| match place.provider {
            Some(provider) => ids.contains(&(provider, text)),
            None => ids.iter().any(|(_, id)| *id == text),
        };
        match place.name {
            "user_id" if PARTNERS_IDS.contains(&place.parent) => is_theirs(&self.partner_users),
            "user_id" => self.users.contains(text),
            "click_id" => self.clicks.contains(text),
            "transaction_id" | "reference" | "used_by" => is_theirs(&self.transactions),
            // A refusal keeps its request as a text, and a conflict its differences.
            "request" => self.are_in_request(place.provider.unwrap_or_default(), text, &ParameterNames::default()),
            "original" | "sent" => match place.field {
                Some("user_id") => self.users.contains(text),
                Some("click_id") => self.made_clicks.contains(text),
                Some("transaction_id" | "reference") => is_theirs(&self.transactions),
                _ => false,
            },
            _ => false,
        }
    }
}

/// A place in JSON. The types of DynamoDB's JSON count as no members.
#[derive(Debug, Clone, Copy, Default)]
struct Place<'a> {
    /// The nearest member around the value.
    name: &'a str,
    /// The member around that one.
    parent: &'a str,
    /// The nearest partner that is named beside the value or around it.
    provider: Option<&'a str>,
    /// The parameter of a difference.
    field: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Returns the place of an object with these members.
    fn with(self, members: &'a Map<String, Value>) -> Self {
        let text = |name: &str| {
            let value = members.get(name)?;
            value.as_str().or_else(|| value.get("S")?.as_str())
        };
        Self { provider: text("provider").or(self.provider), field: text("field").or(self.field), ..self }
    }

    /// Returns the place of a member.
    fn member(self, name: &'a str) -> Self {
        if matches!(name, "S" | "M" | "L" | "N" | "SS") {
            return self;
        }
        // A participant's `partners` are named by the partners.
        let provider = if self.name == "partners" { Some(name) } else { self.provider };
        Self { name, parent: self.name, provider, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the names of a user, who came from acme as `p-9` and has one transaction there.
    fn names(user: &str) -> Names<'_> {
        Names {
            users: BTreeSet::from([user]),
            partner_users: BTreeSet::from([("acme", "p-9")]),
            clicks: BTreeSet::from(["theirs", "ours"]),
            made_clicks: BTreeSet::from(["ours"]),
            transactions: BTreeSet::from([("acme", "t-1")]),
        }
    }

    fn in_request(names: &Names<'_>, request: &str) -> bool {
        names.are_in_request("acme", request, &ParameterNames::default())
    }

    #[test]
    fn a_request_names_a_person_under_any_name() {
        for request in [
            "user_id=7&amount_decimal=1",
            "uid=7",
            "sub=%37&user_id=other",
            "user_id=other&event_id=x%3Fuser_id%3D7",
            "transaction_id=7",
            "click_id=theirs",
            "click_id=ours&user_id=other",
            "ids=%5B%228%22%2C%227%22%5D&user_id=other",
            "\u{fffd}=\u{fffd}{\"user_id\":\"7\",",
            "7",
            "user_id={user}&tid=t-1",
        ] {
            assert!(in_request(&names("7"), request), "{request}");
        }
    }

    #[test]
    fn a_short_id_is_not_found_in_what_means_something_else() {
        for request in [
            "user_id=other&event_id=7&transaction_id=7&click_id=theirs",
            "user_id=77&amount_decimal=7&currency=7",
            "amount_decimal=7",
            "at=2026-11-07T07:07:07Z&page=17",
            "user_id=other&tid=t-1",
            "user_id=other&n=t-1",
        ] {
            assert!(!in_request(&names("7"), request), "{request}");
        }
    }

    #[test]
    fn a_letter_names_a_gg3_user_and_a_partners_user_apart() {
        let event = |user: &str, provider: &str, theirs: &str| {
            let tracking = format!(r#"{{"provider":"{provider}","user_id":"{theirs}"}}"#);
            format!(r#"{{"user_id":"{user}","tracking":{tracking}}}"#)
        };
        let delivery = |provider: &str, theirs: &str| {
            let ids = format!(r#"{{"M":{{"user_id":{{"S":"{theirs}"}}}}}}"#);
            format!(r#"{{"NewImage":{{"provider":{{"S":"{provider}"}},"user_id":{{"S":"other"}},"ids":{ids}}}}}"#)
        };
        let participant = |provider: &str, theirs: &str| {
            let text = format!(r#"{{\"partners\":{{\"{provider}\":{{\"latest\":{{\"user_id\":\"{theirs}\"}}}}}}}}"#);
            format!(r#"{{"NewImage":{{"user_id":{{"S":"other"}},"participant":{{"S":"{text}"}}}}}}"#)
        };
        for (letter, is_named) in [
            (event("7", "acme", "x"), true),
            (event("other", "acme", "p-9"), true),
            (event("p-9", "acme", "7"), false),
            (event("other", "globex", "p-9"), false),
            (delivery("acme", "p-9"), true),
            (delivery("acme", "7"), false),
            (delivery("globex", "p-9"), false),
            (participant("acme", "p-9"), true),
            (participant("acme", "7"), false),
            (participant("globex", "p-9"), false),
        ] {
            assert_eq!(names("7").are_in_letter(&letter), is_named, "{letter}");
        }
    }

    #[test]
    fn a_letter_with_a_refusal_is_searched_for_whole_values() {
        let names = names("plus+%user");
        let letter = |request: &str| format!(r#"{{"dynamodb":{{"NewImage":{{"request":{{"S":"{request}"}}}}}}}}"#);
        assert!(names.are_in_letter(&letter("user_id=plus%2B%25user&click_id=1")));
        assert!(!names.are_in_letter(&letter("user_id=other&click_id=1")));
        let difference =
            |field: &str| format!(r#"{{"differences":[{{"field":"{field}","original":"1","sent":"plus+%user"}}]}}"#);
        assert!(names.are_in_letter(&difference("user_id")) && !names.are_in_letter(&difference("event_id")));
        assert!(names.are_in_letter(r#"{"user_id":"plus+%user", this is no JSON"#));
        assert!(!names.are_in_letter(r#"{"user_id":"plus+%users", this is no JSON"#));
    }

    proptest! {
        #[test]
        fn a_user_is_found_under_every_name_that_was_not_agreed(
            user in "[A-Za-z0-9-]{1,12}",
            name in "[a-z]{1,8}",
            form in prop::sample::select(vec!["{}", "%22{}%22", "%5B%22{}%22%5D", "a%26user%3D{}", "x?u={};"]),
            others in prop::collection::vec(("[a-z]{1,8}", "[G-Z]{0,9}"), 0..4),
        ) {
            let theirs: Vec<String> = others.iter().map(|(name, value)| format!("{name}={value}_&")).collect();
            let theirs = theirs.concat();
            let request = format!("user_id=some_body&{theirs}not_{name}={}", form.replace("{}", &user));
            prop_assert!(in_request(&names(&user), &request), "{}", request);
            let without = request.replace(&user, "_");
            prop_assert!(user.len() < 9 || !in_request(&names(&user), &without), "{}", without);
        }
    }
}
