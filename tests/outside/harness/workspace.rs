//! Places in the project, and folders of a test run.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The project's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder for what a person may want to look at after the run: logs and screenshots. Git ignores it.
pub(crate) fn output(part: &str) -> PathBuf {
    let folder = root().join("test-output").join(part);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Prints a result that a person wants to see although the test passes: past the capture of tests' output.
pub(crate) fn print_result(line: &str) {
    std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes()).unwrap();
}

/// Whether the long tests were asked for (`./test --long`).
pub(crate) fn long() -> bool {
    std::env::var("PAYSTREAM_TEST_LONG").is_ok_and(|value| value == "1")
}

/// This run's folder for data of servers. Shared servers end with the test process and cannot remove theirs, so
/// each run first removes the folders of runs whose process is gone.
static RUN_FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let all = std::env::temp_dir().join("paystream-tests");
    std::fs::create_dir_all(&all).unwrap();
    for entry in std::fs::read_dir(&all).unwrap().flatten() {
        let owner_lives = entry.file_name().to_str().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !owner_lives {
            // Another run may be removing the same folder; whoever is second finds nothing left.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    let own = all.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).unwrap();
    own
});

/// A new folder that is removed when it is dropped.
pub(crate) fn temporary(name: &str) -> tempfile::TempDir {
    tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&*RUN_FOLDER).unwrap()
}
