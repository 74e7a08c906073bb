//! Server-sent events.

use serde_json::Value;

use super::api::Call;
use super::poll::DEADLINE;

/// An open stream of server-sent events.
pub(crate) struct Watch {
    response: reqwest::Response,
    unread: Vec<u8>,
}

impl Watch {
    /// Opens the stream.
    pub(crate) async fn open(call: Call) -> Self {
        let response = call.header("accept", "text/event-stream").open().await;
        assert_eq!(response.status().as_u16(), 200, "{}", response.url());
        let content_type = response.headers()["content-type"].to_str().unwrap();
        assert!(content_type.starts_with("text/event-stream"), "{content_type}");
        Self { response, unread: Vec::new() }
    }

    /// The data of the next message that is JSON and satisfies `wanted`; others are passed over.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let reading = async {
            loop {
                let data: Value = serde_json::from_str(&self.next_data().await.expect("the stream ended")).unwrap();
                assert!(super::json_rules::unsafe_numbers(&data).is_empty(), "{data}");
                if wanted(&data) {
                    return data;
                }
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.unwrap_or_else(|_| panic!("no message came: {what}"))
    }

    /// The data of the next message, comments passed over; `None` when the server has ended the stream.
    pub(crate) async fn next_data(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = self.unread.drain(..end + 2).collect();
                let message = String::from_utf8(message).unwrap();
                let lines = message.lines().filter_map(|line| line.strip_prefix("data:"));
                let data = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
                if !data.is_empty() {
                    return Some(data);
                }
            }
            // A cut connection is an end too: the process was killed.
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.unread.extend_from_slice(&chunk);
        }
    }
}
