//! States laws that hold for any bytes, in addition to not panicking. `tests/fuzz` looks for exceptions to them.
//!
//! Each law takes the bytes of one input. `make test` checks the laws on the corpus; `make fuzz` checks them on
//! inputs that libFuzzer makes from it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use domain::{
    inbound::{
        body::{Body, JSON},
        click::ClickKeys,
        credential::Credentials,
        fault::Fault,
        parameters::{Parameters, decode},
        postback::ParsedPostback,
        refusal::Refusal,
        tracking_link::ClickLink,
    },
    jiff::Timestamp,
    outbound::{
        address,
        agreed_ids::{AgreedIds, PartnerIds},
        event::{Event, EventKind, Parsed, Tracking},
        macros::{WebhookMacro, WebhookValues},
        retry::{MAX_RETRY_AFTER, RetryAfter, RetryPolicy},
        timing::Timing,
        webhook::{Allowance, Destination, UrlTemplate, WebhookUrl},
    },
    partner::{Partner, PartnerFile},
    values::{
        ids::{CampaignName, ClickId, DeliveryId, EventLabel, LandingName, PartnerUserId, Provider, UserId},
        placeholder::{self, Place},
        signature::Secret,
        time::UnixMillis,
    },
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Checks a law on the bytes of one input, and panics if it does not hold.
pub type Oracle = fn(&[u8]);

/// Lists all laws by the names of their fuzz targets.
pub const ALL: [(&str, Oracle); 8] = [
    ("parameters", parameters),
    ("postback", postback),
    ("cost", cost),
    ("event", event),
    ("partner", partner),
    ("webhook", webhook),
    ("address", address),
    ("retry_after", retry_after),
];

/// Splits the data at zero bytes into at most `N` pieces. Missing pieces are empty.
fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut pieces = data.splitn(N, |byte| *byte == 0);
    core::array::from_fn(|_| pieces.next().unwrap_or_default())
}

/// Checks that the kept text of a request says the same as the request, with a form and with a JSON object.
pub fn parameters(data: &[u8]) {
    let [query, body] = pieces(data);
    let object = Body::read(body, Some(JSON), true);
    let sent = Parameters::of(query, &object);
    let kept = sent.to_kept_text();
    assert!(kept.contains(char::REPLACEMENT_CHARACTER) || matches!(object, Body::Form(_) | Body::Json(_)));
    if query.is_ascii() && !kept.contains(char::REPLACEMENT_CHARACTER) {
        assert_eq!(Parameters::split(kept.as_bytes(), b"").canonical(&[]), sent.canonical(&[]));
    }

    let sent = Parameters::split(query, body);
    let _ = (Parameters::size_faults(query, body), sent.count_fault(), sent.ends_empty());
    let kept = sent.to_kept_text();
    let again = Parameters::split(kept.as_bytes(), b"");
    assert_eq!(again.to_kept_text(), kept);
    if data.is_ascii() {
        assert_eq!(again.canonical(&[]), sent.canonical(&[]));
        assert!(sent.raw("signature").is_some() || again.others(|_| false) == sent.others(|_| false));
    }
}

/// Checks that an accepted postback keeps its meaning if it is sent again in another spelling.
pub fn postback(data: &[u8]) {
    let [query, body] = pieces(data);
    let file: PartnerFile = serde_json::from_value(json!({"provider": "acme"})).expect("a partner");
    let partner = Partner::try_from(file).expect("a partner");
    let keys = ClickKeys::new(vec![Secret::new("k")]).expect("a key");
    let parse = |sent: &Parameters| ParsedPostback::parse(sent, partner.provider(), partner.rules(), &keys);
    for body in [Body::Form(body), Body::read(body, Some(JSON), true)] {
        if let Ok(parsed) = parse(&Parameters::of(query, &body)) {
            spelled_again(&parsed, parse);
        }
    }
}

