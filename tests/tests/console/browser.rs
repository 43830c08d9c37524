//! A browser without scripts: it keeps cookies, follows links and sends the forms of pages.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use reqwest::{
    Client,
    header::{COOKIE, HeaderMap, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE},
};
use serde_json::Value;
use tests::{
    payload::HttpRequest,
    runtime_api::Function,
    stack::{Stack, http_client},
};

/// Holds a page as a browser got it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) text: String,
    /// Holds the policy that says how much forms of the page tell about it.
    referrer_policy: String,
}

/// Reaches the console: through the API of the deployed stack, or as a function of its own.
pub(crate) enum Console<'a> {
    Deployed,
    Function(&'a Function),
}

/// Holds a browser's cookies.
pub(crate) struct Browser<'a> {
    stack: &'a Stack,
    console: Console<'a>,
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(stack: &'a Stack, console: Console<'a>) -> Self {
        Self { stack, console, http: http_client(), cookies: BTreeMap::new() }
    }

    /// Opens a page by its path below the console's URL, such as `/conflicts`.
    pub(crate) async fn open(&mut self, page: &str) -> Page {
        self.visit("GET", page, None, "").await
    }

    /// Sends a form of a page that this browser has open, with its hidden fields.
    pub(crate) async fn send(&mut self, from: &Page, to: &str, fields: &[(&str, &str)]) -> Page {
        // A page without a session has a form without a secret.
        let secret = from.text.split_once(r#"name="form" value=""#).map_or("", |(_, rest)| attribute(rest, ""));
        let secret = secret.to_owned();
        // Browsers do so with this policy, even within one site.
        let origin = if from.referrer_policy == "no-referrer" { "null" } else { &self.stack.aws_endpoint_url };
        let form_of = from.text.split_once(&format!("/console{to}\">")).map_or("", |(_, rest)| rest);
        let hidden = hidden_fields(form_of.split("</form>").next().unwrap_or_default());
        let is_given = |name: &str| name == "form" || fields.iter().any(|(given, _)| *given == name);
        let hidden =
            hidden.iter().filter(|(name, _)| !is_given(name)).map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<(&str, &str)> =
            hidden.chain([("form", secret.as_str())]).chain(fields.iter().copied()).collect();
        self.visit("POST", to, Some(form(&fields)), origin).await
    }

    /// Signs in at Cognito's own page as the local stack's person with this role.
    pub(crate) async fn sign_in(&mut self, role: &str) -> Page {
        let begun = self.open("/sign-in/start").await;
        let page = self.http.get(begun.location.unwrap()).send().await.unwrap().text().await.unwrap();
        let mut fields = hidden_fields(&page);
        fields.push(("username".to_owned(), format!("{role}@example.com")));
        fields.push(("password".to_owned(), self.stack.console.password.clone()));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let login = format!("{}/login", self.stack.aws_endpoint_url);
        let login =
            self.http.post(login).header("content-type", "application/x-www-form-urlencoded").body(form(&fields));
        let back = login.send().await.unwrap();
        let back = back.headers()[LOCATION].to_str().unwrap().to_owned();
        self.open(back.strip_prefix(&self.stack.console.url).unwrap()).await
    }

    async fn visit(&mut self, method: &str, page: &str, body: Option<String>, origin: &str) -> Page {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let (status, location, set, text, referrer_policy) = match &self.console {
            Console::Deployed => {
                let url = format!("{}{page}", self.stack.console.url);
                let mut request = self.http.request(method.parse().unwrap(), url).header(COOKIE, cookies.join("; "));
                if let Some(body) = body {
                    let request_with_type = request.header("content-type", "application/x-www-form-urlencoded");
                    request = request_with_type.header(ORIGIN, origin).body(body);
                }
                let response = request.send().await.unwrap();
                let headers = response.headers().clone();
                let location = headers.get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
                let policy = headers.get(REFERRER_POLICY).map_or("", |policy| policy.to_str().unwrap()).to_owned();
                let status = response.status().as_u16();
                (status, location, set_cookies(&headers), response.text().await.unwrap(), policy)
            }
            Console::Function(function) => {
                let mut request = HttpRequest::new(method, &format!("/console{page}"));
                for cookie in &cookies {
                    request = request.cookie(cookie);
                }
                if let Some(body) = body {
                    request = request.header("origin", origin).form(body);
                }
                let response = function.invoke(&request.event()).await.response();
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let set = response["cookies"].as_array().cloned().unwrap_or_default();
                let status = response["statusCode"].as_u64().and_then(|status| status.try_into().ok()).unwrap();
                let location = text(&response["headers"]["location"]);
                let policy = text(&response["headers"]["referrer-policy"]).unwrap_or_default();
                let (set, body) = (set.iter().filter_map(text).collect(), text(&response["body"]).unwrap_or_default());
                (status, location, set, body, policy)
            }
        };
        for cookie in set {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Page { status, location, text, referrer_policy }
    }
}

fn set_cookies(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(SET_COOKIE).into_iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
}

/// Returns what follows this text, up to the next quotation mark.
pub(crate) fn attribute<'t>(text: &'t str, before: &str) -> &'t str {
    let from = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    from.split_once('"').unwrap().0
}

fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let fields = page.split(r#"type="hidden" name=""#).skip(1);
    let fields = fields.map(|field| (field.split_once('"').unwrap().0.to_owned(), attribute(field, r#"value=""#)));
    fields.map(|(name, value)| (name, value.replace("&amp;", "&"))).collect()
}

/// Encodes a form.
fn form(fields: &[(&str, &str)]) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let fields = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// Decodes a value of a query.
pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}
