//! Every message that peers and devices decode, whatever is made of it afterwards.

use conclave_proto::{
    client::v1 as client, federation::v1 as federation, relay::v1 as relay, types::v1 as types,
};
use prost::Message;

use crate::{Target, Verdict};

/// The targets of this module.
pub const TARGETS: &[Target] =
    &[Target { name: "protobuf", run: protobuf, honest: honest_protobuf, authentic: false }];

/// Whether the input decodes; what decodes must come back from its own encoding.
fn comes_back<M: Message + Default + PartialEq>(input: &[u8]) -> bool {
    let Ok(message) = M::decode(input) else { return false };
    let again = M::decode(message.encode_to_vec().as_slice());
    assert!(again.is_ok_and(|again| again == message), "{} does not come back", std::any::type_name::<M>());
    true
}

/// The decoders of the named messages.
macro_rules! decoders {
    ($($package:ident::{$($message:ident),* $(,)?}),* $(,)?) => {
        [$($(comes_back::<$package::$message> as fn(&[u8]) -> bool),*),*]
    };
}

fn protobuf(input: &[u8]) -> Verdict {
    let decoders = decoders![
        types::{
            ErrorDetail, ServerDescriptor, SignedDescriptor, RootSuccessionStatement, SealingKey, Invitation,
            SealedInvitation, Bounce, EntryHeader, Entry, Head, Acknowledgement, Submission, Commit,
            CommitAnnotations, Message, TrackList, MeetingRecord, MeetingDetails, Policy, PolicyStatement,
            AdmissionToken, Evidence, Join, Admit, Leave, Withdraw, Confirm, Void, DeviceSigned, ServerSigned,
        },
        client::{
            SignInRequest, PublishSealingKeyRequest, SignOutRequest, SendInvitationsRequest, AcknowledgeRequest,
            OpenRequest, UpdateRequest, CreateMeetingRequest, LookUpMeetingRequest, SubmitRequest, WatchRequest,
            WatchResponse, FetchTreeRequest, ChangePolicyRequest,
        },
        federation::{
            HelloRequest, LookUpUserRequest, DeliverRequest, SubmitRequest, ChangePolicyRequest, MirrorRequest,
        },
        relay::{RelayMessage},
    ];
    let accepted = decoders.into_iter().filter(|decode| decode(input)).count();
    if accepted > 0 { Verdict::Accepted } else { Verdict::Refused }
}

/// A batch with one of everything nested in it, and a relay message.
fn honest_protobuf() -> Vec<Vec<u8>> {
    let signed = types::Signed { payload: vec![1; 20].into(), signature: vec![2; 64].into() };
    let device = types::DeviceSigned {
        signed: Some(signed.clone()),
        certificate_chain: vec![vec![3; 30].into(), vec![4; 30].into()],
    };
    let server =
        types::ServerSigned { signed: Some(signed), domain: "north.example".into(), key_id: "k1".into() };
    let entry =
        types::Entry { header: vec![5; 40].into(), content: vec![6; 50].into(), ..Default::default() };
    let batch = client::LogBatch { entries: vec![entry.clone(), entry.clone()], head: Some(server.clone()) };
    let standing = client::Standing {
        state: client::StandingState::Entered.into(),
        entry: Some(entry),
        head: Some(server),
        policy_chain: vec![device.clone(), device.clone()],
        ..Default::default()
    };
    let watch = |item| client::WatchResponse { item: Some(item) }.encode_to_vec();
    let track = types::Track { number: 1, kind: 2, codec: 2, layers: 3 };
    vec![
        watch(client::watch_response::Item::Batch(batch)),
        watch(client::watch_response::Item::Standing(standing)),
        types::Join {
            key_package: vec![7; 60].into(),
            evidence: Some(types::Evidence { evidence: Some(types::evidence::Evidence::Token(device)) }),
            expires_ms: 1,
        }
        .encode_to_vec(),
        types::TrackList { tracks: vec![track; 3] }.encode_to_vec(),
    ]
}
