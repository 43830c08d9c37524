//! Finds the local stack that the tests run against, and makes clients for it.

use std::{collections::BTreeMap, env, fs, io, path::PathBuf, sync::Arc};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use serde::Deserialize;

use crate::{fresh, partner_simulator::PartnerSimulator, proxy::Call};

/// Names the environment variable that holds the path of the stack's file.
pub const STACK_FILE: &str = "GG3_STACK_FILE";

/// Holds the credentials of every client and function in tests. The local AWS accepts any.
pub(crate) const ACCESS_KEY: &str = "test";

/// Marks the queues that tests make. In a queue's name, this text follows the logical name.
const OWN: &str = "-of-tests";

/// Describes the deployed console, and the people who may sign in to it: `<role>@example.com` for each role.
#[derive(Debug, Clone, Deserialize)]
pub struct Console {
    /// Holds the URL of the first page.
    pub url: String,
    /// Identifies the Cognito user pool.
    pub user_pool: String,
    /// Identifies the console's client of the pool.
    pub client_id: String,
    /// Holds the password of all people in the pool.
    pub password: String,
}

/// Describes a running stack, as its file does.
#[derive(Debug, Clone, Deserialize)]
pub struct Stack {
    /// Holds the URL of the HTTP API.
    pub api_url: String,
    /// Describes the console.
    pub console: Console,
    /// Holds the endpoint URL of the local AWS.
    pub aws_endpoint_url: String,
    /// Names the AWS region.
    pub region: String,
    /// Holds the URL of the partner simulator, to which the sample partners' webhooks lead.
    pub partner_simulator_url: String,
    /// Names the deployed stack.
    pub stack_name: String,
    /// Maps the logical names of queues to their URLs.
    pub queues: BTreeMap<String, String>,
    /// Maps the logical names of tables to their names.
    pub tables: BTreeMap<String, String>,
    /// Maps the logical names of functions to their names.
    #[serde(default)]
    pub functions: BTreeMap<String, String>,
    /// Maps `bucket`, `database` and `work_group` to the names of the archive's parts.
    #[serde(default)]
    pub archive: BTreeMap<String, String>,
    /// Holds the partners that `infra/partners` configures, by name.
    pub sample_partners: BTreeMap<String, SamplePartner>,
}

/// Holds the URLs and the credentials with which a client acts as a sample partner.
#[derive(Debug, Clone, Deserialize)]
pub struct SamplePartner {
    /// Holds the partner's postback URL without the query.
    pub postback_url: String,
    /// Holds the partner's token, if it has one.
    #[serde(default)]
    pub token: Option<String>,
    /// Maps the names of the partner's landing pages to a signed click URL each.
    #[serde(default)]
    pub landings: BTreeMap<String, String>,
    /// Holds the partner's signing secret, if it signs.
    #[serde(default)]
    pub signature_secret: Option<String>,
}

/// Says why there is no stack to test against.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// `GG3_STACK_FILE` is not set.
    #[error("{STACK_FILE} is not set. These tests need the local stack; run `make test`")]
    Unset,
    /// The file cannot be read.
    #[error("{} cannot be read ({source}). These tests need the local stack; run `make test`", .path.display())]
    Unreadable {
        /// Holds the path that `GG3_STACK_FILE` names.
        path: PathBuf,
        /// Holds the cause.
        source: io::Error,
    },
    /// The file is not in the format that these tests expect.
    #[error("{} does not describe a stack ({source}). Start a new one with `make test`", .path.display())]
    Malformed {
        /// Holds the path that `GG3_STACK_FILE` names.
        path: PathBuf,
        /// Holds the place in the file and the expected format.
        source: serde_json::Error,
    },
}

impl Stack {
    /// Reads the stack that `GG3_STACK_FILE` names.
    pub fn from_env() -> Result<Self, StackError> {
        let path = env::var_os(STACK_FILE).filter(|path| !path.is_empty()).ok_or(StackError::Unset)?;
        Self::from_file(path)
    }

