//! Makes a run's own part of the stack: partners, tables like the deployed ones, queues.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use adapters::dynamodb::catalogue::DynamoCatalogues;
use app::ports::{Catalogues as _, Published};
use domain::outbound::catalogue::Snapshot;
use serde_json::{Value, json};
use tests::{
    operator::postbackctl,
    runtime_api::Settings,
    stack::{Stack, http_client},
};

/// Names the tables that functions write. Each run has its own copies of these tables, but reads the configuration from
/// the deployed tables.
const TABLES: [&str; 6] = ["postbacks", "refusals", "participants", "deliveries", "attempts", "endpoints"];
/// Names the queues that functions read or write, each with the dead-letter queue for messages received too often.
const QUEUES: [(&str, Option<&str>); 10] = [
    ("conversion-dead-letters", None),
    ("gg3-events-dead-letters", None),
    ("gg3-events-broken-links", None),
    ("gg3-events-unknown-types", None),
    ("webhooks-dead-letters", None),
    ("webhook-retries-dead-letters", None),
    ("gg3-conversions", None),
    ("gg3-events", Some("gg3-events-dead-letters")),
    ("webhooks", Some("webhooks-dead-letters")),
    ("webhook-retries", Some("webhook-retries-dead-letters")),
];
/// Equals the value in template.yaml.
const MAX_RECEIVES: u32 = 20;
/// Limits how long a function may live and a claim is held. It is long enough for a loaded machine.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(8);
/// Says how long a message is hidden. It is longer than its function can live, and short because each kill costs this
/// time.
const VISIBILITY_SECONDS: u64 = 10;
const ATTEMPT_SECONDS: u64 = 1;
const LEAD_SECONDS: u64 = 6;

/// Names the partners that have campaigns in a run.
pub(crate) const PARTNERS: [&str; 4] = ["a", "b", "c", "d"];
/// Names the partners that agreed on statuses and on negative amounts. With the first of them, a step may bring another
/// amount.
const RISING: [&str; 2] = ["rises-anew", "rises"];
/// Holds the number of clicks that each partner's campaign `strike` requires.
pub(crate) const STRIKE: u64 = 5;
/// Gives the quest that each partner's `quest` asks for.
pub(crate) const QUEST: &str = "q1";
/// Gives the quests that each partner's `group` asks for.
pub(crate) const GROUP: [&str; 3] = ["q2", "q3", "q4"];
/// Names the campaigns of each partner.
pub(crate) const CAMPAIGNS: [&str; 4] = ["sign-up", "strike", "quest", "group"];

/// Holds a run's part of the stack.
pub(crate) struct World {
    pub(crate) stack: Stack,
    http: reqwest::Client,
    tables: BTreeMap<String, String>,
    queues: BTreeMap<String, String>,
    /// Holds the partners' tokens by provider.
    pub(crate) tokens: BTreeMap<String, String>,
    /// Holds the partners with statuses. Says of each if a step may bring another amount.
    pub(crate) rising: BTreeMap<String, bool>,
    /// Says when each campaign of each partner begins, in Unix milliseconds.
    pub(crate) active_from: BTreeMap<(String, String), i64>,
}

impl World {
    /// Creates the tables, queues and partners.
    pub(crate) async fn create() -> Self {
        let stack = Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"));
        let run = format!("chaos-{}", now_ms());
        let mut world = Self {
            stack,
            http: http_client(),
            tables: BTreeMap::new(),
            queues: BTreeMap::new(),
            tokens: BTreeMap::new(),
            rising: BTreeMap::new(),
            active_from: BTreeMap::new(),
        };
        for table in TABLES {
            world.clone_table(table, &format!("{run}-{table}")).await;
        }
        for (queue, dead_letters) in QUEUES {
            world.create_queue(queue, &format!("{run}-{queue}"), dead_letters).await;
        }
        world.apply_partners(&run).await;
        world
    }

