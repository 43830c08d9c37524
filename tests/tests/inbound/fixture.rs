//! What the tests share: the stack, a partner to act as, and everything that arrives on the queue of conversions.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tests::stack::{Stack, http_client};

/// How long a conversion may take from its postback: the emulator polls streams about once a second.
const PATIENCE: Duration = Duration::from_mins(1);

/// A test's view of the stack.
pub(crate) struct Fixture {
    pub(crate) stack: Stack,
    pub(crate) http: reqwest::Client,
}

/// What came back.
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

    /// The faults, as pairs of parameter and code.
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

/// An id that no other test and no earlier run has used.
pub(crate) fn fresh(prefix: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    format!("{prefix}-{since}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The document's single-event query, of this transaction.
pub(crate) fn sample(transaction_id: &str) -> String {
    format!("user_id=12345&click_id=67890&transaction_id={transaction_id}&currency=USD&amount_decimal=100.00")
}

/// Everything that has arrived on the queue of conversions since the tests began: one reader for all tests.
pub(crate) struct Conversions(Arc<Mutex<Vec<Value>>>);

impl Conversions {
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Conversions> = OnceLock::new();
        SHARED.get_or_init(|| {
            let arrived = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&arrived);
            thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(read(&kept));
            });
            Self(arrived)
        })
    }

    /// All conversions of this transaction, once there is one.
    pub(crate) async fn of(&self, provider: &str, transaction_id: &str) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let found: Vec<Value> = (self.0.lock().unwrap().iter())
                .filter(|body| body["provider"] == provider && body["transaction_id"] == transaction_id)
                .cloned()
                .collect();
            if !found.is_empty() {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "no conversion of {provider} {transaction_id} within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn read(arrived: &Mutex<Vec<Value>>) {
    let stack = Stack::from_env().unwrap();
    let (sqs, queue) = (stack.sqs(), stack.queue("gg3-conversions"));
    loop {
        let receive = sqs.receive_message().queue_url(queue).max_number_of_messages(10).wait_time_seconds(1);
        let Ok(received) = receive.send().await else { continue };
        for message in received.messages.unwrap_or_default() {
            let body = serde_json::from_str(message.body.as_deref().unwrap()).expect("a conversion is JSON");
            arrived.lock().unwrap().push(body);
            let handle = message.receipt_handle.unwrap();
            let _ = sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await;
        }
    }
}
