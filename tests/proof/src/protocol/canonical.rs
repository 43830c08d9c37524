//! Decides when two states are the same, by writing each state as a text. Drawn names are written as numbers, in the
//! order of their first appearance. Instants are written as distances from now.
//!
//! The text leaves out everything that cannot change the next steps:
//! - The content of recorded attempts. Only their number matters, and if they include an attempt that a worker still
//!   holds.
//! - The values of revisions. A revision is only equal to the stored one or different.
//! - How long ago something was due.

use core::hash::{Hash, Hasher};

use domain::{
    outbound::{
        attempt::{Attempt, FinishedAttempt},
        delivery::{Claim, Delivery, Ending, Message},
    },
    values::{ids::ChainTicket, time::UnixMillis},
};

use super::{
    evaluator::Evaluator,
    scenario::Scenario,
    sender::{Decision, Job, Record, Sender},
    world::{Queued, World},
};

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written().hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.written() == other.written()
    }
}

impl World {
    /// Returns true if the message can never have an effect again. Either the message's round or delivery is over, or
    /// the attempt is recorded and the next message is owed by another chain. All such messages are equal.
    fn is_dead(&self, message: &Message) -> bool {
        let Some(delivery) = &self.delivery else { return false };
        let recorded = delivery.attempts().len();
        let behind = usize::from(message.n) <= recorded && message.round == delivery.round();
        let heir = usize::from(message.n) == recorded && delivery.recorded_under() == Some(&message.ticket);
        let over = delivery.ending().is_some() || message.round < delivery.round() || (behind && !heir);
        over && !self.careless
    }

    /// Returns true if a message with this ticket is in the queue or in a sender's hands.
    fn messages_of(&self, ticket: &ChainTicket) -> bool {
        let queued = self.queue.iter().map(|queued| &queued.message);
        let held = self.senders.iter().filter_map(Sender::job).map(|job| &job.message);
        queued.chain(held).any(|message| message.ticket == *ticket)
    }

    /// Returns the text of this state. The senders are equal, so of the texts for all orders of senders, the least one
    /// is taken.
    fn written(&self) -> Vec<u8> {
        match self.senders.len() {
            2 => self.written_in(&[0, 1]).min(self.written_in(&[1, 0])),
            senders => self.written_in(&(0..senders).collect::<Vec<_>>()),
        }
    }

    fn written_in(&self, senders: &[usize]) -> Vec<u8> {
        let mut pen = Pen { world: self, names: Vec::with_capacity(8), text: Vec::with_capacity(128) };
        pen.text.push(self.standing as u8);
        pen.flag(self.kept_2xx);
        pen.text.extend([self.rounds, self.broken().map_or(0, |law| 1 + law as u8)]);
        match &self.delivery {
            Some(delivery) => pen.delivery(delivery),
            None => pen.text.push(255),
        }
        for place in senders {
            pen.sender(&self.senders[*place]);
        }
        pen.evaluators();
        pen.queue();
        pen.claims();
        pen.text
    }
}

struct Pen<'a> {
    world: &'a World,
    names: Vec<&'a str>,
    text: Vec<u8>,
}

impl<'a> Pen<'a> {
    fn flag(&mut self, flag: bool) {
        self.text.push(u8::from(flag));
    }

    /// Writes a ticket or a mark as a number. Names are numbered in the order of their first appearance.
    fn name(&mut self, name: &'a str) {
        let number = self.number(name);
        self.text.push(number);
    }

    fn number(&mut self, name: &'a str) -> u8 {
        let met = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        u8::try_from(met).expect("few names")
    }

    /// Writes how far ahead the instant lies. All past instants are written alike: as now or, in a world with a sweep,
    /// as earlier than now.
    fn moment(&mut self, moment: UnixMillis) {
        let ahead = moment.as_millisecond() - self.world.now.as_millisecond();
        let past = if self.world.watched { -1 } else { 0 };
        self.text.extend(i32::try_from(ahead.max(past)).expect("days").to_be_bytes());
    }

    fn delivery(&mut self, delivery: &'a Delivery) {
        self.text.extend([small(delivery.round()), small(delivery.attempts().len())]);
        self.text.push(match delivery.ending() {
            None => 0,
            Some(Ending::Delivered) => 1,
            Some(Ending::Gone) => 2,
            Some(Ending::Exhausted) => 3,
            Some(Ending::Cancelled) => 4,
            Some(Ending::Unsendable) => 5,
        });
        if let Some(next) = delivery.next() {
            self.moment(next.due_at);
        }
        match delivery.claim() {
            Some(claim) => self.claim(claim),
            None => self.text.push(254),
        }
        let open = delivery.recorded_under().filter(|ticket| self.world.careless || self.world.messages_of(ticket));
        match (open, delivery.next()) {
            (Some(ticket), Some(next)) => {
                self.name(ticket.as_str());
                self.name(next.ticket.as_str());
            }
            _ => self.text.push(254),
        }
    }

