//! Child processes that cannot outlive the tests.

use std::fs::File;
use std::io::PipeReader;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A command to start, and where to answer how that went.
type Order = (Command, Sender<std::io::Result<Child>>);

/// The kernel ends a child when the *thread* that started it ends (`setpriv --pdeathsig`), and a test's thread ends
/// with its test. So one thread that lives as long as the process starts them all.
static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, answer) in receiver {
            answer.send(command.spawn()).unwrap();
        }
    });
    Mutex::new(sender)
});

/// A command that is killed when this process ends, however it ends.
pub(crate) fn tied(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A running child. Dropping it kills it and waits for it.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts `command`; what it prints is added to the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: start(command) }
    }

    /// As [`Running::start`], with what it prints carried through a pipe.
    pub(crate) fn start_piped(mut command: Command, log: &Path) -> Self {
        let mut file = File::options().create(true).append(true).open(log).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = start(command);
        std::thread::spawn(move || std::io::copy(&mut reader, &mut file));
        Self { child }
    }

    /// Starts `command`; what it prints goes into the pipe that is answered.
    pub(crate) fn start_into_pipe(mut command: Command) -> (Self, PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        (Self { child: start(command) }, reader)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end. What it answers is seen with [`Running::wait_up_to`].
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end; `None` if it still runs after `limit`.
    pub(crate) async fn wait_up_to(&mut self, limit: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if started.elapsed() > limit {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn start(command: Command) -> Child {
    let (sender, receiver) = channel();
    let description = format!("{command:?}");
    STARTER.lock().unwrap().send((command, sender)).unwrap();
    receiver.recv().unwrap().unwrap_or_else(|error| panic!("cannot start {description}: {error}"))
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Ends `pid` and everything that it and its children have started.
pub(crate) fn kill_tree(pid: Pid) {
    let mut tree = vec![pid.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(parent) = tree.get(next).copied() {
        tree.extend(children_of(parent));
        next += 1;
    }
    for pid in tree.into_iter().filter_map(Pid::from_raw) {
        // It may have ended by itself meanwhile.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn children_of(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks; the state and the parent follow the last parenthesis.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether this process is the superuser.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Two ports are never given twice in one run: they are counted up from a place that depends on the process, below
/// the range from which the kernel takes ports for outgoing connections.
pub(crate) fn free_port() -> u16 {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap();
    loop {
        let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let port = next.unwrap_or(first);
        *next = Some(if port >= 32_000 { 20_000 } else { port + 1 });
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
