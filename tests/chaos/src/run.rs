//! Runs one test, from making its world to reading its ledger.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    Arguments, dice,
    events::{self, AFTER_MS, Story},
    faults::Tally,
    ledger::{Conversions, Deliveries, Ledger},
    partners,
    postbacks::{self, AnsweredCall, CallResults},
    pump::{self, Seen},
    rising,
    worker::Worker,
    world::{World, now_ms},
};

/// Gives the sandboxes for each queue: the queue, its function and the number of sandboxes.
const CREW: [(&str, &str, usize); 3] =
    [("gg3-events", "event-evaluator", 3), ("webhooks", "webhook-sender", 3), ("webhook-retries", "webhook-sender", 3)];
const POSTBACK_SANDBOXES: usize = 3;
/// Counts the partners that wait for an answer at the same time.
const CALLERS: usize = 6;
/// Counts how many times in a row the queues must be seen empty.
const RESTS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Holds the parts of a run that work in the background.
struct Going {
    world: Arc<World>,
    seen: Arc<Seen>,
    outcome: Arc<CallResults>,
    callers: Vec<JoinHandle<()>>,
    pumps: Vec<JoinHandle<Worker>>,
    postbacks: Vec<Arc<Worker>>,
}

/// Makes the world, runs until everything is at rest, and reads the ledger.
pub(crate) async fn run(arguments: Arguments) -> Ledger {
    let Arguments { seed, transactions, rising, users, within_seconds } = arguments;
    let world = Arc::new(World::create().await);
    partners::tell(&world, seed).await;
    let story = Story::tell(&world, &mut dice::of(seed, "events"), users);
    let plain = postbacks::story(&world, &mut dice::of(seed, "postbacks"), transactions);
    let calls = rising::mix(plain, rising::story(&world, &mut dice::of(seed, "rising"), rising));
    until_all_events_are_past(&world).await;
    eprintln!("seed {seed}: sending {} postbacks and {} events", calls.len(), story.messages.len());

    let (tally, begun) = (Tally::default(), Instant::now());
    let mut going = Going::start(&world, seed, &tally, calls).await;
    events::send(&world, &story.messages).await;
    let at_rest = going.until_at_rest(Duration::from_secs(within_seconds)).await;
    let took = begun.elapsed();
    let killed = going.end().await;

    let mut ledger = Ledger::default();
    ledger.law(at_rest, || format!("the run was not at rest after {within_seconds} s"));
    ledger.line("seconds until everything was at rest", took.as_secs());
    for (what, count) in tally.lock().unwrap().iter() {
        ledger.line(what, *count);
    }
    ledger.line("processes killed", killed);
    ledger.line(
        "of them with a request or a batch in their hands",
        going.seen.died.load(Ordering::Relaxed) + going.killed_callers(),
    );
    ledger.line("batches answered", going.seen.answered.load(Ordering::Relaxed));
    ledger.line("messages reported as failed", going.seen.reported.load(Ordering::Relaxed));
    ledger.line("postback requests", going.outcome.requests.load(Ordering::Relaxed));
    ledger.line("of them without a final answer, and sent again", going.outcome.without_answer.load(Ordering::Relaxed));
    let answered = going.outcome.answered.lock().unwrap().clone();
    let (conversions, states) = Conversions::read(&world).await;
    let is_rising = |call: &AnsweredCall| world.rising.contains_key(&call.postback.provider);
    let (rising, plain): (Vec<AnsweredCall>, Vec<AnsweredCall>) = answered.into_iter().partition(is_rising);
    conversions.check(&plain, &mut ledger);
    states.check(&rising, &world.rising, &mut ledger);
    ledger.line("events, different", story.different);
    ledger.line("events, repeats included", story.messages.len());
    let killed_with = going.seen.killed_with.lock().unwrap().clone();
    let received = partners::received(&world).await;
    Deliveries::read(&world, received).await.check(&story, &killed_with, &mut ledger);
    ledger
}