    /// Reads the stack that this file describes.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, StackError> {
        let path = path.into();
        match fs::read_to_string(&path) {
            Ok(json) => serde_json::from_str(&json).map_err(|source| StackError::Malformed { path, source }),
            Err(source) => Err(StackError::Unreadable { path, source }),
        }
    }

    /// Returns the name of the table with this logical name. Panics if there is no such table.
    pub fn table(&self, logical: &str) -> &str {
        named::<String>(&self.tables, "table", logical)
    }

    /// Returns the URL of the queue with this logical name. Panics if there is no such queue.
    pub fn queue(&self, logical: &str) -> &str {
        named::<String>(&self.queues, "queue", logical)
    }

    /// Returns the sample partner with this name. Panics if there is no such partner.
    pub fn partner(&self, name: &str) -> &SamplePartner {
        named(&self.sample_partners, "sample partner", name)
    }

    /// Makes a client of the partner simulator.
    pub fn partner_simulator(&self) -> PartnerSimulator {
        PartnerSimulator::at(&self.partner_simulator_url)
    }

    /// Makes a DynamoDB client of the stack.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        dynamodb(&self.aws_endpoint_url, &self.region)
    }

    /// Makes an SQS client of the stack.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        sqs(&self.aws_endpoint_url, &self.region)
    }

    /// Makes a queue for tests, named after the stack's queue with this logical name. Tests cannot use the stack's
    /// queue, because a function receives its messages.
    pub async fn create_queue(&self, logical: &str) -> String {
        let name = format!("{}-{logical}{}", self.stack_name, fresh(OWN));
        let created = self.sqs().create_queue().queue_name(name).send().await.expect("SQS answers");
        created.queue_url.expect("SQS answers with the queue's URL")
    }

    /// Describes a call by its operation and the logical names of its tables or queue, such as `PutItem deliveries`.
    pub fn words(&self, call: &Call) -> String {
        let names = call.table_or_queue.as_deref().unwrap_or_default().split(',').map(|name| self.noun(name));
        format!("{} {}", call.operation, names.collect::<Vec<_>>().join(","))
    }

    /// Returns the logical name of a table or queue of the stack, or of a queue that a test made.
    pub fn noun<'a>(&self, name: &'a str) -> &'a str {
        let name = name.strip_prefix(&self.stack_name).and_then(|name| name.strip_prefix('-')).unwrap_or(name);
        name.split_once(OWN).map_or(name, |(logical, _)| logical)
    }

    /// Returns the environment that a function needs to use this stack through this endpoint. The endpoint may be that
    /// of the stack or that of a proxy.
    pub fn aws_environment(&self, endpoint_url: &str) -> Vec<(String, String)> {
        aws_environment(endpoint_url, &self.region)
    }
}

/// Returns the environment that a function needs to use AWS at this endpoint.
pub fn aws_environment(endpoint_url: &str, region: &str) -> Vec<(String, String)> {
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint_url),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
        ("AWS_SESSION_TOKEN", ACCESS_KEY),
    ];
    variables.map(|(name, value)| (name.into(), value.into())).into()
}

/// Makes a DynamoDB client of this endpoint.
pub fn dynamodb(endpoint_url: &str, region: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials())
        .endpoint_url(endpoint_url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new(region.to_owned()))
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// Makes an SQS client of this endpoint.
pub fn sqs(endpoint_url: &str, region: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .credentials_provider(credentials())
        .endpoint_url(endpoint_url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(aws_sdk_sqs::config::Region::new(region.to_owned()))
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// Makes an HTTP client that does not follow redirects and uses no proxy, whatever the environment says.
///
/// It trusts no certificate. Tests call only plain HTTP on the loopback interface, and loading a machine's
/// certificates would take longer than most tests.
pub fn http_client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default TLS versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.tls_backend_preconfigured(tls).build().expect("the client needs nothing from the machine")
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "tests")
}

fn named<'a, T>(all: &'a BTreeMap<String, T>, kind: &str, name: &str) -> &'a T {
    all.get(name)
        .unwrap_or_else(|| panic!("the stack has no {kind} {name}; it has {:?}", all.keys().collect::<Vec<_>>()))
}
