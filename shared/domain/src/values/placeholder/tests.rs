use std::vec;

use proptest::prelude::*;

use super::*;

fn found_macro(raw: &str) -> Option<String> {
    match find(raw.as_bytes(), Place::Id) {
        Some(Placeholder::Macro(text)) => Some(text),
        _ => None,
    }
}

fn found_word(raw: &str) -> Option<String> {
    match find(raw.as_bytes(), Place::Id) {
        Some(Placeholder::Word { text, .. }) => Some(text),
        _ => None,
    }
}

/// Percent-encodes every sign that is no letter or digit.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn every_trackers_macro_is_found_even_encoded() {
    for (raw, shown) in [
        ("{click_id}", "{click_id}"),
        ("%7Bclick_id%7D", "{click_id}"),
        ("%257Bclick_id%257D", "{click_id}"),
        ("{{x}}", "{{x}}"),
        ("%7b%7bx%7d%7d", "{{x}}"),
        ("${x}", "${x}"),
        ("%x%", "%x%"),
        ("%ad_id%", "%ad_id%"),
        ("%25click_id%25", "%click_id%"),
        ("%%x%%", "%%x%%"),
        ("[x]", "[x]"),
        ("%5Bx%5D", "[x]"),
        ("#x#", "#x#"),
        ("%23x%23", "#x#"),
        ("$x$", "$x$"),
        ("%24x%24", "$x$"),
        ("abc_{sub-1}", "{sub-1}"),
        ("a{{b}}c", "{{b}}"),
        ("%7B%7B%20click_id%20%7D%7D", "{{ click_id }}"),
        ("{+click_id+}", "{+click_id+}"),
        ("%5B+click_id+%5D", "[+click_id+]"),
        ("[[x]]", "[[x]]"),
        ("{click_id|default}", "{click_id|default}"),
        ("%25257Bx%25257D", "{x}"),
        ("%25Ad%20id%25", "%Ad id%"),
        ("%Ad%20id%", "%Ad%20id%"),
        ("+{x}+", "{x}"),
    ] {
        assert_eq!(found_macro(raw).as_deref(), Some(shown), "{raw}");
        assert_eq!(find_macro(raw.as_bytes()).as_deref(), Some(shown), "{raw}");
    }
}

#[test]
fn a_macro_is_known_by_its_form() {
    for text in [
        "(clickid)",
        "(x)",
        "__CLICKID__",
        "__click_id__",
        "__clickId__",
        "__SUB_1__",
        "__X__",
        "[CLICK ID]",
        "[x]",
        "[%X%]",
        "{$click_id}",
        "{{ .ClickID }}",
        "${(x)!}",
        "${x!\"\"}",
        "<click_id>",
        "<%= click_id %>",
        "<?=$click_id?>",
        "%X%",
        "%%X%%",
        "#x#",
        "@x@",
        "!x!",
        "|x|",
        "^x^",
        "*|CLICKID|*",
        "{%x%}",
        "{#x}",
        "#{x}",
        "%{x}",
        "@{x}",
        "$(x)",
        "%(x)s",
        "$[x]",
        "{{{x}}}",
        "[[+x]]",
        "((x))",
        "<<x>>",
        "{click id}",
        "{CLICK-ID}",
        "{sub['id']}",
        "{x:urlencode}",
        "{{x|default:''}}",
        "{!! $x !!}",
        "{clickid",
        "clickid}",
        "clickid}}",
        "$click_id",
        "$clickId",
        "$_GET['click_id']",
        "$row->id",
        ":click_id",
        "{Klick-Nummer}",
        "{идентификатор}",
        "[click.id]",
        "~x~",
        "##X(y)##",
        "%x!",
        "$!x",
        "$transaction.id",
        "{{1.x}}",
        "{1.click_id}",
        "{{x",
        "${x",
        "%x",
        "%click_id",
        "{utmSource1Click2Id}",
        "[sub_id_15]",
        "[Sale ID]",
    ] {
        for raw in [encoded(text), encoded(&encoded(text)), encoded(&format!(" {text} "))] {
            assert_eq!(found_macro(&raw).as_deref().map(str::trim), Some(text), "{raw}");
        }
    }
}

