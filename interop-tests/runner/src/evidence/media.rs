//! Frames sent and received, compared by the clients' logs of frames; recordings, decoded by ffmpeg.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// One line of a client's log of frames.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Frame {
    /// Unix milliseconds.
    pub(crate) t_ms: f64,
    /// `sent` or `received`.
    pub(crate) dir: String,
    /// The sender's device, as its key proves.
    pub(crate) device: String,
    /// The track's number.
    pub(crate) track: u32,
    /// `audio` or `video`.
    pub(crate) kind: String,
    /// Of the plaintext.
    pub(crate) sha256: String,
}

/// Reads a log; the last line may still be half written.
pub(crate) fn log(path: &Path) -> Result<Vec<Frame>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// How what one client received stands to what another sent, for one kind of media.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// Frames that the sender sent in the time looked at.
    pub(crate) sent: usize,
    /// Those of them that arrived.
    pub(crate) received: usize,
    /// Frames received under the sender's name that it never sent, or that came twice.
    pub(crate) foreign: usize,
    /// From sending to receipt, milliseconds, sorted.
    pub(crate) latency_ms: Vec<f64>,
}

/// Compares two logs: frames of `kind` sent between two times.
pub(crate) fn arrived(
    sender: &[Frame],
    receiver: &[Frame],
    kind: &str,
    from_ms: f64,
    until_ms: f64,
) -> Arrived {
    let mut arrived = Arrived::default();
    let mut unmatched: HashMap<(u32, &str), Vec<f64>> = HashMap::new();
    let Some(device) = sender.iter().find(|frame| frame.dir == "sent").map(|frame| &frame.device) else {
        return arrived;
    };
    for frame in sender.iter().filter(|frame| frame.dir == "sent" && frame.kind == kind) {
        arrived.sent += usize::from((from_ms..until_ms).contains(&frame.t_ms));
        unmatched.entry((frame.track, &frame.sha256)).or_default().push(frame.t_ms);
    }
    for frame in receiver.iter().filter(|f| f.dir == "received" && f.kind == kind && f.device == *device) {
        let times = unmatched.entry((frame.track, &frame.sha256)).or_default();
        // Clips repeat: the latest sending before the receipt is the one.
        let Some(place) = times.iter().rposition(|sent| *sent <= frame.t_ms + CLOCK_STEP_MS) else {
            arrived.foreign += 1;
            continue;
        };
        let sent = times.remove(place);
        if (from_ms..until_ms).contains(&sent) {
            arrived.received += 1;
            arrived.latency_ms.push(frame.t_ms - sent);
        }
    }
    arrived.latency_ms.sort_by(f64::total_cmp);
    arrived
}

/// Both clients read the same clock; the log is written a moment after the frame.
const CLOCK_STEP_MS: f64 = 5.0;

/// The value below which a share of the sorted figures lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let place = ((sorted.len() as f64 * share).ceil() as usize).max(1) - 1;
    sorted.get(place).or(sorted.last()).copied().unwrap_or(f64::NAN)
}

/// Hashes of the frames of an IVF file.
pub(crate) fn ivf_hashes(path: &Path) -> Result<HashSet<String>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let header = bytes.get(..32).context("IVF: too short")?;
    ensure!(header.starts_with(b"DKIF"), "IVF: no signature");
    let mut rest = &bytes[usize::from(u16::from_le_bytes([header[6], header[7]]))..];
    let mut hashes = HashSet::new();
    while let Some((head, after)) = rest.split_at_checked(12) {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some((frame, after)) = after.split_at_checked(length) else { break };
        hashes.insert(hash(frame));
        rest = after;
    }
    Ok(hashes)
}

/// Hashes of the Opus packets of an Ogg file.
pub(crate) fn ogg_hashes(path: &Path) -> Result<HashSet<String>> {
    let file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut reader = ogg::PacketReader::new(file);
    let mut hashes = HashSet::new();
    while let Some(packet) = reader.read_packet()? {
        if !packet.data.starts_with(b"OpusHead") && !packet.data.starts_with(b"OpusTags") {
            hashes.insert(hash(&packet.data));
        }
    }
    Ok(hashes)
}

fn hash(frame: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(frame))
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
    let mut times =
        text.lines().filter_map(|line| line.strip_prefix("out_time_us=")?.trim().parse::<f64>().ok());
    Ok(times.next_back().context("ffmpeg said no time")? / 1_000_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(dir: &str, t_ms: f64, hash: &str) -> Frame {
        let text = |text: &str| text.to_owned();
        Frame { t_ms, dir: text(dir), device: text("a"), track: 1, kind: text("audio"), sha256: text(hash) }
    }

    #[test]
    fn frames_are_matched_one_to_one() {
        let sender = [frame("sent", 10.0, "x"), frame("sent", 20.0, "y"), frame("sent", 30.0, "x")];
        let receiver = [
            frame("received", 12.0, "x"),
            frame("received", 33.0, "x"),
            frame("received", 34.0, "x"),
            frame("received", 35.0, "z"),
        ];
        let found = arrived(&sender, &receiver, "audio", 0.0, 100.0);
        assert_eq!((found.sent, found.received, found.foreign), (3, 2, 2));
        assert_eq!(found.latency_ms, [2.0, 3.0]);
    }

    #[test]
    fn percentiles_are_of_the_sorted_figures() {
        let figures: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((percentile(&figures, 0.5) - 50.0).abs() < 0.1);
        assert!((percentile(&figures, 0.99) - 99.0).abs() < 0.1);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
