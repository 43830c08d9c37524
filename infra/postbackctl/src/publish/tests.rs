use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use domain::{
    audit::{Author, Channel},
    jiff::Timestamp,
};

use super::*;

const LEAD: Duration = Duration::from_mins(3);

/// A catalogue in memory; `rivals` publish, one before each of our first attempts.
#[derive(Default)]
struct Shelf {
    current: RefCell<Option<Snapshot>>,
    begun: RefCell<Vec<u64>>,
    rivals: RefCell<Vec<Goals>>,
    /// The version of each audit record that was stored.
    records: RefCell<Vec<String>>,
}

impl Catalogue for Shelf {
    async fn load(&self) -> Result<Standing> {
        Ok(self.current.borrow().clone().map_or(Standing::Nothing, Standing::Published))
    }

    async fn publish(&self, snapshot: &Snapshot, expected_version: u64, audit: &AuditRecord) -> Result<Replaced> {
        if let Some(partners) = self.rivals.borrow_mut().pop() {
            let version = self.current.borrow().as_ref().map_or(0, |snapshot| snapshot.version) + 1;
            self.begun.borrow_mut().push(version);
            *self.current.borrow_mut() = Some(Snapshot { version, published_at: at(0), partners });
        }
        let standing = self.current.borrow().as_ref().map_or(0, |snapshot| snapshot.version);
        if self.begun.borrow().contains(&snapshot.version) || standing != expected_version {
            return Ok(Replaced::Changed);
        }
        self.begun.borrow_mut().push(snapshot.version);
        *self.current.borrow_mut() = Some(snapshot.clone());
        self.records.borrow_mut().push(audit.details["version"].clone());
        Ok(Replaced::Done)
    }
}

fn at(second: i64) -> Moment {
    Moment::from_millisecond(second * 1000)
}

fn stored(provider: &str, from: &str) -> PartnerItem {
    let file = format!(
        r#"{{"provider":"{provider}","media_buying":{{"campaigns":[{{"name":"a","goal":{{"type":"registration"}},
            "active_from":"{from}","webhook":{{"url":"https://a.example/"}}}}]}}}}"#
    );
    let provider = Provider::new(provider).unwrap();
    PartnerItem { provider, version: 1, updated_at: Timestamp::UNIX_EPOCH, file, token_hashes: Vec::new() }
}

fn operation() -> Operation {
    Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8])
}

fn run(shelf: &Shelf, partners: &[PartnerItem], now: i64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(publish(shelf, async || Ok(partners.to_vec()), LEAD, || at(now), &operation())).unwrap()
}

fn names(shelf: &Shelf) -> Vec<String> {
    shelf.current.borrow().iter().flat_map(|snapshot| snapshot.partners.keys().map(ToString::to_string)).collect()
}

#[test]
fn all_partners_are_published_once_and_again_only_when_something_differs() {
    let (shelf, acme) = (Shelf::default(), stored("acme", "1970-01-01T01:00:00Z"));
    let first = run(&shelf, std::slice::from_ref(&acme), 0);
    assert_eq!((first.version, first.fresh), (Some(1), true));
    let again = run(&shelf, std::slice::from_ref(&acme), 9_000);
    assert_eq!((again.version, again.fresh, again.held.len()), (Some(1), false, 0));
    let more = run(&shelf, &[acme, stored("globex", "1970-01-01T10:00:00Z")], 9_000);
    assert_eq!((more.version, more.fresh), (Some(2), true));
    assert_eq!(names(&shelf), ["acme", "globex"]);
}

#[test]
fn whoever_loses_a_race_reads_everything_again_and_loses_nobodys_campaign() {
    let (acme, globex) = (stored("acme", "1970-01-01T01:00:00Z"), stored("globex", "1970-01-01T01:00:00Z"));
    let (theirs, _) = goals([globex.clone()].into(), None);
    let shelf = Shelf { rivals: RefCell::new([theirs.clone(), BTreeMap::new(), theirs].into()), ..Shelf::default() };
    let reads = Cell::new(0);
    let partners = async || {
        reads.set(reads.get() + 1);
        // The rival's partner is there from the second read on.
        Ok(if reads.get() == 1 { vec![acme.clone()] } else { vec![acme.clone(), globex.clone()] })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = runtime.block_on(publish(&shelf, partners, LEAD, || at(0), &operation())).unwrap();
    assert_eq!((outcome.version, outcome.fresh, reads.get()), (Some(4), true, 4));
    assert_eq!(*shelf.records.borrow(), ["4"], "a lost race leaves no record");
    assert_eq!(names(&shelf), ["acme", "globex"]);
}

#[test]
fn a_version_that_was_begun_and_never_finished_is_passed_over() {
    let shelf = Shelf { begun: RefCell::new([1, 2].into()), ..Shelf::default() };
    let outcome = run(&shelf, &[stored("acme", "1970-01-01T01:00:00Z")], 0);
    assert_eq!((outcome.version, outcome.fresh), (Some(3), true));
}

#[test]
fn what_came_too_late_is_told_and_the_rest_is_published() {
    let shelf = Shelf::default();
    let outcome = run(&shelf, &[stored("acme", "1970-01-01T00:00:10Z"), stored("globex", "1970-01-01T01:00:00Z")], 0);
    assert_eq!((outcome.version, outcome.held.len()), (Some(1), 1));
    assert_eq!(outcome.held[0].provider.as_str(), "acme");
    assert_eq!(names(&shelf), ["acme", "globex"], "its partner is known all the same");
}

#[test]
fn a_partner_that_cannot_be_read_keeps_what_was_published_of_it_and_harms_nobody() {
    let (shelf, good) = (Shelf::default(), stored("acme", "1970-01-01T01:00:00Z"));
    run(&shelf, std::slice::from_ref(&good), 0);
    let before = shelf.current.borrow().as_ref().unwrap().partners.clone();
    let broken = PartnerItem { file: "{}".into(), ..good };
    let outcome = run(&shelf, &[broken, stored("globex", "1970-01-01T01:00:00Z")], 0);
    assert_eq!((outcome.fresh, outcome.unreadable.len()), (true, 1));
    let after = shelf.current.borrow().as_ref().unwrap().partners.clone();
    let acme = Provider::new("acme").unwrap();
    assert_eq!((after.get(&acme), after.len()), (before.get(&acme), 2));
}
