use std::{collections::BTreeMap, fs, path::Path};

use super::*;

const API_URL: &str = "https://api.example";

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Returns the kit of a partner with this file.
fn kit_of(yaml: &str) -> String {
    kit(yaml, |kit| kit.text().unwrap())
}

/// Applies `make` to the kit of a sample partner, and returns the result.
pub(super) fn with_kit<T>(name: &str, make: impl FnOnce(&Kit) -> T) -> T {
    kit(&fs::read_to_string(repository().join(format!("infra/partners/{name}.yaml"))).unwrap(), make)
}

fn kit<T>(yaml: &str, make: impl FnOnce(&Kit) -> T) -> T {
    let file: PartnerFile = serde_saphyr::from_str(yaml).unwrap();
    let soonest = domain::values::time::UnixMillis::from_millisecond(0);
    let file = file.dated(&domain::outbound::campaign::Campaigns::new(), soonest);
    let partner = Partner::try_from(file.clone()).unwrap();
    let pages = [BaseUrl::parse("https://gg3.xyz/quests/complete-50-quests").unwrap()];
    make(&Kit { file: &file, partner: &partner, api_url: API_URL, pages: &pages })
}

fn sample(name: &str) -> String {
    with_kit(name, |kit| kit.text().unwrap())
}

#[test]
fn the_page_quotes_every_example_to_the_letter() {
    let page = fs::read_to_string(repository().join("docs/partners.md")).unwrap();
    let languages =
        BTreeMap::from([("sh", "sh"), ("py", "python"), ("mjs", "js"), ("php", "php"), ("go", "go"), ("rs", "rust")]);
    let examples: Vec<_> =
        fs::read_dir(repository().join("infra/examples")).unwrap().map(|file| file.unwrap().path()).collect();
    let examples: Vec<_> = examples.into_iter().filter(|path| path.is_file()).collect();
    assert_eq!(examples.len(), 17);
    for example in examples {
        let ending = example.extension().unwrap().to_str().unwrap();
        let quoted = format!("```{}\n{}```\n", languages[ending], fs::read_to_string(&example).unwrap());
        assert!(page.contains(&quoted), "{} is not quoted word for word in docs/partners.md", example.display());
    }
    assert_eq!(page.matches("\n```").count(), 2 * 17, "and the page has no code besides");
}

