//! Describes the visit that a page serves: who came, and which fields were sent.

use std::collections::{BTreeMap, HashMap};

use axum::{extract::FromRequestParts, http::request::Parts};
use domain::{
    audit::Channel,
    session::{Role, Token, Visitor},
};

use crate::{reply::Trouble, return_path::ReturnPath};

/// Labels the secret of a session that each of its forms must send.
pub(crate) const FORM: &str = "form";

/// Holds decoded fields of a query or a form. If a field comes more than once, the first counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    /// Decodes the text of a query or of a form.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut fields = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            fields.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(fields)
    }

    /// Returns the fields as the text of a query, with this one in place of its present value.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let mut fields: BTreeMap<&str, &str> = self.0.iter().map(|(name, value)| (&**name, &**value)).collect();
        fields.insert(name, value);
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    }

    /// Returns the value of a field without blanks around it. A missing field is empty.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }
}

impl From<HashMap<String, String>> for Fields {
    fn from(fields: HashMap<String, String>) -> Self {
        Self(fields)
    }
}

/// Holds what the guard found out about a request. Every page takes it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Names the visitor, if it is known. The guard has seen to it that the visitor may open the page.
    pub(crate) visitor: Option<Visitor>,
    /// Holds the token of the visitor's session. Callers of the API have none.
    pub(crate) session: Option<Token>,
    /// Says through what the visitor came.
    pub(crate) channel: Channel,
    /// Holds the fields of the query.
    pub(crate) query: Fields,
    /// Holds the fields of a form, whose secret the guard has compared with the session, or of a call's body.
    pub(crate) form: Fields,
    /// Holds the cookie of a sign-in that has begun.
    pub(crate) sign_in: Option<Token>,
    /// Holds the page to which the sign-in leads.
    pub(crate) return_to: Option<ReturnPath>,
    /// Holds the path of the page below the console's own.
    pub(crate) page: String,
}

impl Visit {
    /// Returns the visitor.
    pub(crate) fn visitor(&self) -> Option<&Visitor> {
        self.visitor.as_ref()
    }

    /// Returns true if the visitor is an operator with at least this role.
    pub(crate) fn may(&self, wanted: Role) -> bool {
        matches!(self.visitor(), Some(Visitor::Operator { role, .. }) if *role >= wanted)
    }

    /// Returns true if the visitor is a partner who came in by its postback URL, and so changes nothing.
    pub(crate) fn reads_only(&self) -> bool {
        matches!(self.visitor(), Some(Visitor::Partner { reads_only: true, .. }))
    }

    /// Returns the secret for the forms of this page.
    pub(crate) fn form_secret(&self) -> String {
        self.session.as_ref().map(|token| token.derive(FORM)).unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        // A route without a guard has no visit, and shows nothing.
        parts.extensions.get().cloned().ok_or(Trouble::NotFound)
    }
}
