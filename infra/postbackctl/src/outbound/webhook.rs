//! A webhook as a command that can be pasted: what is sent for a delivery by the configuration as it is now, without what is
//! secret.

use domain::{
    delivery::Delivery,
    webhook::{Method, WebhookRequest},
};

use crate::Connection;

/// The request of a delivery, or why there is none, in lines for a timeline.
pub(crate) async fn as_curl(connection: &Connection, delivery: &Delivery) -> Vec<String> {
    let known = match connection.recipient(delivery.provider()).await {
        Ok(Some(known)) => known,
        Ok(None) => return vec!["its partner is not configured any more".to_owned()],
        Err(fault) => return vec![format!("what is sent cannot be told: {fault:#}")],
    };
    let Some(callee) = known.recipient.campaign(delivery.campaign()) else {
        return vec!["its campaign is not configured any more".to_owned()];
    };
    match callee.webhook().map(|webhook| webhook.request(delivery)) {
        Ok(Ok(request)) => vec![curl(&request, delivery.id().as_str())],
        Ok(Err(fault)) => vec![fault.to_string()],
        Err(fault) => vec![format!("what is configured cannot be called from here: {fault}")],
    }
}

/// A request as a command. Its signature is no part of it: whoever pastes this is not us.
pub(crate) fn curl(request: &WebhookRequest, id: &str) -> String {
    let json = if request.method() == Method::Post { " -X POST -H 'content-type: application/json'" } else { "" };
    let body = request.body().map_or(String::new(), |body| format!(" -d {}", quoted(body)));
    let url = quoted(request.url().as_str());
    format!("curl -i{json} -H 'webhook-id: {id}' -H 'webhook-signature: (masked)'{body} {url}")
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_text_holds_it_is_one_word_to_a_shell() {
        for text in ["plain", "it's", "a b", "$(reboot)", "'; x '"] {
            let echoed = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(text))]).output();
            assert_eq!(String::from_utf8(echoed.unwrap().stdout).unwrap(), text);
        }
    }
}
