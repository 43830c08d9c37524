//! Which AWS account and stack the command works on: found as every AWS tool finds them, or the local stack's endpoint.

use adapters::{
    aws::{AwsSettings, CallLimits, http_client},
    dynamodb::{configuration::Configuration, history::History, participants::DynamoParticipants},
};
use anyhow::{Context, Result};
use aws_config::BehaviorVersion;
use aws_credential_types::provider::ProvideCredentials;

use crate::publish::CatalogueTable;

/// A stack in an account.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: AwsSettings,
    stack: String,
}

impl Connection {
    /// Finds region and credentials in the environment, a profile, SSO or a credential process.
    pub(crate) async fn open(stack: &str) -> Result<Self> {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client()).load().await;
        let region = config.region().context("no AWS region: set AWS_REGION or a profile's region")?;
        let provider =
            config.credentials_provider().context("no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID")?;
        let credentials = provider
            .provide_credentials()
            .await
            .context("no usable AWS credentials: set AWS_PROFILE, or log in again")?;
        let settings = AwsSettings {
            region: region.to_string(),
            endpoint_url: config.endpoint_url().map(str::to_owned),
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().to_owned(),
            session_token: credentials.session_token().map(str::to_owned),
        };
        Ok(Self { settings, stack: stack.to_owned() })
    }

    /// The tables of configuration.
    pub(crate) fn configuration(&self) -> Configuration {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        Configuration::new(client, self.table("partners"), self.table("secrets"))
    }

    /// The table of the catalogue that evaluators poll.
    pub(crate) fn catalogue(&self) -> CatalogueTable {
        CatalogueTable::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("catalogue"))
    }

    /// The tables of what happened.
    pub(crate) fn history(&self) -> History {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        let (postbacks, refusals) = (self.table("postbacks"), self.table("refusals"));
        History::new(client, postbacks, refusals, self.table("clicks"), self.table("deliveries"))
    }

    /// The participants.
    pub(crate) fn participants(&self) -> DynamoParticipants {
        DynamoParticipants::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("participants"))
    }

    /// A client of SQS.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        self.settings.sqs(CallLimits::BACKGROUND)
    }

    /// The stack's name.
    pub(crate) fn stack(&self) -> &str {
        &self.stack
    }

    fn table(&self, noun: &str) -> String {
        format!("{}-{noun}", self.stack)
    }
}
