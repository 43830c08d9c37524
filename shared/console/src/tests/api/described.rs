//! Calls of the API, whose answers must be as the description says.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use domain::session::Role;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::super::rig::{Reply, Rig};
use crate::api::BASE;

/// Describes a call. The token names a person of the issuer.
#[derive(Clone)]
pub(in crate::tests) struct Call<'a> {
    pub(in crate::tests) method: Method,
    /// Holds the path below `/v1`, with the query.
    pub(in crate::tests) path: &'a str,
    pub(in crate::tests) token: Option<&'a str>,
    pub(in crate::tests) headers: Vec<(&'a str, &'a str)>,
    pub(in crate::tests) body: &'a str,
}

impl<'a> Call<'a> {
    pub(in crate::tests) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, token: Some("admin"), headers: Vec::new(), body: "" }
    }

    pub(in crate::tests) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(in crate::tests) fn post(path: &'a str) -> Self {
        Self::new(Method::POST, path)
    }
}

pub(super) fn request(call: &Call<'_>) -> Request<Body> {
    let mut request = Request::builder().method(call.method.clone()).uri(format!("{BASE}{}", call.path));
    if let Some(token) = call.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    for (name, value) in &call.headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(call.body.to_owned())).unwrap()
}

/// Holds a console and the description of its API.
pub(in crate::tests) struct Api {
    pub(in crate::tests) rig: Rig,
    published: Value,
}

impl Api {
    /// Makes the API of a console at which a person of each role has a token of the role's name.
    pub(in crate::tests) fn new(rig: Rig) -> Self {
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            rig.person(role.as_str(), Some(role));
        }
        Self { rig, ..Self::published() }
    }

    pub(in crate::tests) fn published() -> Self {
        let published = serde_saphyr::from_str(include_str!("../../../assets/v1.yaml")).unwrap();
        Self { rig: Rig::new(), published }
    }

    /// Returns the method and the path of each described call, sorted.
    pub(in crate::tests) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.published["paths"].as_object().unwrap();
        let methods = paths.iter().flat_map(|(path, item)| {
            let names = item.as_object().unwrap().keys().filter(|name| *name != "parameters");
            names.map(|name| (name.to_uppercase(), path.clone()))
        });
        let mut all: Vec<_> = methods.collect();
        all.sort();
        all
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        pointer.map_or(value, |pointer| self.published.pointer(pointer).unwrap())
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "allOf": [schema], "components": self.published["components"] });
        jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap()
    }

    /// Returns the described operation of a call, if its method is described.
    fn operation(&self, call: &Call<'_>) -> Option<&Value> {
        let sent: Vec<&str> = call.path.split('?').next().unwrap().split('/').collect();
        let matches = |path: &str| {
            let parts: Vec<&str> = path.split('/').collect();
            parts.len() == sent.len()
                && parts.iter().zip(&sent).all(|(part, sent)| part.starts_with('{') || part == sent)
        };
        let paths = self.published["paths"].as_object().unwrap();
        let (_, item) =
            paths.iter().find(|(path, _)| matches(path)).unwrap_or_else(|| panic!("{} is not described", call.path));
        item.get(call.method.as_str().to_lowercase())
    }

    /// Makes a call. Its answer, and the body of a successful one, must be as described.
    pub(in crate::tests) async fn send(&self, call: Call<'_>) -> Reply {
        let reply = self.rig.send(request(&call)).await;
        let problem = &self.published["components"]["responses"]["Problem"];
        let responses = self.operation(&call).map(|operation| &operation["responses"]);
        let described = responses.map_or(problem, |all| all.get(reply.status.as_str()).unwrap_or(&all["default"]));
        let described = self.resolved(described);
        let context = format!("{} {}: {} {}", call.method, call.path, reply.status, reply.text);
        let media_type = reply.header(header::CONTENT_TYPE).split(';').next().unwrap();
        let schema = &described["content"][media_type]["schema"];
        assert!(schema.is_object(), "no {media_type} in {context}");
        if media_type.ends_with("json") {
            let body: Value = serde_json::from_str(&reply.text).unwrap();
            let faults: Vec<String> =
                self.validator(schema).iter_errors(&body).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?} in {context}");
        }
        if let Some(operation) =
            self.operation(&call).filter(|_| reply.status.is_success() && call.method == Method::POST)
        {
            let body: Value = serde_json::from_str(call.body).unwrap();
            let sent = &self.resolved(&operation["requestBody"])["content"]["application/json"]["schema"];
            assert!(self.validator(sent).is_valid(&body), "an accepted body is not described: {context}");
        }
        assert_eq!(
            reply.header(header::CACHE_CONTROL),
            if media_type == "application/yaml" { "public, max-age=3600" } else { "no-store" }
        );
        reply
    }

    /// Makes a call that must succeed, and returns its body.
    pub(in crate::tests) async fn json(&self, call: Call<'_>) -> Value {
        let context = format!("{} {}", call.method, call.path);
        let reply = self.send(call).await;
        assert!(reply.status.is_success(), "{context}: {}", reply.text);
        serde_json::from_str(&reply.text).unwrap()
    }
}
