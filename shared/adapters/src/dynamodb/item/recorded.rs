//! The item of a postback as it first came, made and read attribute by attribute.
//!
//! It is what serde makes of a [`PostbackItem`], and means what one does. `serde_dynamo` makes an item twice, as its own
//! type and, every name hashed and stored anew, as the client's: a fiftieth of a new postback's instructions, and a
//! fortieth of a duplicate's.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    conversion::{Receipt, RecordedPostback},
    ids::{Provider, TransactionId},
    postback::{Content, Postback},
};
use serde::de::{
    DeserializeOwned,
    value::{Error as Fault, StringDeserializer},
};

use super::{ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION};
use crate::dynamodb::Item;

/// More than it has attributes.
const ATTRIBUTES: usize = 14;

/// The item that is put.
pub(crate) fn item_of(recorded: &RecordedPostback) -> Item {
    let RecordedPostback { postback, receipt } = recorded;
    let Postback { provider, content, click, .. } = postback;
    let Content { user_id, click_id, currency, amount_decimal, event_id, event_name } = content;
    let Receipt { transaction_id, receipt_id, received_at, ignored } = receipt;
    let mut item = Item::with_capacity(ATTRIBUTES);
    let mut text = |name: &str, text: String| item.insert(name.to_owned(), AttributeValue::S(text));
    text(PROVIDER_TRANSACTION, PostbackItem::key(provider, transaction_id));
    text(REVISION, ORIGINAL.to_owned());
    text("receipt_id", receipt_id.as_str().to_owned());
    text("received_at", received_at.to_string());
    text("click", click.to_string());
    text("user_id", user_id.as_str().to_owned());
    text("click_id", click_id.as_str().to_owned());
    text("currency", currency.as_str().to_owned());
    text("amount_decimal", amount_decimal.to_string());
    if let Some(event_id) = event_id {
        text("event_id", event_id.as_str().to_owned());
    }
    if let Some(event_name) = event_name {
        text("event_name", event_name.as_str().to_owned());
    }
    if !ignored.is_empty() {
        let names = ignored.iter().map(|name| AttributeValue::S(name.clone())).collect();
        item.insert("ignored".to_owned(), AttributeValue::L(names));
    }
    item
}

/// The postback that an item is; none where it is no such item.
pub(crate) fn postback_of(mut item: Item) -> Option<RecordedPostback> {
    if text::<String>(&mut item, REVISION)? != ORIGINAL {
        return None;
    }
    let key: String = text(&mut item, PROVIDER_TRANSACTION)?;
    let (provider, transaction_id) = key.split_once('#')?;
    let transaction_id = TransactionId::new(transaction_id).ok()?;
    let content = Content {
        user_id: text(&mut item, "user_id")?,
        click_id: text(&mut item, "click_id")?,
        currency: text(&mut item, "currency")?,
        amount_decimal: text(&mut item, "amount_decimal")?,
        event_id: optional(&mut item, "event_id")?,
        event_name: optional(&mut item, "event_name")?,
    };
    let click = text(&mut item, "click")?;
    let receipt = Receipt {
        transaction_id: transaction_id.clone(),
        receipt_id: text(&mut item, "receipt_id")?,
        received_at: text(&mut item, "received_at")?,
        ignored: texts(&mut item, "ignored")?,
    };
    let postback = Postback { provider: Provider::new(provider).ok()?, transaction_id, content, click };
    Some(RecordedPostback { postback, receipt })
}

/// What serde reads from a text under this name.
fn text<T: DeserializeOwned>(item: &mut Item, name: &str) -> Option<T> {
    match item.remove(name)? {
        AttributeValue::S(text) => T::deserialize(StringDeserializer::<Fault>::new(text)).ok(),
        _ => None,
    }
}

