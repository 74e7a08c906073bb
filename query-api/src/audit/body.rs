//! Answers of any number of events, sent while they are read.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use chassis::problem::Chain;
use chassis::shutdown::Shutdown;
use event_store::{LogReader, RecordedEvent};
use futures_util::{StreamExt, stream};

use super::event;
use super::scan::{CHUNK, Scan};
use crate::failure::QueryFailure;

/// How events are put one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One a line.
    Lines,
    /// `{"items": […]}`
    Items,
}

/// What is still to be sent.
struct Sending {
    log: Arc<dyn LogReader>,
    scan: Scan,
    framing: Framing,
    left: usize,
    is_first: bool,
    shutdown: Shutdown,
}

enum Step {
    Send(Sending),
    Done,
}

/// The events of `scan`, at most `limit`, as a body. Errors: the log cannot be read; one that fails later cuts the
/// connection, so that a client never takes a part for the whole.
pub(super) async fn of(
    log: Arc<dyn LogReader>,
    scan: Scan,
    framing: Framing,
    limit: usize,
    shutdown: Shutdown,
) -> Result<Body, QueryFailure> {
    let mut sending = Sending { log, scan, framing, left: limit, is_first: true, shutdown };
    let (first, is_last) = sending.piece().await?;
    let step = if is_last { Step::Done } else { Step::Send(sending) };
    let rest = stream::unfold(step, |step| async {
        let Step::Send(mut sending) = step else { return None };
        match sending.piece().await {
            Ok((piece, true)) => Some((Ok(piece), Step::Done)),
            Ok((piece, false)) => Some((Ok(piece), Step::Send(sending))),
            Err(failure) => {
                tracing::warn!(error = %Chain(&failure), "an answer of events was cut");
                Some((Err(failure), Step::Done))
            }
        }
    });
    Ok(Body::from_stream(stream::once(async { Ok(first) }).chain(rest)))
}

impl Sending {
    /// The next piece of the body, and whether it is the last one.
    async fn piece(&mut self) -> Result<(Bytes, bool), QueryFailure> {
        if self.shutdown.is_triggered() {
            return Err(QueryFailure::Stopping);
        }
        let mut text = String::new();
        if self.is_first && self.framing == Framing::Items {
            text.push_str("{\"items\":[");
        }
        let events = if self.left == 0 { Vec::new() } else { self.scan.next(self.log.as_ref(), CHUNK.min(self.left)).await? };
        let is_last = events.is_empty();
        for event in &events {
            self.write(&mut text, event)?;
        }
        if is_last && self.framing == Framing::Items {
            text.push_str("]}");
        }
        Ok((text.into(), is_last))
    }

    fn write(&mut self, text: &mut String, event: &RecordedEvent) -> Result<(), QueryFailure> {
        match self.framing {
            Framing::Lines => {
                text.push_str(&event::to_line(event)?);
                text.push('\n');
            }
            Framing::Items => {
                if !self.is_first {
                    text.push(',');
                }
                text.push_str(&event::to_json(event)?);
            }
        }
        self.is_first = false;
        self.left -= 1;
        Ok(())
    }
}
