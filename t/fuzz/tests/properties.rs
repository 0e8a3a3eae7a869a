//! The fuzz targets without libFuzzer: seeds, changed at random but the same way in every run.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `PROPTEST_CASES` | inputs for each target, 3000 by default |
//! | `MESH_FUZZ_SECONDS` | seconds for each target, instead of a number of inputs |
//! | `MESH_FUZZ_SEED` | where the random numbers begin, for other inputs than the usual ones |
//!
//! An input that breaks an invariant is kept in `artifacts/TARGET`, where the next run finds it
//! before it makes new ones.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use mesh_core::refusal::{Kind, Reason};
use mesh_fuzz::{TARGETS, Target, pipeline_outcomes};

#[test]
fn authorization_header() {
    hold("authorization_header");
}

#[test]
fn body() {
    hold("body");
}

#[test]
fn certificate() {
    hold("certificate");
}

#[test]
fn compact_jws() {
    hold("compact_jws");
}

#[test]
fn directive_values() {
    hold("directive_values");
}

#[test]
fn dpop_proof() {
    hold("dpop_proof");
}

#[test]
fn jwks() {
    hold("jwks");
}

#[test]
fn naming() {
    hold("naming");
}

#[test]
fn pipeline() {
    hold("pipeline");
}

#[test]
fn policy() {
    hold("policy");
}

#[test]
fn revocations() {
    hold("revocations");
}

#[test]
fn spiffe_id() {
    hold("spiffe_id");
}

/// Otherwise the other tests could pass without ever looking at some refusal.
#[test]
fn the_cases_of_the_pipeline_reach_every_end() {
    // The cases ask no platform: requests to those, their bodies and policies have targets of their own.
    let reasons = Reason::ALL.iter().filter(|reason| !matches!(reason.kind(), Kind::Policy));
    let mut missing: HashSet<&str> = reasons.map(|reason| reason.word()).collect();
    missing.extend(["admitted", "dry_run"]);
    // Nginx's buffers are smaller than the longest token; the unit tests of the core know it.
    missing.remove(Reason::TokenTooLarge.word());
    // These are of issuers with rules of their own, which the unit tests know too.
    missing.remove(Reason::SignerRefused.word());
    missing.remove(Reason::SpiffeIdRefused.word());
    // Nobody is asked about the tokens of the pipeline's cases.
    for reason in
        [Reason::IntrospectionPending, Reason::IntrospectionUnavailable, Reason::TokenInactive]
    {
        missing.remove(reason.word());
    }
    // Proofs have a target of their own, which reaches `dpop_replayed` and `dpop_share_full`.
    missing.retain(|word| {
        !word.starts_with("dpop_") || ["dpop_missing", "dpop_unbound"].contains(word)
    });
    let mut inputs = Inputs::of("pipeline");
    let mut runs = 0_u64;
    // A number of inputs, for a busy machine takes longer over the same ones.
    while !missing.is_empty() && runs < 50_000 {
        runs += 1;
        for outcome in pipeline_outcomes(&inputs.next()) {
            missing.remove(outcome);
        }
    }
    println!("{runs} inputs reach every end");
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

/// Runs a target over its seeds and their changes.
fn hold(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let mut inputs = Inputs::of(name);
    let (mut runs, mut valid) = (0_u64, 0_u64);
    for input in inputs.kept.clone() {
        valid += u64::from(run(name, *target, &input));
        runs += 1;
    }
    let begun = Instant::now();
    let cases = number("PROPTEST_CASES").unwrap_or(3_000);
    let seconds = number("MESH_FUZZ_SECONDS").map(Duration::from_secs);
    while seconds.map_or(runs < cases, |seconds| begun.elapsed() < seconds) {
        valid += u64::from(run(name, *target, &inputs.next()));
        runs += 1;
    }
    println!("{name}: {runs} runs, {valid} of them valid, {:.1} s", begun.elapsed().as_secs_f32());
    assert!(valid > 0 && valid < runs, "{valid} of {runs} inputs are valid: nothing is tested");
}

fn run(name: &str, target: Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|_| {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let directory = directory("artifacts").join(name);
        let file = directory.join(format!("crash-{:016x}", hasher.finish()));
        fs::create_dir_all(&directory).expect("a directory for what is found");
        fs::write(&file, input).expect("what is found is kept");
        panic!("{name} fails with {} bytes, kept in artifacts/{name}", input.len())
    })
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Inputs that are seeds with changes, or random altogether.
struct Inputs {
    kept: Vec<Vec<u8>>,
    random: u64,
}

impl Inputs {
    fn of(name: &str) -> Self {
        let kept = ["seeds", "artifacts"].iter().flat_map(|kind| {
            let entries = fs::read_dir(directory(kind).join(name)).into_iter().flatten();
            let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
            files.sort();
            files.into_iter().map(|file| fs::read(file).expect("a file that can be read"))
        });
        let kept: Vec<_> = kept.collect();
        assert!(!kept.is_empty(), "no seeds for {name}");
        Self { kept, random: number("MESH_FUZZ_SEED").unwrap_or(0x6d65_7368) }
    }

    fn next(&mut self) -> Vec<u8> {
        let mut input = match self.below(4) {
            0 => self.bytes(512),
            _ => self.seed(),
        };
        for _ in 0..self.below(6) {
            let at = self.below(input.len() + 1);
            let end = at + self.below((input.len() - at).min(32) + 1);
            let value = self.below(256) as u8;
            match (self.below(7), input.get_mut(at)) {
                (0, Some(byte)) => *byte = value,
                (1, Some(byte)) => *byte ^= 1 << (value % 8),
                (2, _) => input.insert(at, value),
                (3, _) => drop(input.drain(at..end)),
                (4, _) => input.extend_from_within(at..end),
                (5, _) => {
                    let other = self.seed();
                    let from = self.below(other.len() + 1);
                    let until = from + self.below((other.len() - from).min(64) + 1);
                    drop(input.splice(at..end, other[from..until].iter().copied()));
                }
                _ => input.extend(self.bytes(16)),
            }
        }
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.kept.len());
        self.kept[at].clone()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// A number below `end`, by splitmix64.
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }
}
