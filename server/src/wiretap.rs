//! Under the feature `wiretap` alone: writes every gRPC message that this server reads or writes, decrypted, to a file that the
//! search for secrets goes through. No release enables it.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tonic::body::Body;

/// Names the folder of the file.
const FOLDER: &str = "CONCLAVE_WIRETAP_DIR";

/// The same body; each whole gRPC message in it is recorded as it passes.
pub fn tap<B>(body: B) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Body::new(Tapped { body: body.map_err(Into::into).boxed_unsync(), pending: BytesMut::new() })
}

struct Tapped {
    body: http_body_util::combinators::UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>,
    pending: BytesMut,
}

impl HttpBody for Tapped {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.pending.extend_from_slice(data);
            record_messages(&mut self.pending);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// Takes whole length-prefixed messages off the front: one byte of flags, four of length, the message.
fn record_messages(pending: &mut BytesMut) {
    while let Some((header, _)) = pending.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if pending.len() < 5 + length {
            return;
        }
        pending.advance(1);
        let message = pending.split_to(4 + length);
        if let Some(file) = file() {
            // Length and message in one write, so that records of several tasks do not mix.
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = file.write_all(&message) {
                tracing::error!(%error, "the wiretap cannot write");
            }
        }
    }
}

fn file() -> Option<&'static Mutex<File>> {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = PathBuf::from(std::env::var_os(FOLDER)?).join("grpc.bin");
        File::options().create(true).append(true).open(path).ok().map(Mutex::new)
    })
    .as_ref()
}
