//! Builds GG3's events for users that no other test and no earlier run has used.

use domain::values::time::UnixMillis;
use serde_json::{Value, json};
use tests::fresh;

pub(crate) fn now() -> UnixMillis {
    tests::now().into()
}

/// Returns an event of this type that happened this many minutes ago.
fn event(kind: &str, user: &str, minutes_ago: u64, more: Value) -> String {
    let occurred_at = now().minus(std::time::Duration::from_secs(60 * minutes_ago));
    let id = fresh("evt");
    let mut event = json!({"id": id, "type": kind, "user_id": user, "occurred_at": occurred_at.to_string()});
    let (Value::Object(fields), Value::Object(more)) = (&mut event, more) else {
        panic!("an event and its fields are objects")
    };
    fields.extend(more);
    event.to_string()
}

fn tracking(provider: &str, user: &str) -> Value {
    json!({"provider": provider, "click_id": format!("click-{user}"), "user_id": format!("partners-{user}")})
}

pub(crate) fn opened(user: &str, provider: &str, minutes_ago: u64, total_clicks: u64) -> String {
    let more = json!({"tracking": tracking(provider, user), "total_clicks": total_clicks});
    event("tracking_link.opened", user, minutes_ago, more)
}

pub(crate) fn registered(user: &str, provider: &str, minutes_ago: u64) -> String {
    event("user.registered", user, minutes_ago, json!({"method": "google", "tracking": tracking(provider, user)}))
}

pub(crate) fn clicked(user: &str, minutes_ago: u64, total_clicks: u64) -> String {
    event("gg_button.clicked", user, minutes_ago, json!({"total_clicks": total_clicks}))
}

pub(crate) fn completed(user: &str, minutes_ago: u64, quest: &str) -> String {
    event("main_quest.completed", user, minutes_ago, json!({"quest_id": quest}))
}

pub(crate) fn of_unknown_type(user: &str) -> String {
    event("user.slept", user, 1, json!({}))
}