/// Checks that a postback keeps its meaning if it is sent again in another spelling.
fn spelled_again(parsed: &ParsedPostback, parse: impl Fn(&Parameters) -> Result<ParsedPostback, Vec<Fault>>) {
    let content = &parsed.postback.content;
    let mut spelled = format!(
        "user_id={}&click_id={}&transaction_id={}&currency={}&amount_decimal={}",
        encoded(content.user_id.as_str()),
        encoded(content.click_id.as_str()),
        encoded(parsed.postback.transaction_id.as_str()),
        content.currency,
        content.amount_decimal,
    );
    let optional = [
        ("event_id", content.event_id.as_ref().map(ToString::to_string)),
        ("event_name", content.event_name.as_ref().map(ToString::to_string)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            spelled.extend(["&", name, "=", encoded(&value).as_str()]);
        }
    }
    let again = parse(&Parameters::split(spelled.as_bytes(), b"")).expect("the first spelling was accepted");
    assert_eq!(again.postback, parsed.postback);
    assert_eq!(again.postback.content.differences(content), []);
    assert_eq!(again.postback.content.fingerprint(), content.fingerprint());
    let stored = serde_json::to_vec(content).expect("content is JSON");
    assert_eq!(serde_json::from_slice::<domain::inbound::postback::Content>(&stored).expect("its own JSON"), *content);
}

