//! On what a figure was made. A figure without its conditions says nothing, so each result carries them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use chassis::clock::{Clock, SystemClock};
use serde::Serialize;

use crate::figures::{Latencies, Ms, Percentiles};
use crate::report;
use crate::trouble::{Doing, Trouble};

/// How many times the disk is asked.
const FLUSHES: usize = 200;

/// What one flush writes, a page.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// The machine while a benchmark ran.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Conditions {
    /// When it began, RFC 3339 in UTC.
    began_at: String,
    /// `release`, or `debug` whose figures mean nothing.
    build: &'static str,
    /// Cores that this process may use.
    cores: usize,
    /// The processor's own name.
    processor: String,
    /// Processes that wanted a core in the minute before, by the system's count; far above 0 the machine was not ours.
    load_before: String,
    /// What a page written and flushed takes in the folder of the data.
    flush: Percentiles,
}

impl Conditions {
    /// Makes a folder for the data in `parent`, or where temporary files lie, and says on what the figures are made.
    pub(crate) fn begin(parent: Option<&Path>) -> Result<(tempfile::TempDir, Self), Trouble> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = tempfile::Builder::new().prefix("paystream-bench-").tempdir_in(parent).doing("make a folder for the data")?;
        let conditions = Self::look(folder.path())?;
        report::say(&format!("{}\n", conditions.line()))?;
        Ok((folder, conditions))
    }

    /// Looks at the machine; `folder` is where the data will lie.
    pub(crate) fn look(folder: &Path) -> Result<Self, Trouble> {
        let load = std::fs::read_to_string("/proc/loadavg").doing("read the machine's load")?;
        let processors = std::fs::read_to_string("/proc/cpuinfo").doing("read the processor's name")?;
        Ok(Self {
            began_at: SystemClock::default().now().to_rfc3339(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            cores: std::thread::available_parallelism().doing("count the cores")?.get(),
            processor: processor_name(&processors).to_owned(),
            load_before: load.split_whitespace().next().unwrap_or_default().to_owned(),
            flush: flushes(&folder.join("flush-probe")).doing("measure the disk")?,
        })
    }

    /// Cores that this process may use.
    pub(crate) fn cores(&self) -> usize {
        self.cores
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let Self { began_at, build, cores, processor, load_before, flush } = self;
        let (p50, p99) = (Ms(flush.p50_us.into()), Ms(flush.p99_us.into()));
        format!("{began_at}, {build} build, {cores} cores ({processor}), load before {load_before}, page flush p50 {p50} p99 {p99}")
    }
}

fn processor_name(cpuinfo: &str) -> &str {
    let named = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    named.and_then(|rest| rest.split_once(':')).map_or("unknown", |(_, name)| name.trim())
}

fn flushes(path: &Path) -> std::io::Result<Percentiles> {
    let mut file = File::create(path)?;
    let mut latencies = Latencies::default();
    for _ in 0..FLUSHES {
        let started = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        latencies.add(started.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(latencies.percentiles())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_as_the_system_does() {
        assert_eq!(processor_name("processor\t: 0\nmodel name\t: A Fine One @ 2.5GHz\nmodel name\t: another\n"), "A Fine One @ 2.5GHz");
        assert_eq!(processor_name("processor\t: 0\n"), "unknown");
    }

    #[test]
    fn the_machine_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let conditions = Conditions::look(folder.path()).unwrap();
        assert!(conditions.cores > 0 && conditions.flush.p50_us > 0);
        assert!(conditions.line().contains("debug build") || conditions.build == "release");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
