//! The messages of KurrentDB's protocol, as far as they are needed here. What a field means on the wire is its number and type
//! alone; names and shapes are ours. Fields that are not named are passed over.

use std::collections::HashMap;

use prost::{Message, Oneof};

/// An id as two halves or as text.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Id {
    #[prost(oneof = "IdForm", tags = "1, 2")]
    pub(crate) form: Option<IdForm>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum IdForm {
    #[prost(message, tag = "1")]
    Halves(Halves),
    #[prost(string, tag = "2")]
    Text(String),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Halves {
    #[prost(int64, tag = "1")]
    pub(crate) high: i64,
    #[prost(int64, tag = "2")]
    pub(crate) low: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamName {
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Place {
    #[prost(uint64, tag = "1")]
    pub(crate) commit: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) prepare: u64,
}

/// One message of the stream that makes an append: first where to, then event after event.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppendPart {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(crate) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum AppendContent {
    #[prost(message, tag = "1")]
    Target(AppendTarget),
    #[prost(message, tag = "2")]
    Event(ProposedEvent),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppendTarget {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream: Option<StreamName>,
    #[prost(oneof = "Expected", tags = "2, 3, 4, 5")]
    pub(crate) expected: Option<Expected>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum Expected {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(()),
    #[prost(message, tag = "4")]
    Any(()),
    #[prost(message, tag = "5")]
    Exists(()),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProposedEvent {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<Id>,
    #[prost(map = "string, string", tag = "2")]
    pub(crate) metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) custom_metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) data: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct AppendAnswer {
    #[prost(oneof = "AppendOutcome", tags = "1, 2")]
    pub(crate) outcome: Option<AppendOutcome>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum AppendOutcome {
    #[prost(message, tag = "1")]
    Written(Written),
    #[prost(message, tag = "2")]
    Elsewhere(Elsewhere),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Written {
    #[prost(oneof = "WrittenRevision", tags = "1, 2")]
    pub(crate) revision: Option<WrittenRevision>,
    #[prost(oneof = "WrittenPlace", tags = "3, 4")]
    pub(crate) place: Option<WrittenPlace>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum WrittenRevision {
    #[prost(uint64, tag = "1")]
    Last(u64),
    #[prost(message, tag = "2")]
    NoStream(()),
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum WrittenPlace {
    #[prost(message, tag = "3")]
    Known(Place),
    #[prost(message, tag = "4")]
    Unknown(()),
}

/// The stream is at another revision than expected. This is an answer and no failure of the call.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Elsewhere {
    #[prost(oneof = "CurrentRevision", tags = "6, 7")]
    pub(crate) current: Option<CurrentRevision>,
    #[prost(oneof = "RepeatedExpectation", tags = "8, 9, 10, 11")]
    pub(crate) expected: Option<RepeatedExpectation>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum CurrentRevision {
    #[prost(uint64, tag = "6")]
    Last(u64),
    #[prost(message, tag = "7")]
    NoStream(()),
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum RepeatedExpectation {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(()),
    #[prost(message, tag = "10")]
    Exists(()),
    #[prost(message, tag = "11")]
    NoStream(()),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) options: Option<ReadOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadOptions {
    #[prost(oneof = "ReadSource", tags = "1, 2")]
    pub(crate) source: Option<ReadSource>,
    /// 0 forwards, 1 backwards.
    #[prost(int32, tag = "3")]
    pub(crate) direction: i32,
    #[prost(oneof = "ReadAmount", tags = "5, 6")]
    pub(crate) amount: Option<ReadAmount>,
    #[prost(oneof = "ReadFilter", tags = "7, 8")]
    pub(crate) filter: Option<ReadFilter>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ReadSource {
    #[prost(message, tag = "1")]
    Stream(OneStream),
    #[prost(message, tag = "2")]
    All(WholeLog),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OneStream {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream: Option<StreamName>,
    #[prost(oneof = "StreamStart", tags = "2, 3, 4")]
    pub(crate) start: Option<StreamStart>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum StreamStart {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    First(()),
    #[prost(message, tag = "4")]
    End(()),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct WholeLog {
    #[prost(oneof = "LogStart", tags = "1, 2, 3")]
    pub(crate) start: Option<LogStart>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum LogStart {
    #[prost(message, tag = "1")]
    Place(Place),
    #[prost(message, tag = "2")]
    First(()),
    #[prost(message, tag = "3")]
    End(()),
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum ReadAmount {
    #[prost(uint64, tag = "5")]
    Events(u64),
    #[prost(message, tag = "6")]
    Subscription(()),
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ReadFilter {
    #[prost(message, tag = "7")]
    By(FilterBy),
    #[prost(message, tag = "8")]
    None(()),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FilterBy {
    #[prost(oneof = "FilterSubject", tags = "1, 2")]
    pub(crate) subject: Option<FilterSubject>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum FilterSubject {
    #[prost(message, tag = "1")]
    StreamName(Pattern),
    #[prost(message, tag = "2")]
    EventType(Pattern),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pattern {
    #[prost(string, tag = "1")]
    pub(crate) regex: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) prefixes: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadPart {
    #[prost(oneof = "ReadContent", tags = "1, 4")]
    pub(crate) content: Option<ReadContent>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ReadContent {
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    #[prost(message, tag = "4")]
    StreamNotFound(StreamNotFound),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamNotFound {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream: Option<StreamName>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadEvent {
    #[prost(message, optional, tag = "1")]
    pub(crate) event: Option<StoredEvent>,
    /// The event's place once more.
    #[prost(uint64, optional, tag = "3")]
    pub(crate) commit: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredEvent {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<Id>,
    #[prost(message, optional, tag = "2")]
    pub(crate) stream: Option<StreamName>,
    #[prost(uint64, tag = "3")]
    pub(crate) revision: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) prepare: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) commit: u64,
    #[prost(map = "string, string", tag = "6")]
    pub(crate) metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) custom_metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) data: Vec<u8>,
}

/// What the server can do: asked by the client when it connects.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Abilities {
    #[prost(string, tag = "2")]
    pub(crate) server_version: String,
}
