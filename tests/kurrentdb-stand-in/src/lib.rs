//! A stand-in of KurrentDB for tests, in the process of the test: it speaks as much of the server's protocol as the adapter of the
//! log uses through the official client, over a log in memory.
//!
//! It is not KurrentDB and proves nothing about KurrentDB. It was written by what is publicly known of the server: what an
//! expected revision means, that a repeat answers success, that a conflict is an answer, that reads begin with the record at their
//! position, and that others write into the same log. Whether the server does all that is what `paystream contract-check` finds out
//! at a real one. It has no disk, no users, no TLS, no cluster, no subscriptions and no deletion.
#![expect(clippy::result_large_err, reason = "a refusal is the status that gRPC sends")]
#![expect(clippy::unwrap_used, reason = "this is part of tests: what cannot go on says so by a panic")]

mod log;
mod messages;
mod service;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::log::Log;
use crate::service::Calls;

/// What goes wrong with one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The node says that another one leads, and names it; nothing is written.
    NotLeader,
    /// The caller may not write; nothing is written.
    Refused,
    /// The call fails as it does when a node goes away.
    Failed {
        /// Whether the events were written before.
        is_written: bool,
    },
    /// No answer comes.
    Silent {
        /// Whether the events were written before.
        is_written: bool,
    },
}

/// A stand-in that runs until it is dropped.
pub struct StandIn {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

pub(crate) struct Shared {
    port: u16,
    log: Mutex<Log>,
    faults: Mutex<VecDeque<Fault>>,
}

impl Shared {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_fault(&self) -> Option<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl StandIn {
    /// Starts one on a free port, with an empty log.
    ///
    /// # Panics
    /// Where no port can be listened on.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { port, log: Mutex::new(Log::new()), faults: Mutex::default() });
        let running = Mutex::new(Some(Running::serve(listener, Arc::clone(&shared))));
        Self { shared, running }
    }

    /// Its address, with a prefix for the names of streams, and with no waiting before the first connection.
    pub fn url(&self, prefix: &str) -> String {
        format!("kurrentdb://127.0.0.1:{}?tls=false&discoveryInterval=1&streamPrefix={prefix}", self.shared.port)
    }

    /// Lets the next append go wrong; of several the first given is the first done.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }

    /// How many events lie in streams whose names begin with `prefix`.
    pub fn events(&self, prefix: &str) -> usize {
        self.shared.log().count(prefix)
    }

    /// Ends it as a killed server ends: every connection breaks. What was written stays.
    pub fn go_down(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            running.end();
        }
    }

    /// Starts it again at the same address, with what was written before.
    ///
    /// # Panics
    /// Where its port was taken meanwhile.
    pub fn come_up(&self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.shared.port)).unwrap();
        let serving = Running::serve(listener, Arc::clone(&self.shared));
        let former = self.running.lock().unwrap_or_else(PoisonError::into_inner).replace(serving);
        assert!(former.is_none(), "it runs already");
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.go_down();
    }
}

impl Running {
    /// Serves on a thread and a runtime of its own, so that its end breaks every connection, and no test's runtime is needed.
    fn serve(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let (stop, stopped) = oneshot::channel();
        listener.set_nonblocking(true).unwrap();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap()).with_nodelay(Some(true));
                tokio::select! {
                    served = Server::builder().serve_with_incoming(Calls(shared), incoming) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { stop, thread }
    }

    fn end(self) {
        let _ = self.stop.send(());
        self.thread.join().unwrap();
    }
}
