//! A webhook as a command that can be pasted: what is sent for a delivery by the configuration as it is now, without what is
//! secret.

use app::operators::trace::NoRequest;
use domain::outbound::webhook::{Method, WebhookRequest};

/// Returns the request of a delivery as a command, or why there is none.
pub(crate) fn as_curl(request: &Result<WebhookRequest, NoRequest>, id: &str) -> String {
    match request {
        Ok(request) => curl(request, id),
        Err(NoRequest::NoPartner) => "its partner is not configured any more".to_owned(),
        Err(NoRequest::NoCampaign) => "its campaign is not configured any more".to_owned(),
        Err(NoRequest::Unread(fault)) => format!("what is sent cannot be told: {fault}"),
        Err(NoRequest::NotCallable(fault)) => format!("what is configured cannot be called from here: {fault}"),
        Err(NoRequest::Unmade(fault)) => fault.to_string(),
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
