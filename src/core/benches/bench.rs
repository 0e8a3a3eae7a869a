//! Cases by name: `cargo bench -p mesh-core --bench NAME -- [--time] [CASE]...`
//!
//! Prints of each case the instructions, which valgrind counts in a process of its own, and the
//! nanoseconds; with `--time` only these. A case is named by its beginning.

use core::time::Duration;
use std::env::{args, current_exe};
use std::process::Command;
use std::time::Instant;

/// One case that is to be measured.
#[derive(Debug)]
pub(crate) struct Case<'c> {
    name: &'c str,
    /// How often, under valgrind; else the time is measured.
    times: Option<u32>,
}

/// The word by which the program calls itself under valgrind, and how often a case runs there.
const COUNT: &str = "--count";
const TIMES: u32 = 100;

impl Case<'_> {
    /// Its name.
    pub(crate) const fn name(&self) -> &str {
        self.name
    }

    /// Whether it is the time that is measured.
    pub(crate) const fn is_timed(&self) -> bool {
        self.times.is_none()
    }

    /// Measures.
    pub(crate) fn measure(&self, what: &mut dyn FnMut()) {
        // What is done once is no part of it.
        repeat(what, 10);
        let Some(times) = self.times else {
            let once = Instant::now();
            repeat(what, 10);
            let per = once.elapsed().as_nanos() / 10;
            let times = u32::try_from(100_000_000 / per.max(1)).unwrap_or(u32::MAX).max(5);
            let best = (0..5).map(|_| {
                let began = Instant::now();
                repeat(what, times / 5);
                began.elapsed()
            });
            let best = best.min().unwrap_or(Duration::ZERO).as_nanos();
            return println!("{:30} {:>10} ns", self.name, best / u128::from(times / 5));
        };
        measured(what, times);
    }
}

fn repeat(what: &mut dyn FnMut(), times: u32) {
    for _ in 0..times {
        what();
    }
}

/// What valgrind counts, by this name.
#[inline(never)]
fn measured(what: &mut dyn FnMut(), times: u32) {
    repeat(what, times);
}

/// The name of a case, and what prepares and measures it.
type Named<'c> = (&'c str, &'c dyn Fn(&Case<'_>));

/// Measures the cases that the command line names.
pub(crate) fn run(cases: &[Named<'_>]) {
    let words: Vec<String> = args().skip(1).filter(|word| word != "--bench").collect();
    let is_count = words.iter().any(|word| word == COUNT);
    let is_time = words.iter().any(|word| word == "--time");
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let is_meant = |name: &str| names.is_empty() || names.iter().any(|it| name.starts_with(&**it));
    for (name, run) in cases.iter().filter(|(name, _)| is_meant(name)) {
        if is_count {
            if names.iter().any(|it| it == name) {
                run(&Case { name, times: Some(TIMES) });
            }
            continue;
        }
        run(&Case { name, times: None });
        if !is_time {
            match count(name) {
                Some(count) => println!("{name:30} {:>10} instructions", count / u64::from(TIMES)),
                None => println!("{name:30}            valgrind counted nothing"),
            }
        }
    }
}

/// What valgrind counts in a process of its own.
fn count(name: &str) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*bench*measured*")
        .arg(current_exe().ok()?)
        .args([COUNT, name])
        .output()
        .ok()?;
    let told = String::from_utf8(output.stderr).ok()?;
    let (_, count) = told.lines().find_map(|line| line.split_once("Collected :"))?;
    count.trim().parse().ok()
}
