use alloc::collections::BTreeSet;
use core::net::IpAddr;
use std::vec;

use ::url::Url;
use proptest::prelude::*;

use super::*;
use crate::outbound::address;
use crate::outbound::agreed_ids::{AgreedIds, PartnerIds, TrackingId};
use crate::outbound::attempt::AttemptFault;
use crate::outbound::macros::{WebhookMacro, WebhookValues};
use crate::partner::{Partner, PartnerFile};
use crate::prelude::*;
use crate::values::ids::{CampaignName, ClickId, DeliveryId, EventLabel, PartnerUserId, Provider, UserId};
use crate::values::parameter_names::ParameterNames;
use crate::values::time::UnixMillis;

const PUBLIC: Allowance = Allowance::PublicOnly;

fn agreed(ids: impl IntoIterator<Item = TrackingId>) -> AgreedIds {
    AgreedIds::try_from(ids.into_iter().collect::<BTreeSet<_>>()).unwrap()
}

fn both() -> AgreedIds {
    agreed([TrackingId::UserId, TrackingId::ClickId])
}

fn development() -> Allowance {
    Allowance::Development(Development::try_new("http://localhost:4570").unwrap())
}

fn template(text: &str) -> UrlTemplate {
    UrlTemplate::parse(text, &both(), PUBLIC).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

fn faults(text: &str) -> Vec<TemplateFault> {
    UrlTemplate::parse(text, &both(), PUBLIC).err().unwrap_or_default()
}

fn partner(json: &str) -> Partner {
    Partner::try_from(serde_json::from_str::<PartnerFile>(json).unwrap()).unwrap()
}

/// Holds the values that a delivery for this user and click fills into a webhook.
struct Delivered {
    ids: PartnerIds,
    event: EventLabel,
    campaign: CampaignName,
    delivery_id: DeliveryId,
}

impl Delivered {
    fn of(user: &str, click: &str) -> Self {
        let ids = PartnerIds { user_id: PartnerUserId::new(user).ok(), click_id: ClickId::new(click).ok() };
        let campaign = CampaignName::new("welcome").unwrap();
        let participant = UserId::new("gg3-42").unwrap();
        let delivery_id = DeliveryId::of(&Provider::new("acme").unwrap(), &campaign, &participant);
        Self { ids, event: EventLabel::new("registration").unwrap(), campaign, delivery_id }
    }

    fn values(&self) -> WebhookValues<'_> {
        WebhookValues {
            ids: &self.ids,
            event: &self.event,
            campaign: &self.campaign,
            delivery_id: &self.delivery_id,
            occurred_at: UnixMillis::from("2026-11-23T12:00:00Z".parse::<jiff::Timestamp>().unwrap()),
        }
    }

    fn render(&self, text: &str) -> Result<String, AttemptFault> {
        template(text).render(&self.values()).map(|url| url.as_str().to_owned())
    }
}

#[test]
fn the_documents_example_is_rendered_exactly() {
    let url = Delivered::of("p-9", "c-1").render(
        "https://webhook.site/2d80209a-b875-4744-a1a2-89fc79261307?userId={userId}&clickId={clickId}&event=registration",
    );
    let expected =
        "https://webhook.site/2d80209a-b875-4744-a1a2-89fc79261307?userId=p-9&clickId=c-1&event=registration";
    assert_eq!(url.unwrap(), expected);
}

#[test]
fn every_macro_is_filled_and_encoded() {
    let delivered = Delivered::of("a b&c=d#e", "é{/}?%");
    let url = delivered
        .render("https://a.example/{event}/{campaign}?u={userId}&c={clickId}&d={deliveryId}&o={occurredAt}&u2={userId}")
        .unwrap();
    let expected = format!(
        "https://a.example/registration/welcome?u=a%20b%26c%3Dd%23e&c=%C3%A9%7B%2F%7D%3F%25&d={}&o=2026-11-23T12%3A00%3A00Z&u2=a%20b%26c%3Dd%23e",
        delivered.delivery_id
    );
    assert_eq!(url, expected);
}