#[test]
fn a_macro_is_found_behind_signs_that_hide_it() {
    for (text, shown) in [
        ("\"{x}\"", "{x}"),
        ("'[x]'", "[x]"),
        ("[x].", "[x]"),
        ("%x%.", "%x%"),
        ("\"$x\"", "$x"),
        ("prefix_[x]", "[x]"),
        ("user-%click_id%", "%click_id%"),
        ("&lt;x&gt;", "<x>"),
        ("&#123;x&#125;", "{x}"),
        ("\\u007bx\\u007d", "{x}"),
        ("\u{ff5b}x\u{ff5d}", "{x}"),
        ("{\u{200b}x}", "{x}"),
        ("[cl\u{200b}ick]", "[click]"),
    ] {
        for raw in [encoded(text), encoded(&encoded(&encoded(&encoded(text))))] {
            assert_eq!(found_macro(&raw).as_deref(), Some(shown), "{raw}");
        }
    }
}

#[test]
fn an_ordinary_value_is_no_placeholder() {
    for value in [
        "",
        "67890",
        "100%25",
        "a%20b",
        "50%",
        "$5.00",
        "$15",
        "(INV-77)",
        "[INV-2024-001]",
        "[ORD_12345]",
        "[deadbeef]",
        "(V6VGTT2U)",
        "{deadbeef}",
        "{aGVsbG8gd29ybGQ=}",
        "{dGhpcyBpcyBhIHRlc3Q}",
        "{aGVsbG8=}",
        "Nan",
        "Nil",
        "array",
        "1.2E17",
        "12E+17",
        "00000000-0000-0000-0000-000000000001",
        "#1",
        "#OK",
        "undefined,7",
        "a_[1]",
        "{1.5}",
        "~john",
        "100%!",
        "a#b#",
        "{12}3",
        "a{abc",
        "x[1]",
        "{AF254210-77F1-4C1B-9F7B-0A1B2C3D4E5F}",
        "(af254210-77f1-4c1b-9f7b-0a1b2c3d4e5f)",
        "{af25421077f14c1b9f7b0a1b2c3d4e5f}",
        "{\"a\":1}",
        "[1,2]",
        "a{b",
        "}a{",
        "%41%",
        "(1)",
        "[12345]",
        "(c) Acme",
        "Foo (bar)",
        "[VIP] purchase",
        "a@b.c",
        "<a@b.c>",
        "@john",
        "#123",
        "__aB3xQ9__",
        "__X__AA-AAaA-",
        "__X--00__-Aa_aa__A-__",
        "__0-a-00a_-000A-_Id__",
        "$RCAnonymousID:80690dc6",
        "$2y$10$abcdefghijkl",
        "none-1",
        "nullable",
        "undefined-7",
        "user",
        "replacement",
        "shere",
        "optional-7a",
        "nOnE",
        "nUll",
        "x",
        "xx",
        "xx1xx",
        "example7",
        "https://a.example/{12}",
        "test",
    ] {
        assert_eq!(find(value.as_bytes(), Place::Id), None, "{value}");
    }
}

