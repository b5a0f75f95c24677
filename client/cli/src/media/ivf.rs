//! VP8 in IVF: a 32-byte header, then each frame after its size and time.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use bytes::Bytes;

use super::{Clip, FileError, Frame, Kind, read_file};

/// Reads all frames of a VP8 file.
pub fn read(path: &Path) -> Result<Clip, FileError> {
    parse(&read_file(path)?)
}

/// Parses the bytes of a VP8 file.
pub fn parse(bytes: &[u8]) -> Result<Clip, FileError> {
    let header = bytes.get(..32).ok_or(FileError::Malformed("shorter than an IVF header"))?;
    if !header.starts_with(b"DKIF") {
        return Err(FileError::Malformed("not an IVF file"));
    }
    if header[8..12] != *b"VP80" {
        return Err(FileError::Malformed("the codec is not VP8"));
    }
    let header_length = usize::from(u16::from_le_bytes([header[6], header[7]]));
    let rate = u64::from(le32(&header[16..20]));
    let scale = u64::from(le32(&header[20..24]));
    if header_length < 32 || rate == 0 || scale == 0 {
        return Err(FileError::Malformed("a broken IVF header"));
    }
    let to_ticks =
        |time: u64| time.checked_mul(u64::from(Kind::Video.clock_rate()) * scale).map(|t| t / rate);
    let mut rest = bytes.get(header_length..).ok_or(FileError::Malformed("a broken IVF header"))?;
    let mut frames: Vec<Frame> = Vec::new();
    while !rest.is_empty() {
        let head = rest.get(..12).ok_or(FileError::Malformed("cut off inside a frame"))?;
        let size = le32(&head[..4]) as usize;
        let time = u64::from(le32(&head[4..8])) | u64::from(le32(&head[8..12])) << 32;
        let end = size.checked_add(12).ok_or(FileError::Malformed("a frame of impossible size"))?;
        let payload = rest.get(12..end).ok_or(FileError::Malformed("cut off inside a frame"))?;
        let ticks = to_ticks(time).ok_or(FileError::Malformed("a frame of impossible time"))?;
        if frames.last().is_some_and(|last| last.ticks >= ticks) {
            return Err(FileError::Malformed("its frames are not in order of time"));
        }
        if payload.len() < 3 {
            return Err(FileError::Malformed("a frame too short for VP8"));
        }
        frames.push(Frame { payload: Bytes::copy_from_slice(payload), ticks, key: is_key(payload) });
        rest = &rest[end..];
    }
    let Some(first) = frames.first().filter(|frame| frame.key).map(|frame| frame.ticks) else {
        return Err(FileError::Malformed("it does not start with a key frame"));
    };
    for frame in &mut frames {
        frame.ticks -= first;
    }
    let last = frames.last().map_or(0, |frame| frame.ticks);
    let pace = to_ticks(1).unwrap_or(1).max(1);
    let length = last + if frames.len() > 1 { last / (frames.len() as u64 - 1) } else { pace };
    Ok(Clip { kind: Kind::Video, frames, length: length.max(1) })
}

/// Whether a VP8 frame is a key frame (RFC 6386 §9.1).
pub fn is_key(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & 1 == 0)
}

/// Width and height of a VP8 key frame.
pub fn size_of_key_frame(payload: &[u8]) -> Option<(u16, u16)> {
    if !is_key(payload) || payload.get(3..6)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let side = |at: usize| Some(u16::from_le_bytes([*payload.get(at)?, *payload.get(at + 1)?]) & 0x3fff);
    Some((side(6)?, side(8)?))
}

/// Writes VP8 frames, times in milliseconds.
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    last_ms: u64,
    end_ms: u64,
}

impl Writer {
    /// Starts the file with a key frame's size.
    pub fn create(path: &Path, (width, height): (u16, u16)) -> Result<Self, FileError> {
        let mut header = Vec::with_capacity(32);
        header.extend_from_slice(b"DKIF\0\0\x20\0VP80");
        header.extend_from_slice(&width.to_le_bytes());
        header.extend_from_slice(&height.to_le_bytes());
        header.extend_from_slice(&1000_u32.to_le_bytes());
        header.extend_from_slice(&1_u32.to_le_bytes());
        header.extend_from_slice(&[0; 8]);
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&header)?;
        Ok(Self { file, last_ms: 0, end_ms: 0 })
    }

    /// Appends a frame.
    pub fn write(&mut self, time_ms: u64, payload: &[u8]) -> Result<(), FileError> {
        let size = u32::try_from(payload.len()).map_err(|_| FileError::TooLarge)?;
        self.file.write_all(&size.to_le_bytes())?;
        self.file.write_all(&time_ms.to_le_bytes())?;
        self.file.write_all(payload)?;
        self.end_ms = time_ms + time_ms.saturating_sub(self.last_ms).clamp(1, 1000);
        self.last_ms = time_ms;
        Ok(())
    }

    /// Puts the length, in units of the time base as ffmpeg does, into the header and closes the file.
    pub fn finish(mut self) -> Result<(), FileError> {
        self.file.seek(SeekFrom::Start(24))?;
        self.file.write_all(&u32::try_from(self.end_ms).unwrap_or(u32::MAX).to_le_bytes())?;
        self.file.flush()?;
        Ok(())
    }
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::probe;

    fn clip() -> Clip {
        read(&probe::clip("moving.ivf")).unwrap()
    }

    #[test]
    fn the_clip_has_its_pace_and_its_key_frames() {
        let clip = clip();
        assert_eq!(clip.frames.len(), 180);
        assert_eq!(clip.length, 12 * 90_000);
        assert!(clip.frames.iter().enumerate().all(|(i, frame)| frame.key == (i % 15 == 0)));
        assert_eq!(size_of_key_frame(&clip.frames[0].payload), Some((320, 240)));
        assert_eq!(size_of_key_frame(&clip.frames[1].payload), None);
    }

    #[test]
    fn what_is_written_reads_back_and_ffmpeg_decodes_it() {
        let clip = clip();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.ivf");
        let mut writer = Writer::create(&path, (320, 240)).unwrap();
        for frame in &clip.frames {
            writer.write(frame.ticks / 90, &frame.payload).unwrap();
        }
        writer.finish().unwrap();
        let again = read(&path).unwrap();
        assert!(again.frames.iter().map(|f| &f.payload).eq(clip.frames.iter().map(|f| &f.payload)));
        let (frames, seconds) = probe::decode(&path);
        assert_eq!(frames, 180);
        assert!((11.9..12.1).contains(&seconds), "{seconds}");
    }

    #[test]
    fn broken_files_are_refused_with_a_reason() {
        let good = std::fs::read(probe::clip("moving.ivf")).unwrap();
        let with = |at: usize, byte: u8| {
            let mut bad = good.clone();
            bad[at] = byte;
            parse(&bad).unwrap_err().to_string()
        };
        assert!(parse(&good[..20]).unwrap_err().to_string().contains("shorter"));
        assert!(parse(&good[..good.len() - 1]).unwrap_err().to_string().contains("cut off"));
        assert!(with(0, b'X').contains("not an IVF"));
        assert!(with(8, b'A').contains("not VP8"));
        assert!(with(44, 1).contains("key frame"));
        assert!(parse(&good[..32]).is_err());
    }
}
