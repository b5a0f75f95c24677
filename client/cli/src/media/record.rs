//! What was received, in files named after the sender that the key proves: `DIR/user@domain.track.ogg` or `.ivf`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    time::Instant,
};

use bytes::Bytes;
use conclave_core::{identity::address::DeviceUri, ids::TrackNumber};

use super::{FileError, Kind, ivf, ogg};

/// Frames wait so many seconds for earlier ones, which a retransmission may still bring.
const WAIT_S: u64 = 1;
/// When the stream's clock and this machine's disagree by so many seconds, the stream was interrupted or another began.
const DRIFT_S: u64 = 1;

/// Writes all tracks of one stay in a meeting.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    tracks: HashMap<(DeviceUri, TrackNumber), Track>,
    names: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Track {
    kind: Kind,
    path: PathBuf,
    began: Instant,
    /// What is added to RTP times, so that the file starts at 0 and is as long as the call.
    offset: i128,
    written: u64,
    waiting: BTreeMap<u64, Bytes>,
    out: Option<Out>,
}

#[derive(Debug)]
enum Out {
    Ogg(ogg::Writer),
    Ivf(ivf::Writer),
}

impl Recorder {
    /// Makes the folder if it is missing.
    pub fn new(folder: &Path) -> Result<Self, FileError> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), tracks: HashMap::new(), names: HashSet::new() })
    }

    /// Takes an opened frame with its RTP time; gives the file's path when the track is new.
    pub fn take(
        &mut self,
        (device, number): (&DeviceUri, TrackNumber),
        kind: Kind,
        ticks: u64,
        frame: Bytes,
    ) -> Result<Option<&Path>, FileError> {
        let key = (device.clone(), number);
        let is_new = !self.tracks.contains_key(&key);
        if is_new {
            let path = self.name(device, number, kind);
            self.tracks.insert(key.clone(), Track::new(kind, path, ticks));
        }
        let Some(track) = self.tracks.get_mut(&key).filter(|track| track.kind == kind) else {
            return Ok(None);
        };
        track.take(ticks, frame)?;
        Ok(is_new.then_some(&track.path))
    }

    /// Writes what waits and closes all files; gives their paths.
    pub fn finish(self) -> Result<Vec<PathBuf>, FileError> {
        let mut paths = Vec::new();
        for mut track in self.tracks.into_values() {
            track.write_until(u64::MAX)?;
            match track.out {
                Some(Out::Ogg(writer)) => writer.finish()?,
                Some(Out::Ivf(writer)) => writer.finish()?,
                None => continue,
            }
            paths.push(track.path);
        }
        paths.sort();
        Ok(paths)
    }

    /// Names hold letters, digits and `.-_@:` alone (spec: IDN-01), but for a guest's slash.
    fn name(&mut self, device: &DeviceUri, number: TrackNumber, kind: Kind) -> PathBuf {
        let user = device.user().to_string().replace('/', "-");
        let ending = if kind == Kind::Audio { "ogg" } else { "ivf" };
        let mut path = self.folder.join(format!("{user}.{}.{ending}", number.0));
        if !self.names.insert(path.clone()) {
            let device = data_encoding::HEXLOWER.encode(&device.device());
            path = self.folder.join(format!("{user}.{device}.{}.{ending}", number.0));
            self.names.insert(path.clone());
        }
        path
    }
}

impl Track {
    fn new(kind: Kind, path: PathBuf, ticks: u64) -> Self {
        Self {
            kind,
            path,
            began: Instant::now(),
            offset: -i128::from(ticks),
            written: 0,
            waiting: BTreeMap::new(),
            out: None,
        }
    }

    fn take(&mut self, ticks: u64, frame: Bytes) -> Result<(), FileError> {
        let rate = u64::from(self.kind.clock_rate());
        let elapsed =
            i128::try_from(self.began.elapsed().as_micros()).unwrap_or(0) * i128::from(rate) / 1_000_000;
        let mut at = i128::from(ticks) + self.offset;
        if (at - elapsed).unsigned_abs() > u128::from(DRIFT_S * rate) {
            self.offset = elapsed - i128::from(ticks);
            at = elapsed;
        }
        let at = u64::try_from(at).unwrap_or(0);
        if at >= self.written || self.out.is_none() {
            self.waiting.insert(at, frame);
        }
        let newest = self.waiting.last_key_value().map_or(0, |(at, _)| *at);
        self.write_until(newest.saturating_sub(WAIT_S * rate))
    }

