//! Makes one conditional `PutItem` and writes one line of log. `postback` is measured against this floor.
//!
//! It uses the same packages as `postback`, each as its documentation shows. It checks nothing. Its item and its line
//! of log are about as large as `postback`'s. Its client is built as ours is, without time limits. Its connection is
//! opened in init.

use std::{collections::HashMap, env, fs};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Region, StalledStreamProtectionConfig},
    error::SdkError,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use lambda_http::{Body, Error, Request, RequestExt as _, Response, run, service_fn};
use serde::Serialize;
use tracing::info;

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Accepted,
    Duplicate,
    Unavailable,
}

#[derive(Serialize)]
struct PostbackBody {
    status: Status,
}

struct Function {
    client: Client,
    table: String,
}

impl Function {
    fn new() -> Result<Self, Error> {
        let credentials = Credentials::new(
            env::var("AWS_ACCESS_KEY_ID")?,
            env::var("AWS_SECRET_ACCESS_KEY")?,
            env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        // It trusts the system's authorities, and the authorities of the bundle as well.
        let mut trusted = TrustStore::default();
        if let Ok(bundle) = env::var("AWS_CA_BUNDLE") {
            trusted = trusted.with_pem_certificate(fs::read(bundle)?);
        }
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(TlsContext::builder().with_trust_store(trusted).build()?)
            .build_https();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(env::var("AWS_REGION")?))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(env::var("AWS_ENDPOINT_URL").ok());
        Ok(Self { client: Client::from_conf(config.build()), table: env::var("TABLE")? })
    }

    /// Opens the connection during init. If that fails, the first request opens it.
    async fn warm(&self) {
        let get = self.client.get_item().table_name(&self.table).key("pk", AttributeValue::S("nothing".into()));
        let _ = get.send().await;
    }

    async fn answer(&self, request: &Request) -> Result<Response<Body>, Error> {
        let parameters = request.query_string_parameters();
        let status = self.put(parameters.iter()).await;
        let transaction_id = parameters.first("transaction_id").unwrap_or_default();
        info!(provider = "acme", transaction_id, outcome = ?status, "postback");
        let code = if matches!(status, Status::Unavailable) { 503 } else { 200 };
        let body = serde_json::to_string(&PostbackBody { status })?;
        Ok(Response::builder().status(code).header("content-type", "application/json").body(body.into())?)
    }

    async fn put(&self, parameters: impl Iterator<Item = (&str, &str)>) -> Status {
        let mut item: HashMap<String, AttributeValue> =
            parameters.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).collect();
        let key = item.remove("transaction_id").unwrap_or_else(|| AttributeValue::S(String::new()));
        item.insert("pk".into(), key);
        for (name, value) in [
            ("revision", "original"),
            ("receipt_id", "qc3terwjnllwztrghrwrjubzcy"),
            ("received_at", "2026-11-23T21:33:22.275Z"),
            ("click", "foreign"),
        ] {
            item.insert(name.into(), AttributeValue::S(value.into()));
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", "pk")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Status::Accepted,
            Err(error) if is_duplicate(&error) => Status::Duplicate,
            Err(_) => Status::Unavailable,
        }
    }
}

fn is_duplicate(error: &SdkError<PutItemError>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    let function = Function::new()?;
    function.warm().await;
    run(service_fn(async |request: Request| function.answer(&request).await)).await
}
