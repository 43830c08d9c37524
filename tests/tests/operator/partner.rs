//! Makes a partner for one test with the operator's command.

use std::fs;

use serde_json::Value;
use tests::stack::Stack;

use crate::{
    command::postbackctl,
    fixture::{Fixture, Reply, fresh},
};

/// Holds a partner with a token.
pub(crate) struct Partner {
    pub(crate) name: String,
    pub(crate) token: String,
}

impl Partner {
    /// Applies a new partner whose file has this text after the name.
    pub(crate) fn with_token(stack: &Stack, rest: &str) -> Self {
        let name = fresh("p");
        let report = apply(stack, &name, rest);
        let token = report["partners"][0]["token"].as_str().unwrap().to_owned();
        Self { name, token }
    }

    /// Applies a changed file.
    pub(crate) fn apply(&self, stack: &Stack, rest: &str) {
        apply(stack, &self.name, rest);
    }

    /// Calls the partner's postback URL.
    pub(crate) async fn postback(&self, fixture: &Fixture, query: &str) -> Reply {
        let url = format!("{}/postback/{}/{}", fixture.stack.api_url, self.name, self.token);
        fixture.send(fixture.http.get(format!("{url}?{query}"))).await
    }
}

fn apply(stack: &Stack, name: &str, rest: &str) -> Value {
    apply_with(stack, name, rest, &[])
}

/// Applies a partner whose webhooks lead to this machine and whose campaigns begin as soon as the local stack allows.
pub(crate) fn apply_for_loopback(stack: &Stack, name: &str, rest: &str) -> Value {
    apply_with(stack, name, rest, &["--loopback-webhooks", "--campaign-lead-seconds", "4"])
}

fn apply_with(stack: &Stack, name: &str, rest: &str, options: &[&str]) -> Value {
    let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.yaml")), format!("provider: {name}\n{rest}")).unwrap();
    let apply = ["apply", folder.to_str().unwrap(), "--yes", "--json"];
    let output = postbackctl(stack, &[&apply, options].concat());
    fs::remove_dir_all(&folder).unwrap();
    output.json()
}
