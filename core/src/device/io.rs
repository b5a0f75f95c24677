//! What goes in and out of the device machine.

use std::time::Duration;

use conclave_proto::types::v1::ErrorReason;
use prost::bytes::Bytes;

use super::{
    command::{Command, RequestId},
    event::{Event, Secret},
};

/// Names a unary call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Names a server stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Why the home server did not answer as wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The machine-readable reason; [`ErrorReason::Unavailable`] if the server was not reached.
    pub reason: ErrorReason,
    /// One sentence for a person.
    pub message: String,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A person asks for something; its end is told by [`Event::Done`].
    Command {
        /// Chosen by the driver.
        request: RequestId,
        /// What is asked.
        command: Command,
    },
    /// A unary call was answered.
    Answer {
        /// Which.
        call: CallId,
        /// The encoded response.
        result: Result<Bytes, ApiError>,
    },
    /// The home server has taken a stream on; there may be nothing to tell for long.
    Opened {
        /// Which.
        stream: StreamId,
    },
    /// A stream gave a message.
    Item {
        /// Which.
        stream: StreamId,
        /// The encoded response.
        message: Bytes,
    },
    /// A stream is over.
    Ended {
        /// Which.
        stream: StreamId,
        /// Why, unless it came to its end.
        error: Option<ApiError>,
    },
    /// The deadline has come.
    Tick,
}

/// What is to be done, in order.
#[derive(Debug)]
pub enum Output {
    /// Make a unary gRPC call at the home server.
    Call {
        /// Which.
        call: CallId,
        /// `/package.Service/Method`.
        path: &'static str,
        /// The encoded request.
        body: Bytes,
    },
    /// Open a server stream at the home server.
    Open {
        /// Which.
        stream: StreamId,
        /// `/package.Service/Method`.
        path: &'static str,
        /// The encoded request.
        body: Bytes,
    },
    /// Close a stream; nothing of it is to come in any more.
    Close {
        /// Which.
        stream: StreamId,
    },
    /// Use this bearer token for all calls from now on; none after signing out.
    Token(Option<Secret>),
    /// Store durably before the next output; `None` deletes.
    Persist {
        /// The place.
        key: String,
        /// What to store; secret.
        value: Option<Secret>,
    },
    /// Tell the person.
    Event(Box<Event>),
}