#[test]
fn every_fault_of_a_template_is_reported_at_once() {
    let agreed = agreed([TrackingId::ClickId]);
    let text = "ftp://u{x}:p@10.0.0.1:81/%7bclickId%7D/{userId}/[cid]?a={nope}&b=%click%#f{clickId}";
    let faults = UrlTemplate::parse(text, &agreed, PUBLIC).unwrap_err();
    for expected in [
        TemplateFault::MacroOutOfPlace(UrlPart::Userinfo),
        TemplateFault::MacroOutOfPlace(UrlPart::Fragment),
        TemplateFault::NotAgreed(WebhookMacro::UserId),
        TemplateFault::UnknownMacro("nope".to_owned()),
        TemplateFault::EncodedBrace,
        TemplateFault::ForeignMacro("[cid]".to_owned()),
        TemplateFault::ForeignMacro("%click%".to_owned()),
        TemplateFault::Scheme,
        TemplateFault::Userinfo,
        TemplateFault::Port(81),
        TemplateFault::Fragment,
    ] {
        assert!(faults.contains(&expected), "{expected} in {faults:?}");
    }
    assert_eq!(
        TemplateFault::UnknownMacro("nope".to_owned()).to_string(),
        "has the unknown macro {nope}; use one of {userId}, {clickId}, {event}, {campaign}, {deliveryId}, {occurredAt}"
    );
}

#[test]
fn logged_faults_show_neither_path_nor_query() {
    for text in ["ftp://a.example/mark/{mark}", "https://a.example/mark?t={mark}&u=%mark%&v=$mark$&w=[mark]&x=%zz#mark"]
    {
        let faults = faults(text);
        assert!(faults.iter().any(|fault| fault.to_string().contains("mark")), "{faults:?}");
        for fault in faults {
            assert!(!fault.unquoted().contains("mark"), "{}", fault.unquoted());
        }
    }
}

#[test]
fn macros_are_allowed_only_in_path_and_query() {
    for (text, fault) in [
        ("https://{clickId}.example/", TemplateFault::MacroOutOfPlace(UrlPart::Host)),
        ("https://a.example:{clickId}/", TemplateFault::MacroOutOfPlace(UrlPart::Port)),
        ("https://{userId}@a.example/", TemplateFault::MacroOutOfPlace(UrlPart::Userinfo)),
        ("https://a.example/#{clickId}", TemplateFault::MacroOutOfPlace(UrlPart::Fragment)),
        ("{event}://a.example/", TemplateFault::MacroOutOfPlace(UrlPart::Scheme)),
        ("https://a.example/?c={{clickId}}", TemplateFault::ForeignMacro("{{clickId}}".to_owned())),
        ("https://a.example/?c={clickId", TemplateFault::StrayBrace),
        ("https://a.example/?c=clickId}", TemplateFault::StrayBrace),
        ("https://a.example/?c={}", TemplateFault::UnknownMacro(String::new())),
        ("https://a.example/?c={click_id}", TemplateFault::UnknownMacro("click_id".to_owned())),
        ("https://a.example/?c={ClickId}", TemplateFault::UnknownMacro("ClickId".to_owned())),
        ("https://a.example/?c=%7BclickId%7D", TemplateFault::EncodedBrace),
        ("https://a.example/#", TemplateFault::Fragment),
    ] {
        assert!(faults(text).contains(&fault), "{text}: {:?}", faults(text));
    }
    let nine = "{event}".repeat(9);
    assert_eq!(faults(&format!("https://a.example/?{nine}")), [TemplateFault::TooManyMacros]);
    assert_eq!(faults(&format!("https://a.example/{}", "x".repeat(2048))), [TemplateFault::TooLong]);
}

