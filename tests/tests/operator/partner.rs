//! A partner that no other test uses, made as an operator makes one.

use std::fs;

use serde_json::Value;
use tests::stack::Stack;

use crate::{
    command::postbackctl,
    fixture::{Fixture, Reply, fresh},
};

/// A partner with a token.
pub(crate) struct Partner {
    pub(crate) name: String,
    token: String,
}

impl Partner {
    /// A new one, with this in its file besides its name.
    pub(crate) fn with_token(stack: &Stack, rest: &str) -> Self {
        let name = fresh("p");
        let report = apply(stack, &name, rest);
        let token = report["partners"][0]["token"].as_str().unwrap().to_owned();
        Self { name, token }
    }

    /// Changes its file.
    pub(crate) fn apply(&self, stack: &Stack, rest: &str) {
        apply(stack, &self.name, rest);
    }

    /// Calls its postback URL.
    pub(crate) async fn postback(&self, fixture: &Fixture, query: &str) -> Reply {
        let url = format!("{}/postback/{}/{}", fixture.stack.api_url, self.name, self.token);
        fixture.send(fixture.http.get(format!("{url}?{query}"))).await
    }
}

fn apply(stack: &Stack, name: &str, rest: &str) -> Value {
    let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.yaml")), format!("provider: {name}\n{rest}")).unwrap();
    let said = postbackctl(stack, &["apply", folder.to_str().unwrap(), "--yes", "--json"]);
    fs::remove_dir_all(&folder).unwrap();
    said.json()
}
