//! Opus in Ogg (RFC 7845): reads packets with their durations, writes files that play even if the call was cut off.

use std::{
    fmt,
    fs::File,
    io::{BufWriter, Cursor, Write},
    path::Path,
};

use bytes::Bytes;
use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};

use super::{Clip, FileError, Frame, Kind, read_file};

/// Samples at 48 kHz that a decoder throws away at the start of what we write.
const PRE_SKIP: u16 = 312;
/// A page is closed after so many samples, so that a killed recorder loses little.
const PAGE_SAMPLES: u64 = 48_000;
/// The longest gap that is filled with lost frames, in samples: ten minutes.
const LONGEST_FILL: u64 = 600 * 48_000;

/// Reads all packets of an Opus file.
pub fn read(path: &Path) -> Result<Clip, FileError> {
    parse(&read_file(path)?)
}

/// Parses the bytes of an Opus file.
pub fn parse(bytes: &[u8]) -> Result<Clip, FileError> {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let mut next =
        || reader.read_packet().map_err(|_| FileError::Malformed("not an Ogg file, or a damaged one"));
    let head = next()?.ok_or(FileError::Malformed("an empty Ogg file"))?;
    if !head.data.starts_with(b"OpusHead") || head.data.len() < 19 {
        return Err(FileError::Malformed("the codec is not Opus"));
    }
    let serial = head.stream_serial();
    let tags = next()?.ok_or(FileError::Malformed("cut off after its header"))?;
    if !tags.data.starts_with(b"OpusTags") {
        return Err(FileError::Malformed("it has no OpusTags"));
    }
    let mut frames = Vec::new();
    let mut ticks = 0;
    while let Some(packet) = next()? {
        if packet.stream_serial() != serial {
            return Err(FileError::Malformed("more than one stream in it"));
        }
        let samples = samples(&packet.data).ok_or(FileError::Malformed("a packet that is not Opus"))?;
        frames.push(Frame { payload: Bytes::from(packet.data), ticks, key: true });
        ticks += u64::from(samples);
    }
    if frames.is_empty() {
        return Err(FileError::Malformed("no sound in it"));
    }
    Ok(Clip { kind: Kind::Audio, frames, length: ticks })
}

/// How many samples at 48 kHz an Opus packet holds (RFC 6716 §3.1); none if it is malformed.
pub fn samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = u32::from(toc >> 3);
    let frame = match config {
        0..=11 => [480, 960, 1920, 2880][config as usize & 3],
        12..=15 => [480, 960][config as usize & 1],
        _ => 120 << (config & 3),
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * count).filter(|total| (1..=5760).contains(total))
}