#[test]
fn words_for_no_value_are_found_in_usual_spellings() {
    for text in [
        "undefined",
        "Undefined",
        "null",
        "NULL",
        "Null",
        "None",
        "none",
        "NaN",
        "nan",
        "nil",
        "[object Object]",
        "[object Undefined]",
        "REPLACE",
        "REPLACE_ME",
        "replace-me",
        "ReplaceMe",
        "REPLACEME",
        "OPTIONAL",
        "optional",
        "your_click_id",
        "YOUR-USER-ID",
        "yourClickId",
        "YOURCLICKID",
        "INSERT_CLICK_ID_HERE",
        "insert id here",
        "CLICK_ID_HERE",
        "CHANGE_ME",
        "changeme",
        "TODO",
        "placeholder",
        "example_user_id",
        "xxx",
        "XXXXX",
        "\"null\"",
        "'undefined'",
        "(null)",
        "<nil>",
        "<null>",
        "{null}",
        "{{null}}",
        "[null]",
        "[undefined]",
        "{}",
        "{0}",
        "[]",
        "%s",
        "%d",
        "Optional(\"123\")",
        "Optional.empty",
        "N/A",
        "(not set)",
        "Array",
        "{your_click_id}",
        " null ",
        "<your click id>",
        "[REPLACE]",
        "-Infinity",
        "replace this value",
        "REPLACE_WITH_REAL_CLICK_ID",
        "undefined,undefined",
        "null;null",
        "#N/A",
        "#REF!",
        "#NAME?",
        "#DIV/0!",
        "00000000-0000-0000-0000-000000000000",
        "1.2E+17",
        "9.00719925474099e+15",
        "{0:N2}",
        "$1",
        "false",
        "TRUE",
    ] {
        for raw in [encoded(text), encoded(&encoded(text))] {
            assert_eq!(found_word(&raw).as_deref(), Some(text), "{raw}");
        }
    }
}

#[test]
fn a_value_that_repeats_its_name_is_recognised() {
    for text in ["click_id", "CLICK_ID", "clickId", "click-id", "Click ID", "clickid"] {
        assert!(repeats_name(text, "click_id"), "{text}");
    }
    assert!(!repeats_name("click_id1", "click_id") && !repeats_name("", "click_id") && !repeats_name("_", "-"));
}

#[test]
fn the_search_for_braces_takes_each_byte_once() {
    let worst = ["{", "{+", "}", "{}", "{ }", "{a|", "{a|}", "|", "{|", "{ a", "{{", "{a-", "${1}", "%7B", "{%25"];
    for (unit, size) in worst.into_iter().flat_map(|unit| [1 << 12, 1 << 13, 1 << 14].map(|size| (unit, size))) {
        let text: String = unit.chars().cycle().take(size).collect();
        let mut taken = 0;
        let marks = macros::marks(text.bytes().inspect(|_| taken += 1));
        let in_names: usize = marks.filter_map(|mark| Some(mark.at - mark.open?)).sum();
        assert_eq!(taken, size, "{unit}");
        assert!(in_names <= size, "{in_names} of {size} bytes of {unit}");
    }
}

/// Makes ids as the usual generators do.
fn generated() -> impl Strategy<Value = String> {
    let uuid = any::<[u8; 16]>().prop_map(|bytes| {
        let digits = data_encoding::HEXLOWER.encode(&bytes);
        let part = |from: usize, to: usize| digits[from..to].to_owned();
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    });
    let wrapped = |uuid: String| {
        prop::sample::select(vec![
            uuid.clone(),
            uuid.to_uppercase(),
            format!("{{{uuid}}}"),
            format!("({uuid})"),
            format!("[{uuid}]"),
        ])
    };
    let bytes = || prop::collection::vec(any::<u8>(), 8..48);
    prop_oneof![
        uuid.prop_flat_map(wrapped),
        bytes().prop_map(|bytes| data_encoding::BASE64.encode(&bytes)),
        bytes().prop_map(|bytes| data_encoding::BASE64_NOPAD.encode(&bytes)),
        bytes().prop_map(|bytes| data_encoding::BASE64URL.encode(&bytes)),
        bytes().prop_map(|bytes| data_encoding::BASE64URL_NOPAD.encode(&bytes)),
        bytes().prop_map(|bytes| data_encoding::HEXLOWER.encode(&bytes)),
        bytes().prop_map(|bytes| data_encoding::HEXUPPER.encode(&bytes)),
        bytes().prop_map(|bytes| crate::values::digest::base32(&bytes)),
        any::<u64>().prop_map(|number| number.to_string()),
        "[0-7][0-9A-HJKMNP-TV-Z]{25}",
        "[A-Za-z0-9_-]{10,40}",
        // Signs at both ends are what a nanoid and a macro have in common.
        "__[A-Za-z0-9_-]{4}[0-9][A-Za-z0-9_-]{12}__",
        "[-_]{1,3}[A-Za-z0-9_-]{10,20}[-_]",
    ]
}