    /// Calls the local AWS with JSON. The target is, for example, `DynamoDB_20120810.Scan` or
    /// `AmazonSQS.ReceiveMessage`.
    pub(crate) async fn call(&self, target: &str, body: &Value) -> Value {
        let service = if target.starts_with("AmazonSQS") { "sqs" } else { "dynamodb" };
        let scope = format!("Credential=test/20260101/{}/{service}/aws4_request", self.stack.region);
        let request = (self.http.post(&self.stack.aws_endpoint_url))
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            // The local AWS reads only the scope.
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
            .body(body.to_string());
        let answer = request.send().await.unwrap_or_else(|fault| panic!("{target}: {fault}"));
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target} says {status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) fn table(&self, name: &str) -> &str {
        &self.tables[name]
    }

    pub(crate) fn queue(&self, name: &str) -> &str {
        &self.queues[name]
    }

    /// Names the partners without statuses, which run campaigns.
    pub(crate) fn plain(&self) -> Vec<String> {
        self.tokens.keys().filter(|provider| !self.rising.contains_key(*provider)).cloned().collect()
    }

    /// Returns a function's settings for the endpoint of a proxy, with every variable that any function reads.
    pub(crate) fn settings(&self, function: &str, endpoint_url: &str) -> Settings {
        let through = |queue: &str| self.queue(queue).replace(&self.stack.aws_endpoint_url, endpoint_url);
        let seconds = FUNCTION_TIMEOUT.as_secs();
        let mut settings = Settings::built(function)
            .timeout(FUNCTION_TIMEOUT)
            .variables(self.stack.aws_environment(endpoint_url))
            .variable("FUNCTION_TIMEOUT_SECONDS", seconds.to_string())
            // Functions require that a queue hides a message for six times their timeout, as it does on AWS. The queues
            // here hide it for less time, but for longer than a function can live.
            .variable("QUEUE_VISIBILITY_SECONDS", (6 * seconds).to_string())
            .variable("WEBHOOK_ATTEMPT_SECONDS", ATTEMPT_SECONDS.to_string())
            .variable("LOOPBACK_WEBHOOKS", "true")
            .variable("CATALOGUE_POLL_SECONDS", "1")
            .variable("CATALOGUE_MAX_AGE_SECONDS", "4")
            .variable("EVENT_MAX_AHEAD_SECONDS", "1")
            .variable("CAMPAIGN_LEAD_SECONDS", LEAD_SECONDS.to_string());
        for table in ["partners", "secrets", "catalogue"] {
            settings = settings.variable(variable(table, "TABLE"), self.stack.table(table));
        }
        for (name, table) in &self.tables {
            settings = settings.variable(variable(name, "TABLE"), table);
        }
        for name in self.queues.keys() {
            settings = settings.variable(variable(name, "QUEUE_URL"), through(name));
        }
        settings.variable("CONVERSIONS_QUEUE_URL", through("gg3-conversions"))
    }

