//! The routes over a fresh database, and somebody to call them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use chassis::admission::{Admission, AdmissionConfig};
use chassis::clock::ManualClock;
use chassis::identity::{Role, SigningKey, TokenIssuer, TokenVerifier};
use chassis::shutdown::Shutdown;
use chrono::{DateTime, Utc};
use database::testing::TestDatabase;
use database::{Area, Database, Migration};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::log::TestLog;
use crate::{QueryPorts, QueryState, routes};

const VIEWS: [Migration; 5] = [
    Migration {
        version: 1,
        name: "views",
        sqlite: include_str!("../../../migrations/views/sqlite/0001_views.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0001_views.sql"),
    },
    Migration {
        version: 3,
        name: "refunds",
        sqlite: include_str!("../../../migrations/views/sqlite/0003_refunds.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0003_refunds.sql"),
    },
    Migration {
        version: 5,
        name: "stock_and_coupons",
        sqlite: include_str!("../../../migrations/views/sqlite/0005_stock_and_coupons.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0005_stock_and_coupons.sql"),
    },
    Migration {
        version: 6,
        name: "discount",
        sqlite: include_str!("../../../migrations/views/sqlite/0006_discount.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0006_discount.sql"),
    },
    Migration {
        version: 7,
        name: "consumers",
        sqlite: include_str!("../../../migrations/views/sqlite/0007_consumers.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0007_consumers.sql"),
    },
];

pub(super) struct Stage {
    pub(super) views: Database,
    pub(super) log: Arc<TestLog>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) shutdown: Shutdown,
    pub(super) state: QueryState,
    issuer: TokenIssuer,
    _file: TestDatabase,
}

/// The time at which every test begins.
pub(super) fn start() -> DateTime<Utc> {
    "2026-07-20T08:00:00Z".parse().unwrap()
}

impl Stage {
    /// Over SQLite, where nothing was written yet.
    pub(super) async fn new() -> Self {
        Self::over(TestDatabase::sqlite()).await
    }

    pub(super) async fn over(file: TestDatabase) -> Self {
        let views = file.open(Area::Views).await.unwrap();
        views.migrate(&VIEWS).await.unwrap();
        let clock = Arc::new(ManualClock::new(start()));
        let key = SigningKey::generate().unwrap();
        let verifier = Arc::new(TokenVerifier::new([key.verifying_key()], "us", "us", clock.clone()));
        let issuer = TokenIssuer::new(key, "us", "us", clock.clone());
        let log = Arc::new(TestLog::new());
        let state = QueryState::new(QueryPorts {
            views: views.clone(),
            log: log.clone(),
            admission: Arc::new(Admission::new(&AdmissionConfig::default(), Arc::clone(&verifier), clock.clone())),
            verifier,
            clock: clock.clone(),
            pay_url: Arc::new(|pay_no| format!("https://pay.example/pay/sealed-{pay_no}")),
        });
        Self { views, log, clock, shutdown: Shutdown::new(), state, issuer, _file: file }
    }

    pub(super) fn token(&self, subject: &str, roles: &[Role]) -> String {
        self.issuer.issue(subject, roles).token.into_inner()
    }

    pub(super) fn as_buyer(&self, subject: &str) -> Caller<'_> {
        self.as_role(subject, Role::Buyer)
    }

    pub(super) fn as_role(&self, subject: &str, role: Role) -> Caller<'_> {
        Caller { stage: self, token: Some(self.token(subject, &[role])) }
    }

    pub(super) fn as_auditor(&self) -> Caller<'_> {
        self.as_role("audrey", Role::Auditor)
    }

    pub(super) fn as_bearer(&self, token: String) -> Caller<'_> {
        Caller { stage: self, token: Some(token) }
    }

    pub(super) fn as_nobody(&self) -> Caller<'_> {
        Caller { stage: self, token: None }
    }

    fn router(&self) -> Router {
        routes(self.state.clone()).layer(axum::Extension(self.shutdown.clone()))
    }
}

/// Who calls.
pub(super) struct Caller<'a> {
    stage: &'a Stage,
    token: Option<String>,
}

impl Caller<'_> {
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    pub(super) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let response = self.open(path, headers).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Reply { status, headers, body }
    }

    /// Leaves the body to be read piece by piece.
    pub(super) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> http::Response<Body> {
        let mut request = Request::get(path);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.stage.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The answer's JSON, which must be a 200 that the description admits.
    pub(super) async fn read(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        super::schema::assert_described(path, &reply.json());
        reply.json()
    }

    /// The field that a 422 names.
    pub(super) async fn refused_field(&self, path: &str) -> String {
        let reply = self.get(path).await;
        reply.assert_problem(422, "invalid");
        reply.json()["errors"][0]["field"].as_str().unwrap().to_owned()
    }
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        assert_eq!((self.status.as_u16(), self.json()["code"].as_str()), (status, Some(code)), "{}", self.text());
    }
}