#[test]
fn a_macro_with_something_of_another_language_around_is_refused() {
    let foreign = |value: &str| TemplateFault::ForeignMacro(value.to_owned());
    for (text, fault) in [
        ("?c=${clickId}", TemplateFault::Dollar),
        ("/${clickId}/done", TemplateFault::Dollar),
        ("?c=a-${clickId}", TemplateFault::Dollar),
        ("?c=${{clickId}}", foreign("${{clickId}}")),
        ("?c={{clickId}}&d=1", foreign("{{clickId}}")),
        ("/{{{clickId}}}/x", foreign("{{{clickId}}}")),
        ("?c=[{clickId}]", foreign("[{clickId}]")),
        ("?c=$clickId$", foreign("$clickId$")),
        ("?c='{clickId}'", foreign("'{clickId}'")),
        ("?c=@{clickId}", foreign("@{clickId}")),
        ("?c=:{clickId}", foreign(":{clickId}")),
        ("?c=:clickId", foreign(":clickId")),
        ("/:click_id/x", foreign(":click_id")),
        ("?c=$clickId", foreign("$clickId")),
        ("?c=\"{clickId}\"", TemplateFault::Character('"')),
        ("?c=<{clickId}>", TemplateFault::Character('<')),
        ("?c={ clickId }", TemplateFault::Character(' ')),
        ("?c=%7BclickId%7D", TemplateFault::EncodedBrace),
        ("?c=%7b{clickId}%7d", TemplateFault::EncodedBrace),
        ("?c=%257BclickId%257D", foreign("%257BclickId%257D")),
        ("?c=%{clickId}", TemplateFault::PercentEncoding),
        ("?c=#{clickId}", TemplateFault::MacroOutOfPlace(UrlPart::Fragment)),
        ("?x=1&amp;c={clickId}", TemplateFault::EscapedAmpersand),
        ("?x=1&AMP;c={clickId}", TemplateFault::EscapedAmpersand),
        ("?x=1%26amp%3Bc={clickId}", TemplateFault::EscapedAmpersand),
        ("?x=1&#38;c={clickId}", TemplateFault::MacroOutOfPlace(UrlPart::Fragment)),
        ("?x=1?c={clickId}", TemplateFault::SecondQuery),
    ] {
        assert_eq!(faults(&format!("https://a.example{text}"))[..1], [fault], "{text}");
    }
    for text in [
        "?c=%24{clickId}",
        "?c=a-{clickId}_b",
        "?$filter=:x",
        "?c=a@{clickId}",
        "?c={clickId}-{userId}",
        "?u=https%3A%2F%2Fb.example%3Fc%3D{clickId}",
    ] {
        template(&format!("https://a.example{text}"));
    }
}

#[test]
fn an_id_that_was_not_agreed_on_is_never_sent() {
    let text = "https://a.example/?u={userId}&c={clickId}";
    let not_agreed = |agreed: AgreedIds| UrlTemplate::parse(text, &agreed, PUBLIC).err();
    assert_eq!(not_agreed(AgreedIds::default()), Some(vec![TemplateFault::NotAgreed(WebhookMacro::UserId)]));
    let user_only = agreed([TrackingId::UserId]);
    assert_eq!(not_agreed(user_only), Some(vec![TemplateFault::NotAgreed(WebhookMacro::ClickId)]));
    // The id was agreed on after this delivery's ids were fixed.
    let missing = Delivered::of("", "c-1").render(text);
    assert_eq!(missing, Err(AttemptFault::MissingValue(WebhookMacro::UserId)));
}

#[test]
fn only_https_on_two_ports_without_userinfo_is_allowed() {
    for good in ["https://a.example", "https://a.example:443/x", "https://a.example:8443/x", "HTTPS://A.Example/x?y=1"]
    {
        template(good);
    }
    for (bad, fault) in [
        ("http://a.example/", TemplateFault::Scheme),
        ("http://a.example/", TemplateFault::Port(80)),
        ("ftp://a.example/", TemplateFault::Scheme),
        ("https://a.example:80/", TemplateFault::Port(80)),
        ("https://a.example:444/", TemplateFault::Port(444)),
        ("https://a.example:0/", TemplateFault::Port(0)),
        ("https://u@a.example/", TemplateFault::Userinfo),
        ("https://u:p@a.example/", TemplateFault::Userinfo),
        ("https://@a.example/", TemplateFault::Userinfo),
        ("https://a.example@b.example/", TemplateFault::Userinfo),
        ("https://a.example%40b.example/", TemplateFault::NotUrl("invalid international domain name".to_owned())),
        ("https:/\\a.example/", TemplateFault::Character('\\')),
        ("https://a.example\\@b.example/", TemplateFault::Character('\\')),
        ("https://a.example/ x", TemplateFault::Character(' ')),
        ("https://a.ex\tample/", TemplateFault::Character('\t')),
        ("https://a.example./", TemplateFault::TrailingDot),
        ("https://localhost/", TemplateFault::LocalName("localhost".to_owned())),
        ("https://LOCALHOST./", TemplateFault::LocalName("localhost.".to_owned())),
        ("https://x.localhost/", TemplateFault::LocalName("x.localhost".to_owned())),
        ("https://foo.local/", TemplateFault::PrivateName("foo.local".to_owned(), "local")),
        (
            "https://Metadata.Google.Internal/",
            TemplateFault::PrivateName("metadata.google.internal".to_owned(), "internal"),
        ),
    ] {
        assert!(faults(bad).contains(&fault), "{bad}: {:?}", faults(bad));
    }
    for bad in ["", "a.example", "//a.example/", "https:a.example", "https:///a.example/", "https://", "https://:443/"]
    {
        assert!(matches!(faults(bad)[..], [TemplateFault::NotUrl(_)]), "{bad}: {:?}", faults(bad));
    }
}

