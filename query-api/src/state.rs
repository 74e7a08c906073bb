use std::sync::Arc;

use axum::extract::FromRef;
use chassis::admission::Admission;
use chassis::clock::Clock;
use chassis::identity::TokenVerifier;
use database::Database;
use domain::PayNo;
use event_store::LogReader;

use crate::orders::OrderChanges;
use crate::pay_records::CodeCache;
use crate::progress::ViewProgress;

/// Makes the link that a pay record's own page has. The numbers are sealed by whoever holds the keys.
pub type PayUrl = Arc<dyn Fn(PayNo) -> String + Send + Sync>;

/// What the queries are given of the outside.
#[derive(Clone)]
pub struct QueryPorts {
    /// The views, migrated.
    pub views: Database,
    /// The log, for reading.
    pub log: Arc<dyn LogReader>,
    /// Judges bearer tokens.
    pub verifier: Arc<TokenVerifier>,
    /// Counts who asks for drawn codes.
    pub admission: Arc<Admission>,
    /// Tells whether a course's time is over.
    pub clock: Arc<dyn Clock>,
    /// Makes pay links.
    pub pay_url: PayUrl,
}

/// What the routes work with. Clones share everything.
#[derive(Clone)]
pub struct QueryState {
    pub(crate) ports: QueryPorts,
    pub(crate) progress: ViewProgress,
    pub(crate) changes: OrderChanges,
    pub(crate) codes: Arc<CodeCache>,
}

impl QueryState {
    /// The queries over these ports.
    pub fn new(ports: QueryPorts) -> Self {
        let progress = ViewProgress::new(ports.views.clone(), ports.log.appended());
        Self::with_progress(ports, progress)
    }

    /// The queries over these ports, sharing `progress` with others of the process that wait for the same views.
    pub fn with_progress(ports: QueryPorts, progress: ViewProgress) -> Self {
        let changes = OrderChanges::new(ports.views.clone(), ports.log.appended());
        Self { ports, progress, changes, codes: Arc::new(CodeCache::new()) }
    }

    /// How far the views have come.
    pub fn progress(&self) -> &ViewProgress {
        &self.progress
    }

    pub(crate) fn views(&self) -> &Database {
        &self.ports.views
    }
}

impl FromRef<QueryState> for Arc<TokenVerifier> {
    fn from_ref(state: &QueryState) -> Self {
        Self::clone(&state.ports.verifier)
    }
}
