//! A function with one conditional `PutItem` and nothing else: the floor that `postback` is measured against.
//!
//! It checks nothing, logs nothing and answers a constant. What it stores is as large as a postback. Its client is built
//! as ours is, but for limits on time, which it has none of; its connection is opened in init.

use std::{collections::HashMap, convert::Infallible, env};

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
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    raw_query_string: String,
}

#[derive(Serialize)]
struct Response {
    #[serde(rename = "statusCode")]
    status: u16,
    body: &'static str,
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
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(env::var("AWS_REGION")?))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(env::var("AWS_ENDPOINT_URL").ok());
        Ok(Self { client: Client::from_conf(config.build()), table: env::var("TABLE")? })
    }

    async fn warm(&self) {
        let get = self.client.get_item().table_name(&self.table).key("pk", AttributeValue::S("nothing".into()));
        // What cannot be warmed is cold.
        let _ = get.send().await;
    }

    async fn put(&self, request: &Request) -> Response {
        let parameters = request.raw_query_string.split('&').filter_map(|pair| pair.split_once('='));
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
            Ok(_) => Response { status: 200, body: r#"{"status":"accepted"}"# },
            Err(error) if is_duplicate(&error) => Response { status: 200, body: r#"{"status":"duplicate"}"# },
            Err(_) => Response { status: 503, body: "" },
        }
    }
}

fn is_duplicate(error: &SdkError<PutItemError>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = Function::new()?;
    function.warm().await;
    run(service_fn(async |event: LambdaEvent<Request>| Ok::<_, Infallible>(function.put(&event.payload).await))).await
}