#[test]
fn a_host_that_no_certificate_could_name_is_refused() {
    let (label, long) = ("a".repeat(64), "a.".repeat(126) + "aa");
    for host in ["a..b", "*.example", ".a.example", "-a.example", "a-.example", "a!b.example", "*", &label, &long] {
        assert_eq!(faults(&format!("https://{host}/")), [TemplateFault::HostName(host.to_owned())], "{host}");
    }
    let (label, long) = ("a".repeat(63), "a.".repeat(126) + "a");
    for host in ["a-b.example", "my_host.example", "xn--bcher-kva.example", "1.a", "bücher.example", &label, &long] {
        template(&format!("https://{host}/"));
    }
}

#[test]
fn a_literal_address_is_checked_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0X7F.1",
        "017700000001",
        "0177.0.0.1",
        "0177.0.0x1",
        "00000177.0.0.1",
        "%31%32%37.0.0.1",
        "127。0。0。1",
        "１２７.0.0.1",
        "⑫7.0.0.1",
        "0",
        "0.0.0.0",
        "0x0",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "10.1",
        "192.168.1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        let found = faults(&format!("https://{host}/hook"));
        assert!(matches!(found[..], [TemplateFault::Host(_)]), "{host}: {found:?}");
    }
    for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "256.1.1.1", "1.2.3.4.5", "0x100000000", "[v1.x]"] {
        let found = faults(&format!("https://{host}/hook"));
        assert!(matches!(found[..], [TemplateFault::NotUrl(_)]), "{host}: {found:?}");
    }
    assert_eq!(faults("https://127.0.0.1../hook"), [TemplateFault::TrailingDot]);
    for (host, address) in
        [("8.8.8.8", "8.8.8.8"), ("0x08080808", "8.8.8.8"), ("[2606:4700:4700::1111]", "2606:4700:4700::1111")]
    {
        let url = template(&format!("https://{host}/hook")).render(&Delivered::of("u", "c").values()).unwrap();
        assert_eq!(url.destination(), Destination::Address(address.parse().unwrap()));
    }
}

#[test]
fn development_permits_only_loopback_besides_public_addresses() {
    for good in
        ["http://127.0.0.1:3000/hook?c={clickId}", "http://localhost:9/", "https://[::1]:9/", "https://a.example:81/"]
    {
        assert!(UrlTemplate::parse(good, &both(), development()).is_ok(), "{good}");
        assert!(UrlTemplate::parse(good, &both(), PUBLIC).is_err(), "{good}");
    }
    for bad in [
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://127.0.0.1/",
        "http://u@127.0.0.1/",
    ] {
        assert!(UrlTemplate::parse(bad, &both(), development()).is_err(), "{bad}");
    }
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert!(PUBLIC.check(address("127.0.0.1")).is_err());
    assert!(development().check(address("127.0.0.1")).is_ok());
    assert!(development().check(address("10.0.0.1")).is_err());
}

#[test]
fn development_requires_an_aws_endpoint_on_loopback() {
    for own in [
        "http://localhost:4570",
        "http://127.0.0.1:4570/",
        "https://[::1]:1",
        "http://x.localhost:4570",
        "http://127.1",
    ] {
        assert!(Development::try_new(own).is_ok(), "{own}");
    }
    for other in [
        "",
        "localhost:4570",
        "https://dynamodb.eu-west-1.amazonaws.com",
        "http://10.0.0.1",
        "http://localhost.example",
        "http://notlocalhost",
        "http://localhost@a.example",
        "http://[::ffff:127.0.0.1]",
    ] {
        assert_eq!(Development::try_new(other), Err(NotDevelopment), "{other}");
    }
}