/// Writes Opus packets; what is missing between them is written as lost, so that the file keeps its length.
pub struct Writer {
    out: PacketWriter<'static, BufWriter<File>>,
    serial: u32,
    granule: u64,
    page_start: u64,
    pending: Option<Vec<u8>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("granule", &self.granule).finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the file.
    pub fn create(path: &Path, serial: u32, channels: u8) -> Result<Self, FileError> {
        let mut out = PacketWriter::new(BufWriter::new(File::create(path)?));
        let mut head = Vec::from(b"OpusHead\x01".as_slice());
        head.push(channels);
        head.extend_from_slice(&PRE_SKIP.to_le_bytes());
        head.extend_from_slice(&48_000_u32.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        let vendor = b"conclave";
        let mut tags = Vec::from(b"OpusTags\x08\0\0\0".as_slice());
        tags.extend_from_slice(vendor);
        tags.extend_from_slice(&[0; 4]);
        out.write_packet(head, serial, PacketWriteEndInfo::EndPage, 0)?;
        out.write_packet(tags, serial, PacketWriteEndInfo::EndPage, 0)?;
        Ok(Self { out, serial, granule: 0, page_start: 0, pending: None })
    }

    /// Appends a packet that is due at `ticks` samples after the start; returns false if it came too late to be written.
    pub fn write(&mut self, ticks: u64, packet: &[u8]) -> Result<bool, FileError> {
        let Some(length) = samples(packet) else { return Ok(false) };
        let end = self.granule + self.pending.as_deref().and_then(samples).map_or(0, u64::from);
        if ticks + u64::from(length) / 2 < end {
            return Ok(false);
        }
        let lost = (ticks.saturating_sub(end).min(LONGEST_FILL) + u64::from(length) / 2) / u64::from(length);
        for _ in 0..lost {
            // One frame without bytes is a lost one to every decoder (RFC 6716 §3.2.1), of the same length as its successor's.
            for _ in 0..u64::from(length) / frame_samples(packet) {
                self.push(vec![packet[0] & !3])?;
            }
        }
        self.push(packet.to_vec())?;
        Ok(true)
    }

    /// Ends the stream and closes the file.
    pub fn finish(mut self) -> Result<(), FileError> {
        self.write_pending(PacketWriteEndInfo::EndStream)?;
        self.out.inner_mut().flush()?;
        Ok(())
    }

    fn push(&mut self, packet: Vec<u8>) -> Result<(), FileError> {
        self.write_pending(PacketWriteEndInfo::NormalPacket)?;
        self.pending = Some(packet);
        Ok(())
    }

    fn write_pending(&mut self, end: PacketWriteEndInfo) -> Result<(), FileError> {
        let Some(packet) = self.pending.take() else { return Ok(()) };
        self.granule += samples(&packet).map_or(0, u64::from);
        let page_full = self.granule - self.page_start >= PAGE_SAMPLES;
        let end = match end {
            PacketWriteEndInfo::NormalPacket if page_full => PacketWriteEndInfo::EndPage,
            end => end,
        };
        if page_full {
            self.page_start = self.granule;
        }
        self.out.write_packet(packet, self.serial, end, self.granule)?;
        Ok(())
    }
}

fn frame_samples(packet: &[u8]) -> u64 {
    u64::from(samples(&[packet[0] & !3]).unwrap_or(960))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::probe;

    #[test]
    fn the_clips_are_twenty_millisecond_frames() {
        for (name, count) in [("speech.ogg", 888), ("speech-b.ogg", 1012)] {
            let clip = read(&probe::clip(name)).unwrap();
            assert_eq!(clip.frames.len(), count);
            assert_eq!(clip.length, count as u64 * 960);
            assert!(clip.frames.iter().enumerate().all(|(i, frame)| frame.ticks == i as u64 * 960));
        }
    }

    #[test]
    fn durations_follow_the_table_of_the_standard() {
        assert_eq!(samples(&[0]), Some(480));
        assert_eq!(samples(&[3 << 3]), Some(2880));
        assert_eq!(samples(&[13 << 3 | 1, 0]), Some(1920));
        assert_eq!(samples(&[16 << 3]), Some(120));
        assert_eq!(samples(&[31 << 3]), Some(960));
        assert_eq!(samples(&[31 << 3 | 3, 6]), Some(5760));
        assert_eq!(samples(&[31 << 3 | 3, 7]), None);
        assert_eq!(samples(&[31 << 3 | 3, 0]), None);
        assert_eq!(samples(&[]), None);
    }

    #[test]
    fn what_is_written_reads_back_and_ffmpeg_decodes_it() {
        let clip = read(&probe::clip("speech.ogg")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.ogg");
        let mut writer = Writer::create(&path, 7, 1).unwrap();
        for frame in &clip.frames {
            assert!(writer.write(frame.ticks, &frame.payload).unwrap());
        }
        writer.finish().unwrap();
        assert_eq!(read(&path).unwrap().frames, clip.frames);
        let (_, seconds) = probe::decode(&path);
        assert!((17.7..17.8).contains(&seconds), "{seconds}");
    }

    #[test]
    fn lost_packets_keep_their_time_and_late_ones_are_left_out() {
        let clip = read(&probe::clip("speech.ogg")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holes.ogg");
        let mut writer = Writer::create(&path, 7, 1).unwrap();
        for (i, frame) in clip.frames.iter().enumerate() {
            if !(100..150).contains(&i) {
                assert!(writer.write(frame.ticks, &frame.payload).unwrap());
            }
        }
        assert!(!writer.write(clip.frames[120].ticks, &clip.frames[120].payload).unwrap());
        writer.finish().unwrap();
        let again = read(&path).unwrap();
        assert_eq!(again.length, clip.length);
        assert!(again.frames[100..150].iter().all(|frame| frame.payload.len() == 1));
        let (_, seconds) = probe::decode(&path);
        assert!((17.7..17.8).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_recorder_that_was_killed_leaves_a_file_that_plays() {
        let clip = read(&probe::clip("speech.ogg")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.ogg");
        let mut writer = Writer::create(&path, 7, 1).unwrap();
        for frame in &clip.frames[..500] {
            writer.write(frame.ticks, &frame.payload).unwrap();
        }
        writer.out.inner_mut().flush().unwrap();
        std::mem::forget(writer);
        let (_, seconds) = probe::decode(&path);
        assert!((8.9..10.1).contains(&seconds), "{seconds}");
    }

    #[test]
    fn broken_files_are_refused_with_a_reason() {
        assert!(parse(b"").is_err());
        assert!(parse(b"DKIF and no Ogg at all, but long enough").is_err());
        let good = std::fs::read(probe::clip("speech.ogg")).unwrap();
        let mut bad = good.clone();
        bad[200] ^= 1;
        assert!(parse(&bad).is_err());
        assert!(parse(&good[..40]).is_err());
    }
}
