//! Lets the issuer of identities say who a person is, by OIDC with PKCE.
//!
//! A sign-in has one random secret, which the browser keeps in a cookie. State, nonce and PKCE verifier are derived from
//! it, so that a sign-in that has begun costs no storage, and only the browser that began it can end it.

use std::{
    fmt,
    future::Future,
    str::FromStr as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use app::ports::Unavailable;
use domain::{
    audit::Author,
    session::{Role, Token},
};
use openidconnect::{
    AdditionalClaims, AuthUrl, AuthenticationFlow, AuthorizationCode, Client, ClientId, CsrfToken,
    EmptyExtraTokenFields, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdToken, IdTokenClaims,
    IdTokenFields, IdTokenVerifier, IssuerUrl, JsonWebKeySet, JsonWebKeySetUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenUrl,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use url::Url;

const TOKEN: &str = "issuer's token endpoint";
const KEYS: &str = "issuer's keys";
/// Limits one request to the issuer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Sets how long the issuer's keys are used for callers of the API.
const KEYS_KEPT: Duration = Duration::from_mins(10);
/// Sets how old the keys are at least that are read again because of a token that they did not sign. A stranger's tokens
/// cost no more than that.
const KEYS_READ_AGAIN: Duration = Duration::from_mins(1);
/// Limits an answer of the issuer, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Labels the secrets that are derived from the secret of a sign-in.
pub(crate) const STATE: &str = "state";
const NONCE: &str = "nonce";
const VERIFIER: &str = "verifier";

/// Says who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Holds the issuer's name of the person, which never changes.
    pub(crate) author: Author,
    /// Holds the person's address if the issuer tells it, and otherwise the subject.
    pub(crate) name: String,
    /// Holds the highest role among the person's groups.
    pub(crate) role: Option<Role>,
}

/// Says why the issuer named nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdentityFault {
    /// The code or the token is not valid. The text holds no secret.
    Refused(String),
    /// The issuer does not answer.
    Unavailable(Unavailable),
}

/// Names people.
pub(crate) trait Issuer: Send + Sync {
    /// Returns the URL of the issuer's page on which a person signs in.
    fn sign_in_url(&self, secret: &Token) -> String;

    /// Returns the person who brought this code from the issuer. MUST refuse a code that was used before, that another
    /// browser began, or whose token is not signed by the issuer for this console and this sign-in.
    fn identify(&self, code: &str, secret: &Token) -> impl Future<Output = Result<Identity, IdentityFault>> + Send;

    /// Returns the person whose ID token this is. MUST refuse a token that the issuer did not sign for this console, and
    /// one that has expired.
    fn bearer(&self, token: &str) -> impl Future<Output = Result<Identity, IdentityFault>> + Send;
}

/// Holds the groups of a person, under Cognito's name and under the name that other issuers use.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Groups {
    #[serde(default, rename = "cognito:groups")]
    cognito: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
}

impl AdditionalClaims for Groups {}

type BearerToken = IdToken<Groups, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Groups,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type OidcClient = Client<
    Groups,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

/// Holds the issuer's addresses and our name there. The client is public, so it has no secret.
#[derive(Debug, Clone)]
pub(crate) struct IssuerSettings {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) keys_url: String,
    pub(crate) authorize_url: String,
    pub(crate) token_url: String,
    /// Holds the console's URL to which the issuer sends people back.
    pub(crate) return_url: String,
}

impl IssuerSettings {
    /// Returns true if every address begins with `https://`.
    pub(crate) fn all_are_https(&self) -> bool {
        let urls = [&self.issuer, &self.keys_url, &self.authorize_url, &self.token_url, &self.return_url];
        urls.iter().all(|url| url.starts_with("https://"))
    }
}

/// Implements [`Issuer`] by OIDC.
pub(crate) struct Oidc {
    issuer: IssuerUrl,
    client_id: ClientId,
    keys_url: JsonWebKeySetUrl,
    client: OidcClient,
    http: reqwest::Client,
    /// Holds the issuer's keys for callers of the API, with the instant at which they were read.
    keys: Mutex<Option<(Instant, Keys)>>,
}

type Keys = JsonWebKeySet<CoreJsonWebKey>;

impl Oidc {
    /// Makes the client. Returns the name of the setting that is not a URL, or says that TLS cannot be set up.
    pub(crate) fn try_new(settings: IssuerSettings) -> Result<Self, String> {
        let IssuerSettings { issuer, client_id, keys_url, authorize_url, token_url, return_url } = settings;
        let wrong = |name: &'static str| move |_| format!("{name} must be a URL");
        let issuer = IssuerUrl::new(issuer).map_err(wrong("OIDC_ISSUER"))?;
        let client_id = ClientId::new(client_id);
        let client = Client::new(client_id.clone(), issuer.clone(), JsonWebKeySet::default())
            .set_auth_uri(AuthUrl::new(authorize_url).map_err(wrong("OIDC_AUTHORIZE_URL"))?)
            .set_token_uri(TokenUrl::new(token_url).map_err(wrong("OIDC_TOKEN_URL"))?)
            .set_redirect_uri(RedirectUrl::new(return_url).map_err(wrong("CONSOLE_URL"))?);
        let keys_url = JsonWebKeySetUrl::new(keys_url).map_err(wrong("OIDC_KEYS_URL"))?;
        let http = http_client().map_err(|fault| format!("TLS cannot be set up: {fault}"))?;
        Ok(Self { issuer, client_id, keys_url, client, http, keys: Mutex::new(None) })
    }
}

