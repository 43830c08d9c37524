//! The connection to a stack: region, credentials and endpoint as every AWS tool finds them, and the ports over them.

use std::{env, fmt, path::Path};

use adapters::{
    athena::AthenaArchive,
    aws::{AwsSettings, CallLimits, NO_CREDENTIALS, http_client},
    deployed::Deployed,
    dynamodb::{
        audit::DynamoAudit,
        catalogue::{DynamoCatalogues, DynamoPublishing},
        configuration::Configuration,
        deliveries::{DynamoDeliveries, DynamoRounds},
        delivery_records::DynamoDeliveryRecords,
        deployment::Deployment,
        endpoints::DynamoEndpoints,
        erasures::{DynamoErasures, ErasedTables},
        history::History,
        lookups::{DynamoListings, DynamoLookups},
        participants::DynamoParticipants,
        partners::{DynamoClickKeys, DynamoKnownPartners, DynamoPartners, DynamoRecipients},
        postbacks::DynamoPostbacks,
        refusals::DynamoRefusals,
        resolutions::DynamoResolutions,
        resubmissions::DynamoResubmissions,
        sessions::DynamoSessions,
        under_way::DynamoUnderWay,
    },
    random,
    sqs::{SqsConversions, SqsDeadLetterQueues, SqsEvents, SqsNames, SqsResends},
    webhook::Reach,
};
use anyhow::{Context, Result, anyhow};
use app::{
    accept_postback::{AcceptPostback, PartnerRates, StrangerRates},
    cache::{Cache, CachePolicy},
    ports::{Partners as _, SecretPurpose, StoredPartner, Unavailable},
};
use aws_config::BehaviorVersion;
use aws_credential_types::provider::ProvideCredentials;
use domain::{
    archive::ArchiveKey,
    audit::{Author, Channel, Operation, Why},
    outbound::webhook::Development,
    partner::Partner,
    retention::{Expiring, Retention},
    values::ids::Provider,
};

use tokio::sync::OnceCell;

use crate::terminal::printable;

/// The use case that handles a postback, over DynamoDB.
pub(crate) type Accept = AcceptPostback<Deployed>;

/// The fault that a stack lacks something which every stack of the newest template has.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// DynamoDB's error code for a missing table.
const NO_TABLE: &str = "ResourceNotFoundException";

/// The error codes of AWS for refused credentials, and our own code for missing credentials.
const REFUSED: [&str; 5] = [
    NO_CREDENTIALS,
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "UnrecognizedClientException",
];

const CREDENTIALS_CURE: &str = "AWS credentials are missing, expired or refused: log in again with `aws login` or \
                                `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID";

fn is_refused(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<Unavailable>().is_some_and(|fault| REFUSED.contains(&fault.reason.as_str()))
}

fn is_missing(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<Missing>() || cause.downcast_ref::<Unavailable>().is_some_and(|fault| fault.reason == NO_TABLE)
}

/// Returns true if AWS denied a call. It denies the tags of a missing table too.
fn is_denied(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<Unavailable>().is_some_and(|fault| fault.reason == "AccessDeniedException")
}

/// Prints a fault on standard error.
pub(crate) async fn complain(stack: &str, fault: anyhow::Error) {
    let fault = format!("{:#}", explained(stack, fault).await);
    let lines: Vec<String> = fault.lines().map(printable).collect();
    eprintln!("postbackctl: {}", lines.join("\n"));
}

/// Adds the cause and the cure to a fault if they are known. Known causes are credentials that AWS refuses, a missing
/// stack, and a stack that is older than this command.
async fn explained(stack: &str, fault: anyhow::Error) -> anyhow::Error {
    if fault.chain().any(is_refused) {
        return fault.context(CREDENTIALS_CURE);
    }
    let is_older = fault.chain().any(is_missing);
    if !is_older && !fault.chain().any(is_denied) {
        return fault;
    }
    let (Ok(connection), Ok(anybody)) = (Connection::open(stack).await, Provider::new("anybody")) else { return fault };
    let anybody = connection.configuration().partner(&anybody).await;
    if let Err(unavailable) = anybody {
        if unavailable.reason != NO_TABLE {
            return fault;
        }
        let region = connection.settings.region().unwrap_or_default();
        let at = connection.settings.endpoint_url().map_or_else(String::new, |url| format!(" at {url}"));
        return fault
            .context(format!("there is no stack {stack} in {region}{at}; name the stack with --stack or GG3_STACK"));
    }
    if !is_older {
        return fault;
    }
    fault.context(format!("the stack {stack} is older than this command; deploy the newest template.yaml"))
}

