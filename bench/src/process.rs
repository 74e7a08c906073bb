//! Child processes that cannot outlive the benchmark, and what the system counts of them.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::trouble::{Doing, Trouble};

/// How often an end is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// A command that the kernel kills when the thread that starts it ends. Start it from the main thread, so that this is the
/// end of the benchmark.
pub(crate) fn tied() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    command
}

/// As [`tied`], with the program.
pub(crate) fn tied_to(program: impl AsRef<OsStr>) -> Command {
    let mut command = tied();
    command.arg("--").arg(program);
    command
}

/// A running child. Dropping it kills it and waits for it.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts `command`; what it prints goes to the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self, Trouble> {
        let file = File::options().create(true).append(true).open(log).doing(format!("open {}", log.display()))?;
        let second = file.try_clone().doing("share the log's file")?;
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        let child = command.spawn().doing(format!("start {}", command.get_program().display()))?;
        Ok(Self { child })
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Trouble> {
        self.child.try_wait().doing("look after a child process")
    }

    /// Sends `signal` and waits up to `limit` for the end. Errors: it still runs, or ended with a failure.
    pub(crate) async fn stop(mut self, signal: Signal, limit: Duration) -> Result<(), Trouble> {
        kill_process(Pid::from_child(&self.child), signal).doing("signal a child process")?;
        let asked = Instant::now();
        while asked.elapsed() < limit {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(Trouble::new(format!("a child process ended with {status}"))),
                None => tokio::time::sleep(LOOK).await,
            }
        }
        Err(Trouble::new(format!("a child process did not stop within {limit:?}")))
    }

    /// The time that the process has spent on the cores, its own and the kernel's for it. Steps of 10 ms.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Trouble> {
        cpu_time(&self.proc_file("stat")?)
    }

    /// The most memory that the process has held at once, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> Result<u64, Trouble> {
        let status = self.proc_file("status")?;
        peak_memory_kib(&status).ok_or_else(|| Trouble::new("the memory of a process cannot be read"))
    }

    fn proc_file(&self, name: &str) -> Result<String, Trouble> {
        proc_file(&self.child.id().to_string(), name)
    }
}

/// The time that this process has spent on the cores, as [`Running::cpu_time`] tells it of another.
pub(crate) fn own_cpu_time() -> Result<Duration, Trouble> {
    cpu_time(&proc_file("self", "stat")?)
}

fn proc_file(process: &str, name: &str) -> Result<String, Trouble> {
    let path = format!("/proc/{process}/{name}");
    std::fs::read_to_string(&path).doing(format!("read {path}"))
}

fn cpu_time(stat: &str) -> Result<Duration, Trouble> {
    let ticks = cpu_ticks(stat).ok_or_else(|| Trouble::new("the system's count of a process cannot be read"))?;
    Ok(Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second().max(1)))
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `utime` and `stime` together. The program's name stands in parentheses and may hold blanks.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

fn peak_memory_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A port of 127.0.0.1 that nobody uses at this moment.
pub(crate) fn free_port() -> Result<u16, Trouble> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).doing("find a free port")?;
    Ok(listener.local_addr().doing("read a free port")?.port())
}

/// Whether this process is the superuser.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_process_is_read_behind_its_name() {
        let stat = "4321 (a (bad) name) S 1 4321 4321 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 5 0 900 1000 200";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("4321 (short) S 1"), None);
    }

    #[test]
    fn the_peak_of_memory_is_read_among_other_lines() {
        assert_eq!(peak_memory_kib("VmPeak:\t  900 kB\nVmHWM:\t   123 kB\nVmRSS:\t 100 kB\n"), Some(123));
        assert_eq!(peak_memory_kib("VmRSS:\t 100 kB\n"), None);
    }

    #[tokio::test]
    async fn a_child_is_counted_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = tied_to("sh");
        command.args(["-c", "trap 'exit 0' TERM; echo ready; while :; do :; done"]);
        let log = folder.path().join("log");
        let child = Running::start(command, &log).unwrap();
        let started = Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains("ready") || child.cpu_time().unwrap().is_zero() {
            assert!(started.elapsed() < Duration::from_secs(30), "a busy process was never counted");
            tokio::time::sleep(LOOK).await;
        }
        assert!(child.peak_memory_kib().unwrap() > 0);
        child.stop(Signal::TERM, Duration::from_secs(30)).await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_fails_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = tied_to("sh");
        command.args(["-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"]);
        let log = folder.path().join("log");
        let child = Running::start(command, &log).unwrap();
        let started = Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains("ready") {
            assert!(started.elapsed() < Duration::from_secs(30));
            tokio::time::sleep(LOOK).await;
        }
        assert!(child.stop(Signal::TERM, Duration::from_secs(30)).await.is_err());
    }
}