proptest! {
    #[test]
    fn no_generated_id_is_taken_for_a_placeholder(id in generated()) {
        prop_assert_eq!(find(id.as_bytes(), Place::Id), None);
        prop_assert_eq!(find(encoded(&id).as_bytes(), Place::Id), None);
        prop_assert_eq!(find(encoded(&encoded(&id)).as_bytes(), Place::Id), None);
    }

    #[test]
    fn our_own_click_ids_are_never_placeholders(user in "[a-z0-9]{1,20}", second in 0i64..4_000_000_000, random in any::<[u8; 9]>()) {
        use crate::{inbound::click::ClickKeys, values::{ids::{Provider, UserId}, signature::Secret}};
        let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
        let now = jiff::Timestamp::from_second(second).unwrap();
        let id = keys.mint(&Provider::new("acme").unwrap(), &UserId::new(user).unwrap(), now, random);
        prop_assert_eq!(find(id.as_str().as_bytes(), Place::Id), None);
    }

    #[test]
    fn the_search_in_one_pass_finds_what_a_plain_one_finds(text in "[{}|a1+ $-]{0,20}") {
        prop_assert_eq!(macros::find_braced_in_one_pass(&text), macros::find_braced_plainly(&text));
    }

    #[test]
    fn no_bytes_make_the_search_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), near in "[_{}()<>\\[\\]%#$@!|^*:a-cA-C0-2 '\"+-]{0,24}") {
        let _ = (find(&bytes, Place::Id), find_macro(&bytes), find(near.as_bytes(), Place::Id), find_macro(near.as_bytes()));
    }

    #[test]
    fn a_macro_in_braces_is_found_anywhere(before in "[a-z0-9_-]{0,5}", name in "[a-z_][a-z0-9_]{0,9}", after in "[a-z0-9_-]{0,5}") {
        prop_assume!(name.contains(|sign: char| sign.is_ascii_alphabetic()) && words::cause(&name, Place::Id).is_none());
        prop_assume!(!name.trim_start_matches('_').starts_with(|sign: char| sign.is_ascii_digit()));
        let value = format!("{before}{{{name}}}{after}");
        prop_assert_eq!(found_macro(&value), Some(format!("{{{name}}}")));
    }

    #[test]
    fn the_signs_of_templates_make_any_name_a_macro(
        signs in prop::sample::select(&[("<", ">"), ("{", "}"), ("%", "%"), ("[%", "%]"), ("{{ .", " }}"), ("<%= ", " %>"), ("${(", ")!}")][..]),
        name in "[a-z]{1,9}([_.][a-z]{2,6}[0-9]?)?", upper in any::<bool>(),
    ) {
        let name = if upper { name.to_uppercase() } else { name };
        let text = format!("{}{name}{}", signs.0, signs.1);
        prop_assume!(words::cause(&text, Place::Id).is_none());
        prop_assert_eq!(found_macro(&encoded(&text)), Some(text.clone()));
    }

    #[test]
    fn other_signs_make_a_parameters_name_a_macro(
        signs in prop::sample::select(&[("(", ")"), ("[", "]"), ("#", "#"), ("$", "$"), ("@", "@"), ("__", "__"), ("$", ""), (":", "")][..]),
        name in "(click|user|sub|aff|event|transaction)([_.]?(id|name|[1-9]))?", upper in any::<bool>(),
    ) {
        let name = if upper { name.to_uppercase() } else { name };
        let text = format!("{}{name}{}", signs.0, signs.1);
        prop_assert_eq!(found_macro(&encoded(&text)), Some(text.clone()));
    }

    #[test]
    fn other_signs_around_a_persons_name_make_no_macro(
        signs in prop::sample::select(&[("(", ")"), ("[", "]"), ("#", "#"), ("$", ""), ("__", "__"), ("@", "")][..]),
        name in "john|anna|winner|deposit|sale|VIP|money|maria_k",
    ) {
        prop_assert_eq!(find(format!("{}{name}{}", signs.0, signs.1).as_bytes(), Place::Id), None);
    }
}
