//! The one message of a unary call, read whole within its method's limit before anything decodes it (spec: FED-07).
//!
//! Empty repeated elements are two bytes on the wire and a hundred in memory: where a method may be large, they are counted first.

use conclave_core::limits;
use http::Request;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tonic::body::Body;

use crate::{
    federation::{
        outbox::{AT_ONCE, DELIVERY_BYTES},
        wary::{self, Shape},
    },
    refusal::Refusal,
};

/// Invitations that are sent or delivered.
const INVITATIONS: &[Shape] = &[Shape { field: 1, most: AT_ONCE, largest: usize::MAX, inside: &[] }];

/// Flags and length before a gRPC message.
const PREFIX: usize = 5;

/// What a method takes.
struct Limit {
    bytes: usize,
    /// How often repeated fields may stand there, where a method may be large.
    shapes: &'static [Shape],
}

/// The limit of a method; none if it takes a stream.
fn limit_of(path: &str) -> Option<Limit> {
    let submission = limits::COMMIT_BYTES + limits::WELCOME_BYTES + limits::CONTROL_MESSAGE_BYTES;
    Some(match path {
        "/conclave.federation.v1.MirrorService/Mirror" => return None,
        "/conclave.federation.v1.MeetingService/Submit" | "/conclave.client.v1.MeetingService/Submit" => {
            Limit { bytes: submission, shapes: &[] }
        }
        "/conclave.federation.v1.InvitationService/Deliver"
        | "/conclave.client.v1.InvitationService/SendInvitations" => {
            Limit { bytes: DELIVERY_BYTES, shapes: INVITATIONS }
        }
        "/conclave.client.v1.MediaService/Open" => {
            Limit { bytes: 2 * limits::CONTROL_MESSAGE_BYTES, shapes: &[] }
        }
        _ => Limit { bytes: limits::CONTROL_MESSAGE_BYTES, shapes: &[] },
    })
}

/// The same request with its message in memory, or why it is not taken.
pub async fn take(request: Request<Body>) -> Result<Request<Body>, Refusal> {
    let Some(limit) = limit_of(request.uri().path()) else { return Ok(request) };
    let (parts, body) = request.into_parts();
    let read = Limited::new(body, limit.bytes + PREFIX).collect().await;
    let message = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Refusal::TOO_LARGE,
        None => Refusal::MALFORMED,
    })?;
    let message = message.to_bytes();
    let content = message.get(PREFIX..).map(|_| message.slice(PREFIX..)).unwrap_or_default();
    wary::check(content, limit.shapes)?;
    Ok(Request::from_parts(parts, Body::new(Full::new(message))))
}
