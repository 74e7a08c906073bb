//! One Paystream for the tests of a theme.

use std::ops::Deref;

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::{Config, Paystream};

/// A Paystream that is started when the first test asks for it. Nothing stops it but the end of the test process,
/// to which the kernel ties it.
pub(crate) struct SharedPaystream {
    name: &'static str,
    arguments: &'static [&'static str],
    server: OnceCell<Paystream>,
    whole: Mutex<()>,
}

impl SharedPaystream {
    /// One that is not started yet.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self::in_roles(name, &[])
    }

    /// One with these roles only, as the command line names them.
    pub(crate) const fn in_roles(name: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { name, arguments, server: OnceCell::const_new(), whole: Mutex::const_new(()) }
    }

    /// The server, for tests that do not mind what others do to it meanwhile.
    pub(crate) async fn get(&'static self) -> Borrowed {
        let start = async || Paystream::start(self.name, Config::in_roles(self.arguments)).await;
        let server = self.server.get_or_init(start).await;
        Borrowed { server, turn: None }
    }

    /// The server, alone: nobody else who asks in this way uses it meanwhile.
    pub(crate) async fn alone(&'static self) -> Borrowed {
        let turn = self.whole.lock().await;
        let mut borrowed = self.get().await;
        borrowed.turn = Some(turn);
        borrowed
    }
}

/// A shared server in a test's hands. If the test fails, the server's log is shown.
pub(crate) struct Borrowed {
    server: &'static Paystream,
    turn: Option<MutexGuard<'static, ()>>,
}

impl Deref for Borrowed {
    type Target = Paystream;
    fn deref(&self) -> &Paystream {
        self.server
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.server.show_log_if_failing();
    }
}