/// A stack in an account.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: AwsSettings,
    stack: String,
    /// Holds the caller of the credentials once it was asked for.
    caller: OnceCell<Author>,
    /// Holds how the stack was deployed once that was read.
    deployment: OnceCell<Deployment>,
}

impl Connection {
    /// Finds region and credentials in the environment or a profile: keys, `aws login`, SSO or a credential process.
    ///
    /// The clients keep the chain of providers instead of the credentials, so that a long replay can go on after a
    /// session's keys have expired. The credentials are read once here, so that a command without credentials ends
    /// before it does anything.
    pub(crate) async fn open(stack: &str) -> Result<Self> {
        let ca_bundle = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let http = http_client(ca_bundle.as_deref().map(Path::new));
        let http = http.context("AWS_CA_BUNDLE names a file that cannot be used")?;
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await;
        config.region().context("no AWS region; set AWS_REGION or a profile's region")?;
        let provider = config.credentials_provider().context(CREDENTIALS_CURE)?;
        provider.provide_credentials().await.context(CREDENTIALS_CURE)?;
        Ok(Self {
            settings: config.into(),
            stack: stack.to_owned(),
            caller: OnceCell::new(),
            deployment: OnceCell::new(),
        })
    }

    /// Returns the caller that STS names for the credentials.
    async fn caller(&self) -> Result<&Author, Unavailable> {
        self.caller.get_or_try_init(|| self.settings.caller(CallLimits::BACKGROUND)).await
    }

    /// Returns how the stack was deployed.
    pub(crate) async fn deployment(&self) -> Result<&Deployment, Unavailable> {
        let caller = self.caller().await?;
        self.deployment.get_or_try_init(|| self.read_deployment(caller)).await
    }

    /// Returns how long records of this kind are kept.
    pub(crate) async fn retention(&self, kind: Expiring) -> Result<Retention> {
        Ok(self.deployment().await?.retention(kind)?)
    }