    /// Writes a claim that a sender holds or that is stored in the delivery.
    fn claim(&mut self, claim: &'a Claim) {
        self.name(claim.mark.as_str());
        self.moment(claim.until);
        let lost = self.world.delivery.as_deref().and_then(Delivery::claim) != Some(claim);
        self.flag(lost);
        // The attempt of a lost and expired claim can still deliver, but can have no other effect. Its number and
        // ticket no longer matter.
        if !lost || claim.lives(self.world.now) || self.world.careless {
            self.text.extend([small(claim.round), claim.n]);
            self.name(claim.ticket.as_str());
        }
    }

    fn message(&mut self, message: &'a Message) {
        if self.world.is_dead(message) {
            self.text.push(251);
        } else {
            self.text.extend([small(message.round), message.n]);
            self.name(message.ticket.as_str());
            self.flag(self.world.still_matches(message));
        }
        self.moment(message.due_at);
    }

    fn job(&mut self, job: &'a Job) {
        // The text of the queue describes the message. Here it matters only if the queue still has the message.
        self.flag(self.world.queue.iter().any(|queued| queued.id == job.id));
        self.message(&job.message);
        self.name(job.mark.as_str());
        self.text.push(job.standing as u8);
    }

    /// Writes a flag that says if the replacement is stale, and the replacement if it can still be stored.
    fn replacement(&mut self, delivery: &'a Delivery, read: u32) {
        let stale = self.world.delivery.as_ref().is_none_or(|stored| stored.revision() != read);
        self.flag(stale);
        if !stale || self.world.careless {
            self.delivery(delivery);
        }
    }

    fn sender(&mut self, sender: &'a Sender) {
        match sender {
            Sender::Idle => self.text.push(0),
            Sender::Claiming(job, _) => {
                self.text.push(1);
                self.job(job);
                if let Some(until) = self.world.held_until(sender) {
                    self.moment(until);
                }
            }
            Sender::Deciding(job) => {
                self.text.push(11);
                self.job(job);
            }
            Sender::Decided(job, decision) => {
                self.text.push(2);
                self.job(job);
                self.decision(decision);
            }
            Sender::Claimed(job, claim, delivery) => {
                self.text.push(3);
                self.under_claim(job, claim, delivery);
            }
            Sender::Sent(job, claim, delivery, _) => {
                self.text.push(4);
                self.under_claim(job, claim, delivery);
            }
            Sender::Answered(job, claim, answered) => {
                self.text.push(5);
                self.job(job);
                self.claim(claim);
                self.attempt(claim, answered);
            }
            Sender::Recording(job, claim, answered, record) => {
                self.text.push(6);
                self.job(job);
                self.claim(claim);
                self.attempt(claim, answered);
                self.record(record);
            }
            Sender::Enqueue(job, message) => {
                self.text.push(7);
                self.job(job);
                self.message(message);
            }
            Sender::Acknowledge(job) => {
                self.text.push(8);
                self.job(job);
            }
            Sender::EnqueueAcknowledged(message) => {
                self.text.push(9);
                self.message(message);
            }
            Sender::StoreDelivered(job, delivery, read) => {
                self.text.push(10);
                self.job(job);
                self.replacement(delivery, *read);
            }
        }
    }

    /// Writes the job and the claim. The claim's text says if the claim is lost, and only a flawed worker replaces a
    /// delivery whose claim is lost. The delivery itself is therefore written only in a world with such a worker.
    fn under_claim(&mut self, job: &'a Job, claim: &'a Claim, delivery: &'a Delivery) {
        self.job(job);
        self.claim(claim);
        if self.world.careless {
            self.replacement(delivery, delivery.revision());
        }
    }

