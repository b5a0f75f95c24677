//! One JSON line for every frame sent or received, with its hash, so that a script can compare two clients.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::SystemTime,
};

use conclave_core::{identity::address::DeviceUri, ids::TrackNumber};
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{FileError, Kind};

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Sealed and handed to the connection.
    Sent,
    /// Opened.
    Received,
}

#[derive(Serialize)]
struct Line<'a> {
    t_ms: f64,
    dir: Direction,
    device: &'a str,
    track: u32,
    kind: Kind,
    sha256: &'a str,
    len: usize,
}

/// The file.
#[derive(Debug)]
pub struct FrameLog {
    file: BufWriter<File>,
}

impl FrameLog {
    /// Starts the file.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        Ok(Self { file: BufWriter::new(File::create(path)?) })
    }

    /// Adds a line; `frame` is the plaintext, of which only the hash is written.
    pub fn write(
        &mut self,
        direction: Direction,
        device: &DeviceUri,
        track: TrackNumber,
        kind: Kind,
        frame: &[u8],
    ) -> Result<(), FileError> {
        let line = Line {
            t_ms: wall_clock_ms(),
            dir: direction,
            device: &device.to_string(),
            track: track.0,
            kind,
            sha256: &HEXLOWER.encode(&Sha256::digest(frame)),
            len: frame.len(),
        };
        serde_json::to_writer(&mut self.file, &line).map_err(std::io::Error::from)?;
        self.file.write_all(b"\n")?;
        self.file.flush()?; // Scripts read along.
        Ok(())
    }
}

/// Unix time in milliseconds, with microseconds behind the point.
pub fn wall_clock_ms() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_the_hash_and_not_the_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.jsonl");
        let device = DeviceUri::parse("conclave://north.example/u/alice/d/1a2b3c4d5e6f7a8b").unwrap();
        let before = wall_clock_ms();
        let mut log = FrameLog::create(&path).unwrap();
        log.write(Direction::Sent, &device, TrackNumber(7), Kind::Audio, b"abc").unwrap();
        log.write(Direction::Received, &device, TrackNumber(7), Kind::Video, b"").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(lines[0]["sha256"], hash);
        assert_eq!((&lines[0]["dir"], &lines[0]["kind"]), (&"sent".into(), &"audio".into()));
        assert_eq!((&lines[0]["track"], &lines[0]["len"]), (&7.into(), &3.into()));
        assert_eq!(lines[1]["dir"], "received");
        let time = lines[0]["t_ms"].as_f64().unwrap();
        assert!(time >= before && time <= wall_clock_ms());
    }
}
