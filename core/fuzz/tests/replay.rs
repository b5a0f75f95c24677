//! Replays the corpora and mutates honest inputs: nothing that others send makes us panic.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use conclave_fuzz::{
    Target, Verdict,
    mutate::Mutator,
    nested::{PLACES, Place, nested},
    targets,
};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
/// Mutations for each target; `CONCLAVE_FUZZ_ROUNDS` asks for more.
const ROUNDS: u64 = 400;

/// Runs a target; a panic names the input.
fn run(target: &Target, input: &[u8], from: &str) -> Verdict {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).unwrap_or_else(|_| {
        let hex = data_encoding::HEXLOWER.encode(input.get(..4096).unwrap_or(input));
        panic!("{} panicked on {from}, {} bytes: {hex}", target.name, input.len())
    })
}

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(CORPUS).join(target.name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn c2_honest_inputs_are_accepted() {
    for target in targets() {
        let honest = (target.honest)();
        assert!(!honest.is_empty(), "{}", target.name);
        for (place, input) in honest.iter().enumerate() {
            assert_eq!(run(&target, input, "an honest input"), Verdict::Accepted, "{} {place}", target.name);
        }
    }
}

/// With `CONCLAVE_WRITE_CORPUS=1`: the honest inputs of today, and some that are wrong, for a target without a corpus.
fn write_corpus(target: &Target) {
    if Path::new(CORPUS).join(target.name).is_dir() {
        return;
    }
    let (folder, honest) = (Path::new(CORPUS).join(target.name), (target.honest)());
    fs::create_dir_all(&folder).unwrap();
    for (place, input) in honest.iter().enumerate() {
        fs::write(folder.join(format!("honest-{place}")), input).unwrap();
    }
    let first = &honest[0];
    let middle = first.len() / 2;
    let mut flipped = first.clone();
    flipped[middle] ^= 1;
    let bad = [
        ("bad-cut", first[..middle].to_vec()),
        ("bad-longer", [first.as_slice(), &[0]].concat()),
        ("bad-flipped", flipped),
        ("bad-length", [&first[..first.len().min(4)], &[0xbf; 4], &first[first.len().min(8)..]].concat()),
        ("bad-empty", Vec::new()),
    ];
    for (name, input) in bad.into_iter().filter(|(_, input)| (target.run)(input) == Verdict::Refused) {
        fs::write(folder.join(name), input).unwrap();
    }
}

#[test]
fn c2_corpora_are_replayed() {
    if std::env::var_os("CONCLAVE_WRITE_CORPUS").is_some() {
        targets().iter().for_each(write_corpus);
    }
    for target in targets() {
        let files = corpus(&target);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for (path, input) in files {
            let verdict = run(&target, &input, &path.display().to_string());
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("bad-") {
                assert_eq!(verdict, Verdict::Refused, "{}/{name}", target.name);
            }
        }
    }
}

#[test]
fn c2_mutated_inputs_are_refused_or_harmless() {
    let rounds =
        std::env::var("CONCLAVE_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    for (number, target) in targets().into_iter().enumerate() {
        let honest = (target.honest)();
        let mut inputs = honest.clone();
        inputs.extend(corpus(&target).into_iter().map(|(_, input)| input));
        let mut refused = 0;
        for round in 0..rounds {
            let seed = (number as u64) << 32 | round;
            let input = Mutator::new(seed).mutate(&inputs);
            let verdict = run(&target, &input, &format!("mutation {seed}"));
            refused += u64::from(verdict == Verdict::Refused);
            let forged = target.authentic && verdict == Verdict::Accepted && !inputs.contains(&input);
            assert!(!forged, "{} accepted mutation {seed}", target.name);
        }
        assert!(refused > 0, "{} refuses nothing", target.name);
    }
}

#[test]
fn c2_random_bytes_are_refused_or_harmless() {
    for target in targets() {
        for seed in 0..50 {
            let input = Mutator::new(seed).mutate(&[vec![0; 200]]);
            run(&target, &input, &format!("random bytes {seed}"));
        }
    }
}

#[test]
fn c2_nested_extensions_are_refused() {
    let all = targets();
    let takes = |place| match place {
        Place::KeyPackage | Place::KeyPackageLeaf => &["key_packages"][..],
        Place::GroupInfo | Place::GroupContext => &["group_infos"],
        Place::Commit => &["commits_at_servers", "commits_at_members"],
        Place::Tree => &["trees"],
    };
    for place in PLACES {
        for bytes in [400, 4_000, 16_000, 60_000, 2_000_000, 8_000_000] {
            let input = nested(place, bytes);
            for target in all.iter().filter(|target| takes(place).contains(&target.name)) {
                let from = format!("{place:?}, {bytes} bytes");
                assert_eq!(run(target, &input, &from), Verdict::Refused, "{} {from}", target.name);
            }
        }
    }
}
