//! What a server built with `wiretap` recorded: every gRPC message that it read or wrote, and every packet that it sent to a
//! device; each after its length.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use conclave_proto::{
    client::v1::SubmitRequest,
    types::v1::{Signed, Submission},
};
use prost::{
    Message as _,
    bytes::{Buf as _, Bytes},
};

/// The messages of a recording.
pub(crate) fn messages(folder: &Path) -> Result<Vec<Bytes>> {
    records(&folder.join("grpc.bin"))
}

fn records(file: &Path) -> Result<Vec<Bytes>> {
    let mut rest = Bytes::from(fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    let mut messages = Vec::new();
    while rest.len() >= 4 {
        let length = rest.get_u32() as usize;
        if rest.len() < length {
            break; // Still being written.
        }
        messages.push(rest.split_to(length));
    }
    Ok(messages)
}

/// What devices handed in at this server. The recording names no methods: what decodes as a submission is one.
pub(crate) fn submissions(folder: &Path) -> Result<Vec<Signed>> {
    let signed = messages(folder)?.into_iter().filter_map(|message| {
        let signed = SubmitRequest::decode(message).ok()?.submission?;
        let submission = Submission::decode(signed.payload.clone()).ok()?;
        (submission.meeting_id.len() == 32 && signed.signature.len() == 64).then_some(signed)
    });
    Ok(signed.collect())
}

/// How many packets the recording holds, from byte `from` on, that were sent to devices whose name contains `whose`.
pub(crate) fn sent_to(file: &Path, from: u64, whose: &str) -> Result<f64> {
    let mut place = 0;
    let mut count = 0;
    for record in records(file)? {
        let device = record.split(|byte| *byte == 0).next().unwrap_or_default();
        if place >= from && String::from_utf8_lossy(device).contains(whose) {
            count += 1_u32;
        }
        place += 4 + record.len() as u64;
    }
    Ok(f64::from(count))
}