#[test]
fn a_value_that_would_lead_elsewhere_is_never_sent() {
    let paths = [
        "https://a.example/hook/{clickId}",
        "https://a.example/{clickId}",
        "https://a.example/hook/{clickId}/",
        "https://a.example/hook/{clickId}/done?x=1",
        "https://a.example/a/b/c/{clickId}?u={userId}",
    ];
    for value in [
        ".",
        "..",
        "%2e",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "/",
        "a/b",
        "../x",
        "x/..",
        "x/../y",
        "../x/y",
        "\\",
        "..\\x",
        "%2f",
        "%2F..",
        "%5c",
        "%255c",
        "..;",
        "..;x=1",
        ".;",
        "/etc/passwd",
    ] {
        for path in paths {
            let unsafe_value = Err(AttemptFault::UnsafeValue(WebhookMacro::ClickId));
            assert_eq!(Delivered::of("u", value).render(path), unsafe_value, "{value} in {path}");
        }
        // In a query the same value is harmless.
        let query = Delivered::of("u", value).render("https://a.example/hook?c={clickId}").unwrap();
        let sent: Vec<_> = Url::parse(&query).unwrap().query_pairs().map(|(_, sent)| sent.into_owned()).collect();
        assert_eq!(sent, [value]);
    }
    for value in ["...", ".a", "a.", "a..b", "..a", "100%", "a:b", "@", "?", "#", "//x".trim_matches('/'), "é", "a;b"]
    {
        assert!(Delivered::of("u", value).render(paths[0]).is_ok(), "{value}");
    }
}

#[test]
fn a_value_that_completes_its_segment_to_dots_is_never_sent() {
    let unsafe_value = Err(AttemptFault::UnsafeValue(WebhookMacro::ClickId));
    assert_eq!(Delivered::of("u", ".").render("https://a.example/x/.{clickId}/y"), unsafe_value);
    assert_eq!(Delivered::of(".", ".").render("https://a.example/x/{clickId}{userId}"), unsafe_value);
    // The template ends with half of an encoding, and the value completes it.
    assert!(Delivered::of("u", "2e").render("https://a.example/x/.%252{clickId}").is_ok());
    assert_eq!(Delivered::of("u", "e").render("https://a.example/x/.%252{clickId}"), unsafe_value);
    assert_eq!(Delivered::of("u", "2f").render("https://a.example/x/%25{clickId}"), unsafe_value);
    assert_eq!(faults("https://a.example/x/%{clickId}"), [TemplateFault::PercentEncoding]);
    assert_eq!(faults("https://a.example/?x=%2{clickId}"), [TemplateFault::PercentEncoding]);
}

#[test]
fn a_templates_own_path_is_settled_when_it_is_parsed() {
    let rendered = |text: &str| Delivered::of("u", "c").render(text).unwrap();
    assert_eq!(rendered("https://A.example:443/a/../b/./{clickId}"), "https://a.example/b/c");
    assert_eq!(rendered("https://a.example?c={clickId}"), "https://a.example/?c=c");
    assert_eq!(rendered("https://zażółć.example/ó"), "https://xn--za-6ja4f8n1l.example/%C3%B3");
    assert_eq!(rendered("https://a.example/a%2Fb/{clickId}"), "https://a.example/a%2Fb/c");
    assert_eq!(faults("https://a.example/%252e%252e/{clickId}"), [TemplateFault::Path]);
    assert_eq!(faults("https://a.example/a%2F../{clickId}"), [TemplateFault::Path]);
    assert_eq!(faults("https://a.example/{clickId}/../x"), [TemplateFault::Path]);
}

