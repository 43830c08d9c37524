//! The local stack that the tests run against, and clients for it.

use std::{collections::BTreeMap, env, fs, io, path::PathBuf, sync::Arc};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use serde::Deserialize;

use crate::partner_simulator::PartnerSimulator;

/// The environment variable that names the file which describes the stack.
pub const STACK_FILE: &str = "GG3_STACK_FILE";

/// The credentials of every client and function in tests; the local AWS takes any.
const ACCESS_KEY: &str = "test";

/// A running stack, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stack {
    /// Where the HTTP API answers.
    pub api_url: String,
    /// Where the local AWS answers.
    pub aws_endpoint_url: String,
    /// Its region.
    pub region: String,
    /// Where the partner simulator answers, which the sample partners' webhooks lead to.
    pub partner_simulator_url: String,
    /// The name it is deployed under.
    pub stack_name: String,
    /// Logical names of queues, and their URLs.
    pub queues: BTreeMap<String, String>,
    /// Logical names of tables, and their names.
    pub tables: BTreeMap<String, String>,
    /// Logical names of functions, and their names.
    #[serde(default)]
    pub functions: BTreeMap<String, String>,
    /// The partners that `infra/partners` configures.
    pub sample_partners: BTreeMap<String, SamplePartner>,
}

/// What a client needs to act as a sample partner.
#[derive(Debug, Clone, Deserialize)]
pub struct SamplePartner {
    /// Its base URL, complete but for the query.
    pub postback_url: String,
    /// Its token, if it has one.
    #[serde(default)]
    pub token: Option<String>,
    /// Names of its landing pages, and a signed click URL for each.
    #[serde(default)]
    pub landings: BTreeMap<String, String>,
    /// What it signs with, if it signs.
    #[serde(default)]
    pub signature_secret: Option<String>,
}

/// Why there is no stack to test against.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Nothing says where the stack is.
    #[error("{STACK_FILE} is not set: these tests need the local stack, run `make test`")]
    Unset,
    /// The file cannot be read.
    #[error("{} cannot be read ({source}): these tests need the local stack, run `make test`", .path.display())]
    Unreadable {
        /// What `GG3_STACK_FILE` says.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what this version of the tests expects.
    #[error("{} does not describe a stack ({source}): start it anew, run `make test`", .path.display())]
    Malformed {
        /// What `GG3_STACK_FILE` says.
        path: PathBuf,
        /// Where, and what was expected.
        source: serde_json::Error,
    },
}

impl Stack {
    /// The stack that `GG3_STACK_FILE` names.
    pub fn from_env() -> Result<Self, StackError> {
        let path = env::var_os(STACK_FILE).filter(|path| !path.is_empty()).ok_or(StackError::Unset)?;
        Self::from_file(path)
    }

    /// The stack that this file describes.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, StackError> {
        let path = path.into();
        match fs::read_to_string(&path) {
            Ok(json) => serde_json::from_str(&json).map_err(|source| StackError::Malformed { path, source }),
            Err(source) => Err(StackError::Unreadable { path, source }),
        }
    }

    /// The name of this table.
    pub fn table(&self, logical: &str) -> &str {
        named::<String>(&self.tables, "table", logical)
    }

    /// The URL of this queue.
    pub fn queue(&self, logical: &str) -> &str {
        named::<String>(&self.queues, "queue", logical)
    }

    /// This sample partner.
    pub fn partner(&self, name: &str) -> &SamplePartner {
        named(&self.sample_partners, "sample partner", name)
    }

    /// The partner simulator.
    pub fn partner_simulator(&self) -> PartnerSimulator {
        PartnerSimulator::at(&self.partner_simulator_url)
    }

    /// A DynamoDB client of the stack.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        dynamodb(&self.aws_endpoint_url, &self.region)
    }

    /// An SQS client of the stack.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        sqs(&self.aws_endpoint_url, &self.region)
    }

    /// What a function needs in its environment to use this stack through an endpoint, its own or a proxy's.
    pub fn aws_environment(&self, endpoint_url: &str) -> Vec<(String, String)> {
        aws_environment(endpoint_url, &self.region)
    }
}

/// What a function needs in its environment to use AWS at this endpoint.
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

/// A DynamoDB client of this endpoint.
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

/// An SQS client of this endpoint.
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

/// An HTTP client that shows redirects instead of following them, and uses no proxy, whatever the environment says.
///
/// It trusts no certificate: everything that tests call is plain HTTP on the loopback interface, and looking for a
/// machine's certificates would take longer than most tests.
pub fn http_client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.tls_backend_preconfigured(tls).build().expect("nothing is left to find out")
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "tests")
}

fn named<'a, T>(all: &'a BTreeMap<String, T>, kind: &str, name: &str) -> &'a T {
    all.get(name).unwrap_or_else(|| panic!("the stack has no {kind} {name}, only {:?}", all.keys().collect::<Vec<_>>()))
}