/// Runs every computation that the two API functions make on a stranger's bytes. The fuzz target `cost` counts this
/// work. The functions refuse too many bytes without reading them, so each computation also runs separately, without
/// the limits.
pub fn cost(data: &[u8]) {
    let partner =
        Partner::try_from(serde_json::from_value::<PartnerFile>(json!({"provider": "acme"})).expect("a file"));
    let (partner, secrets) = (partner.expect("a partner"), [Secret::new("k")]);
    let keys = ClickKeys::new(secrets.to_vec()).expect("a key");
    let (provider, landing) = (partner.provider(), LandingName::new("welcome").expect("a name"));
    let in_a_value = [b"user_id=", data].concat();
    for body in [data, &in_a_value] {
        let sent = Parameters::split(b"", body);
        let _ = (
            Parameters::size_faults(b"", body),
            sent.others(|_| false),
            placeholder::find(body, Place::Id),
            placeholder::find_macro(body),
            decode(body),
        );
        let credentials = Credentials::Secrets(secrets.to_vec());
        let _ = Credentials::admit(Some(&credentials), provider, None, &sent);
        let faults = ParsedPostback::parse(&sent, provider, partner.rules(), &keys).err().unwrap_or_default();
        let _ = serde_json::to_string(&faults);
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let _ = Refusal::of((provider, partner.rules()), &sent, source, faults, Timestamp::UNIX_EPOCH);
        let _ = ClickLink::verify(provider.clone(), landing.clone(), body, &secrets, Timestamp::UNIX_EPOCH);
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Checks that an event can be written and reads the same again.
pub fn event(data: &[u8]) {
    let received_at = UnixMillis::from_millisecond(1_795_435_200_000);
    let parse = |data: &[u8]| Event::parse(data, received_at, &Timing::default());
    let Ok(Parsed::Event(mut event)) = parse(data) else { return };
    // An id that cannot be used is not written again.
    if let EventKind::LinkOpened { tracking, .. } | EventKind::Registered { tracking: Some(tracking), .. } =
        &mut event.kind
    {
        tracking.faults.clear();
    }
    let mut written = json!({"id": event.id, "user_id": event.user_id, "occurred_at": event.occurred_at.to_string()});
    let mut add = |name: &str, value: Value| written[name] = value;
    match &event.kind {
        EventKind::LinkOpened { tracking, total_clicks } => {
            add("type", "tracking_link.opened".into());
            add("tracking", of(tracking));
            add("total_clicks", (*total_clicks).into());
        }
        EventKind::Registered { tracking, total_clicks } => {
            add("type", "user.registered".into());
            add("total_clicks", (*total_clicks).into());
            if let Some(tracking) = tracking {
                add("tracking", of(tracking));
            }
        }
        EventKind::ButtonClicked { total_clicks } => {
            add("type", "gg_button.clicked".into());
            add("total_clicks", (*total_clicks).into());
        }
        EventKind::QuestCompleted { quest } => {
            add("type", "main_quest.completed".into());
            add("quest_id", quest.as_str().into());
        }
    }
    assert_eq!(parse(written.to_string().as_bytes()), Ok(Parsed::Event(event)));
}

fn of(tracking: &Tracking) -> Value {
    let mut written = serde_json::to_value(&tracking.ids).expect("ids are JSON");
    written["provider"] = tracking.provider.as_str().into();
    written
}

/// Checks that a partner file is the same after it is written and read again, and that it is as valid as before.
pub fn partner(data: &[u8]) {
    let Ok(file) = serde_json::from_slice::<PartnerFile>(data) else { return };
    let written = serde_json::to_vec(&file).expect("a file is JSON");
    let again: PartnerFile = serde_json::from_slice(&written).expect("its own JSON");
    assert_eq!(again, file);
    assert_eq!(
        Partner::check(again, Allowance::PublicOnly).is_ok(),
        Partner::check(file, Allowance::PublicOnly).is_ok()
    );
}

/// Checks that a URL leads to the host of its template, and to a public host, whatever the values are. Also checks that
/// parsing the URL's text gives the same URL.
pub fn webhook(data: &[u8]) {
    let [template, user_id, click_id, event] = pieces::<4>(data).map(|piece| String::from_utf8_lossy(piece));
    let agreed: AgreedIds = serde_json::from_value(json!(["click_id", "user_id"])).expect("ids");
    let Ok(template) = UrlTemplate::parse(&template, &agreed, Allowance::PublicOnly) else { return };
    let again = UrlTemplate::parse(&template.text(), &agreed, Allowance::PublicOnly);
    assert_eq!(again.map(|again| again.text()), Ok(template.text()));
    let render = |user_id: &str, click_id: &str, event: &str| {
        let ids = PartnerIds { user_id: PartnerUserId::new(user_id).ok(), click_id: ClickId::new(click_id).ok() };
        let campaign = CampaignName::new("welcome").expect("a slug");
        let provider = Provider::new("acme").expect("a slug");
        let delivery_id = DeliveryId::of(&provider, &campaign, &UserId::new("u").expect("an id"));
        let event = EventLabel::new(event).ok()?;
        let occurred_at = UnixMillis::from_millisecond(0);
        let values =
            WebhookValues { ids: &ids, event: &event, campaign: &campaign, delivery_id: &delivery_id, occurred_at };
        template.render(&values).ok()
    };
    let plain = render("x", "x", "x").expect("plain values lead where the template leads");
    let Some(url) = render(&user_id, &click_id, &event) else { return };
    let segments = |url: &WebhookUrl| url.request_target().split('?').next().map(|path| path.split('/').count());
    assert_eq!((url.authority(), segments(&url)), (plain.authority(), segments(&plain)));
    assert!(url.is_secure() && [443, 8443].contains(&url.port()), "{}", url.as_str());
    if let Destination::Address(address) = url.destination() {
        assert_eq!(address::check(address), Ok(()));
    }
    assert!(!WebhookMacro::ALL.iter().any(|name| url.as_str().contains(&name.to_string())));
    if let Ok(itself) = UrlTemplate::parse(url.as_str(), &agreed, Allowance::PublicOnly) {
        assert_eq!(itself.text(), url.as_str());
    }
}

/// Checks that the standard library does not consider an allowed address to be local, private or otherwise reserved.
pub fn address(data: &[u8]) {
    let address = match (<[u8; 4]>::try_from(data), <[u8; 16]>::try_from(data)) {
        (Ok(v4), _) => IpAddr::V4(Ipv4Addr::from(v4)),
        (_, Ok(v6)) => IpAddr::V6(Ipv6Addr::from(v6)),
        _ => return,
    };
    if address::check(address).is_err() {
        return;
    }
    assert!(!address.is_loopback() && !address.is_multicast() && !address.is_unspecified(), "{address}");
    match address {
        IpAddr::V4(v4) => {
            assert!(!v4.is_private() && !v4.is_link_local() && !v4.is_broadcast() && !v4.is_documentation(), "{v4}");
            assert!(address::check(IpAddr::V6(v4.to_ipv6_mapped())).is_err(), "{v4} written as IPv6");
        }
        IpAddr::V6(v6) => {
            assert!(!v6.is_unique_local() && !v6.is_unicast_link_local() && v6.to_ipv4().is_none(), "{v6}");
        }
    }
}

/// Checks that a wait is at least as long as agreed, and at most six hours if the partner asks for more.
pub fn retry_after(data: &[u8]) {
    let asked = RetryAfter::parse(data);
    let (policy, failed) = (RetryPolicy::default(), UnixMillis::from_millisecond(1_795_435_200_000));
    for n in 1..=5 {
        let due = policy.due(n, failed, asked).expect("there is a next one");
        let agreed = failed.plus(Duration::from_secs(600 * u64::from(n)));
        assert!(agreed <= due && due <= agreed.max(failed.plus(MAX_RETRY_AFTER)), "{asked:?}: {due}");
    }
}
