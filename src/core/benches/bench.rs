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
    /// Measures what is done with so many things, for each of them.
    pub(crate) fn measure(&self, of: usize, what: &mut dyn FnMut()) {
        // What is done once is no part of it.
        repeat(what, 10);
        if let Some(times) = self.times {
            measured(what, times);
            return println!("{of}");
        }
        let began = Instant::now();
        repeat(what, 10);
        let rough = began.elapsed().as_nanos() / 10;
        let times = u32::try_from(20_000_000 / rough.max(1)).unwrap_or(u32::MAX).max(1);
        let once = || {
            let began = Instant::now();
            repeat(what, times);
            began.elapsed()
        };
        let best = core::iter::repeat_with(once).take(5).min().unwrap_or(Duration::ZERO);
        print(self.name, best.as_secs_f64() * 1e9 / f64::from(times), of, "ns");
    }
}

fn print(name: &str, figure: f64, of: usize, unit: &str) {
    let figure = figure / f64::from(u32::try_from(of).unwrap_or(u32::MAX));
    println!("{name:30} {figure:>12.1} {unit}");
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
        if is_time {
            continue;
        }
        match count(name) {
            Some((figure, of)) => print(name, figure / f64::from(TIMES), of, "instructions"),
            None => println!("{name}: valgrind counted nothing"),
        }
    }
}

/// What valgrind counts in a process of its own, and of how many things.
fn count(name: &str) -> Option<(f64, usize)> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*bench*measured*")
        .arg(current_exe().ok()?)
        .args([COUNT, name])
        .output()
        .ok()?;
    let told = String::from_utf8(output.stderr).ok()?;
    let (_, count) = told.lines().find_map(|line| line.split_once("Collected :"))?;
    let of = String::from_utf8(output.stdout).ok()?;
    Some((count.trim().parse().ok()?, of.trim().parse().ok()?))
}
