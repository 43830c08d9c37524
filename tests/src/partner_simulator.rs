//! Talks to the partner simulator: sets its answers and asks for the requests it received.
//!
//! Each test uses a name of its own, so tests do not disturb each other.
//!
//! ```no_run
//! # async fn example(stack: tests::stack::Stack) {
//! use tests::partner_simulator::Answer;
//!
//! let partner = stack.partner_simulator();
//! partner.answer("umbrella", [Answer::status(500).times(3), Answer::hang(), Answer::status(200)]).await;
//! // … webhooks lead to partner.webhook_url("umbrella") …
//! let requests = partner.until("umbrella", |requests| requests.len() == 5).await;
//! assert!(requests.iter().all(|request| request.header("webhook-id") == requests[0].header("webhook-id")));
//! # }
//! ```

use std::time::Duration;

pub use partner_simulator::{
    Secret,
    received::{Request, Requests, Signature},
    script::{Answer, Script},
};

use crate::{stack::http_client, within_patience};

/// Sets the pause between two questions to the simulator.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Talks to a running simulator.
#[derive(Debug, Clone)]
pub struct PartnerSimulator {
    url: String,
    client: reqwest::Client,
}

impl PartnerSimulator {
    /// Makes a client of the simulator at this URL.
    pub fn at(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), client: http_client() }
    }

    /// Returns the URL that leads webhooks to this name. A path and a query may be appended.
    pub fn webhook_url(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Sets the answers of a name. They are given in order, and the last one is repeated.
    pub async fn answer(&self, name: &str, answers: impl IntoIterator<Item = Answer>) {
        self.set_script(name, &Script::answers(answers)).await;
    }

    /// Sets a name's answers, secrets or both. A field that is left out keeps its earlier value.
    pub async fn set_script(&self, name: &str, script: &Script) {
        let script = serde_json::to_vec(script).expect("a script is JSON");
        self.control(self.client.put(self.control_url(name)).body(script)).await;
    }

    /// Returns the requests that a name has received.
    pub async fn requests(&self, name: &str) -> Requests {
        let url = format!("{}/requests", self.control_url(name));
        serde_json::from_slice(&self.control(self.client.get(url)).await)
            .expect("the simulator lists requests in the agreed format")
    }

    /// Waits until the requests of a name satisfy the condition, and returns them.
    pub async fn until(&self, name: &str, happened: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let asking = async {
            loop {
                let requests = self.requests(name).await.requests;
                if happened(&requests) {
                    return requests;
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        within_patience(&format!("the partner {name} has received the awaited requests"), asking).await
    }

    fn control_url(&self, name: &str) -> String {
        format!("{}/_control/{name}", self.url)
    }

    async fn control(&self, request: reqwest::RequestBuilder) -> Vec<u8> {
        let answer = request.send().await.expect("the partner simulator runs");
        let (status, body) = (answer.status(), answer.bytes().await.expect("the simulator's answer is complete"));
        assert!(status.is_success(), "the partner simulator says {status}: {}", String::from_utf8_lossy(&body));
        body.into()
    }
}
