//! The calls: by their paths, as gRPC names them.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::{self, Iter};
use tonic::body::Body;
use tonic::codec::ProstCodec;
use tonic::codegen::http::{Request as HttpRequest, Response as HttpResponse};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::Grpc;
use tonic::{Code, Request, Response, Status, Streaming};
use tower::{Service, service_fn};

use crate::messages::{
    Abilities, AppendAnswer, AppendContent, AppendPart, ReadAmount, ReadContent, ReadFilter, ReadPart, ReadRequest, ReadSource,
    StreamNotFound,
};
use crate::{Fault, Shared};

/// The version that the stand-in says it has.
const SERVER_VERSION: &str = "25.1.0";

/// Events to be answered, one message each.
type Parts = Iter<std::vec::IntoIter<Result<ReadPart, Status>>>;

/// All services of the stand-in.
#[derive(Clone)]
pub(crate) struct Calls(pub(crate) Arc<Shared>);

impl Service<HttpRequest<Body>> for Calls {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = match request.uri().path() {
                "/event_store.client.server_features.ServerFeatures/GetSupportedMethods" => {
                    let asked = service_fn(|_: Request<()>| async {
                        Ok::<_, Status>(Response::new(Abilities { server_version: SERVER_VERSION.to_owned() }))
                    });
                    Grpc::new(ProstCodec::default()).unary(asked, request).await
                }
                "/event_store.client.streams.Streams/Append" => {
                    let append = service_fn(move |request| append(Arc::clone(&shared), request));
                    Grpc::new(ProstCodec::default()).client_streaming(append, request).await
                }
                "/event_store.client.streams.Streams/Read" => {
                    let read = service_fn(move |request| ready(read(&shared, request)));
                    Grpc::new(ProstCodec::default()).server_streaming(read, request).await
                }
                path => Status::unimplemented(format!("the stand-in has no {path}")).into_http(),
            };
            Ok(answer)
        })
    }
}

async fn append(shared: Arc<Shared>, request: Request<Streaming<AppendPart>>) -> Result<Response<AppendAnswer>, Status> {
    let mut parts = request.into_inner();
    let first = parts.message().await?.and_then(|part| part.content);
    let Some(AppendContent::Target(target)) = first else {
        return Err(Status::invalid_argument("an append begins with its stream"));
    };
    let stream = target.stream.ok_or_else(|| Status::invalid_argument("an append names no stream"))?;
    let expected = target.expected.ok_or_else(|| Status::invalid_argument("an append expects nothing"))?;
    let mut events = Vec::new();
    while let Some(part) = parts.message().await? {
        match part.content {
            Some(AppendContent::Event(event)) => events.push(event),
            _ => return Err(Status::invalid_argument("an append goes on with events")),
        }
    }
    let write = || shared.log().append(&stream.bytes, expected, events);
    let outcome = match shared.next_fault() {
        None => write()?,
        Some(Fault::NotLeader) => return Err(not_leader(shared.port)),
        Some(Fault::Refused) => return Err(Status::permission_denied("write access is denied")),
        Some(Fault::Failed { is_written }) => {
            if is_written {
                write()?;
            }
            return Err(Status::unavailable("the node has gone away"));
        }
        Some(Fault::Silent { is_written }) => {
            if is_written {
                write()?;
            }
            std::future::pending().await
        }
    };
    Ok(Response::new(AppendAnswer { outcome: Some(outcome) }))
}

fn read(shared: &Shared, request: Request<ReadRequest>) -> Result<Response<Parts>, Status> {
    let options = request.into_inner().options.ok_or_else(|| Status::invalid_argument("a read says nothing"))?;
    let Some(ReadAmount::Events(limit @ 1..)) = options.amount else {
        return Err(Status::unimplemented("the stand-in reads a number of events"));
    };
    let is_backward = options.direction == 1;
    let event = |event| ReadPart { content: Some(ReadContent::Event(event)) };
    let parts: Vec<ReadPart> = match options.source {
        Some(ReadSource::Stream(from)) => match shared.log().read_stream(&from, is_backward, limit) {
            Some(found) => found.into_iter().map(event).collect(),
            None => vec![ReadPart { content: Some(ReadContent::StreamNotFound(StreamNotFound { stream: from.stream })) }],
        },
        Some(ReadSource::All(from)) => {
            let filter = match &options.filter {
                Some(ReadFilter::By(filter)) => Some(filter),
                Some(ReadFilter::None(())) | None => None,
            };
            shared.log().read_all(from, is_backward, limit, filter)?.into_iter().map(event).collect()
        }
        None => return Err(Status::invalid_argument("a read names no stream")),
    };
    Ok(Response::new(stream::iter(parts.into_iter().map(Ok).collect::<Vec<_>>())))
}

/// Another node is the leader, which is this one.
fn not_leader(port: u16) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("exception", MetadataValue::from_static("not-leader"));
    metadata.insert("leader-endpoint-host", MetadataValue::from_static("127.0.0.1"));
    metadata.insert("leader-endpoint-port", MetadataValue::from(u64::from(port)));
    Status::with_metadata(Code::NotFound, "another node leads", metadata)
}