    fn write_until(&mut self, end: u64) -> Result<(), FileError> {
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() < end) {
            let (at, frame) = first.remove_entry();
            self.write(at, &frame)?;
        }
        Ok(())
    }

    fn write(&mut self, at: u64, frame: &[u8]) -> Result<(), FileError> {
        if self.out.is_none() {
            self.out = match self.kind {
                Kind::Audio => {
                    let channels = if frame.first().is_some_and(|toc| toc & 4 != 0) { 2 } else { 1 };
                    Some(Out::Ogg(ogg::Writer::create(&self.path, 1, channels)?))
                }
                // A picture file starts with the first key frame; what comes before it cannot be shown.
                Kind::Video => match ivf::size_of_key_frame(frame) {
                    Some(size) => Some(Out::Ivf(ivf::Writer::create(&self.path, size)?)),
                    None => None,
                },
            };
        }
        match &mut self.out {
            Some(Out::Ogg(writer)) => {
                writer.write(at, frame)?;
            }
            Some(Out::Ivf(writer)) => writer.write(at / 90, frame)?,
            None => {}
        }
        self.written = at + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Clip, probe};

    const ALICE: &str = "conclave://north.localhost:7443/u/alice/d/1a2b3c4d5e6f7a8b";
    const ALICES_OTHER: &str = "conclave://north.localhost:7443/u/alice/d/0000000000000001";
    const GUEST: &str = "conclave://south.example/g/7f3a/d/1a2b3c4d5e6f7a8b";

    /// Takes a clip as if it had come at its own pace, from far away in RTP time.
    fn take(
        recorder: &mut Recorder,
        uri: &str,
        number: u32,
        clip: &Clip,
        order: impl Iterator<Item = usize>,
    ) {
        let device = DeviceUri::parse(uri).unwrap();
        let rate = u64::from(clip.kind.clock_rate());
        for index in order {
            let frame = &clip.frames[index];
            let who = (&device, TrackNumber(number));
            recorder.take(who, clip.kind, 3_000_000_000 + frame.ticks, frame.payload.clone()).unwrap();
            let track = recorder.tracks.get_mut(&(device.clone(), TrackNumber(number))).unwrap();
            let age = std::time::Duration::from_micros(frame.ticks * 1_000_000 / rate);
            track.began = Instant::now().checked_sub(age).unwrap();
        }
    }

    #[test]
    fn recordings_are_named_after_their_sender_and_decode_to_the_full_length() {
        let folder = tempfile::tempdir().unwrap();
        let (speech, moving) =
            (ogg::read(&probe::clip("speech.ogg")).unwrap(), ivf::read(&probe::clip("moving.ivf")).unwrap());
        let mut recorder = Recorder::new(&folder.path().join("new")).unwrap();
        take(&mut recorder, ALICE, 16, &speech, 0..speech.frames.len());
        take(&mut recorder, ALICE, 17, &moving, 0..moving.frames.len());
        take(&mut recorder, ALICES_OTHER, 16, &speech, 0..50);
        take(&mut recorder, GUEST, 1, &speech, 0..50);
        let paths = recorder.finish().unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "alice@north.localhost:7443.0000000000000001.16.ogg",
                "alice@north.localhost:7443.16.ogg",
                "alice@north.localhost:7443.17.ivf",
                "guest-7f3a@south.example.1.ogg",
            ]
        );
        let (_, sound) = probe::decode(&paths[1]);
        let (frames, pictures) = probe::decode(&paths[2]);
        assert!((17.7..17.8).contains(&sound), "{sound}");
        assert_eq!(frames, 180);
        assert!((11.9..12.1).contains(&pictures), "{pictures}");
        assert!(
            ogg::read(&paths[1])
                .unwrap()
                .frames
                .iter()
                .map(|f| &f.payload)
                .eq(speech.frames.iter().map(|f| &f.payload))
        );
    }

    #[test]
    fn frames_out_of_order_are_put_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let clip = ivf::read(&probe::clip("moving.ivf")).unwrap();
        let mut recorder = Recorder::new(folder.path()).unwrap();
        let swapped = (0..clip.frames.len())
            .map(|i| if i > 0 && i + 1 < clip.frames.len() { 1 + ((i - 1) ^ 1) } else { i });
        take(&mut recorder, ALICE, 1, &clip, swapped.filter(|i| *i < clip.frames.len()));
        let paths = recorder.finish().unwrap();
        let again = ivf::read(&paths[0]).unwrap();
        assert!(again.frames.iter().map(|f| &f.payload).eq(clip.frames.iter().map(|f| &f.payload)));
    }

    #[test]
    fn pictures_start_with_a_key_frame() {
        let folder = tempfile::tempdir().unwrap();
        let clip = ivf::read(&probe::clip("moving.ivf")).unwrap();
        let mut recorder = Recorder::new(folder.path()).unwrap();
        take(&mut recorder, ALICE, 1, &clip, 7..100);
        let paths = recorder.finish().unwrap();
        assert_eq!(ivf::read(&paths[0]).unwrap().frames.len(), 85);
    }
}