#[test]
fn the_pages_numbers_macros_and_faults_are_the_codes_own() {
    use domain::{
        inbound::{fault::FaultCode, parameters},
        outbound::{macros::WebhookMacro, retry},
        values::parameter_names::MAX_NAME_BYTES,
    };
    let page = fs::read_to_string(repository().join("docs/partners.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let limits = format!(
        "{} KiB of query, {} KiB of body, {} parameters, values of {} bytes as they are sent, percent-encoded. The answer cuts names of more than {} bytes.",
        parameters::MAX_QUERY_BYTES / 1024,
        parameters::MAX_BODY_BYTES / 1024,
        parameters::MAX_PARAMETERS,
        parameters::MAX_VALUE_BYTES,
        MAX_NAME_BYTES
    );
    let resends = format!(
        "up to {} times: before the n-th time we wait n times the campaign's interval ({} minutes unless agreed otherwise), or your `Retry-After` if that is longer, {} hours at most",
        retry::RESENDS,
        retry::DEFAULT_INITIAL_INTERVAL.as_secs() / 60,
        retry::MAX_RETRY_AFTER.as_secs() / 3600
    );
    let template = fs::read_to_string(repository().join("template.yaml")).unwrap();
    assert_eq!(template.matches("TimeoutInMillis: 30000\n").count(), 3, "API Gateway waits 30 seconds");
    let waiting = "Wait up to 30 seconds for the answer".to_owned();
    let macros = WebhookMacro::ALL.map(|name| format!("`{name}`"));
    // serde's message lists all codes. The code for an address outside the allow-list is left out, because its answer
    // is described separately.
    let told = serde_json::from_str::<FaultCode>(r#""none""#).unwrap_err().to_string();
    let codes = told.split('`').skip(3).step_by(2).filter(|code| *code != "address_not_allowed");
    let codes = codes.map(|code| format!("`{code}`"));
    for said in [limits, resends, waiting].into_iter().chain(macros).chain(codes) {
        assert!(page.contains(&said), "the page does not say: {said}");
    }
}

#[test]
fn the_words_of_plain_answers_are_told() {
    let kit = kit_of("{provider: acme, postback: {answer: {format: text, duplicate: AGAIN}}}");
    assert!(kit.contains("- We answer 200 with the word `OK` or, to a duplicate, `AGAIN`, as plain text"), "{kit}");
}

#[test]
fn agreed_forms_and_ignored_names_are_told() {
    let kit = kit_of("{provider: acme, postback: {ids: {user_id: digits, click_id: uuid}, ignore: [state]}}");
    for line in
        ["- `user_id` is digits alone.", "- `click_id` is a UUID of 36", "- Your parameters `state` say nothing to us."]
    {
        assert!(kit.contains(line), "{line} in {kit}");
    }
}

#[test]
fn a_partners_names_and_macros_are_in_its_urls() {
    let umbrella = sample("umbrella");
    let url = "https://api.example/postback/umbrella/{token}?user_id={user_id}&aff_sub={aff_sub}&transaction_id={transaction_id}&currency={currency}&payout={payout}\n";
    assert!(umbrella.contains(url), "{umbrella}");
    assert!(umbrella.contains("| `aff_sub` | required |") && umbrella.contains("'payout=100.00'"));
    assert!(umbrella.contains("https://offers.example.net/go?source=gg3&user_id=12345&aff_sub=67890\n"));
    assert!(
        umbrella.contains("\n\nAgreed with you:\n\n- ")
            && umbrella.contains("- You call from 127.0.0.0/8, 203.0.113.0/24.")
    );
    let acme = sample("acme");
    assert!(
        acme.contains("/postback/acme/{token}?user_id={userId}&click_id={clickId}&transaction_id={transaction_id}&")
    );
    assert!(
        acme.contains("https://gg3.xyz/quests/complete-50-quests?click_id={clickId}&user_id={userId}&provider=acme\n")
    );
    for kit in [umbrella, acme, sample("globex"), sample("initech")] {
        assert!(!kit.contains("{api}") && !kit.contains("{provider}"), "{kit}");
    }
}

#[test]
fn what_we_answer_keeps_our_names_whatever_a_partner_calls_them() {
    let kit = kit_of("provider: acme\nparameters: {transaction_id: order, click_id: user_id, user_id: click_id}\n");
    assert!(kit.contains(r#"{"status":"accepted","transaction_id":"123123123""#), "{kit}");
    assert!(kit.contains("&dry_run=true") && kit.contains("?click_id=12345&user_id=67890&order=123123123&"), "{kit}");
}

#[test]
fn only_a_partner_that_signs_reads_of_signing() {
    let initech = sample("initech");
    assert!(
        initech.contains("PROVIDER=initech SECRET='your secret' bash postback-signed.sh user_id=12345 click_id=67890")
    );
    assert!(initech.contains("&signature={signature}\n") && !initech.contains("/{token}"), "{initech}");
    let dry_run = initech.lines().filter(|line| line.contains("postback-signed.sh") && line.ends_with(" dry_run=true"));
    assert_eq!(dry_run.count(), 1, "a dry run is signed like any call: {initech}");
    assert!(!sample("acme").contains("postback-signed"));
}

#[test]
fn a_partner_with_campaigns_reads_how_to_verify_webhooks() {
    let acme = sample("acme");
    for campaign in ["sign-up", "ten-clicks", "fifty-quests", "three-quests"] {
        assert!(acme.contains(&format!("\n| {campaign} | ")), "{acme}");
    }
    for goal in
        ["the user registers", "10 clicks on the GG-button", "the quest complete-50-quests", "all of the quests "]
    {
        assert!(acme.contains(&format!(" | {goal}")), "{goal} in {acme}");
    }
    for example in ["webhook.py", "webhook.mjs", "webhook.php", "webhook.go"] {
        assert!(acme.contains(example), "{example}");
    }
    assert!(!sample("umbrella").contains("webhook-signature"));
    let post = "provider: acme\nparameters: {click_id: aff_sub}\nmedia_buying:\n  campaigns:\n    - name: a\n      goal: {type: registration}\n      active_from: on_publish\n      webhook: {url: 'https://a.example/', method: POST}\n";
    assert!(kit_of(post).contains(r#""aff_sub":"67890""#), "a POST's body has the partner's names");
}

#[test]
fn a_derived_transaction_id_is_in_no_url_and_no_example() {
    let globex = sample("globex");
    assert!(globex.contains("&amount_decimal={amount_decimal}&event_id={event_id}\n"), "{globex}");
    assert!(globex.contains("- `transaction_id` may be left out; `event_id` is then required."));
    assert!(globex.contains("- `event_id` is one of 001, 002."));
}

#[test]
fn a_partner_with_statuses_reads_its_words_and_each_step() {
    let kit = kit_of(
        "provider: acme\npostback:\n  status: {parameter: state, pending: [wait, '2'], approved: [ok], rejected: [no]}\n  amount_may_change: [approved]\n",
    );
    assert!(kit.contains("Your statuses, in `state`:\n") && kit.contains("| `wait`, `2` | pending"), "{kit}");
    for word in ["wait", "ok", "no"] {
        let call = format!(
            "    https://api.example/postback/acme/{{token}}?user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00&state={word}\n"
        );
        assert!(kit.contains(&call), "{word}: {kit}");
    }
    assert!(kit.contains("`amount_decimal` may change with the step to approved."), "{kit}");
    assert!(kit.contains("&state=ok&dry_run=true'"), "a dry run says approved in the partner's word: {kit}");
    assert!(!sample("acme").contains("Your statuses"));
}

#[test]
fn a_partner_with_negative_amounts_reads_how_to_reverse() {
    let kit = kit_of(
        "provider: acme\nparameters: {amount_decimal: payout}\npostback: {negative_amounts: reverse, reference: ref}\n",
    );
    let call = "&currency=USD&transaction_id=r-123123123&payout=-100.00&ref=123123123\n";
    assert!(kit.contains(call) && kit.contains("`ref` then names the transaction"), "{kit}");
    assert!(kit.contains("&payout={payout}&ref={ref}\n"), "{kit}");
    assert!(!sample("acme").contains("A reversal may be"));
}
