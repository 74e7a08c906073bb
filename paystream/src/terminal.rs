//! What the program says to whoever started it. Nobody may be listening any more, and that is no reason to break off.

use std::io::{self, Write};

/// A line to standard output: an answer or a greeting.
pub(crate) fn say(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

/// A line to standard error: what went wrong.
pub(crate) fn complain(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}