    async fn clone_table(&mut self, name: &str, clone: &str) {
        let described =
            self.call("DynamoDB_20120810.DescribeTable", &json!({"TableName": self.stack.table(name)})).await;
        let mut table = json!({"TableName": clone, "BillingMode": "PAY_PER_REQUEST"});
        for part in ["KeySchema", "AttributeDefinitions"] {
            table[part] = described["Table"][part].clone();
        }
        if let Some(indexes) = described["Table"]["GlobalSecondaryIndexes"].as_array() {
            let plain = |index: &Value| json!({"IndexName": index["IndexName"], "KeySchema": index["KeySchema"], "Projection": index["Projection"]});
            table["GlobalSecondaryIndexes"] = indexes.iter().map(plain).collect();
        }
        if name == "postbacks" {
            table["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
        }
        self.call("DynamoDB_20120810.CreateTable", &table).await;
        self.tables.insert(name.to_owned(), clone.to_owned());
    }

    async fn create_queue(&mut self, name: &str, queue: &str, dead_letters: Option<&str>) {
        let mut attributes = json!({"VisibilityTimeout": VISIBILITY_SECONDS.to_string()});
        if let Some(dead_letters) = dead_letters {
            let asked = json!({"QueueUrl": self.queue(dead_letters), "AttributeNames": ["QueueArn"]});
            let arn = self.call("AmazonSQS.GetQueueAttributes", &asked).await["Attributes"]["QueueArn"].clone();
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES});
            attributes["RedrivePolicy"] = policy.to_string().into();
        }
        let made = self.call("AmazonSQS.CreateQueue", &json!({"QueueName": queue, "Attributes": attributes})).await;
        self.queues.insert(name.to_owned(), made["QueueUrl"].as_str().unwrap().to_owned());
    }

    /// Applies the partners as an operator would, and gives the simulator the secrets that sign their webhooks.
    async fn apply_partners(&mut self, run: &str) {
        let folder = std::env::temp_dir().join(run);
        std::fs::create_dir(&folder).unwrap();
        let write = |provider: &str, file: Value| {
            // A partner file may be JSON, because JSON is YAML.
            std::fs::write(folder.join(format!("{provider}.yaml")), file.to_string()).unwrap();
        };
        for partner in PARTNERS {
            let provider = format!("{run}-{partner}");
            write(&provider, partner_file(&provider, &self.stack.partner_simulator_url));
        }
        for (partner, may_change) in RISING.into_iter().zip([true, false]) {
            let provider = format!("{run}-{partner}");
            write(&provider, rising_file(&provider, may_change));
            self.rising.insert(provider, may_change);
        }
        let (path, lead) = (folder.to_str().unwrap(), LEAD_SECONDS.to_string());
        let flags = ["--yes", "--json", "--loopback-webhooks", "--campaign-lead-seconds", &lead];
        let applied = postbackctl(&self.stack, &[&["apply", path][..], &flags].concat());
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let applied: Value = serde_json::from_slice(&applied.stdout).unwrap();
        for partner in applied["partners"].as_array().unwrap() {
            let provider = partner["provider"].as_str().unwrap().to_owned();
            if let Some(secret) = partner["webhook_secret"].as_str() {
                let script = tests::partner_simulator::Script::secrets([secret.parse().unwrap()]);
                self.stack.partner_simulator().set_script(&provider, &script).await;
            }
            self.tokens.insert(provider, partner["token"].as_str().unwrap().to_owned());
        }
        self.read_beginnings().await;
    }

    async fn read_beginnings(&mut self) {
        let catalogues = DynamoCatalogues::new(self.stack.dynamodb(), self.stack.table("catalogue").to_owned());
        let Published::Other(catalogue) = catalogues.current(None).await.unwrap() else { panic!("it was published") };
        for (provider, goals) in Snapshot::from(*catalogue).partners {
            for (campaign, terms) in goals.campaigns {
                let begins = terms.active_from.as_millisecond();
                self.active_from.insert((provider.to_string(), campaign.to_string()), begins);
            }
        }
        self.active_from.retain(|(provider, _), _| self.tokens.contains_key(provider));
    }
}

/// Makes a variable's name: `gg3-events` and `QUEUE_URL` make `GG3_EVENTS_QUEUE_URL`.
fn variable(name: &str, suffix: &str) -> String {
    format!("{}_{suffix}", name.to_ascii_uppercase().replace('-', "_"))
}

fn partner_file(provider: &str, simulator_url: &str) -> Value {
    let goals = [
        json!({"type": "registration"}),
        json!({"type": "ggstrike", "clicks": STRIKE}),
        json!({"type": "main_quest", "quest": QUEST}),
        json!({"type": "main_quests", "quests": GROUP}),
    ];
    let campaigns: Vec<Value> = (CAMPAIGNS.iter().zip(goals))
        .map(|(name, goal)| {
            let url = format!("{simulator_url}/{provider}/hook?click={{clickId}}&event={{event}}");
            json!({"name": name, "goal": goal, "active_from": "on_publish", "initial_interval_seconds": 1,
                "webhook": {"url": url}})
        })
        .collect();
    json!({
        "provider": provider,
        "name": "A partner of a chaos run",
        "postback": {"credential": "token"},
        "media_buying": {"ids": ["click_id"], "campaigns": campaigns},
    })
}

fn rising_file(provider: &str, may_change: bool) -> Value {
    let changing: &[&str] = if may_change { &["approved", "rejected"] } else { &[] };
    let status =
        json!({"parameter": "state", "pending": ["pending"], "approved": ["approved"], "rejected": ["rejected"]});
    json!({
        "provider": provider,
        "name": "A partner of a chaos run that confirms later",
        "postback": {"credential": "token", "status": status, "amount_may_change": changing,
            "negative_amounts": "reverse", "reference": "original"},
    })
}

/// Returns the current time in Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
