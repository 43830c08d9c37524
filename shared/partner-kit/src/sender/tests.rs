use std::{env, fs, path::Path};

use domain::{inbound::tracking_link::BaseUrl, partner::Partner, values::placeholder};

use super::*;
use partner_files::{resolved_file, senders};

/// The kits' sections about the sender, one for each preset. Write the file anew with `GG3_WRITE_GOLDEN=1`.
const GOLDEN: &str = "src/sender/senders.md";

fn section_of(yaml: &str) -> String {
    let file = resolved_file(&serde_saphyr::from_str(yaml).unwrap()).unwrap();
    let partner = Partner::try_from(file.clone()).unwrap();
    let pages = [BaseUrl::parse("https://gg3.xyz/").unwrap()];
    let kit = Kit { file: &file, partner: &partner, api_url: "https://api.example", pages: &pages };
    let mut text = String::new();
    kit.call_by_sender(&mut text, kit.sender().unwrap().unwrap()).unwrap();
    assert!(kit.text().unwrap().contains(&text), "the kit contains the section");
    text
}

#[test]
fn the_kit_of_each_sender_is_the_golden_one() {
    let section = |sender: &Sender| {
        let section = section_of(&format!("provider: acme\nsender: {}\n", sender.name));
        format!("## {}\n\n{section}", sender.title)
    };
    let sections: String = senders::all().unwrap().iter().map(section).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if env::var_os("GG3_WRITE_GOLDEN").is_some() {
        fs::write(&path, &sections).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    assert_eq!(sections, golden, "GG3_WRITE_GOLDEN=1 cargo test -p partner-kit golden writes {GOLDEN} anew");
}

#[test]
fn a_name_of_the_file_stands_in_the_senders_url() {
    let section = section_of("provider: acme\nsender: affise\nparameters: {click_id: ours, amount_decimal: sum}\n");
    let query =
        "?sub2={sub2}&ours={sub1}&transaction_id={transactionid}&currency={currency}&sum={sum}&status={status}\n";
    assert!(section.contains(query), "{section}");
}

#[test]
fn a_macro_that_was_read_second_hand_is_to_be_checked() {
    let section = section_of("provider: acme\nsender: cpx\n");
    assert!(section.contains("- `transaction_id`: check `{trans_id}` in CPX Research. It was not read"), "{section}");
    let first_hand = section_of("provider: acme\nsender: affise\n");
    assert!(!first_hand.contains("check `"), "{first_hand}");
}

#[test]
fn an_unknown_macro_is_named_and_is_refused_if_it_stays() {
    let section = section_of("provider: acme\nsender: keitaro\n");
    assert!(section.contains("&currency={your-macro-for-currency}&"), "{section}");
    assert!(section.contains("- `user_id`: we have not read which macro of Keitaro carries it."), "{section}");
    for field in Field::ALL {
        assert_eq!(placeholder::find_macro(missing(field).as_bytes()), Some(missing(field)));
    }
}

#[test]
fn a_partner_that_signs_is_told_to_ask_for_a_token() {
    let section = section_of("provider: acme\nsender: voluum\npostback: {credential: signature}\n");
    assert!(section.contains("&signature={signature}\n") && section.contains("Ask us for a token"), "{section}");
}
