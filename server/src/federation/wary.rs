//! What other servers say is looked at before it is decoded: an empty repeated element is two bytes on the wire and a hundred in
//! memory (spec: FED-07).

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use conclave_core::limits;
use http::uri::PathAndQuery;
use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

use crate::refusal::Refusal;

/// How much of one field a message may hold.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The field's number.
    pub field: u32,
    /// How often it may stand there; 1 also for what is not repeated but would be merged.
    pub most: usize,
    /// Its largest content, bytes.
    pub largest: usize,
    /// What is inside.
    pub inside: &'static [Self],
}

/// Certificates of a device-signed message.
const CHAIN: &[Shape] = &[Shape { field: 2, most: 4, largest: limits::CERTIFICATE_BYTES, inside: &[] }];

/// A `MirrorResponse`.
pub const MIRROR_RESPONSE: &[Shape] = &[
    Shape { field: 3, most: 1, largest: usize::MAX, inside: BATCH },
    Shape { field: 4, most: 1, largest: limits::CONTROL_MESSAGE_BYTES, inside: ASK },
    Shape { field: 5, most: 1, largest: limits::CONTROL_MESSAGE_BYTES, inside: &[] },
    Shape { field: 6, most: 1, largest: limits::CONTROL_MESSAGE_BYTES, inside: &[] },
    Shape { field: 7, most: 1, largest: PASSING, inside: &[] },
    Shape { field: 8, most: 1, largest: limits::SMALL_ENTRY_BYTES, inside: &[] },
];
/// What is said in passing, with its signature.
const PASSING: usize = limits::PASSING_BYTES + 128;
const BATCH: &[Shape] =
    &[Shape { field: 1, most: limits::ENTRIES_PER_BATCH, largest: usize::MAX, inside: &[] }];
const ASK: &[Shape] = &[
    Shape { field: 3, most: limits::MEMBERS, largest: usize::MAX, inside: &[] },
    Shape { field: 4, most: limits::MEMBERS, largest: usize::MAX, inside: &[] },
];

/// A `LookUpMeetingResponse`.
pub const LOOK_UP_MEETING_RESPONSE: &[Shape] = &[
    Shape { field: 1, most: 1, largest: usize::MAX, inside: CHAIN },
    Shape { field: 2, most: limits::POLICY_CHANGES, largest: usize::MAX, inside: CHAIN },
    Shape { field: 6, most: 1, largest: usize::MAX, inside: INSIDE },
];
const INSIDE: &[Shape] =
    &[Shape { field: 2, most: limits::LOOKED_AT_DOMAINS, largest: limits::DOMAIN_BYTES, inside: &[] }];

/// A `LookUpUserResponse`.
pub const LOOK_UP_USER_RESPONSE: &[Shape] =
    &[Shape { field: 1, most: 4 * limits::DEVICES_PER_USER, largest: usize::MAX, inside: CHAIN }];

/// Whether an encoded message keeps to a shape; costs no memory. Fields that the shape does not name are passed over.
pub fn check(mut message: Bytes, shapes: &[Shape]) -> Result<(), Refusal> {
    let mut seen = vec![0_usize; shapes.len()];
    while message.has_remaining() {
        let (field, kind) = decode_key(&mut message).map_err(|_| Refusal::MALFORMED)?;
        if kind == WireType::EndGroup {
            return Err(Refusal::MALFORMED);
        }
        let named = shapes.iter().zip(&mut seen).find(|(shape, _)| shape.field == field);
        let Some((shape, seen)) = named else {
            skip_field(kind, field, &mut message, DecodeContext::default())
                .map_err(|_| Refusal::MALFORMED)?;
            continue;
        };
        *seen += 1;
        if *seen > shape.most {
            return Err(Refusal::TOO_LARGE);
        }
        if kind == WireType::LengthDelimited {
            let length = decode_varint(&mut message).map_err(|_| Refusal::MALFORMED)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= message.len());
            let content = message.split_to(length.ok_or(Refusal::MALFORMED)?);
            if content.len() > shape.largest {
                return Err(Refusal::TOO_LARGE);
            }
            // What nothing is known of may be no message at all.
            if !shape.inside.is_empty() {
                check(content, shape.inside)?;
            }
        } else {
            skip_field(kind, field, &mut message, DecodeContext::default())
                .map_err(|_| Refusal::MALFORMED)?;
        }
    }
    Ok(())
}

/// Protobuf whose answers are checked against a shape before they are decoded.
#[derive(Debug)]
pub struct Wary<T, U> {
    shapes: &'static [Shape],
    messages: PhantomData<fn(T) -> U>,
}

impl<T, U> Wary<T, U> {
    /// Answers must be of this shape.
    pub const fn new(shapes: &'static [Shape]) -> Self {
        Self { shapes, messages: PhantomData }
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for Wary<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::new(self.shapes)
    }