    fn attempt(&mut self, claim: &'a Claim, answered: &FinishedAttempt) {
        let attempt = Attempt::of(claim.n, claim.due_at, answered);
        let delivery = self.world.delivery.as_deref();
        let contained = delivery.is_some_and(|delivery| delivery.attempts().contains(&attempt));
        self.text.extend([u8::from(contained), attempt.outcome.verdict() as u8]);
        // If the attempt can still be recorded, its end decides when the next attempt is due.
        let due = Scenario::policy().due(claim.n, answered.ended_at, answered.retry_after);
        let recordable = self.world.careless || delivery.and_then(Delivery::claim) == Some(claim);
        if let Some(due) = due.filter(|_| recordable) {
            self.moment(due);
        }
    }

    fn decision(&mut self, decision: &'a Decision) {
        match decision {
            Decision::Claim(delivery, _, read) => {
                self.text.push(20);
                self.replacement(delivery, *read);
            }
            Decision::Cancel(delivery, read) => {
                self.text.push(21);
                self.replacement(delivery, *read);
            }
        }
    }

    fn record(&mut self, record: &'a Record) {
        match record {
            Record::Stored(delivery, _, read) => {
                self.text.push(30);
                self.replacement(delivery, *read);
            }
            Record::Late(delivery, verdict, read) => {
                self.text.extend([31, *verdict as u8]);
                if let Some(delivery) = delivery {
                    self.replacement(delivery, *read);
                }
            }
        }
    }

    fn evaluators(&mut self) {
        let mut written: Vec<Vec<u8>> = Vec::new();
        for evaluator in &self.world.evaluators {
            let start = self.text.len();
            self.evaluator(evaluator);
            written.push(self.text.split_off(start));
        }
        written.sort_unstable();
        self.text.extend(written.into_iter().flatten());
        let events = self.world.events.iter().fold(0, |events, event| events | 1 << event);
        self.text.push(events);
        let participant = &self.world.participant.0;
        self.text.extend(serde_json::to_vec(&**participant).expect("a participant is JSON"));
    }

    fn evaluator(&mut self, evaluator: &'a Evaluator) {
        let version = self.world.participant.1;
        let (step, event, applied) = match evaluator {
            Evaluator::Idle => (0, 0, None),
            Evaluator::Read(event) => (1, *event, None),
            Evaluator::Put(event, applied) => (2, *event, Some(applied)),
            Evaluator::Send(event, applied, message) => {
                self.message(message);
                (3, *event, Some(applied))
            }
            Evaluator::Write(event, applied) => (4, *event, Some(applied)),
            Evaluator::Acknowledge(event) => (5, *event, None),
        };
        self.text.extend([step, small(event)]);
        if let Some(applied) = applied {
            self.flag(applied.version == version);
            self.flag(applied.owed.is_some());
            self.text.extend(serde_json::to_vec(&*applied.participant).expect("a participant is JSON"));
        }
    }

    /// Writes the messages, sorted by content and holder. Tickets that appear only in messages are numbered in this
    /// order.
    fn queue(&mut self) {
        let mut messages: Vec<(Vec<u8>, &Queued)> = Vec::with_capacity(self.world.queue.len());
        for queued in &self.world.queue {
            let start = self.text.len();
            let dead = self.world.is_dead(&queued.message);
            self.flag(dead);
            self.moment(queued.message.due_at);
            if !dead {
                self.text.extend([small(queued.message.round), queued.message.n]);
                let ticket = queued.message.ticket.as_str();
                self.text.push(self.names.iter().position(|known| *known == ticket).map_or(253, small));
                self.flag(self.world.still_matches(&queued.message));
            }
            for sender in &self.world.senders {
                let mark = sender.job().filter(|job| job.id == queued.id).map(|job| job.mark.as_str());
                self.text.extend(self.names.iter().position(|known| Some(*known) == mark).map(small));
            }
            messages.push((self.text.split_off(start), queued));
        }
        messages.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (written, queued) in messages {
            self.text.push(252);
            self.text.extend(written);
            if !self.world.is_dead(&queued.message) {
                self.name(queued.message.ticket.as_str());
            }
        }
    }

    fn claims(&mut self) {
        let mut written: Vec<(u8, u8)> = Vec::new();
        for stored in &self.world.claims {
            let number = self.number(stored.claim.mark.as_str());
            written.push((number, stored.requests));
            // The round and the number are written too, because a claim that neither a worker nor the delivery holds
            // has no other text.
            self.text.extend([small(stored.claim.round), stored.claim.n]);
            self.moment(stored.claim.until);
        }
        written.sort_unstable();
        self.text.extend(written.into_iter().flat_map(|(number, requests)| [number, requests]));
    }
}

fn small(number: impl TryInto<u8>) -> u8 {
    number.try_into().unwrap_or(u8::MAX)
}
