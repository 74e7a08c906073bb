//! Where log lines go and how they look.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use serde::Deserialize;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The format is none of `text` and `json`.
    #[error("the log format is text or json, not {0:?}")]
    UnknownFormat(String),
    /// The filter cannot be read.
    #[error("the log filter {filter:?} cannot be read")]
    BadFilter {
        /// What was configured.
        filter: String,
        /// Where it goes wrong.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The filter is a word that is no level, or names one: taken as it is, it would silence everything.
    #[error("the log filter has the word {0:?}, which is none of off, error, warn, info, debug, trace")]
    UnknownLevel(String),
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[from] tracing::dispatcher::SetGlobalDefaultError),
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::UnknownFormat(text.to_owned())),
        }
    }
}

/// Whether `filter` is one that [`init_logs`] takes. Errors: `BadFilter`, `UnknownLevel`.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    env_filter(filter).map(drop)
}

/// A directive of one bare word would be the name of a target; of one who misspells a level it would be the end of all lines.
fn env_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let directives = filter.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    if let Some(unknown) = directives.filter(|directive| !directive.contains(['=', '['])).find(|word| word.parse::<LevelFilter>().is_err())
    {
        return Err(TelemetryError::UnknownLevel(unknown.to_owned()));
    }
    EnvFilter::builder().parse(filter).map_err(|source| TelemetryError::BadFilter { filter: filter.to_owned(), source })
}

/// Sends log lines to standard error from now on, those that `filter` lets through (for instance `info,sqlx=warn`).
///
/// Standard output stays free for what a command answers.
pub fn init_logs(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let lines = lines(format, filter, io::stderr().is_terminal(), || Unbroken(io::stderr()))?;
    Ok(tracing::dispatcher::set_global_default(lines)?)
}

/// A writer that counts what could not be written as written. Whoever read the lines may have gone, and nothing that the
/// process does may depend on that.
struct Unbroken<W>(W);

impl<W: io::Write> io::Write for Unbroken<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.0.write(bytes).unwrap_or(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nobody is left who could be told.
        drop(self.0.flush());
        Ok(())
    }
}

/// Writes lines to `writer`.
pub(super) fn lines<W>(format: LogFormat, filter: &str, is_terminal: bool, writer: W) -> Result<Dispatch, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(env_filter(filter)?).with_writer(writer);
    Ok(match format {
        LogFormat::Text => builder.with_ansi(is_terminal).finish().into(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_one_of_two_words() {
        assert_eq!("text".parse::<LogFormat>().unwrap(), LogFormat::Text);
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert!(matches!("xml".parse::<LogFormat>(), Err(TelemetryError::UnknownFormat(text)) if text == "xml"));
    }

    #[test]
    fn a_bare_word_is_a_level_or_refused() {
        for filter in ["info", "WARN", "off", "info,sqlx=warn", "chassis=debug, info", "command_api[http_request]=debug"] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
        for filter in ["debugg", "info,sqlx", "loud"] {
            assert!(matches!(check_filter(filter), Err(TelemetryError::UnknownLevel(_))), "{filter}");
        }
    }

    /// Standard error whose reader has gone.
    struct Broken;

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_line_that_nobody_can_read_is_no_error() {
        let mut writer = Unbroken(Broken);
        io::Write::write_all(&mut writer, b"line").unwrap();
        io::Write::flush(&mut writer).unwrap();
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = lines(LogFormat::Text, "info,paystream=loud", false, io::sink).unwrap_err();
        assert!(matches!(&error, TelemetryError::BadFilter { filter, .. } if filter == "info,paystream=loud"));
    }
}
