//! Plays a partner with a credential, and its calls.

use std::sync::Arc;

use domain::{
    inbound::credential::{CredentialKind, Credentials, TokenHash},
    partner::Partner,
    values::signature::Secret,
};

use crate::{accept_postback::Call, ports::KnownPartner};

/// Returns the partner with the token `good`, or with the secret `s` if it signs its calls.
pub fn known(partner: Partner) -> KnownPartner {
    let credentials = match partner.credential() {
        CredentialKind::Token => Credentials::Tokens(vec![TokenHash::of("good")]),
        CredentialKind::Signature => Credentials::Secrets(vec![Secret::new("s")]),
    };
    KnownPartner { partner: Arc::new(partner), credentials }
}

/// Returns a GET with the token `good` from 192.0.2.1.
pub fn get<'a>(provider: &'a str, query: &'a str) -> Call<'a> {
    Call {
        provider,
        token: Some("good"),
        query: query.as_bytes(),
        body: b"",
        content_type: None,
        is_post: false,
        source: [192, 0, 2, 1].into(),
        page_part: None,
    }
}
