//! The control stream: messages with their lengths before them.

use conclave_core::limits::RELAY_MESSAGE_BYTES;
use conclave_proto::relay::v1::RelayMessage;
use prost::Message as _;
use quinn::{RecvStream, SendStream};

/// A link cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The peer breaks the protocol.
    #[error("the peer breaks the relay protocol: {0}")]
    Misbehaved(&'static str),
    /// The peer is not who it should be.
    #[error("the peer's key is not that of a known domain")]
    Unknown,
    /// The connection is gone.
    #[error(transparent)]
    Connection(#[from] quinn::ConnectionError),
    /// The control stream is gone.
    #[error("the control stream ended: {0}")]
    Read(#[from] quinn::ReadExactError),
    /// The control stream is gone.
    #[error("the control stream ended: {0}")]
    Write(#[from] quinn::WriteError),
    /// The peer did not answer in time.
    #[error("the peer did not answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
    /// Nobody needs the link any more.
    #[error("not needed any more")]
    NotNeeded,
}

/// Reads one message.
pub(super) async fn read(stream: &mut RecvStream) -> Result<RelayMessage, LinkError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > RELAY_MESSAGE_BYTES {
        return Err(LinkError::Misbehaved("a control message is too large"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    RelayMessage::decode(bytes.as_slice())
        .map_err(|_| LinkError::Misbehaved("a control message cannot be read"))
}

/// Writes one message.
pub(super) async fn write(stream: &mut SendStream, message: &RelayMessage) -> Result<(), LinkError> {
    let length = message.encoded_len();
    let Some(prefix) = u32::try_from(length).ok().filter(|_| length <= RELAY_MESSAGE_BYTES) else {
        // Limits on tracks make this impossible; a link is not to be lost over it.
        tracing::error!(length, "a control message is too large to be sent");
        return Ok(());
    };
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend_from_slice(&prefix.to_be_bytes());
    bytes.extend_from_slice(&message.encode_to_vec());
    stream.write_all(&bytes).await?;
    Ok(())
}
