//! Gives the tests the stack, a partner to act as, and all messages that arrive on the queue of conversions.

use std::sync::OnceLock;

use serde_json::Value;
pub(crate) use tests::fresh;
use tests::{
    operator::postbackctl,
    queue::Arrivals,
    stack::{Stack, http_client},
};

/// Holds the stack and a client for one test.
pub(crate) struct Fixture {
    pub(crate) stack: Stack,
    pub(crate) http: reqwest::Client,
}

/// Holds an HTTP answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// Returns the faults as pairs of parameter and code.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let text = |fault: &Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        let faults = self.body["faults"].as_array().cloned().unwrap_or_default();
        faults.iter().map(|fault| (text(fault, "parameter"), text(fault, "code"))).collect()
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let stack = Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"));
        Self { stack, http: http_client() }
    }

    /// Applies a new partner whose file has this text after the name. Returns the name and the token.
    pub(crate) fn partner(&self, rest: &str) -> (String, String) {
        let name = fresh("p");
        let report = self.apply([(name.clone(), format!("provider: {name}\n{rest}"))]);
        (name, report["partners"][0]["token"].as_str().unwrap().to_owned())
    }

    /// Applies the files of partners by the operator's command, and returns its report.
    pub(crate) fn apply(&self, files: impl IntoIterator<Item = (String, String)>) -> Value {
        let folder = std::env::temp_dir().join(fresh("partners"));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, file) in files {
            std::fs::write(folder.join(format!("{name}.yaml")), file).unwrap();
        }
        let applied = postbackctl(&self.stack, &["apply", folder.to_str().unwrap(), "--yes", "--json"]);
        std::fs::remove_dir_all(&folder).unwrap();
        serde_json::from_slice(&applied.stdout).unwrap_or_else(|fault| panic!("{fault}: {applied:?}"))
    }

    /// Calls a sample partner's postback URL.
    pub(crate) async fn postback(&self, partner: &str, query: &str) -> Reply {
        let url = &self.stack.partner(partner).postback_url;
        self.send(self.http.get(format!("{url}?{query}"))).await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.expect("the API answers");
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (content_type, location) = (header("content-type").unwrap_or_default(), header("location"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Reply { status, content_type, location, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }
}

/// Returns the single-event query of the specification with this transaction.
pub(crate) fn sample(transaction_id: &str) -> String {
    format!("user_id=12345&click_id=67890&transaction_id={transaction_id}&currency=USD&amount_decimal=100.00")
}

/// Collects all messages that arrive on the queue of conversions. All tests share one reader.
pub(crate) struct Conversions(Arrivals<Value>);

impl Conversions {
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Conversions> = OnceLock::new();
        SHARED.get_or_init(|| {
            let stack = Fixture::new().stack;
            Self(Arrivals::of(&stack, stack.queue("gg3-conversions")))
        })
    }

    /// Returns the conversions of this transaction that have arrived so far.
    pub(crate) fn so_far(&self, provider: &str, transaction_id: &str) -> Vec<Value> {
        self.0.so_far(|body: &Value| body["provider"] == provider && body["transaction_id"] == transaction_id)
    }

    /// Returns the conversions of this partner that have arrived so far.
    pub(crate) fn of_provider(&self, provider: &str) -> Vec<Value> {
        self.0.so_far(|body: &Value| body["provider"] == provider)
    }

    /// Waits for a conversion of this transaction, and returns all of them.
    pub(crate) async fn of(&self, provider: &str, transaction_id: &str) -> Vec<Value> {
        let theirs = |body: &Value| body["provider"] == provider && body["transaction_id"] == transaction_id;
        self.0.some(&format!("there is a conversion of {provider} {transaction_id}"), theirs).await
    }
}