/// Waits until all events lie in the past, because an event that is dated ahead of its arrival is malformed.
async fn until_all_events_are_past(world: &World) {
    let last = world.active_from.values().max().unwrap() + i64::try_from(AFTER_MS).unwrap();
    let wait = u64::try_from(last - now_ms()).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

impl Going {
    async fn start(world: &Arc<World>, seed: u64, tally: &Tally, calls: Vec<postbacks::Postback>) -> Self {
        let (noted, outcome) = (Arc::new(Seen::default()), Arc::new(CallResults::default()));
        let endpoint = world.stack.aws_endpoint_url.clone();
        let start = async |function: &str, name: String| {
            Worker::start(&endpoint, seed, &name, tally, |endpoint| world.settings(function, endpoint)).await
        };
        let mut pumps = Vec::new();
        for (queue, function, sandboxes) in CREW {
            for n in 0..sandboxes {
                let worker = start(function, format!("{function} of {queue} {n}")).await;
                pumps.push(tokio::spawn(pump::queue(Arc::clone(world), queue, worker, Arc::clone(&noted))));
            }
        }
        let relay = start("conversion-relay", "conversion-relay".to_owned()).await;
        pumps.push(tokio::spawn(pump::stream(Arc::clone(world), relay, Arc::clone(&noted))));
        let mut postbacks = Vec::new();
        for n in 0..POSTBACK_SANDBOXES {
            postbacks.push(Arc::new(start("postback", format!("postback {n}")).await));
        }
        let waiting = Arc::new(Mutex::new(VecDeque::from(calls)));
        let callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let worker = Arc::clone(&postbacks[n % POSTBACK_SANDBOXES]);
                tokio::spawn(postbacks::send(Arc::clone(world), worker, Arc::clone(&waiting), Arc::clone(&outcome)))
            })
            .collect();
        Self { world: Arc::clone(world), seen: noted, outcome, callers, pumps, postbacks }
    }

    /// Waits until every call is answered, every record relayed and every queue empty. Returns false if that takes
    /// too long.
    async fn until_at_rest(&mut self, within: Duration) -> bool {
        let (begun, mut reported, mut rests) = (Instant::now(), Instant::now(), 0);
        while begun.elapsed() < within {
            assert!(!self.pumps.iter().any(JoinHandle::is_finished), "a pump has ended; see its message above");
            let waiting = self.waiting().await;
            rests = if waiting.values().all(|count| *count == 0) { rests + 1 } else { 0 };
            if rests == RESTS {
                return true;
            }
            if reported.elapsed() > REPORT_EVERY {
                reported = Instant::now();
                eprintln!("{:>4} s, waiting: {waiting:?}", begun.elapsed().as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        false
    }

    /// Counts the work that is not at rest, by kind.
    async fn waiting(&self) -> BTreeMap<&'static str, u64> {
        let mut waiting = BTreeMap::new();
        waiting.insert("callers", self.callers.iter().filter(|caller| !caller.is_finished()).count() as u64);
        for (queue, _, _) in CREW {
            waiting.insert(queue, self.depth(queue).await);
        }
        if waiting["callers"] == 0 {
            let count = json!({"TableName": self.world.table("postbacks"), "Select": "COUNT", "ConsistentRead": true});
            let recorded = self.world.call("DynamoDB_20120810.Scan", &count).await["Count"].as_u64().unwrap();
            waiting.insert("stream", recorded.saturating_sub(self.seen.relayed.load(Ordering::Relaxed)));
        }
        waiting
    }

    /// Counts a queue's messages: waiting, received and delayed.
    async fn depth(&self, queue: &str) -> u64 {
        const NUMBERS: [&str; 3] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ];
        let ask = json!({"QueueUrl": self.world.queue(queue), "AttributeNames": NUMBERS});
        let answer = self.world.call("AmazonSQS.GetQueueAttributes", &ask).await;
        let number = |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok());
        NUMBERS.into_iter().map(|name| number(name).unwrap_or_else(|| panic!("{queue}: {answer}"))).sum()
    }

    /// Ends the pumps, and returns how many processes were killed in all.
    async fn end(&mut self) -> u64 {
        self.seen.over.store(true, Ordering::Relaxed);
        let mut killed: u64 = self.postbacks.iter().map(|worker| worker.killed.load(Ordering::Relaxed)).sum();
        for pump in std::mem::take(&mut self.pumps) {
            killed += pump.await.expect("no pump panics").killed.load(Ordering::Relaxed);
        }
        killed
    }

    /// Counts the postback processes that died with a request, whose partner got no answer.
    fn killed_callers(&self) -> u64 {
        self.outcome.died.load(Ordering::Relaxed)
    }
}
