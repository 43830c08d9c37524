//! Plays each sender's calls against the stack, with that sender's names and words. A partner with the sender's preset
//! is applied by the operator's command.

mod sequences;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::operator::postbackctl;

use self::sequences::{SEQUENCES, Sequence};
use crate::fixture::{Conversions, Fixture, Reply, fresh, sample};

/// Applies one partner for each sequence. Returns the partners' postback URLs by sender.
fn apply(fixture: &Fixture, run: &str) -> BTreeMap<&'static str, String> {
    let file = |sequence: &Sequence| {
        let provider = format!("{}-{run}", sequence.sender);
        (provider.clone(), format!("provider: {provider}\nsender: {}\n", sequence.sender))
    };
    let report = fixture.apply(SEQUENCES.iter().map(file));
    let url = |partner: &Value| {
        let text = |name: &str| partner[name].as_str().unwrap();
        (
            text("provider").to_owned(),
            format!("{}/postback/{}/{}", fixture.stack.api_url, text("provider"), text("token")),
        )
    };
    let urls: BTreeMap<String, String> = report["partners"].as_array().unwrap().iter().map(url).collect();
    SEQUENCES.iter().map(|it| (it.sender, urls[&format!("{}-{run}", it.sender)].clone())).collect()
}

/// Returns an answer in the words of the table.
fn told(reply: &Reply) -> String {
    match reply.status {
        200 => format!("{} {}", reply.text("status"), reply.text("state")).trim_end().to_owned(),
        409 => {
            let differences = reply.body["conflict"]["differences"].as_array().unwrap();
            let names: Vec<&str> = differences.iter().map(|it| it["parameter"].as_str().unwrap()).collect();
            format!("conflict {}", names.join(" "))
        }
        status => format!("{status} {}", reply.faults().first().map_or("", |(_, code)| code.as_str())),
    }
}

/// Sends the calls of one sender, one after the other. Returns a map from each recorded transaction id to the table's
/// name of that transaction.
async fn play(sequence: &Sequence, url: &str) -> BTreeMap<String, String> {
    let (fixture, mut transactions) = (Fixture::new(), BTreeMap::new());
    for (at, (transaction, amount, more, answer)) in sequence.calls.iter().enumerate() {
        let query = format!("{}&{more}", sequence.query.replace("{t}", transaction).replace("{a}", amount));
        let reply = fixture.send(fixture.http.get(format!("{url}?{query}"))).await;
        assert_eq!(told(&reply), *answer, "{}, call {}: {query}: {reply:?}", sequence.sender, at + 1);
        if reply.status == 200 {
            transactions.insert(reply.text("transaction_id").to_owned(), (*transaction).to_owned());
        }
    }
    transactions
}

/// Returns the conversions that the accepted calls of a sequence make: transaction, type and amount.
fn expected(sequence: &Sequence) -> BTreeSet<(String, String, String)> {
    let accepted = sequence.calls.iter().filter(|(_, _, _, answer)| answer.starts_with("accepted"));
    let conversion = |(transaction, amount, _, answer): &(&str, &str, &str, &str)| {
        let kind = match *answer {
            _ if amount.starts_with('-') => "conversion.adjusted",
            "accepted pending" => "conversion.pending",
            "accepted rejected" => "conversion.rejected",
            _ => "conversion.accepted",
        };
        ((*transaction).to_owned(), kind.to_owned(), (*amount).to_owned())
    };
    accepted.map(conversion).collect()
}

/// Compares the conversions of a sender with its calls, and the final states of its transactions with the table.
fn compare(sequence: &Sequence, transactions: &BTreeMap<String, String>, arrived: &[Value]) {
    let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let named = |body: &Value| transactions[body["transaction_id"].as_str().unwrap()].clone();
    let found = |body: &Value| (named(body), text(body, "type"), text(body, "amount_decimal"));
    assert_eq!(arrived.iter().map(found).collect::<BTreeSet<_>>(), expected(sequence), "{}", sequence.sender);
    // A reader takes the conversion with the highest state. A conversion without a state is approved.
    let mut stand: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for body in arrived {
        let state = body["state"].as_str().unwrap_or("approved");
        let rank = ["pending", "approved", "rejected"].iter().position(|known| *known == state).unwrap();
        let said = (rank, format!("{state} {}", text(body, "amount_decimal")));
        let latest = stand.entry(named(body)).or_default();
        *latest = said.max(latest.clone());
    }
    let stand: BTreeMap<&str, &str> = stand.iter().map(|(id, (_, said))| (id.as_str(), said.as_str())).collect();
    assert_eq!(stand, sequence.stand.iter().copied().collect(), "{}", sequence.sender);
}

#[tokio::test]
async fn each_senders_calls_are_answered_and_told_as_written_down() {
    let (fixture, run) = (Fixture::new(), fresh("s"));
    let urls = apply(&fixture, &run);
    let play = |sequence: &'static Sequence| {
        let url = urls[sequence.sender].clone();
        tokio::spawn(async move { play(sequence, &url).await })
    };
    let playing: Vec<_> = SEQUENCES.iter().map(|sequence| (sequence, play(sequence))).collect();
    let mut played = Vec::new();
    for (sequence, playing) in playing {
        played.push((sequence, playing.await.unwrap()));
    }
    // Everything that was recorded before this postback is relayed before it.
    let later = fresh("later");
    assert_eq!(fixture.postback("acme", &sample(&later)).await.status, 200);
    Conversions::shared().of("acme", &later).await;
    for (sequence, transactions) in played {
        let arrived = Conversions::shared().of_provider(&format!("{}-{run}", sequence.sender));
        compare(sequence, &transactions, &arrived);
    }
}

#[test]
fn every_preset_has_a_sequence() {
    let listed = postbackctl(&Fixture::new().stack, &["senders", "--json"]);
    let presets: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<&str> = presets.as_array().unwrap().iter().map(|it| it["sender"].as_str().unwrap()).collect();
    assert_eq!(SEQUENCES.map(|sequence| sequence.sender)[..], names);
}
