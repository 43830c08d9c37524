//! Checks the published test vectors, with which partners check their own code. Another language's library made them,
//! so they also check ours.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use domain::{
    inbound::{parameters::Parameters, tracking_link::ClickLink},
    values::{
        ids::{LandingName, Provider, UserId},
        signature::{self, Secret},
    },
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/signature.json")).unwrap()
}

#[test]
fn every_published_postback_signs_as_published() {
    for vector in vectors()["postbacks"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let sent = Parameters::split(text("query").as_bytes(), b"");
        let canonical = sent.canonical(&[("provider", text("provider"))]);
        assert_eq!(canonical, text("canonical"), "{}", text("what"));
        let secret = Secret::new(text("secret"));
        assert_eq!(signature::sign(&secret, &canonical), text("signature"), "{}", text("what"));
        assert!(signature::verify(&[secret], &canonical, text("signature").as_bytes()));
    }
}

#[test]
fn every_published_click_link_is_built_as_published() {
    for vector in vectors()["click_links"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let link = ClickLink {
            provider: Provider::new(text("provider")).unwrap(),
            landing: LandingName::new(text("landing")).unwrap(),
            user_id: UserId::new(text("user_id")).unwrap(),
            expires: vector["expires"].as_i64().unwrap(),
        };
        assert_eq!(link.signed("", &Secret::new(text("secret"))), text("path"));
    }
}