/// Makes a client that follows no redirect and uses no proxy.
fn http_client() -> Result<reqwest::Client, Box<dyn std::error::Error>> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).redirect(reqwest::redirect::Policy::none());
    Ok(client.no_proxy().timeout(TIMEOUT).build()?)
}

/// Says that a request to the issuer failed, without its URL.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct HttpFault(String);

async fn call(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
    let fault = |error: reqwest::Error| HttpFault(error.without_url().to_string());
    let request = reqwest::Request::try_from(request).map_err(fault)?;
    let mut answer = http.execute(request).await.map_err(fault)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(fault)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(HttpFault("the answer is too long".to_owned()));
        }
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}

impl Oidc {
    async fn fetch_keys(&self) -> Result<Keys, IdentityFault> {
        let http = |request: HttpRequest| call(self.http.clone(), request);
        let unread =
            |_| IdentityFault::Unavailable(Unavailable { service: KEYS, reason: "could not be read".to_owned() });
        JsonWebKeySet::fetch_async(&self.keys_url, &http).await.map_err(unread)
    }

    /// Returns the issuer's keys, not older than this.
    async fn keys(&self, max_age: Duration) -> Result<Keys, IdentityFault> {
        let kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, keys)) = kept.filter(|(read, _)| read.elapsed() < max_age) {
            return Ok(keys);
        }
        let keys = self.fetch_keys().await?;
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    fn verifier(&self, keys: Keys) -> Verifier<'_> {
        IdTokenVerifier::new_public_client(self.client_id.clone(), self.issuer.clone(), keys)
    }
}

type Verifier<'a> = IdTokenVerifier<'a, CoreJsonWebKey>;
type Claims = IdTokenClaims<Groups, CoreGenderClaim>;

fn refused(why: impl fmt::Display) -> IdentityFault {
    IdentityFault::Refused(why.to_string())
}

/// Returns the person of whom the issuer tells.
fn identity(claims: &Claims) -> Result<Identity, IdentityFault> {
    let author = Author::new(claims.subject().as_str()).map_err(|_| refused("an unusable subject"))?;
    let name = claims.email().map_or(author.as_str(), |email| email.as_str()).to_owned();
    let Groups { cognito, groups } = claims.additional_claims();
    let role = Role::of_groups(cognito.iter().chain(groups).map(String::as_str));
    Ok(Identity { author, name, role })
}

impl Issuer for Oidc {
    fn sign_in_url(&self, secret: &Token) -> String {
        let verifier = PkceCodeVerifier::new(secret.derive(VERIFIER));
        let (state, nonce) = (secret.derive(STATE), secret.derive(NONCE));
        let (url, _, _): (Url, _, _) = self
            .client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        url.into()
    }

    async fn identify(&self, code: &str, secret: &Token) -> Result<Identity, IdentityFault> {
        let http = |request: HttpRequest| call(self.http.clone(), request);
        let unavailable =
            |service: &'static str, reason: String| IdentityFault::Unavailable(Unavailable { service, reason });
        let exchange = self
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(secret.derive(VERIFIER)));
        let tokens = exchange.request_async(&http).await.map_err(|fault| match fault {
            RequestTokenError::ServerResponse(answer) => IdentityFault::Refused(answer.error().to_string()),
            RequestTokenError::Request(fault) => unavailable(TOKEN, fault.to_string()),
            _ => unavailable(TOKEN, "sent an unreadable answer".to_owned()),
        })?;
        let verifier = self.verifier(self.fetch_keys().await?);
        let id_token = tokens.extra_fields().id_token().ok_or_else(|| refused("no ID token"))?;
        identity(id_token.claims(&verifier, &Nonce::new(secret.derive(NONCE))).map_err(refused)?)
    }

    async fn bearer(&self, token: &str) -> Result<Identity, IdentityFault> {
        let token = BearerToken::from_str(token).map_err(|_| refused("no ID token"))?;
        let any = |_: Option<&Nonce>| Ok(());
        let verifier = self.verifier(self.keys(KEYS_KEPT).await?);
        let claims = token.claims(&verifier, any);
        if let Ok(claims) = claims {
            return identity(claims);
        }
        // The issuer may have made another key since.
        let verifier = self.verifier(self.keys(KEYS_READ_AGAIN).await?);
        identity(token.claims(&verifier, any).map_err(refused)?)
    }
}