#[test]
fn a_post_body_has_standard_fields_and_the_partners_names() {
    let delivered = Delivered::of("p-9", "c\"1");
    let partner = partner(r#"{"provider":"acme","parameters":{"click_id":"aff_sub"}}"#);
    let webhook = Webhook {
        template: template("https://a.example/hook?d={deliveryId}"),
        method: Method::Post,
        names: BodyNames::try_new(&partner.rules().names).unwrap(),
    };
    let request = webhook.request(&delivered.values()).unwrap();
    let id = &delivered.delivery_id;
    let expected = format!(
        r#"{{"type":"registration","timestamp":"2026-11-23T12:00:00Z","data":{{"aff_sub":"c\"1","campaign":"welcome","delivery_id":"{id}","user_id":"p-9"}}}}"#
    );
    assert_eq!(request.body(), Some(expected.as_str()));
    assert_eq!(request.method(), Method::Post);
    assert_eq!(request.signed_payload(), expected);
    assert_eq!(webhook.request(&delivered.values()), Ok(request), "byte for byte the same in every attempt");

    let no_user = webhook.request(&Delivered::of("", "c").values()).unwrap();
    assert!(!no_user.body().unwrap().contains("user_id"), "what was not agreed on is not there");
}

#[test]
fn a_get_signs_the_json_string_of_its_target_as_sent() {
    let names = BodyNames::try_new(&ParameterNames::default()).unwrap();
    for (text, target) in [
        ("https://a.example?c={clickId}", "/?c=a%20b"),
        ("https://a.example:8443/x/{clickId}/y?", "/x/a%20b/y?"),
        ("https://a.example/x?a=b'c&c={clickId}&&", "/x?a=b%27c&c=a%20b&&"),
    ] {
        let webhook = Webhook { template: template(text), method: Method::Get, names: names.clone() };
        let request = webhook.request(&Delivered::of("u", "a b").values()).unwrap();
        assert_eq!(request.signed_payload(), format!("\"{target}\""));
        assert_eq!(request.url().request_target(), target);
        assert_eq!((request.method(), request.body()), (Method::Get, None));
    }
}

#[test]
fn a_partners_id_name_may_not_collide_with_a_body_field() {
    let partner = partner(r#"{"provider":"acme","parameters":{"click_id":"campaign","user_id":"delivery_id"}}"#);
    assert_eq!(BodyNames::try_new(&partner.rules().names).unwrap_err().len(), 2);
}

#[test]
fn debug_output_shows_neither_path_nor_query() {
    let template = template("https://a.example:8443/secret-token/hook?key=secret&c={clickId}");
    let webhook =
        Webhook { template, method: Method::Post, names: BodyNames::try_new(&ParameterNames::default()).unwrap() };
    let request = webhook.request(&Delivered::of("u", "secret").values()).unwrap();
    for shown in [format!("{:?}", webhook.template), format!("{request:?}"), format!("{:?}", request.url())] {
        assert!(shown.contains("https://a.example:8443/…") && !shown.contains("secret"), "{shown}");
    }
}

fn a_template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{clickId}".to_owned()),
        Just("{userId}".to_owned()),
        Just("/".to_owned()),
        Just(".".to_owned()),
        Just("%2e".to_owned()),
        "[a-z0-9%;:@.-]{1,3}",
    ];
    let pieces = |most| prop::collection::vec(piece.clone(), 0..most).prop_map(|pieces| pieces.concat());
    (pieces(8), pieces(4)).prop_map(|(path, query)| format!("https://a.example/{path}?{query}"))
}

fn a_value() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        ".", "..", "/", "\\", "%", "2", "5", "e", "E", "c", "2f", "%2e", ";", "?", "#", "a", " ", "@", ":", "é",
    ]);
    prop::collection::vec(part, 1..8).prop_map(|parts| parts.concat())
}

/// Fuzzing found this: the host's normalisation turned full-width braces into braces, and `{event}` into a macro.
#[test]
fn full_width_braces_do_not_put_a_macro_into_a_host() {
    for text in ["https://\u{ff5b}event\u{ff5d}.example/", "https://a\u{ff5b}b.example/"] {
        let parsed = UrlTemplate::parse(text, &AgreedIds::default(), Allowance::PublicOnly);
        assert_eq!(parsed.unwrap_err(), [TemplateFault::MacroOutOfPlace(UrlPart::Host)], "{text}");
    }
}

#[test]
fn a_templates_length_is_measured_after_encoding() {
    let of = |letters| format!("https://a.example/{}?c={{clickId}}", "é".repeat(letters));
    assert_eq!(faults(&of(400)), [TemplateFault::TooLong], "818 bytes, and 2,418 as they are sent");
    assert_eq!(template(&of(300)).text(), format!("https://a.example/{}?c={{clickId}}", "%C3%A9".repeat(300)));
}

