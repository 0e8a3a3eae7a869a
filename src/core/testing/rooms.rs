//! Holds the rooms of a crate to their floors.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Proves that the rooms that `list` declares, a file beside them, know only those of the floors
/// before their own. The list follows the words "from the ground up", and a blank line in it begins
/// another floor; `path` is how code names a room: `crate::`. Returns how often one room names
/// another.
///
/// # Panics
///
/// If a room names one that is not below it.
pub fn check(list: &Path, path: &str) -> usize {
    let floors = floors(&std::fs::read_to_string(list).unwrap());
    assert!(floors.len() > 5, "{floors:?}");
    let here = list.parent().unwrap();
    let (mut all, mut arrows) = (Vec::new(), 0_usize);
    files(here, &mut all);
    for file in all {
        let inner = file.strip_prefix(here).unwrap().with_extension("");
        let room = inner.components().next().unwrap().as_os_str().to_str().unwrap();
        let Some(floor) = floors.get(room) else { continue };
        for named in named(&std::fs::read_to_string(&file).unwrap(), path) {
            let Some(other) = floors.get(&named).filter(|_| named != room) else { continue };
            arrows = arrows.saturating_add(1);
            assert!(other < floor, "{} names {path}{named}", file.display());
        }
    }
    arrows
}

/// The floor of each room.
fn floors(text: &str) -> HashMap<String, usize> {
    let (_, list) = text.split_once("rom the ground up").unwrap();
    let floors = list.split("\n\n").filter(|floor| !floor.contains("#[cfg(")).enumerate();
    floors
        .flat_map(|(floor, rooms)| {
            let rooms = rooms.lines().filter(|line| !line.starts_with("//"));
            let rooms = rooms.filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
            rooms.map(move |room| (room.to_owned(), floor))
        })
        .collect()
}

/// The files of code; those of tests may know everything.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_of_tests = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "stub");
        if path.is_dir() && !is_of_tests {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && !is_of_tests {
            found.push(path);
        }
    }
}

/// The rooms that the code of a file names, its tests and comments aside.
fn named(text: &str, path: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut rooms = BTreeSet::new();
    for at in code.split(path).skip(1) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_room_knows_only_what_lies_below_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(check(&root.join("lib.rs"), "crate::") > 100);
        assert!(check(&root.join("../nginx/mod.rs"), "crate::nginx::") > 50);
    }

    #[test]
    fn a_name_is_found_in_a_list_too() {
        let text = "use crate::{a::B, c::{d, e}, f};\n// crate::no\nlet g = crate::h::i();";
        let found = named(text, "crate::");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "c", "f", "h"]);
    }

    #[test]
    fn a_blank_line_begins_another_floor() {
        let text = "// From the ground up.\nmod a;\n\n/// B.\npub mod b;\npub(crate) mod c;\n\n\
                    #[cfg(test)]\nmod d;\n";
        let floors = floors(text);
        assert_eq!(floors.len(), 3, "{floors:?}");
        assert!(floors["a"] < floors["b"] && floors["b"] == floors["c"]);
    }
}
