//! Wires the function `console` to AWS.

use std::{convert::Infallible, sync::Arc, time::Duration};

use adapters::{
    athena::AthenaArchive,
    aws::CallLimits,
    cloudwatch::CloudWatchAlarms,
    deployed::Deployed as Standard,
    dynamodb::{
        audit::DynamoAudit,
        catalogue::{DynamoCatalogues, DynamoPublishing},
        configuration::Configuration,
        deliveries::{DynamoDeliveries, DynamoRounds},
        delivery_records::DynamoDeliveryRecords,
        endpoints::DynamoEndpoints,
        history::History,
        lookups::DynamoListings,
        named_requests::DynamoNamedRequests,
        participants::DynamoParticipants,
        partners::{DynamoAdmittedPartners, DynamoClickKeys, DynamoPartners, DynamoShownRecipients},
        postbacks::DynamoPostbacks,
        refusals::DynamoRefusals,
        resolutions::DynamoResolutions,
        resubmissions::DynamoResubmissions,
        sessions::DynamoSessions,
        test_permits::DynamoTestPermits,
    },
    random,
    sqs::{SqsDeadLetterQueues, SqsNames, SqsResends},
    system::System,
    webhook::{Limits, Reach, WebhookClient, WebhookSettings},
};
use app::{
    accept_postback::{AcceptPostback, PartnerRates, StrangerRates},
    cache::{Cache, CachePolicy},
    operators::trace::Trace,
};
use axum::{Router, body};
use domain::{
    jiff::{SignedDuration, Timestamp},
    lookup::Origin,
    outbound::{timing::Timing, webhook::Development},
    retention::Expiring,
};
use lambda::environment::{Environment, EnvironmentFaults};
use lambda_http::{Adapter, Body, Error, LambdaEvent, Request, Response, Service, tower::ServiceExt};
use tracing::info;

use crate::{
    gateway::{PageEvent, nowhere, page_request, request_id},
    issuer::{IssuerSettings, Oidc},
    ports::{Console, Ports},
    routes::router,
    site::Site,
};

/// Limits how long a page waits for a report. The query goes on, and the page asks again.
const REPORT_PATIENCE: Duration = Duration::from_secs(5);
/// Limits a test webhook. It gets no more than half of the function's time.
const TEST_LIMIT: Duration = Duration::from_secs(10);

/// Names the ports with which calls are handled. They differ from those of the function `postback` in the partners, who
/// have no credentials here.
pub(crate) enum Accepting {}

impl app::ports::Ports for Accepting {
    type KnownPartners = DynamoAdmittedPartners;
    type Partners = <Standard as app::ports::Ports>::Partners;
    type Recipients = <Standard as app::ports::Ports>::Recipients;
    type ClickKeys = <Standard as app::ports::Ports>::ClickKeys;
    type Keys = <Standard as app::ports::Ports>::Keys;
    type Postbacks = <Standard as app::ports::Ports>::Postbacks;
    type Refusals = <Standard as app::ports::Ports>::Refusals;
    type Clicks = <Standard as app::ports::Ports>::Clicks;
    type Catalogues = <Standard as app::ports::Ports>::Catalogues;
    type Participants = <Standard as app::ports::Ports>::Participants;
    type NewDeliveries = <Standard as app::ports::Ports>::NewDeliveries;
    type Deliveries = <Standard as app::ports::Ports>::Deliveries;
    type Endpoints = <Standard as app::ports::Ports>::Endpoints;
    type UnderWay = <Standard as app::ports::Ports>::UnderWay;
    type Webhooks = <Standard as app::ports::Ports>::Webhooks;
    type Resends = <Standard as app::ports::Ports>::Resends;
    type Servers = <Standard as app::ports::Ports>::Servers;
    type DeadLetters = <Standard as app::ports::Ports>::DeadLetters;
    type Clock = <Standard as app::ports::Ports>::Clock;
    type Randomness = <Standard as app::ports::Ports>::Randomness;
}

/// Names the implementations of the ports in a deployment.
enum Deployed {}

impl Ports for Deployed {
    type Issuer = Oidc;
    type Sessions = DynamoSessions;
    type Requests = DynamoNamedRequests;
    type Configuration = Configuration;
    type Publishing = DynamoPublishing;
    type Audits = DynamoAudit;
    type Archive = AthenaArchive;
    type Listings = DynamoListings;
    type Inbound = History;
    type Deliveries = DynamoDeliveryRecords;
    type Participants = DynamoParticipants;
    type Catalogues = DynamoCatalogues;
    type Recipients = DynamoShownRecipients;
    type Partners = DynamoPartners;
    type Endpoints = DynamoEndpoints;
    type ClickKeys = DynamoClickKeys;
    type Resolutions = DynamoResolutions;
    type Accepting = Accepting;
    type Resubmissions = DynamoResubmissions;
    type Rounds = DynamoRounds;
    type Resends = SqsResends;
    type Permits = DynamoTestPermits;
    type Servers = WebhookClient;
    type DeadLetters = SqsDeadLetterQueues;
    type Alarms = CloudWatchAlarms;
    type Clock = System;
}

