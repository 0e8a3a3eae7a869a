//! Holds the rooms of this crate to their floors.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The floor of each room, in the order of `lib.rs`, where a blank line begins another floor.
fn floors() -> HashMap<String, usize> {
    let lib = std::fs::read_to_string(Path::new(HERE).join("lib.rs")).unwrap();
    let (_, list) = lib.split_once("// The rooms from the ground up").unwrap();
    let floors = list.split("\n\n").enumerate();
    floors
        .flat_map(|(floor, rooms)| {
            let rooms = rooms.lines().filter_map(|line| line.strip_prefix("pub mod "));
            rooms.map(move |room| (room.trim_end_matches(';').to_owned(), floor))
        })
        .collect()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_of_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_of_tests {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && !is_of_tests {
            found.push(path);
        }
    }
}

/// The rooms that the code of a file names, its tests and comments aside.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut rooms = BTreeSet::new();
    for at in code.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
        };
        match at.strip_prefix('{') {
            // Of a nested list, the names at its first level.
            Some(list) => {
                let (mut depth, mut item) = (0_usize, String::new());
                for letter in list.chars() {
                    match letter {
                        '{' => depth = depth.saturating_add(1),
                        '}' if depth == 0 => break,
                        '}' => depth = depth.saturating_sub(1),
                        ',' if depth == 0 => {
                            rooms.extend([word(core::mem::take(&mut item).trim())]);
                        }
                        _ => item.push(letter),
                    }
                }
                rooms.extend([word(item.trim())]);
            }
            None => rooms.extend([word(at)]),
        }
    }
    rooms
}

#[test]
fn each_room_knows_only_what_lies_below_it() {
    let floors = floors();
    assert!(floors.len() > 15, "{floors:?}");
    let (mut all, mut arrows) = (Vec::new(), 0);
    files(Path::new(HERE), &mut all);
    for path in all {
        let inner = path.strip_prefix(HERE).unwrap().with_extension("");
        let room = inner.components().next().unwrap().as_os_str().to_str().unwrap();
        let Some(floor) = floors.get(room) else { continue };
        if ["design", "manual"].contains(&room) {
            continue;
        }
        for named in named(&std::fs::read_to_string(&path).unwrap()) {
            let Some(other) = floors.get(&named).filter(|_| named != room) else { continue };
            arrows += 1;
            assert!(other < floor, "{} names crate::{named}", path.display());
        }
    }
    assert!(arrows > 100, "{arrows} names found");
}

#[test]
fn a_name_is_found_in_a_list_too() {
    let found = named("use crate::{a::B, c::{d, e}, f};\n// crate::no\nlet g = crate::h::i();");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "c", "f", "h"]);
}
