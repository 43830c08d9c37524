//! Webhooks as curl commands. The commands use the present configuration, and lack the signatures.

use app::operators::trace::NoRequest;
use domain::outbound::webhook::{Method, WebhookRequest};

/// Returns the request of a delivery as a curl command, or the reason why there is no request.
pub(crate) fn as_curl(request: &Result<WebhookRequest, NoRequest>, id: &str) -> String {
    match request {
        Ok(request) => curl(request, id),
        Err(NoRequest::NoPartner) => "the partner is not configured any more".to_owned(),
        Err(NoRequest::NoCampaign) => "the campaign is not configured any more".to_owned(),
        Err(NoRequest::Unread(fault)) => format!("the configuration cannot be read: {fault}"),
        Err(NoRequest::NotCallable(fault)) => format!("this machine cannot call the configured URL: {fault}"),
        Err(NoRequest::Unmade(fault)) => fault.to_string(),
    }
}

/// Returns a request as a curl command. The command lacks the signature, which only GG3 can make.
pub(crate) fn curl(request: &WebhookRequest, id: &str) -> String {
    let json = if request.method() == Method::Post { " -X POST -H 'content-type: application/json'" } else { "" };
    let body = request.body().map_or(String::new(), |body| format!(" -d {}", quoted(body)));
    let url = quoted(request.url().as_str());
    format!("curl -i{json} -H 'webhook-id: {id}' -H 'webhook-signature: (masked)'{body} {url}")
}

/// Quotes a text, so that a shell takes it as one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_to_a_shell() {
        for text in ["plain", "it's", "a b", "$(reboot)", "'; x '"] {
            let echoed = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(text))]).output();
            assert_eq!(String::from_utf8(echoed.unwrap().stdout).unwrap(), text);
        }
    }
}
