//! Under the feature `wiretap` alone: writes every RTP payload, as it leaves SRTP and before it enters it again, and every relay
//! datagram, as it leaves QUIC, to files that the demo's proofs go through. No release enables it.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
};

use conclave_core::identity::address::DeviceUri;

/// Names the folder of the files.
const FOLDER: &str = "CONCLAVE_WIRETAP_DIR";

/// Records an RTP payload.
pub(super) fn rtp(payload: &[u8]) {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    record(FILE.get_or_init(|| open("rtp.bin")).as_ref(), payload);
}

/// Records a relay datagram.
pub(super) fn relay(datagram: &[u8]) {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    record(FILE.get_or_init(|| open("relay.bin")).as_ref(), datagram);
}

/// Records an RTP payload that goes to a device, behind the device's URI and a zero byte.
pub(super) fn sent(device: &DeviceUri, payload: &[u8]) {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let record_of = [device.to_string().as_bytes(), &[0], payload].concat();
    record(FILE.get_or_init(|| open("sent.bin")).as_ref(), &record_of);
}

fn open(name: &str) -> Option<Mutex<File>> {
    let path = PathBuf::from(std::env::var_os(FOLDER)?).join(name);
    File::options().create(true).append(true).open(path).ok().map(Mutex::new)
}

/// Length and bytes in one write, so that records of several threads do not mix.
fn record(file: Option<&Mutex<File>>, bytes: &[u8]) {
    let (Some(file), Ok(length)) = (file, u32::try_from(bytes.len())) else { return };
    let mut record = length.to_be_bytes().to_vec();
    record.extend_from_slice(bytes);
    if let Err(error) = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&record) {
        tracing::error!(%error, "the wiretap cannot write");
    }
}