/// Fuzzing found this: the URL parser skips any number of slashes, so its host was not the one that was checked.
#[test]
fn a_url_with_its_only_double_slash_in_the_path_is_refused() {
    let agreed = AgreedIds::default();
    for text in [
        "https:/a.example/%3.x://b.example/",
        "https:a.example/{x}://b.example/",
        "https:?x://b.example/",
        "https:/https://b.example/%3.`",
    ] {
        let parsed = UrlTemplate::parse(text, &agreed, Allowance::PublicOnly);
        assert!(matches!(parsed.unwrap_err().as_slice(), [TemplateFault::NotUrl(_)]), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_rendered_url_keeps_host_segments_and_values(text in a_template(), user in a_value(), click in a_value()) {
        let Ok(template) = UrlTemplate::parse(&text, &both(), PUBLIC) else { return Ok(()) };
        let harmless = template.render(&Delivered::of("x", "x").values()).unwrap();
        let delivered = Delivered::of(&user, &click);
        let Ok(url) = template.render(&delivered.values()) else { return Ok(()) };
        let (base, url) = (Url::parse(harmless.as_str()).unwrap(), Url::parse(url.as_str()).unwrap());
        prop_assert_eq!((url.scheme(), url.host_str(), url.port(), url.username(), url.fragment()), (base.scheme(), base.host_str(), base.port(), "", None));
        prop_assert_eq!(url.path_segments().unwrap().count(), base.path_segments().unwrap().count());
        // However often a server decodes the path, the number of segments is the same, and no segment leads to a parent
        // folder.
        let mut decoded = url.path().to_owned();
        let mut plain = base.path().to_owned();
        for _ in 0..8 {
            let segments: Vec<&str> = decoded.split(['/', '\\']).collect();
            prop_assert_eq!(segments.len(), plain.split(['/', '\\']).count(), "{}", decoded);
            prop_assert!(!segments.iter().any(|segment| [".", ".."].contains(segment)), "{}", decoded);
            decoded = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
            plain = percent_encoding::percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        }
    }

    #[test]
    fn no_text_panics_and_a_parsed_template_parses_again(text in "(https?://)?[a-z{}@:/?#%\\[\\]. \\\\0-9]{0,24}") {
        if let Ok(template) = UrlTemplate::parse(&text, &both(), PUBLIC) {
            prop_assert_eq!(UrlTemplate::parse(&template.text(), &both(), PUBLIC), Ok(template));
        }
    }

    #[test]
    fn no_spelling_of_an_ipv4_address_hides_it(bits: u32, style in 0usize..6, last: u8) {
        let [a, b, c, d] = bits.to_be_bytes();
        let host = match style {
            0 => format!("{bits}"),
            1 => format!("{bits:#x}"),
            2 => format!("0{bits:o}"),
            3 => format!("{a:#x}.0{b:o}.{c}.{d}"),
            4 => format!("{a}.{}", bits & 0x00ff_ffff),
            _ => format!("{a}.{b}.{}", bits & 0xffff),
        };
        let dot = if last.is_multiple_of(2) { "." } else { "" };
        let parsed = UrlTemplate::parse(&format!("https://{host}{dot}/"), &both(), PUBLIC);
        if let Err(blocked) = address::check(IpAddr::V4(bits.into())) {
            prop_assert_eq!(parsed, Err(vec![TemplateFault::Host(blocked)]));
        } else {
            let url = parsed.unwrap().render(&Delivered::of("u", "c").values()).unwrap();
            prop_assert_eq!(url.destination(), Destination::Address(IpAddr::V4(bits.into())));
        }
    }
}

#[test]
fn a_request_keeps_the_templates_host_and_port() {
    let values = Delivered::of("p-9", "c-1");
    let cases = [
        ("https://a.example/x?c={clickId}", "a.example", true),
        ("https://a.example:443/x", "a.example", true),
        ("https://a.example:8443/", "a.example:8443", true),
        ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443", true),
        ("https://a.example:444/", "a.example:444", false),
        ("http://a.example/", "a.example", false),
        ("http://a.example:443/", "a.example:443", false),
    ];
    for (text, authority, public) in cases {
        let template = UrlTemplate::parse(text, &both(), development()).unwrap();
        let url = template.render(&values.values()).unwrap();
        assert_eq!((url.authority(), url.is_secure()), (authority, text.starts_with("https:")), "{text}");
        assert_eq!((PUBLIC.permits(&url), development().permits(&url)), (public, true), "{text}");
    }
}