/// Serves the console's pages.
pub struct ConsoleFunction {
    router: Router,
}

/// Runs a function that answers the console's requests.
pub async fn run<'a, H>(handler: H) -> Result<(), Error>
where
    H: Service<Request, Response = Response<Body>, Error = Infallible, Future: Send + 'a>,
{
    let service = Adapter::from(handler).map_request(|event: LambdaEvent<PageEvent>| {
        let LambdaEvent { payload, context } = event;
        LambdaEvent { payload: payload.0, context }
    });
    lambda_http::lambda_runtime::run(service).await
}

/// Returns the addresses that test webhooks may reach: this machine too if AWS's endpoint is on it. Otherwise plain http is
/// a fault.
fn reach(env: &mut Environment, endpoint: &str, settings: &IssuerSettings) -> Reach {
    if let Ok(proof) = Development::try_new(endpoint) {
        return Reach::Development { proof, extra_authorities: None };
    }
    if !settings.all_are_https() {
        env.fault("CONSOLE_URL and the issuer's URLs must begin with https://");
    }
    Reach::Public
}

impl ConsoleFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let (aws, timeout) = (env.aws(), env.function_timeout());
        let mut table = |name: &str| env.required(name);
        let [partners, secrets, postbacks, refusals, clicks, lookups] =
            ["PARTNERS_TABLE", "SECRETS_TABLE", "POSTBACKS_TABLE", "REFUSALS_TABLE", "CLICKS_TABLE", "LOOKUPS_TABLE"]
                .map(&mut table);
        let [catalogue, participants, deliveries, attempts, endpoints, audit, sessions] = [
            "CATALOGUE_TABLE",
            "PARTICIPANTS_TABLE",
            "DELIVERIES_TABLE",
            "ATTEMPTS_TABLE",
            "ENDPOINTS_TABLE",
            "AUDIT_TABLE",
            "SESSIONS_TABLE",
        ]
        .map(&mut table);
        let attempt_retention = env.retention("ATTEMPT_RETENTION_DAYS", Expiring::Attempt);
        let refusal_retention = env.retention("REFUSAL_RETENTION_DAYS", Expiring::Refusal);
        let audit_retention = env.retention("AUDIT_RETENTION_DAYS", Expiring::AuditRecord);
        let lead = SignedDuration::try_from(Timing::default().lead()).unwrap_or_default();
        let campaign_lead = env.seconds("CAMPAIGN_LEAD_SECONDS", lead).unsigned_abs();
        let resends = env.required("WEBHOOK_RETRIES_QUEUE_URL");
        let [work_group, database] = ["REPORTS_WORK_GROUP", "ARCHIVE_DATABASE"].map(|name| env.required(name));
        let stack = env.required("STACK_NAME");
        let url = env.required("CONSOLE_URL");
        let site = Site::parse(&url);
        if site.is_none() {
            env.fault("CONSOLE_URL must be the URL of the console's first page");
        }
        let settings = issuer_settings(&mut env, site.as_ref());
        let reach = reach(&mut env, aws.endpoint_url().unwrap_or_default(), &settings);
        let issuer = Oidc::try_new(settings).map_err(|fault| env.fault(fault)).ok();
        let servers = servers(&mut env, reach.clone(), timeout);
        env.finish()?;
        let (Some(site), Some(issuer), Some(servers)) = (site, issuer, servers) else {
            return Err(EnvironmentFaults::default());
        };
        // A trace asks for many things in turn, and a page that takes as long as the function may is of no use.
        let limits = CallLimits::answering(timeout, 3);
        let client = aws.dynamodb(limits);
        let archive = AthenaArchive::new(aws.athena(limits), work_group, database);
        let known = DynamoPartners::new(client.clone(), partners.clone());
        let audits = DynamoAudit::new(client.clone(), audit.clone());
        let recorded = DynamoPostbacks::new(client.clone(), postbacks.clone());
        let refused = DynamoRefusals::new(client.clone(), refusals.clone(), refusal_retention);
        let keys = DynamoClickKeys::new(client.clone(), secrets.clone());
        let owed = DynamoDeliveries::new(client.clone(), deliveries.clone(), attempts.clone(), attempt_retention);
        let console = Console::<Deployed> {
            site,
            issuer,
            requests: DynamoNamedRequests::new(client.clone(), sessions.clone()),
            permits: DynamoTestPermits::new(sessions.clone(), audits.clone()),
            servers,
            sessions: DynamoSessions::new(client.clone(), sessions, audits.clone()),
            configuration: Configuration::new(client.clone(), partners, secrets, audit.clone()),
            publishing: DynamoPublishing::new(client.clone(), catalogue.clone(), audit.clone()),
            allowance: reach.allowance(),
            campaign_lead,
            audits: audits.clone(),
            archive: Box::new(move |label| archive.clone().resumable(label, REPORT_PATIENCE)),
            trace: Trace {
                listings: DynamoListings::new(client.clone(), lookups, |origin| {
                    match origin {
                        Origin::Postbacks => &postbacks,
                        Origin::Refusals => &refusals,
                        Origin::Clicks => &clicks,
                        Origin::Deliveries => &deliveries,
                        Origin::Participants => &participants,
                    }
                    .clone()
                }),
                inbound: History::new(client.clone(), postbacks.clone(), refusals.clone(), clicks.clone()),
                deliveries: DynamoDeliveryRecords::new(client.clone(), deliveries.clone(), attempts),
                participants: DynamoParticipants::new(client.clone(), participants.clone()),
                catalogues: DynamoCatalogues::new(client.clone(), catalogue),
                recipients: DynamoShownRecipients::new(known.clone(), reach.allowance()),
                partners: known.clone(),
                endpoints: DynamoEndpoints::new(client.clone(), endpoints),
            },
            click_keys: keys.clone(),
            resolutions: DynamoResolutions::new(client, postbacks, refusals, audit, refusal_retention),
            audit_retention,
            resubmissions: DynamoResubmissions::new(recorded.clone(), refused.clone(), audits.clone()),
            partners: known.clone(),
            rounds: DynamoRounds::new(owed, audits),
            resends: SqsResends::new(aws.sqs(limits), resends),
            dead_letters: SqsDeadLetterQueues::new(SqsNames::new(aws.sqs(CallLimits::GLANCING), stack.clone())),
            alarms: CloudWatchAlarms::new(aws.cloudwatch(CallLimits::GLANCING), stack),
            clock: System,
            strangers: StrangerRates::default(),
            accept: Box::new(move || accepting(&known, &keys, &recorded, &refused)),
            now,
            random: random::bytes,
        };
        Ok(Self { router: router(Arc::new(console)) })
    }

    /// Handles one request. Every failure becomes a response.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, Infallible> {
        let (id, method) = (request_id(&request), request.method().clone());
        let nowhere = nowhere(&request);
        let request = page_request(request).unwrap_or(nowhere);
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        // Paths and queries hold ids and links' tokens, so the line names neither.
        info!(request_id = id, method = method.as_str(), status = parts.status.as_u16(), bytes = body.len(), "page");
        let text = String::from_utf8(body.to_vec()).map_or_else(|bytes| Body::Binary(bytes.into_bytes()), Body::Text);
        Ok(Response::from_parts(parts, text))
    }
}