    async fn read_deployment(&self, caller: &Author) -> Result<Deployment, Unavailable> {
        // Tables are of the caller's partition and account, which its ARN names: `arn:aws:sts::123456789012:…`.
        let mut parts = caller.as_str().split(':').skip(1);
        let (partition, account) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
        let (region, table) = (self.settings.region().unwrap_or_default(), self.table("partners"));
        let arn = format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}");
        Deployment::read(&self.settings.dynamodb(CallLimits::BACKGROUND), arn).await
    }

    /// Returns the tables of configuration.
    pub(crate) fn configuration(&self) -> Configuration {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        Configuration::new(client, self.table("partners"), self.table("secrets"), self.table("audit"))
    }

    /// Reads a partner's stored item and makes the partner from it. Fails if there is no such partner or its
    /// configuration is not valid.
    pub(crate) async fn partner(&self, provider: &Provider) -> Result<(StoredPartner, Partner)> {
        let stored = self.configuration().partner(provider).await?;
        let stored = stored.with_context(|| format!("there is no partner {provider}; apply its file first"))?;
        let invalid = |faults| anyhow!("the stored configuration of {provider} is not valid: {faults}");
        let partner = stored.partner().map_err(invalid)?;
        Ok((stored, partner))
    }

    /// Returns the audit records.
    pub(crate) fn audit(&self) -> DynamoAudit {
        DynamoAudit::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("audit"))
    }

    /// Returns the sessions of the console, and the links to the portal.
    pub(crate) fn sessions(&self) -> DynamoSessions {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        DynamoSessions::new(client, self.table("sessions"), self.audit())
    }

    /// Begins an operation. Its author is the caller of the credentials.
    pub(crate) async fn operation(&self, why: Option<Why>) -> Result<Operation> {
        let author = self.caller().await;
        let author = author.context("the caller of the AWS credentials is unknown; nothing was changed")?;
        let retention = self.retention(Expiring::AuditRecord).await?;
        Ok(Operation::new(author.clone(), Channel::Postbackctl, why, random::bytes()?).keeping_records(retention))
    }

    /// Returns the catalogue, to publish to.
    pub(crate) fn catalogue(&self) -> DynamoPublishing {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        DynamoPublishing::new(client, self.table("catalogue"), self.table("audit"))
    }

    /// Returns the catalogue, to read.
    pub(crate) fn catalogues(&self) -> DynamoCatalogues {
        DynamoCatalogues::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("catalogue"))
    }

    /// Returns the port that reads the recorded postbacks, refusals, conflicts and clicks.
    pub(crate) fn history(&self) -> History {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        let (postbacks, refusals) = (self.table("postbacks"), self.table("refusals"));
        History::new(client, postbacks, refusals, self.table("clicks"))
    }

    /// Returns the port that stores the changes when a refused call is sent again.
    pub(crate) fn resubmissions(&self, retention: Retention) -> DynamoResubmissions {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        let postbacks = DynamoPostbacks::new(client, self.table("postbacks"));
        DynamoResubmissions::new(postbacks, self.refusals(retention), self.audit())
    }

    fn refusals(&self, retention: Retention) -> DynamoRefusals {
        DynamoRefusals::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("refusals"), retention)
    }

    /// Returns operators' decisions about conflicts.
    pub(crate) fn resolutions(&self, retention: Retention) -> DynamoResolutions {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        let [postbacks, refusals, audit] = ["postbacks", "refusals", "audit"].map(|noun| self.table(noun));
        DynamoResolutions::new(client, postbacks, refusals, audit, retention)
    }

    /// Returns the port that reads the lookups, and the tables from which lookups are made.
    pub(crate) fn lookups(&self) -> DynamoListings {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        DynamoListings::new(client, self.table("lookups"), |origin| self.table(origin.as_str()))
    }

    /// Returns the entries of the lookups, to write.
    pub(crate) fn lookup_entries(&self) -> DynamoLookups {
        DynamoLookups::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("lookups"))
    }

    /// Returns the use case that handles a postback, built like that of the function `postback`.
    pub(crate) fn accept_postback(&self, retention: Retention) -> Accept {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        let (partners, secrets) = (self.table("partners"), self.table("secrets"));
        let policy = CachePolicy::default();
        AcceptPostback {
            partners: Cache::new(DynamoKnownPartners::new(client.clone(), partners, secrets.clone()), policy),
            keys: Cache::new(DynamoClickKeys::new(client.clone(), secrets), policy),
            postbacks: DynamoPostbacks::new(client, self.table("postbacks")),
            refusals: self.refusals(retention),
            rates: PartnerRates::default(),
            strangers: StrangerRates::default(),
        }
    }

    /// Returns the partners without their secrets.
    pub(crate) fn partners(&self) -> DynamoPartners {
        DynamoPartners::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("partners"))
    }

    /// Returns the key of the ids of erased persons.
    pub(crate) async fn archive_key(&self) -> Result<ArchiveKey> {
        let stored = self.configuration().secrets(&SecretPurpose::Archive).await?;
        let secret = stored.and_then(|stored| stored.secrets.into_iter().next());
        secret.map(ArchiveKey::new).context("the stack has no archive key yet; run `postbackctl apply` first")
    }

    /// Returns the tables from which persons are erased.
    pub(crate) fn erasures(&self) -> DynamoErasures {
        let table = |noun: &str| self.table(noun);
        let tables = ErasedTables {
            postbacks: table("postbacks"),
            refusals: table("refusals"),
            clicks: table("clicks"),
            participants: table("participants"),
            attempts: table("attempts"),
            lookups: table("lookups"),
        };
        DynamoErasures::new(self.settings.dynamodb(CallLimits::BACKGROUND), tables)
    }

    /// Returns the deliveries, to change.
    pub(crate) async fn deliveries(&self) -> Result<DynamoDeliveries> {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        let retention = self.retention(Expiring::Attempt).await?;
        Ok(DynamoDeliveries::new(client, self.table("deliveries"), self.table("attempts"), retention))
    }

    /// Returns the rounds, to open.
    pub(crate) async fn rounds(&self) -> Result<DynamoRounds> {
        Ok(DynamoRounds::new(self.deliveries().await?, self.audit()))
    }

    /// Returns the deliveries, to look at.
    pub(crate) fn delivery_records(&self) -> DynamoDeliveryRecords {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        DynamoDeliveryRecords::new(client, self.table("deliveries"), self.table("attempts"))
    }

    /// Returns the endpoints to which webhooks go.
    pub(crate) fn endpoints(&self) -> DynamoEndpoints {
        DynamoEndpoints::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("endpoints"))
    }

    /// Returns the deliveries under way.
    pub(crate) fn under_way(&self) -> DynamoUnderWay {
        DynamoUnderWay::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("deliveries"))
    }

    /// Returns the queue of resends.
    pub(crate) async fn resends(&self) -> Result<SqsResends> {
        let url = self.queue_url("webhook-retries").await?;
        Ok(SqsResends::new(self.sqs(), url))
    }

    /// Returns the addresses that webhooks may reach. If the AWS endpoint is on this machine, webhooks may reach this
    /// machine too.
    pub(crate) fn reach(&self) -> Reach {
        match Development::try_new(self.settings.endpoint_url().unwrap_or_default()) {
            Ok(proof) => Reach::Development { proof, extra_authorities: None },
            Err(_) => Reach::Public,
        }
    }

    /// Returns the partners as webhook-sender knows them.
    pub(crate) fn recipients(&self) -> DynamoRecipients {
        let client = self.settings.dynamodb(CallLimits::BACKGROUND);
        DynamoRecipients::new(client, self.table("partners"), self.table("secrets"), self.reach().allowance())
    }

    /// Returns the participants.
    pub(crate) fn participants(&self) -> DynamoParticipants {
        DynamoParticipants::new(self.settings.dynamodb(CallLimits::BACKGROUND), self.table("participants"))
    }

    /// Returns the queue that GG3 reads.
    pub(crate) async fn conversions(&self) -> Result<SqsConversions> {
        let url = self.queue_url("gg3-conversions").await?;
        Ok(SqsConversions::new(self.sqs(), url))
    }

    /// Returns the queue of GG3's events.
    pub(crate) async fn events(&self) -> Result<SqsEvents> {
        let url = self.queue_url("gg3-events").await?;
        Ok(SqsEvents::new(self.sqs(), url))
    }

    /// Returns the archive, to ask.
    pub(crate) fn archive(&self) -> AthenaArchive {
        // Names in Athena have no hyphens.
        let database = format!("{}_archive", self.stack.replace('-', "_"));
        AthenaArchive::new(self.settings.athena(CallLimits::BACKGROUND), format!("{}-reports", self.stack), database)
    }

    /// Returns a client of SQS.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        self.settings.sqs(CallLimits::BACKGROUND)
    }

    async fn queue_url(&self, noun: &str) -> Result<String> {
        self.queues().url(noun).await?.ok_or_else(|| self.missing_queue(noun))
    }

    fn queues(&self) -> SqsNames {
        SqsNames::new(self.sqs(), self.stack.clone())
    }

    /// Returns the dead-letter queues.
    pub(crate) fn dead_letter_queues(&self) -> SqsDeadLetterQueues {
        SqsDeadLetterQueues::new(self.queues())
    }

    /// Returns the fault that this stack has no queue of this name.
    pub(crate) fn missing_queue(&self, noun: &str) -> anyhow::Error {
        Missing(format!("there is no queue {}-{noun}", self.stack)).into()
    }

    fn table(&self, noun: &str) -> String {
        format!("{}-{noun}", self.stack)
    }
}
