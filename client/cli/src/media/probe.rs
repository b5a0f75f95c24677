//! For tests: the clips, and what ffmpeg makes of a file.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) fn clip(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-tests/media").join(name)
}

/// Decodes a file with ffmpeg, which must not complain; returns the number of frames decoded and the seconds they last.
pub(crate) fn decode(path: &Path) -> (u64, f64) {
    let run = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).arg(path).output().unwrap();
        assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(out.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let entries = "stream=nb_read_frames:format=duration";
    let text =
        run("ffprobe", &["-v", "warning", "-count_frames", "-show_entries", entries, "-of", "default=nw=1"]);
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
    (value("nb_read_frames").parse().unwrap(), value("duration").parse().unwrap())
}
