//! The pages: which shell, styles and module each is made of, and the headers that it goes out with.

use axum::response::{IntoResponse, Response};
use chassis::language::Language;
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, VARY};
use http::{HeaderValue, StatusCode};

use crate::render::{escaped, fill, translate};
use crate::{DemoAccounts, assets};

const LAYOUT: &str = include_str!("../shells/layout.html");
const NAVIGATION: &str = include_str!("../shells/navigation.html");
const ACCOUNT: &str = include_str!("../shells/account.html");
const SIGN_IN: &str = include_str!("../shells/sign-in.html");
const DEMO_ACCOUNTS: &str = include_str!("../shells/demo-accounts.html");
const TABLE: &str = include_str!("../shells/table.html");
const SHOP: &str = include_str!("../shells/shop.html");
const GUIDE: &str = include_str!("../shells/guide.html");
const COURSES: &str = include_str!("../shells/courses.html");
const CHECKOUT: &str = include_str!("../shells/checkout.html");
const RETURN: &str = include_str!("../shells/return.html");
const OUTCOME: &str = include_str!("../shells/outcome.html");
const DOCS: &str = include_str!("../shells/docs.html");

/// What a page may load and do: only what comes from here, nothing inside the page but the codes' pictures.
pub(crate) const CONTENT_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// What one page is made of.
struct Page {
    name: &'static str,
    /// The key of the text in the window's title.
    title: &'static str,
    styles: &'static [&'static str],
    module: &'static str,
    main: &'static str,
    /// Whether the page belongs to the shop, with its navigation, or is about one payment and nothing else.
    in_shop: bool,
    /// Whether someone can be signed in there.
    with_account: bool,
}

impl Page {
    const fn of_shop(name: &'static str, title: &'static str, module: &'static str, main: &'static str) -> Self {
        Self { name, title, styles: &["base.css", "controls.css", "shop.css"], module, main, in_shop: true, with_account: true }
    }

    const fn of_payment(name: &'static str, title: &'static str, module: &'static str, main: &'static str) -> Self {
        Self { name, title, styles: &["base.css", "controls.css", "result.css"], module, main, in_shop: false, with_account: false }
    }

    /// The whole document. `values` fill the holes of the page's own shell.
    fn html(&self, language: Language, values: &[(&str, &str)]) -> String {
        let main = fill(self.main, values);
        let here = format!("data-nav=\"{}\"", self.name);
        let navigation = NAVIGATION.replace(&here, &format!("{here} aria-current=\"page\""));
        let shell = fill(
            LAYOUT,
            &[
                ("language", language.tag()),
                ("title", self.title),
                ("favicon", &assets::address("favicon.svg")),
                ("head", &self.head()),
                ("page", self.name),
                ("navigation", if self.in_shop { &navigation } else { "" }),
                ("account", if self.with_account { ACCOUNT } else { "" }),
                ("main", &main),
            ],
        );
        translate(&shell, language)
    }

    /// Styles first; the module's imports are named so that they are fetched at once and not one after another.
    fn head(&self) -> String {
        let styles = self.styles.iter().map(|name| format!("<link rel=\"stylesheet\" href=\"{}\">\n", assets::address(name)));
        let language = format!("<script src=\"{}\"></script>\n", assets::address("language.js"));
        let module = format!("<script type=\"module\" src=\"{}\"></script>\n", assets::address(self.module));
        let imports = assets::modules_of(self.module).into_iter().skip(1);
        let preloads = imports.map(|name| format!("<link rel=\"modulepreload\" href=\"{}\">\n", assets::address(name)));
        styles.chain([language, module]).chain(preloads).collect()
    }
}

/// The shop with its courses.
pub(crate) fn shop(language: Language, demo: DemoAccounts) -> Response {
    const PAGE: Page = Page::of_shop("shop", "frame.shop", "shop.js", SHOP);
    public(language, PAGE.html(language, &[("sign_in", &sign_in(demo)), ("table", TABLE)]))
}

/// The payment guide of one course selection.
pub(crate) fn guide(language: Language, demo: DemoAccounts) -> Response {
    const STYLES: &[&str] = &["base.css", "controls.css", "shop.css", "guide.css"];
    const PAGE: Page = Page { styles: STYLES, ..Page::of_shop("guide", "guide.page", "guide.js", GUIDE) };
    public(language, PAGE.html(language, &[("sign_in", &sign_in(demo))]))
}

/// The learner's own courses.
pub(crate) fn courses(language: Language, demo: DemoAccounts) -> Response {
    const PAGE: Page = Page::of_shop("courses", "courses.title", "courses.js", COURSES);
    public(language, PAGE.html(language, &[("sign_in", &sign_in(demo)), ("table", TABLE)]))
}