    fn decoder(&mut self) -> Self {
        Self::new(self.shapes)
    }
}

impl<T: Message, U> Encoder for Wary<T, U> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out).map_err(|_| Status::internal("encoding"))
    }
}

impl<T, U: Message + Default> Decoder for Wary<T, U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = message.copy_to_bytes(message.remaining());
        check(message.clone(), self.shapes)?;
        U::decode(message).map(Some).map_err(|_| Refusal::MALFORMED.into())
    }
}

/// Asks another server something; its answer is of that shape and at most so many bytes.
pub async fn call<T: Message + 'static, U: Message + Default + 'static>(
    channel: Channel,
    path: &'static str,
    request: T,
    shapes: &'static [Shape],
    largest: usize,
) -> Result<U, Refusal> {
    let mut grpc = Grpc::new(channel).max_decoding_message_size(largest);
    grpc.ready().await.map_err(|_| Refusal::UNAVAILABLE)?;
    let path = PathAndQuery::from_static(path);
    let answer = grpc.unary(Request::new(request), path, Wary::<T, U>::new(shapes)).await;
    answer.map(tonic::Response::into_inner).map_err(|status| Refusal::of_status(&status))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use conclave_proto::{
        federation::v1::{
            LookUpMeetingResponse, MirrorAsk, MirrorBatch, MirrorResponse, mirror_response::Item,
        },
        types::v1::{DeviceSigned, Entry, ServerSigned, Signed},
    };

    use super::*;

    fn mirrored(item: Item) -> Bytes {
        MirrorResponse { item: Some(item), ..MirrorResponse::default() }.encode_to_vec().into()
    }

    fn batch(entries: usize) -> Bytes {
        mirrored(Item::Batch(MirrorBatch { entries: vec![Entry::default(); entries], head: None }))
    }

    #[test]
    fn fed_07_r11_elements_are_counted_without_decoding_them() {
        assert_eq!(check(batch(limits::ENTRIES_PER_BATCH), MIRROR_RESPONSE), Ok(()));
        assert_eq!(check(batch(limits::ENTRIES_PER_BATCH + 1), MIRROR_RESPONSE), Err(Refusal::TOO_LARGE));
        // Protobuf merges what stands there twice.
        let twice = [batch(200), batch(200)].concat();
        assert_eq!(check(twice.into(), MIRROR_RESPONSE), Err(Refusal::TOO_LARGE));
        let ask =
            MirrorAsk { join_sequences: vec![1; limits::CONTROL_MESSAGE_BYTES], ..MirrorAsk::default() };
        assert_eq!(check(mirrored(Item::Ask(ask)), MIRROR_RESPONSE), Err(Refusal::TOO_LARGE));
        let signed = |length| Signed { payload: vec![1; length].into(), signature: vec![2; 64].into() };
        let passing = |length| check(mirrored(Item::Passing(signed(length))), MIRROR_RESPONSE);
        assert_eq!(passing(limits::PASSING_BYTES), Ok(()));
        assert_eq!(passing(limits::PASSING_BYTES + 128), Err(Refusal::TOO_LARGE));
        let word = |length| ServerSigned { signed: Some(signed(length)), ..ServerSigned::default() };
        let attendance = |length| check(mirrored(Item::Attendance(word(length))), MIRROR_RESPONSE);
        assert_eq!(attendance(1_024), Ok(()));
        assert_eq!(attendance(limits::SMALL_ENTRY_BYTES), Err(Refusal::TOO_LARGE));
        let unpacked = [0x18, 1].repeat(limits::MEMBERS + 1);
        let length = u8::try_from(unpacked.len() & 0x7f).unwrap() | 0x80;
        let unpacked =
            [&[0x22, length, u8::try_from(unpacked.len() >> 7).unwrap()], unpacked.as_slice()].concat();
        assert_eq!(check(unpacked.into(), MIRROR_RESPONSE), Err(Refusal::TOO_LARGE));
        assert_eq!(check(Bytes::from_static(&[0x1a, 0xff]), MIRROR_RESPONSE), Err(Refusal::MALFORMED));
    }

    #[test]
    fn fed_07_r11_nested_elements_are_counted_too() {
        let look_up = |certificates| {
            // No certificate is a message of its own.
            let certificate_chain = vec![Bytes::from_static(&[0xff; 3]); certificates];
            let statement = DeviceSigned { signed: None, certificate_chain };
            let policy_chain = vec![statement; 3];
            LookUpMeetingResponse { policy_chain, ..LookUpMeetingResponse::default() }.encode_to_vec()
        };
        assert_eq!(check(look_up(2).into(), LOOK_UP_MEETING_RESPONSE), Ok(()));
        assert_eq!(check(look_up(100).into(), LOOK_UP_MEETING_RESPONSE), Err(Refusal::TOO_LARGE));
    }
}
