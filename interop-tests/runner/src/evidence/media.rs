//! Frames of recordings, compared with the frames that were sent.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use ogg::PacketReader;

/// The frames of an IVF file, in order.
pub(crate) fn ivf(path: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let header = bytes.get(..32).context("IVF: too short")?;
    ensure!(header.starts_with(b"DKIF"), "IVF: no signature");
    let mut rest = &bytes[usize::from(u16::from_le_bytes([header[6], header[7]]))..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(12) {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some((frame, after)) = after.split_at_checked(length) else { break };
        frames.push(frame.to_vec());
        rest = after;
    }
    Ok(frames)
}

/// The Opus packets of an Ogg file, in order, without the two headers.
pub(crate) fn ogg(path: &Path) -> Result<Vec<Vec<u8>>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut reader = PacketReader::new(file);
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet()? {
        if !packet.data.starts_with(b"OpusHead") && !packet.data.starts_with(b"OpusTags") {
            packets.push(packet.data);
        }
    }
    Ok(packets)
}

/// How received frames stand to a clip that was sent, perhaps several times over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    /// How many were received.
    pub(crate) received: usize,
    /// How many of them are no frame of the clip.
    pub(crate) foreign: usize,
    /// How many came out of the clip's order, the clip being repeated.
    pub(crate) misplaced: usize,
    /// How many frames of the clip, in its order, lie between the first and last received, both included.
    pub(crate) span: usize,
}

/// Compares by content. Equal frames of a clip (silence) count as any of them.
pub(crate) fn compare(received: &[Vec<u8>], clip: &[Vec<u8>]) -> Compared {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, frame) in clip.iter().enumerate() {
        places.entry(frame).or_default().push(place);
    }
    let mut compared = Compared { received: received.len(), foreign: 0, misplaced: 0, span: 0 };
    let mut last: Option<usize> = None;
    for frame in received {
        let Some(candidates) = places.get(frame.as_slice()) else {
            compared.foreign += 1;
            continue;
        };
        // The nearest place after the last one, around the clip's end.
        let step = |place: usize| last.map_or(1, |last| (place + clip.len() - last - 1) % clip.len() + 1);
        let Some(place) = candidates.iter().copied().min_by_key(|place| step(*place)) else { continue };
        if step(place) > clip.len() / 2 {
            compared.misplaced += 1;
            continue;
        }
        compared.span += step(place);
        last = Some(place);
    }
    compared
}

/// Decodes with ffmpeg; gives the seconds that came out.
pub(crate) fn decoded_seconds(path: &Path) -> Result<f64> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-f", "null", "-progress", "pipe:1", "-"])
        .output()
        .context("cannot run ffmpeg")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ffmpeg cannot decode {}: {errors}", path.display());
    let text = String::from_utf8_lossy(&output.stdout);
    let microseconds: f64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("out_time_us=")?.trim().parse().ok())
        .next_back()
        .context("ffmpeg said no time")?;
    Ok(microseconds / 1_000_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &str) -> Vec<Vec<u8>> {
        text.bytes().map(|byte| vec![byte]).collect()
    }

    #[test]
    fn a_repeated_clip_with_a_gap_is_measured() {
        let compared = compare(&frames("cdefabde"), &frames("abcdef"));
        assert_eq!(compared, Compared { received: 8, foreign: 0, misplaced: 0, span: 9 });
    }

    #[test]
    fn foreign_and_misplaced_frames_are_counted() {
        assert_eq!(compare(&frames("abxc"), &frames("abcdef")).foreign, 1);
        assert_eq!(compare(&frames("abcb"), &frames("abcdef")).misplaced, 1);
        assert_eq!(compare(&frames("bb"), &frames("abcdef")).misplaced, 1);
    }
}