/// Makes the use case that handles a call. Nothing of an earlier call is held.
fn accepting(
    partners: &DynamoPartners,
    keys: &DynamoClickKeys,
    postbacks: &DynamoPostbacks,
    refusals: &DynamoRefusals,
) -> AcceptPostback<Accepting> {
    AcceptPostback {
        partners: Cache::new(DynamoAdmittedPartners::new(partners.clone()), CachePolicy::default()),
        keys: Cache::new(keys.clone(), CachePolicy::default()),
        postbacks: postbacks.clone(),
        refusals: refusals.clone(),
        rates: PartnerRates::default(),
        strangers: StrangerRates::default(),
    }
}

/// Makes the client of test webhooks, whose limits leave half of the function's time.
fn servers(env: &mut Environment, reach: Reach, timeout: Duration) -> Option<WebhookClient> {
    let settings = WebhookSettings { reach, limits: Limits::within(TEST_LIMIT.min(timeout / 2)) };
    WebhookClient::new(&settings).map_err(|fault| env.fault(fault.to_string())).ok()
}

/// Reads where people sign in.
fn issuer_settings(env: &mut Environment, site: Option<&Site>) -> IssuerSettings {
    IssuerSettings {
        issuer: env.required("OIDC_ISSUER"),
        client_id: env.required("OIDC_CLIENT_ID"),
        keys_url: env.required("OIDC_KEYS_URL"),
        authorize_url: env.required("OIDC_AUTHORIZE_URL"),
        token_url: env.required("OIDC_TOKEN_URL"),
        return_url: site.map(Site::signed_in_url).unwrap_or_default(),
    }
}

/// Returns the current time, cut to the millisecond, because stored times are that precise.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