/// The same, where there is one.
#[expect(clippy::option_option, reason = "there may be none, or one that cannot be read")]
fn optional<T: DeserializeOwned>(item: &mut Item, name: &str) -> Option<Option<T>> {
    match item.get(name) {
        None | Some(AttributeValue::Null(_)) => Some(None),
        Some(_) => text(item, name).map(Some),
    }
}

fn texts(item: &mut Item, name: &str) -> Option<Vec<String>> {
    match item.remove(name) {
        None => Some(Vec::new()),
        Some(AttributeValue::Ss(texts)) => Some(texts),
        Some(AttributeValue::L(texts)) => {
            texts.into_iter().map(|text| if let AttributeValue::S(text) = text { Some(text) } else { None }).collect()
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        click::ClickOrigin,
        ids::{EventId, EventName, ReceiptId},
        jiff::Timestamp,
    };

    use super::*;
    use crate::dynamodb::{from_item, to_item};

    fn content(amount: &str) -> Content {
        serde_json::from_value(serde_json::json!({
            "user_id": "użytkownik 1", "click_id": "c", "currency": "USD", "amount_decimal": amount,
        }))
        .unwrap()
    }

    #[test]
    fn what_is_made_here_is_what_serde_makes_of_it_and_is_read_as_it_was() {
        for (amount, with_event, ignored, click) in [
            ("0", false, vec![], ClickOrigin::Foreign),
            ("100.00", true, vec!["utm".to_owned(), "ź".to_owned()], ClickOrigin::Verified),
            ("999999999999999.00000001", false, vec![String::new()], ClickOrigin::Verified),
        ] {
            for received_at in [0, 1_700_000_000_000, 1_700_000_000_120] {
                let transaction_id = TransactionId::new("t#1").unwrap();
                let event_id = with_event.then(|| EventId::new("e").unwrap());
                let event_name = with_event.then(|| EventName::new("Level 2").unwrap());
                let recorded = RecordedPostback {
                    postback: Postback {
                        provider: Provider::new("acme").unwrap(),
                        transaction_id: transaction_id.clone(),
                        content: Content { event_id, event_name, ..content(amount) },
                        click,
                    },
                    receipt: Receipt {
                        transaction_id,
                        receipt_id: ReceiptId::from_random([7; 16]),
                        received_at: Timestamp::from_millisecond(received_at).unwrap(),
                        ignored: ignored.clone(),
                    },
                };
                let made = item_of(&recorded);
                assert_eq!(made, to_item("test", &PostbackItem::from(&recorded)).unwrap());
                let read: PostbackItem = from_item("test", made.clone()).unwrap();
                assert_eq!(RecordedPostback::try_from(read), Ok(recorded.clone()));
                assert_eq!(postback_of(made.clone()), Some(recorded));
                for name in made.keys() {
                    assert_the_same(&with(&made, name, None));
                    for other in [
                        AttributeValue::S("x".into()),
                        AttributeValue::S(String::new()),
                        AttributeValue::N("1".into()),
                        AttributeValue::Bool(true),
                        AttributeValue::Null(true),
                        AttributeValue::Ss(vec!["x".into()]),
                        AttributeValue::L(vec![]),
                        AttributeValue::L(vec![AttributeValue::N("1".into())]),
                        AttributeValue::M(Item::new()),
                    ] {
                        assert_the_same(&with(&made, name, Some(other)));
                    }
                }
            }
        }
    }

    /// An item with another attribute under a name, or none.
    fn with(item: &Item, name: &str, other: Option<AttributeValue>) -> Item {
        let mut item = item.clone();
        match other {
            Some(other) => item.insert(name.to_owned(), other),
            None => item.remove(name),
        };
        item
    }

    /// What serde reads is read here, as it reads it, and nothing else.
    fn assert_the_same(item: &Item) {
        let read = from_item::<PostbackItem>("test", item.clone()).ok();
        assert_eq!(postback_of(item.clone()), read.and_then(|read| read.try_into().ok()), "{item:?}");
    }
}
