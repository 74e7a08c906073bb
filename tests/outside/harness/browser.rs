//! A real Chromium without a window, driven as a person would use it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::poll::{DEADLINE, within};
use super::process::{Running, free_port, kill_tree, tied};
use super::{eventually, qr, workspace};

/// The screen that a page is shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// 1280 × 900.
    Desktop,
    /// A phone, 390 × 844 at two pixels a point, with touch.
    Phone,
    /// The same phone's screen inside WeChat's app, as far as a page can tell.
    WeChat,
    /// The same inside Alipay's app.
    Alipay,
}

impl Screen {
    /// By what a wallet's app names itself to a page.
    fn agent(self) -> Option<&'static str> {
        match self {
            Self::Desktop | Self::Phone => None,
            Self::WeChat => Some("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0 Mobile Safari/537.36 MicroMessenger/8.0.50"),
            Self::Alipay => Some("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0 Mobile Safari/537.36 AlipayClient/10.6.0"),
        }
    }
}

/// A browser with a fresh profile.
pub(crate) struct Browser {
    client: fantoccini::Client,
    driver: Running,
    /// The driver's address.
    address: String,
    name: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Opens one. `name` begins the names of its screenshots.
    pub(crate) async fn open(name: &str, screen: Screen) -> Self {
        let profile = workspace::temporary("chromium");
        let port = free_port();
        let mut command = tied(program("PAYSTREAM_TEST_CHROMEDRIVER", &["chromedriver"]));
        command.arg(format!("--port={port}")).env("HOME", profile.path());
        let driver = Running::start(command, &workspace::output("logs").join(format!("chromedriver-{name}.log")));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(profile.path(), screen).as_object().unwrap().clone());
        let address = format!("http://127.0.0.1:{port}");
        let client = within(Duration::from_mins(1), "the browser opens", async || {
            builder.connect(&address).await.map_err(|error| error.to_string())
        })
        .await;
        if screen == Screen::Desktop {
            client.set_window_size(1280, 900).await.unwrap();
        }
        Self { client, driver, address, name: name.to_owned(), profile }
    }

    /// Goes to an address.
    pub(crate) async fn goto(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Waits for the element with this `data-testid` to be shown.
    pub(crate) async fn see(&self, test_id: &str) -> fantoccini::elements::Element {
        let selector = format!("[data-testid=\"{test_id}\"]");
        eventually(&format!("the page shows {test_id}"), async || {
            let element = self.client.find(Locator::Css(&selector)).await.map_err(|error| error.to_string())?;
            match element.is_displayed().await {
                Ok(true) => Ok(element),
                other => Err(format!("not displayed: {other:?}")),
            }
        })
        .await
    }

    /// Whether an element with this `data-testid` is shown now.
    pub(crate) async fn shows(&self, test_id: &str) -> bool {
        let selector = format!("[data-testid=\"{test_id}\"]");
        match self.client.find(Locator::Css(&selector)).await {
            Ok(element) => element.is_displayed().await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// Clicks the element with this `data-testid` as soon as it is there and can be clicked.
    pub(crate) async fn click(&self, test_id: &str) {
        eventually(&format!("{test_id} is clicked"), async || self.see(test_id).await.click().await.map_err(|error| error.to_string()))
            .await;
    }

    /// The text of the element with this `data-testid`.
    pub(crate) async fn text(&self, test_id: &str) -> String {
        self.see(test_id).await.text().await.unwrap()
    }

    /// Waits until the element's text satisfies `wanted`; answers the text.
    pub(crate) async fn until_text(&self, test_id: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(&format!("the text of {test_id}"), async || {
            let text = self.see(test_id).await.text().await.map_err(|error| error.to_string())?;
            if wanted(&text) { Ok(text) } else { Err(text) }
        })
        .await
    }

    /// Waits until the checkout's state is `state`.
    pub(crate) async fn until_state(&self, state: &str) {
        eventually(&format!("the page's state is {state}"), async || {
            let element = self.see("state").await;
            match element.attr("data-state").await.map_err(|error| error.to_string())? {
                Some(now) if now == state => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Waits until the checkout shows a code whose text satisfies `wanted`; answers the text. Until then the page may show none,
    /// or one that is covered.
    pub(crate) async fn until_qr(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(&format!("the page shows {what}"), async || {
            let picture = self.see("qr").await.screenshot().await.map_err(|error| error.to_string())?;
            let text = qr::try_read_png(&picture)?;
            if wanted(&text) { Ok(text) } else { Err(text) }
        })
        .await
    }

    /// Waits until the checkout shows the code with this text.
    pub(crate) async fn until_qr_says(&self, expected: &str) {
        self.until_qr(&format!("the code {expected}"), |text| text == expected).await;
    }

    /// What the element with this `data-testid` looks like, as PNG.
    pub(crate) async fn picture_of(&self, test_id: &str) -> Vec<u8> {
        self.see(test_id).await.screenshot().await.unwrap()
    }

    /// Runs a function body in the page; answers what it returns.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap()
    }

    /// Keeps what the page looks like in `test-output/screenshots`.
    pub(crate) async fn keep_screenshot(&self, moment: &str) {
        let png = self.client.screenshot().await.unwrap();
        let path = workspace::output("screenshots").join(format!("{}-{moment}.png", self.name));
        std::fs::write(path, png).unwrap();
    }

    /// Fails the test if the page is wider than its screen.
    pub(crate) async fn assert_nothing_sticks_out(&self) {
        let script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        let widths = self.run(script, Vec::new()).await;
        assert!(widths[0].as_u64() <= widths[1].as_u64(), "the page is wider than its screen: {widths}");
    }

    /// What its console was told since this was asked last: errors of scripts, refusals of a content policy, and what could
    /// not be loaded.
    pub(crate) async fn console_errors(&self) -> Vec<String> {
        let session = self.client.session_id().await.unwrap().expect("a session");
        let driver = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = driver.post(format!("{}/session/{session}/se/log", self.address)).json(&json!({"type": "browser"}));
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        let lines = answer["value"].as_array().unwrap_or_else(|| panic!("no log: {answer}"));
        lines.iter().filter(|line| line["level"] == "SEVERE").map(|line| line["message"].to_string()).collect()
    }

    /// Fails the test if anything was said on the console that [`Browser::console_errors`] counts.
    pub(crate) async fn assert_console_is_silent(&self) {
        let errors = self.console_errors().await;
        assert!(errors.is_empty(), "{}: the console says {errors:#?}", self.name);
    }

    /// Closes it. Its console must have been silent.
    pub(crate) async fn close(self) {
        self.assert_console_is_silent().await;
        tokio::time::timeout(DEADLINE, self.client.clone().close()).await.unwrap().unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver does not take its browser with it when it is killed.
        kill_tree(self.driver.pid());
        debug_assert!(self.profile.path().exists());
    }
}

fn capabilities(profile: &Path, screen: Screen) -> Value {
    let browser = program("PAYSTREAM_TEST_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"]);
    let mut options = json!({
        "binary": browser.to_str().unwrap(),
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--lang=en-US", "--window-size=1280,900",
            format!("--user-data-dir={}", profile.join("profile").display()),
        ],
    });
    if screen != Screen::Desktop {
        options["mobileEmulation"] = json!({"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2, "touch": true}});
    }
    if let Some(agent) = screen.agent() {
        options["mobileEmulation"]["userAgent"] = json!(agent);
    }
    json!({"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}})
}

/// The program that the variable names, else the first of `names` that the system has.
fn program(variable: &str, names: &[&str]) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return named.into();
    }
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("no {} here; ./test brings one", names[0]))
}

#[test]
fn a_browser_opens_runs_scripts_and_takes_pictures() {
    super::run(async {
        let browser = Browser::open("self-test", Screen::Phone).await;
        browser.goto("data:text/html,<meta name=viewport content='width=device-width'><p data-testid=here>text</p>").await;
        assert_eq!(browser.text("here").await, "text");
        assert_eq!(browser.run("return [innerWidth, devicePixelRatio]", Vec::new()).await, json!([390, 2]));
        assert!(browser.picture_of("here").await.starts_with(b"\x89PNG"));
        assert!(browser.console_errors().await.is_empty());
        for (page, word) in [
            ("<script>nowhere()</script>", "nowhere is not defined"),
            (
                "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><script>document.title = 1</script>",
                "Content Security Policy",
            ),
        ] {
            browser.goto(&format!("data:text/html,{page}")).await;
            let errors = browser.console_errors().await;
            assert!(errors.iter().any(|error| error.contains(word)), "{page}: {errors:?}");
        }
        browser.close().await;
    });
}
