use std::collections::{BTreeMap, BTreeSet};

use app::operators::reconcile::Line;
use domain::{
    inbound::{
        conversion::{Receipt, RecordedPostback},
        correction::Revision,
        postback::{Extra, Postback},
        rules::PostbackRules,
    },
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        parameter_names::{Field, ParameterNames},
    },
};

use super::*;

fn parse(text: &str) -> Result<BTreeMap<TransactionId, Line>, String> {
    let list = file::parse(text.as_bytes(), &ParameterNames::default(), &[]);
    list.map(|list| list.transactions).map_err(|fault| format!("{fault:#}"))
}

fn id(text: &str) -> TransactionId {
    TransactionId::new(text).unwrap()
}

fn ours(transaction: &str, amount: &str) -> Revision {
    let json = serde_json::json!({
        "user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": amount, "event_id": "001",
    });
    let receipt = Receipt {
        transaction_id: id(transaction),
        receipt_id: ReceiptId::from_random([0; 16]),
        received_at: Timestamp::UNIX_EPOCH,
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    let postback = Postback {
        provider: Provider::new("acme").unwrap(),
        transaction_id: id(transaction),
        content: serde_json::from_value(json).unwrap(),
        click: serde_json::from_value("foreign".into()).unwrap(),
        state: None,
        reference: None,
        extra: Extra::new(),
        erased: None,
    };
    Revision::Original(RecordedPostback { postback, receipt, reversed: None })
}

fn compared(csv: &str, ours: &[Revision]) -> Comparison {
    let (theirs, mut report) = (parse(csv).unwrap(), Comparison::default());
    let by_id: BTreeMap<TransactionId, &Revision> =
        ours.iter().map(|revision| (revision.postback().transaction_id.clone(), revision)).collect();
    for id in theirs.keys().chain(by_id.keys()).collect::<BTreeSet<_>>() {
        report.compare(id, theirs.get(id), by_id.get(id).copied(), &PostbackRules::default());
    }
    report
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let list = parse("\u{feff}note,amount_decimal, transaction_id\n\"a, b\",1.50,t-1\nx,,t-2\n").unwrap();
    assert_eq!(list[&id("t-1")].cells, BTreeMap::from([(Field::AmountDecimal, "1.50".to_owned())]));
    assert_eq!((list[&id("t-2")].line, list[&id("t-2")].cells.len()), (3, 0));
}

#[test]
fn a_list_that_cannot_be_compared_is_refused_with_its_line() {
    for (text, reason) in [
        ("", "the list is empty"),
        ("\n,,\n", "the list is empty"),
        ("id,amount\n1,2\n", "separated by ',' it has: id, amount; name the column"),
        ("id\tamount\n1\t2\n", "separated by '\\t' it has: id, amount"),
        ("transaction_id,transaction_id\n", "2 times"),
        ("transaction_id\nt\nt\n", "line 3: t is already on line 2"),
        ("transaction_id,user_id\n,u\n", "line 2: the transaction_id is empty"),
        ("\n\ntransaction_id\n\n\r\n,\na,b\n", "line 7 has 2 cells, but the header has 1 cell"),
        ("transaction_id,user_id\na\n", "line 2 has 1 cell, but the header has 2"),
    ] {
        let said = parse(text).unwrap_err();
        assert!(said.contains(reason), "{reason} in {said}");
    }
}

#[test]
fn transactions_of_one_side_and_differing_ones_are_told() {
    let list = "transaction_id,amount_decimal,currency\nsame,100.0,USD\ntheirs,1,USD\ndiffers,90,EUR\n";
    let report = compared(list, &[ours("same", "100.00"), ours("ours", "5"), ours("differs", "100")]);
    assert_eq!((report.same, report.is_clean()), (1, false));
    assert_eq!(report.only_theirs, [OnlyTheirs { transaction_id: id("theirs"), line: 3, missing: None }]);
    assert_eq!(report.only_ours[0].transaction_id, id("ours"));
    let fields: Vec<Field> = report.differing[0].differences.iter().map(|differs| differs.field).collect();
    assert_eq!(fields, [Field::Currency, Field::AmountDecimal]);
    assert!(compared("transaction_id\nt\n", &[ours("t", "1")]).is_clean());
}

#[test]
fn empty_cells_are_not_compared_and_invalid_amounts_differ() {
    assert!(compared("transaction_id,user_id,event_id\nt,,001\n", &[ours("t", "1")]).is_clean());
    for amount in ["\"1,00\"", "1e0", "one"] {
        let report = compared(&format!("transaction_id,amount_decimal\nt,{amount}\n"), &[ours("t", "1")]);
        assert_eq!(report.differing.len(), 1, "{amount}");
    }
}

#[test]
fn a_column_may_have_the_partners_name() {
    let file: domain::partner::PartnerFile = serde_json::from_str(
        r#"{"provider":"umbrella","parameters":{"click_id":"aff_sub","amount_decimal":"payout"}}"#,
    )
    .unwrap();
    let partner = domain::partner::Partner::try_from(file).unwrap();
    let text = "transaction_id,aff_sub,payout,amount\r\n t-1 ,c-1, 3 ,9\r\n";
    let list = file::parse(text.as_bytes(), &partner.rules().names, &[]).unwrap();
    assert_eq!(list.compared, [Field::ClickId, Field::AmountDecimal]);
    assert_eq!(list.ignored, ["amount"]);
    let theirs = &list.transactions[&TransactionId::new("t-1").unwrap()];
    assert_eq!((theirs.cells[&Field::ClickId].as_str(), theirs.cells[&Field::AmountDecimal].as_str()), ("c-1", "3"));
}

#[test]
fn a_column_of_statuses_is_found_only_if_statuses_are_agreed() {
    let file = r#"{"provider":"acme","postback":{"status":{"parameter":"approve","approved":["1"]}}}"#;
    let file: domain::partner::PartnerFile = serde_json::from_str(file).unwrap();
    let partner = domain::partner::Partner::try_from(file).unwrap();
    let compared = |header: &str, names: &ParameterNames| file::parse(header.as_bytes(), names, &[]).unwrap().compared;
    for header in ["transaction_id,approve", "transaction_id,status", "transaction_id,state"] {
        assert_eq!(compared(header, &partner.rules().names), [Field::Status], "{header}");
        assert_eq!(compared(header, &ParameterNames::default()), [], "{header}");
    }
    // The partner's own name wins.
    let both = file::parse("transaction_id,approve,status".as_bytes(), &partner.rules().names, &[]).unwrap();
    assert_eq!((both.compared, both.ignored), (vec![Field::Status], vec!["status".to_owned()]));
}

fn lines(text: &str) -> Vec<(String, u64)> {
    parse(text).unwrap().into_iter().map(|(id, line)| (id.as_str().to_owned(), line.line)).collect()
}

#[test]
fn a_line_keeps_its_number_after_lines_without_a_value() {
    for text in [
        "transaction_id,user_id\n\n\nt,u\n",
        "\ntransaction_id,user_id\n,\nt,u\n",
        "transaction_id,user_id\r\n\r\n  \r\nt,u\r\n",
        "transaction_id,user_id\r\rt,u,\r".replace("\r\r", "\r \r\r").as_str(),
        "transaction_id,user_id\nno,\"a\nb\"\nt,u\n",
        "\u{feff}transaction_id,user_id\n\"no\",\"a\r\nb\"\nt,u",
    ] {
        assert_eq!(lines(text).last().unwrap(), &("t".to_owned(), 4), "{text:?}");
    }
}

#[test]
fn a_list_may_be_separated_by_other_signs() {
    for separator in [";", "\t", "|"] {
        let text = "\u{feff}transaction_id,\"amount_decimal\",note\r\nt,1.5,\"a, b\"\r\n".replace(',', separator);
        let found = &parse(&text).unwrap()[&id("t")];
        assert_eq!(found.cells, BTreeMap::from([(Field::AmountDecimal, "1.5".to_owned())]), "{text:?}");
    }
}

#[test]
fn the_operator_names_columns_of_other_names() {
    let columns = |texts: &[&str]| texts.iter().map(|text| file::column(text).unwrap()).collect::<Vec<_>>();
    let parse = |text: &str, named: &[&str]| {
        file::parse(text.as_bytes(), &ParameterNames::default(), &columns(named)).map_err(|fault| format!("{fault:#}"))
    };
    let named = ["transaction_id=Order ID", "amount_decimal = Payout"];
    let list = parse("Order ID;transaction_id;Payout;amount_decimal\nt-1;x;1.50;y\n", &named).unwrap();
    assert_eq!(list.transactions[&id("t-1")].cells, BTreeMap::from([(Field::AmountDecimal, "1.50".to_owned())]));
    assert_eq!(list.ignored, ["transaction_id", "amount_decimal"]);
    for (text, named, reason) in [
        ("Order;Payout\n", named, "no column Order ID, which --column names for transaction_id; it has: Order, Payout"),
        ("transaction_id\n", ["status=Outcome", "user_id=u"], "no status is agreed"),
        ("transaction_id,u\n", ["user_id=u", "user_id=v"], "no column v"),
    ] {
        let said = parse(text, &named).unwrap_err();
        assert!(said.contains(reason), "{reason} in {said}");
    }
    for bad in ["", "transaction_id", "transaction_id=", "order=Order ID"] {
        assert!(file::column(bad).unwrap_err().contains("one of user_id, click_id, transaction_id,"), "{bad}");
    }
}

#[test]
fn a_list_in_another_encoding_is_named() {
    for (bytes, reason) in
        [(&b"transaction_id\nt\n\xe9\n"[..], "line 3 is not UTF-8"), (&b"\xff\xfet\0"[..], "the list is UTF-16")]
    {
        let said = file::parse(bytes, &ParameterNames::default(), &[]).unwrap_err().to_string();
        assert!(said.starts_with(reason), "{said}");
    }
}

#[test]
fn an_amount_or_currency_that_cannot_be_read_says_why() {
    let report = compared("transaction_id;amount_decimal;currency\nt;1,00;usd\n", &[ours("t", "1")]);
    let reasons: Vec<_> = report.differing[0].differences.iter().map(|differs| differs.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("it must be written USD"), Some("it has a separator between its digits")]);
}
