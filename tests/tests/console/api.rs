//! The management API, with real tokens of the emulated Cognito: through the deployed API, and as a function of its own
//! whose AWS calls a proxy sees.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    payload::HttpRequest,
    proxy::{Action, Proxy},
    stack::{Stack, http_client},
};

use crate::{
    command::postbackctl,
    fixture::{Fixture, fresh, sample},
    partner::Partner,
    wire::function,
};

/// Makes a call of the emulated Cognito.
async fn cognito(stack: &Stack, operation: &str, body: Value) -> Value {
    let request = http_client().post(&stack.aws_endpoint_url).body(body.to_string());
    let request = request
        .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/cognito-idp/aws4_request");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{operation}");
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

/// Returns the tokens that a client of the user pool gets for the person of this role, as docs/console.md says.
async fn tokens(stack: &Stack, client: &str, role: &str) -> Value {
    let pool = &stack.console.user_pool;
    let parameters = json!({"USERNAME": format!("{role}@example.com"), "PASSWORD": stack.console.password});
    let wanted = json!({
        "UserPoolId": pool, "ClientId": client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "AuthParameters": parameters,
    });
    cognito(stack, "AdminInitiateAuth", wanted).await["AuthenticationResult"].clone()
}

async fn id_token(stack: &Stack, role: &str) -> String {
    tokens(stack, &stack.console.client_id, role).await["IdToken"].as_str().unwrap().to_owned()
}

fn call(stack: &Stack, method: Method, path: &str, token: &str) -> RequestBuilder {
    http_client().request(method, format!("{}/v1{path}", stack.api_url)).bearer_auth(token)
}

#[tokio::test]
async fn a_change_through_the_deployed_api_is_made_once() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let token = id_token(stack, "operator").await;
    let path = format!("/partners/{}/pause", partner.name);
    let pause = || {
        let body = json!({"part": "webhooks", "why": "their server moves"}).to_string();
        call(stack, Method::POST, &path, &token).header("idempotency-key", &partner.name).body(body)
    };
    for is_again in [false, true] {
        let response = pause().send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers().contains_key("idempotent-replayed")),
            (200, is_again)
        );
    }
    let shown = call(stack, Method::GET, &format!("/partners/{}", partner.name), &token).send().await.unwrap();
    let shown: Value = serde_json::from_str(&shown.text().await.unwrap()).unwrap();
    assert!(shown["webhooks_paused_since"].is_string(), "{shown}");
    let audit = postbackctl(stack, &["audit", "--provider", &partner.name, "--json"]).json();
    let records = audit["records"].as_array().unwrap();
    let made: Vec<&Value> = records.iter().filter(|record| record["action"] == "pause_partner").collect();
    assert_eq!((made.len(), &made[0]["channel"], &made[0]["why"]), (1, &json!("api"), &json!("their server moves")));
}

#[tokio::test]
async fn the_root_of_the_deployed_api_leads_to_its_description() {
    let fixture = Fixture::new();
    // The emulator gives `/v1/` to no route; docs/aws.md says what AWS does.
    for path in ["/v1", "/v1/nothing"] {
        let response = http_client().get(format!("{}{path}", fixture.stack.api_url)).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        assert!(response.text().await.unwrap().contains("/v1/openapi.yaml describes all calls"), "{path}");
    }
}

#[tokio::test]
async fn only_an_id_token_for_the_console_is_taken() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let own = tokens(stack, &stack.console.client_id, "admin").await;
    let wanted = json!({
        "UserPoolId": stack.console.user_pool, "ClientName": fresh("c"),
        "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    });
    let other = cognito(stack, "CreateUserPoolClient", wanted).await;
    let other = tokens(stack, other["UserPoolClient"]["ClientId"].as_str().unwrap(), "admin").await;
    let id_token = own["IdToken"].as_str().unwrap();
    let (head, signature) = id_token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("{}.{}.", "eyJhbGciOiJub25lIn0", head.split_once('.').unwrap().1);
    let bad = [own["AccessToken"].as_str().unwrap(), other["IdToken"].as_str().unwrap(), &forged, &unsigned, "x"];
    for (number, token) in bad.into_iter().enumerate() {
        let response = call(stack, Method::GET, "/partners", token).send().await.unwrap();
        assert_eq!(response.status(), 401, "token {number}");
    }
    assert_eq!(call(stack, Method::GET, "/partners", id_token).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn named_calls_need_no_more_than_the_role_allows() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let transaction = fresh("t");
    assert_eq!(partner.postback(&fixture, &sample(&transaction)).await.status, 200);
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let function = function(stack, &proxy).await;
    let authorization = format!("Bearer {}", id_token(stack, "operator").await);
    let traced = HttpRequest::new("GET", "/v1/trace")
        .query(&format!("transaction={}%2F{transaction}", partner.name))
        .header("authorization", &authorization);
    let traced = function.invoke(&traced.event()).await.response();
    assert!(traced["body"].as_str().unwrap().contains(&transaction), "{traced}");
    let resume = |key: &str, path: &str| {
        let request = HttpRequest::new("POST", path).header("authorization", &authorization);
        let body = json!({"part": "webhooks", "why": "x"}).to_string();
        request.header("idempotency-key", key).body("application/json", body)
    };
    let path = format!("/v1/partners/{}/resume", partner.name);
    for _ in 0..2 {
        let done = function.invoke(&resume("k", &path).event()).await.response();
        assert_eq!(done["statusCode"], 200, "{done}");
    }
    // The table cannot be read, so the call fails, and its name is free again.
    let partners = stack.table("partners").to_owned();
    proxy.on(move |call| {
        let is_partner = call.operation == "GetItem" && call.table_or_queue.as_ref() == Some(&partners);
        if is_partner { Action::Throttle } else { Action::Forward }
    });
    let failed = function.invoke(&resume("other", &path).event()).await.response();
    assert_eq!(failed["statusCode"], 503, "{failed}");
    proxy.on(|_| Action::Forward);
    let done = function.invoke(&resume("other", &path).event()).await.response();
    assert_eq!(done["statusCode"], 200, "{done}");
}
