//! Drives Chromium over `WebDriver`, and judges each page that a test looks at.

use std::{
    collections::HashSet,
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::LazyLock,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tests::{eventually, node::libraries};
use tokio::process::{Child, Command};

/// Names the environment variable with which a missing browser is a failure. Otherwise these tests are left out.
const REQUIRED: &str = "GG3_BROWSER_REQUIRED";

/// Holds the width and the height of a window, in pixels of the page.
pub(crate) type Size = (u32, u32);

/// Holds the script of axe-core, which finds what people with disabilities cannot use.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let folder = libraries().expect("axe-core comes from npm, so the browser's tests need Node");
    fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap()
});

/// Holds a browser with one window and no cookies. The driver and the browser end with the value.
pub(crate) struct Browser {
    client: Client,
    size: Size,
    subject: &'static str,
    seen: HashSet<String>,
    _driver: Child,
}

impl Browser {
    /// Opens a browser whose pictures are put in the folder of this subject. Returns `None` if this machine has none
    /// and needs none.
    pub(crate) async fn open(subject: &'static str, size: Size) -> Option<Self> {
        let Some((driver, port)) = start_driver() else {
            assert!(
                env::var_os(REQUIRED).is_none(),
                "chromedriver is missing: apt-get install chromium chromium-driver"
            );
            return None;
        };
        let (width, height) = size;
        // Phones have narrower windows than a desktop's browser allows, so the screen itself is made small. Root, which
        // runs tests in containers, must do without Chromium's sandbox; it opens our own pages only.
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"],
                "mobileEmulation": { "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0 } },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let url = format!("http://127.0.0.1:{port}");
        let client = eventually("the browser opens", async || builder.connect(&url).await.ok()).await;
        Some(Self { client, size, subject, seen: HashSet::new(), _driver: driver })
    }

    /// Opens a URL.
    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Opens a URL again and again until the page has this text.
    pub(crate) async fn go_until(&self, url: &str, text: &str) {
        eventually(&format!("{url} shows {text}"), async || {
            self.go(url).await;
            self.text().await.contains(text).then_some(())
        })
        .await;
    }

    /// Waits until the page shows this text, without opening it again.
    pub(crate) async fn until(&self, text: &str) {
        let shown = "return document.body ? document.body.innerText : ''";
        eventually(&format!("the page shows {text}"), async || {
            // The page may be loading itself again just now.
            let page = self.client.execute(shown, vec![]).await.ok()?;
            page.as_str().filter(|page| page.contains(text)).map(|_| ())
        })
        .await;
    }

    /// Returns the text of the page, as it is shown.
    pub(crate) async fn text(&self) -> String {
        self.find("body").await.text().await.unwrap()
    }

    /// Clicks on the first link or button that has this text, and waits for the page to which it leads.
    pub(crate) async fn click(&self, text: &str) {
        let path = format!("//*[self::a or self::button][contains(normalize-space(.), '{text}')]");
        let found = self.client.find(Locator::XPath(&path)).await;
        let page = self.text().await;
        let element = found.unwrap_or_else(|fault| panic!("no {text} ({fault}) on this page:\n{page}"));
        self.client.execute("window.isLeft = true", vec![]).await.unwrap();
        element.click().await.unwrap();
        let arrived = "return !window.isLeft && document.readyState === 'complete'";
        eventually(&format!("{text} leads to a page"), async || {
            self.client.execute(arrived, vec![]).await.ok().filter(|arrived| *arrived == true)
        })
        .await;
    }

    /// Types into the field of this name, in place of what it holds.
    pub(crate) async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("[name='{name}']:not([type='hidden'])")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Types into the field of this name, in the form of the button that has this text.
    pub(crate) async fn fill_of(&self, button: &str, name: &str, text: &str) {
        let path = format!("//form[.//button[contains(., '{button}')]]//*[@name='{name}']");
        let found = self.client.find(Locator::XPath(&path)).await;
        found.unwrap_or_else(|fault| panic!("no {name} beside {button}: {fault}")).send_keys(text).await.unwrap();
    }

    async fn find(&self, selector: &str) -> Element {
        let found = self.client.find(Locator::Css(selector)).await;
        found.unwrap_or_else(|fault| panic!("no {selector}: {fault}"))
    }

    /// Asserts that the page shows all these texts, fits its window, passes axe-core, and made the browser complain
    /// about nothing. Keeps a picture of it under this name.
    pub(crate) async fn look(&mut self, name: &str, texts: &[&str]) {
        let text = self.text().await;
        for wanted in texts {
            assert!(text.contains(wanted), "{name} does not show {wanted}:\n{text}");
        }
        assert!(self.seen.insert(name.to_owned()), "{name} is the name of another picture");
        self.picture(name).await;
        let wide = self.client.execute("return document.documentElement.scrollWidth", vec![]).await.unwrap();
        assert!(
            wide.as_u64() <= Some(self.size.0.into()),
            "{name} is {wide} pixels wide in a window of {}",
            self.size.0
        );
        assert_eq!(self.violations().await, Vec::<String>::new(), "{name} breaks rules of axe-core");
        assert_eq!(self.complaints().await, Vec::<String>::new(), "the browser complains about {name}");
    }

    /// Keeps a picture of the whole page below `target/screenshots`.
    async fn picture(&self, name: &str) {
        let (width, height) = self.size;
        let metrics =
            |height: &Value| json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let whole = self.client.execute("return document.documentElement.scrollHeight", vec![]).await.unwrap();
        self.devtools("Emulation.setDeviceMetricsOverride", metrics(&whole)).await;
        let png = self.client.screenshot().await.unwrap();
        self.devtools("Emulation.setDeviceMetricsOverride", metrics(&height.into())).await;
        let folder = repository().join("target/screenshots").join(self.subject);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}-{width}.png")), png).unwrap();
    }

    /// Returns the serious and critical violations that axe-core finds.
    async fn violations(&self) -> Vec<String> {
        self.client.execute(&AXE, vec![]).await.unwrap();
        let run = "const done = arguments[0]; axe.run().then(r => done(r.violations), e => done([{ id: String(e), impact: 'critical' }]))";
        let found = self.client.execute_async(run, vec![]).await.unwrap();
        let serious =
            found.as_array().unwrap().iter().filter(|one| one["impact"] == "serious" || one["impact"] == "critical");
        serious.map(|one| format!("{}: {} {}", one["id"], one["help"], one["nodes"][0]["html"])).collect()
    }

    /// Returns what the browser wrote on its console since the last page: files that are missing, and what the policy of
    /// the page forbids.
    async fn complaints(&self) -> Vec<String> {
        let log =
            self.client.issue_cmd(Extension { path: "se/log", body: json!({ "type": "browser" }) }).await.unwrap();
        let all = log.as_array().unwrap().iter().map(|entry| entry["message"].to_string());
        // The issuer's page names no icon, so that the browser asks for this one. Our pages name theirs.
        all.filter(|message| !message.contains("/favicon.ico")).collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await.unwrap();
    }
}

/// Describes a command of chromedriver beyond `WebDriver`.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (hyper::Method, Option<String>) {
        (hyper::Method::POST, Some(self.body.to_string()))
    }
}

/// Starts chromedriver on a free port.
fn start_driver() -> Option<(Child, u16)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("chromedriver");
    let quiet = command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some((quiet.kill_on_drop(true).spawn().ok()?, port))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}
