//! Where log lines go and how they look.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use serde::Deserialize;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
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

/// Sends log lines to standard error from now on, those that `filter` lets through (for instance `info,sqlx=warn`).
///
/// Standard output stays free for what a command answers.
pub fn init_logs(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let lines = lines(format, filter, io::stderr().is_terminal(), io::stderr)?;
    Ok(tracing::dispatcher::set_global_default(lines)?)
}

/// Writes lines to `writer`.
pub(super) fn lines<W>(format: LogFormat, filter: &str, is_terminal: bool, writer: W) -> Result<Dispatch, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let env_filter =
        EnvFilter::builder().parse(filter).map_err(|source| TelemetryError::BadFilter { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(env_filter).with_writer(writer);
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
    fn a_filter_that_cannot_be_read_is_named() {
        let error = lines(LogFormat::Text, "info,paystream=loud", false, io::sink).unwrap_err();
        assert!(matches!(&error, TelemetryError::BadFilter { filter, .. } if filter == "info,paystream=loud"));
    }
}
