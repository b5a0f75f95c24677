//! Replays the corpora and mutates honest inputs: nothing that others send makes us panic.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use conclave_fuzz::{Target, Verdict, mutate::Mutator, targets};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
/// Mutations for each target; `CONCLAVE_FUZZ_ROUNDS` asks for more.
const ROUNDS: u64 = 400;

/// Runs a target; a panic names the input.
fn run(target: &Target, input: &[u8], from: &str) -> Verdict {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).unwrap_or_else(|_| {
        let hex: String = input.iter().take(4096).map(|byte| format!("{byte:02x}")).collect();
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

#[test]
fn c2_corpora_are_replayed() {
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
