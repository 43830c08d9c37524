//! Checks the functions' answers against the published description of the API.

use std::collections::BTreeSet;

use jsonschema::Validator;
use lambda_http::{Body, Response};
use serde_json::{Value, json};

/// Holds `infra/openapi.yaml`.
pub(crate) struct OpenApi(Value);

impl OpenApi {
    pub(crate) fn published() -> Self {
        Self(serde_saphyr::from_str(include_str!("../../../infra/openapi.yaml")).unwrap())
    }

    /// Returns the value at this pointer, with a reference resolved.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.resolved(self.0.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")))
    }

    pub(crate) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        reference.map_or(value, |pointer| self.at(pointer))
    }

    /// Returns a validator of this schema.
    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap()
    }

    pub(crate) fn operation(&self, path: &str, method: &str) -> &Value {
        self.at(&format!("/paths/{}/{method}", path.replace('/', "~1")))
    }

    /// Returns the statuses that the operation's function may answer. Statuses that only the gateway answers are left
    /// out.
    pub(crate) fn statuses(&self, path: &str, method: &str) -> BTreeSet<u16> {
        let responses = self.operation(path, method)["responses"].as_object().unwrap();
        let ours = responses.iter().filter(|(_, response)| self.resolved(response).get("x-answered-by").is_none());
        ours.map(|(status, _)| status.parse().unwrap()).collect()
    }

    /// Fails unless the operation describes this response's status, type, headers and body.
    pub(crate) fn assert_describes(&self, path: &str, method: &str, response: &Response<Body>) {
        let context = format!("{method} {path}: {response:?}");
        let described = &self.operation(path, method)["responses"][response.status().as_str()];
        let described = self.resolved(described);
        let body_sent = std::str::from_utf8(response.body()).unwrap();
        let headers = response.headers().iter();
        let sent: Value =
            headers.map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap()))).collect();
        let media_type = sent["content-type"].as_str().unwrap().split(';').next().unwrap();
        let body = &described["content"][media_type];
        assert!(body.is_object(), "no {media_type} in {context}");
        let value = if media_type.ends_with("json") {
            serde_json::from_str(body_sent).unwrap()
        } else {
            Value::from(body_sent)
        };
        let faults: Vec<String> = self.validator(&body["schema"]).iter_errors(&value).map(|f| f.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?} in {context}");

        let headers = described["headers"].as_object().unwrap();
        for (name, header) in headers {
            let value = &sent[name.to_ascii_lowercase()];
            let valid = self.validator(&self.resolved(header)["schema"]).is_valid(value);
            assert!(valid, "{name} is {value} in {context}");
        }
        for name in ["location", "retry-after", "cache-control"].into_iter().filter(|name| sent[*name].is_string()) {
            assert!(headers.keys().any(|known| known.eq_ignore_ascii_case(name)), "{name} in {context}");
        }
    }
}

#[test]
fn the_described_routes_are_those_deployed() {
    let template = include_str!("../../../template.yaml");
    // Routes for any method or any path take the calls that no other route takes. The description mentions them in
    // words only.
    let deployed = template.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: "));
    let named = deployed.filter(|route| !route.starts_with("ANY ") && !route.contains("+}"));
    let deployed: BTreeSet<String> = named.map(str::to_owned).collect();
    let api = OpenApi::published();
    let paths = api.0["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |key| (path, key)));
    let described: BTreeSet<String> = operations
        .filter(|(_, key)| *key != "parameters")
        .map(|(path, method)| format!("{} {path}", method.to_uppercase()))
        .collect();
    assert_eq!(described, deployed);
}
