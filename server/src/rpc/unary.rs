//! The one message of a unary call, read whole within its method's limit before anything decodes it (spec: FED-07).
//!
//! Empty repeated elements are two bytes on the wire and a hundred in memory: where a method may be large, they are counted first.

use bytes::{Buf, Bytes};
use conclave_core::limits;
use http::Request;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use tonic::body::Body;

use crate::{
    federation::outbox::{AT_ONCE, DELIVERY_BYTES},
    refusal::Refusal,
};

/// Flags and length before a gRPC message.
const PREFIX: usize = 5;

/// What a method takes.
struct Limit {
    bytes: usize,
    /// The repeated field that is counted, and how often it may stand there.
    elements: Option<(u32, usize)>,
}

/// The limit of a method; none if it takes a stream.
fn limit_of(path: &str) -> Option<Limit> {
    let submission = limits::COMMIT_BYTES + limits::WELCOME_BYTES + limits::CONTROL_MESSAGE_BYTES;
    Some(match path {
        "/conclave.federation.v1.MirrorService/Mirror" => return None,
        "/conclave.federation.v1.MeetingService/Submit" | "/conclave.client.v1.MeetingService/Submit" => {
            Limit { bytes: submission, elements: None }
        }
        "/conclave.federation.v1.InvitationService/Deliver"
        | "/conclave.client.v1.InvitationService/SendInvitations" => {
            Limit { bytes: DELIVERY_BYTES, elements: Some((1, AT_ONCE)) }
        }
        "/conclave.client.v1.MediaService/Open" => {
            Limit { bytes: 2 * limits::CONTROL_MESSAGE_BYTES, elements: None }
        }
        _ => Limit { bytes: limits::CONTROL_MESSAGE_BYTES, elements: None },
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
    if let Some((field, most)) = limit.elements {
        let content = message.get(PREFIX..).map(|_| message.slice(PREFIX..)).unwrap_or_default();
        if count(content, field)? > most {
            return Err(Refusal::TOO_LARGE);
        }
    }
    Ok(Request::from_parts(parts, Body::new(Full::new(message))))
}

/// How often a field stands at the top of an encoded message.
pub fn count(mut message: Bytes, field: u32) -> Result<usize, Refusal> {
    let mut found = 0;
    while message.has_remaining() {
        let (tag, kind) = decode_key(&mut message).map_err(|_| Refusal::MALFORMED)?;
        if kind == WireType::EndGroup {
            return Err(Refusal::MALFORMED);
        }
        skip_field(kind, tag, &mut message, DecodeContext::default()).map_err(|_| Refusal::MALFORMED)?;
        found += usize::from(tag == field);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use conclave_proto::{federation::v1::DeliverRequest, types::v1::SealedInvitation};
    use prost::Message;

    use super::*;

    #[test]
    fn fed_07_elements_are_counted_without_decoding_them() {
        let request = DeliverRequest { invitations: vec![SealedInvitation::default(); 7] };
        assert_eq!(count(request.encode_to_vec().into(), 1), Ok(7));
        assert_eq!(count(request.encode_to_vec().into(), 2), Ok(0));
        assert!(count(Bytes::from_static(&[0x0a, 0xff]), 1).is_err());
    }
}
