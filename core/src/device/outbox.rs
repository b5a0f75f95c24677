//! What the device still has to do or to hear: outputs in order, and what each open call and stream is for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use prost::Message;
use prost::bytes::Bytes;

use super::{
    command::{Command, Door, MeetingAddress, RequestId},
    event::{Event, Secret},
    io::{ApiError, CallId, Output, StreamId},
};
use crate::{
    identity::address::{Domain, UserAddress},
    ids::SubmissionId,
    time::Time,
};

/// What the answer to a unary call is for.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    SignIn {
        request: RequestId,
    },
    /// `certified`: when the certificates began with which it was published.
    SealingKey {
        request: Option<RequestId>,
        certified: Time,
    },
    Renew,
    SignOut {
        request: RequestId,
        this_device: bool,
    },
    Devices {
        request: RequestId,
    },
    Server {
        domain: Domain,
    },
    Create {
        request: RequestId,
        meeting: MeetingAddress,
    },
    Meetings {
        request: RequestId,
    },
    Users {
        request: RequestId,
        address: UserAddress,
    },
    Invitations {
        request: RequestId,
    },
    Acknowledged,
    LookUpMeeting {
        meeting: MeetingAddress,
    },
    /// `unknown`: domains whose descriptors could not be had.
    Look {
        request: RequestId,
        door: Door,
        unknown: BTreeSet<Domain>,
    },
    LookUpToEnd {
        request: RequestId,
        meeting: MeetingAddress,
    },
    ChangedPolicy {
        request: RequestId,
    },
    Submitted {
        meeting: MeetingAddress,
        submission: SubmissionId,
    },
}

/// What the items of a stream are for.
#[derive(Clone, Debug)]
pub(super) enum Stream {
    /// `request`: what waits for its end; none where it is to stay open.
    Receive {
        request: Option<RequestId>,
    },
    Watch {
        meeting: MeetingAddress,
    },
    Tree {
        meeting: MeetingAddress,
    },
}

/// Something that can be done again from the start, once a missing descriptor is there.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Command { request: RequestId, command: Command },
    Answer { pending: Pending, body: Bytes },
    Received { stream: StreamId, message: Bytes },
    ReceiveEnded { stream: StreamId, request: RequestId, error: Option<ApiError> },
    Call { meeting: MeetingAddress },
}

/// Outputs in order, and the open calls and streams.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Output>,
    last_id: u64,
    /// The last id before the token changed.
    token_from: u64,
    pending: BTreeMap<CallId, Pending>,
    streams: BTreeMap<StreamId, Stream>,
}

impl Outbox {
    /// Makes a unary call.
    pub(super) fn call(&mut self, path: &'static str, request: &impl Message, pending: Pending) {
        self.last_id += 1;
        let call = CallId(self.last_id);
        self.pending.insert(call, pending);
        self.queue.push_back(Output::Call { call, path, body: request.encode_to_vec().into() });
    }

    /// Opens a stream.
    pub(super) fn open(&mut self, path: &'static str, request: &impl Message, purpose: Stream) -> StreamId {
        self.last_id += 1;
        let stream = StreamId(self.last_id);
        self.streams.insert(stream, purpose);
        self.queue.push_back(Output::Open { stream, path, body: request.encode_to_vec().into() });
        stream
    }

    /// Closes a stream; later items of it are dropped.
    pub(super) fn close(&mut self, stream: StreamId) {
        if self.streams.remove(&stream).is_some() {
            self.queue.push_back(Output::Close { stream });
        }
    }

    /// What an answered call was for; an answer to nothing is `None`.
    pub(super) fn answered(&mut self, call: CallId) -> Option<Pending> {
        self.pending.remove(&call)
    }

    /// What a stream is for, while it is open.
    pub(super) fn stream(&self, stream: StreamId) -> Option<&Stream> {
        self.streams.get(&stream)
    }

    /// A stream is over.
    pub(super) fn ended(&mut self, stream: StreamId) -> Option<Stream> {
        self.streams.remove(&stream)
    }

    /// Stores something durably.
    pub(super) fn persist(&mut self, key: impl Into<String>, value: Option<Vec<u8>>) {
        self.queue.push_back(Output::Persist { key: key.into(), value: value.map(Secret::new) });
    }

    /// Sets or clears the bearer token.
    pub(super) fn token(&mut self, token: Option<&str>) {
        self.token_from = self.last_id;
        self.queue.push_back(Output::Token(token.map(|token| Secret::new(token.as_bytes().to_vec()))));
    }

    /// Whether a call or stream was made with the token in use.
    pub(super) const fn is_of_session(&self, id: u64) -> bool {
        id > self.token_from
    }

    /// Tells the person.
    pub(super) fn event(&mut self, event: Event) {
        self.queue.push_back(Output::Event(Box::new(event)));
    }

    /// The next output.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