/// The API reader.
pub(crate) fn docs(language: Language) -> Response {
    const PAGE: Page = Page {
        name: "docs",
        title: "docs.page",
        styles: &["base.css", "controls.css", "docs.css"],
        module: "docs.js",
        main: DOCS,
        in_shop: true,
        with_account: false,
    };
    public(language, PAGE.html(language, &[]))
}

/// The checkout, for `GET /checkout/{token}`. It finds its token in its own address and gets everything else from
/// `…/watch`, `…/pay-records`, `…/sync` and `…/renew` below it, so that the answer is the same for every token.
pub fn checkout_shell(language: Language) -> Response {
    const STYLES: &[&str] = &["base.css", "controls.css", "checkout.css", "result.css"];
    const PAGE: Page = Page { styles: STYLES, ..Page::of_payment("checkout", "checkout.title", "checkout.js", CHECKOUT) };
    private(StatusCode::OK, language, PAGE.html(language, &[]))
}

/// Where a wallet sends the browser back to, for `GET /return/{token}`: says what becomes of the payment and changes
/// nothing. `checkout_path` is `/checkout/{token}` of the same order; the page follows its `…/watch`.
pub fn return_shell(language: Language, checkout_path: &str) -> Response {
    const PAGE: Page = Page::of_payment("return", "return.page", "return.js", RETURN);
    private(StatusCode::OK, language, PAGE.html(language, &[("checkout", &escaped(checkout_path))]))
}

/// What `/pay/{token}` tells someone whom it cannot send on to a payment, and any address somebody who looks for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The order is paid: a warning not to pay again. Answers 200.
    AlreadyPaid,
    /// The code, or the order, has expired and can be made anew by `POST {checkout_path}/renew`. Answers 410.
    Expired {
        /// `/checkout/{token}` of the order.
        checkout_path: &'a str,
    },
    /// The order ended without payment and cannot be renewed. Answers 410.
    Closed,
    /// The token is none of ours. Answers 404.
    Unknown,
    /// No page has this address. Answers 404.
    NoSuchPage,
    /// Nobody can say at the moment. Answers 503.
    Unavailable,
}

impl Outcome<'_> {
    fn word(self) -> &'static str {
        match self {
            Self::AlreadyPaid => "paid",
            Self::Expired { .. } => "expired",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
            Self::NoSuchPage => "no_page",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::AlreadyPaid => StatusCode::OK,
            Self::Expired { .. } | Self::Closed => StatusCode::GONE,
            Self::Unknown | Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What can be done about it.
    fn action(self) -> String {
        match self {
            Self::AlreadyPaid => link("/courses", "checkout.to_courses"),
            Self::Expired { checkout_path } => format!(
                "<button class=\"button primary\" type=\"button\" data-renew=\"{}/renew\" data-testid=\"renew\" \
                 data-i18n=\"outcome.renew\"></button>",
                escaped(checkout_path)
            ),
            Self::Closed | Self::Unknown | Self::NoSuchPage => link("/", "checkout.to_shop"),
            Self::Unavailable => String::new(),
        }
    }
}

/// A page that says one thing, for `GET /pay/{token}` and for addresses that no page has.
pub fn outcome_page(language: Language, outcome: Outcome<'_>) -> Response {
    const PAYMENT: Page = Page::of_payment("outcome", "return.page", "outcome.js", OUTCOME);
    const NO_PAGE: Page = Page { title: "outcome.no_page.title", ..PAYMENT };
    let page = if outcome == Outcome::NoSuchPage { NO_PAGE } else { PAYMENT };
    let word = outcome.word();
    let values = [
        ("outcome", word),
        ("heading", &format!("outcome.{word}.title")),
        ("words", &format!("outcome.{word}.words")),
        ("action", &outcome.action()),
    ];
    private(outcome.status(), language, page.html(language, &values))
}

fn link(address: &str, key: &str) -> String {
    format!("<a class=\"button primary\" href=\"{address}\" data-testid=\"result-link\" data-i18n=\"{key}\"></a>")
}

fn sign_in(demo: DemoAccounts) -> String {
    let demo = match demo {
        DemoAccounts::Offered => DEMO_ACCOUNTS,
        DemoAccounts::Absent => "",
    };
    fill(SIGN_IN, &[("demo", demo)])
}

/// A page that is the same for everybody.
fn public(language: Language, html: String) -> Response {
    answer(StatusCode::OK, language, "no-cache", html)
}

/// A page whose address is somebody's secret: neither kept, nor found by a search.
fn private(status: StatusCode, language: Language, html: String) -> Response {
    let mut response = answer(status, language, "no-store", html);
    response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex"));
    response
}

fn answer(status: StatusCode, language: Language, caching: &'static str, html: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_LANGUAGE, language.tag()),
        (VARY, "Accept-Language"),
        (CACHE_CONTROL, caching),
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, html).into_response()
}
