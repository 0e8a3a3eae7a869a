//! The files that `include` names, by the patterns of glob(3) as Nginx reads them.

use std::fs;
use std::path::{Path, PathBuf};

/// The files that a pattern of `include` names, in the order of their names; the pattern is relative to
/// `directory`.
pub(super) fn included(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let whole = directory.join(pattern);
    if !has_wildcard(pattern) {
        return vec![whole];
    }
    let mut found = vec![PathBuf::new()];
    for component in whole.components() {
        let component = component.as_os_str();
        let Some(pattern) = component.to_str().filter(|it| has_wildcard(it)) else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        let mut next = Vec::new();
        for path in found {
            let directory = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
            // A pattern that matches nothing is no fault of a configuration.
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_str().is_some_and(|name| matches(pattern, name)) {
                    next.push(path.join(name));
                }
            }
        }
        found = next;
    }
    found.retain(|path| path.exists());
    found.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    found
}

/// Whether Nginx takes it for a pattern.
fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Whether a name matches a pattern of glob(7), whose wildcards match no dot at the begin.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.trim_start_matches('\\').starts_with('.') {
        return false;
    }
    let [pattern, name]: [Vec<char>; 2] = [pattern, name].map(|it| it.chars().collect());
    glob(&pattern, &name)
}

fn glob(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        (['*', rest @ ..], _) => {
            (0..=name.len()).any(|at| name.get(at..).is_some_and(|name| glob(rest, name)))
        }
        (['[', rest @ ..], [first, name @ ..]) => match set(rest) {
            Some((is_not, set, rest)) => one_of(set, *first) != is_not && glob(rest, name),
            None => *first == '[' && glob(rest, name),
        },
        (['?', rest @ ..], [_, name @ ..]) => glob(rest, name),
        (['\\', one, rest @ ..] | [one, rest @ ..], [first, name @ ..]) => {
            one == first && glob(rest, name)
        }
        (_, []) => false,
    }
}

/// The set that begins behind a bracket: whether it is negated, its members, and the pattern after
/// it.
fn set(pattern: &[char]) -> Option<(bool, &[char], &[char])> {
    let (is_not, members) = match pattern {
        ['!' | '^', members @ ..] => (true, members),
        members => (false, members),
    };
    // A bracket that comes first is a member.
    let end = members.iter().skip(1).position(|it| *it == ']')?.saturating_add(1);
    let (members, rest) = members.split_at_checked(end)?;
    Some((is_not, members, rest.get(1..)?))
}

fn one_of(set: &[char], wanted: char) -> bool {
    match set {
        [first, '-', last, rest @ ..] => (*first..=*last).contains(&wanted) || one_of(rest, wanted),
        [one, rest @ ..] => *one == wanted || one_of(rest, wanted),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// The names of the files that match.
    fn found(names: &[&str], pattern: &str) -> Vec<String> {
        let dir = TempDir::new().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = included(dir.path(), pattern);
        let name =
            |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn patterns_match_as_glob_does() {
        for (pattern, name, is_match) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("?conf", ".conf", false),
            ("[.]conf*", ".conf", false),
            (".*f", ".conf", true),
            ("*.conf", "a.confs", false),
            ("*.CONF", "a.conf", false),
            ("?.conf", "ab.conf", false),
            ("[ab]?.conf", "bx.conf", true),
            ("[!ab]*", "b", false),
            ("[^ab]*", "b", false),
            ("[^ab]*", "c", true),
            ("[a^]*", "^", true),
            ("[a-c]*", "cx", true),
            ("[a-c]*", "d", false),
            ("[]a]*", "]", true),
            ("[!]a]*", "b", true),
            ("[a-]*", "-", true),
            ("a*b*c", "aXbYc", true),
            ("**.conf", "a.conf", true),
            ("***", "a", true),
            ("[", "[", true),
            ("*[", "a[", true),
            ("*[]", "a[]", true),
            ("[*", "[a", true),
            (r"\**", "*a", true),
            (r"\**", "ba", false),
            (r"\*\*?", "**a", true),
            (r"\[a]*", "[a]", true),
            (r"*\\", r"a\", true),
            ("\u{e9}?*", "\u{e9}\u{e8}", true),
        ] {
            let expected: &[&str] = if is_match { &[name] } else { &[] };
            assert_eq!(found(&[name], pattern), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_come_in_the_order_of_their_whole_names_and_none_is_no_fault() {
        let names =
            ["b/x.conf", "a/x.conf", "a-b/x.conf", "a/.x.conf", "a/b/x.conf", "B/x.conf", "x.conf"];
        let expected = ["B/x.conf", "a-b/x.conf", "a/x.conf", "b/x.conf"];
        assert_eq!(found(&names, "*/*.conf"), expected);
        assert_eq!(found(&names, "**/*.conf"), expected);
        assert_eq!(found(&names, "a/*/x.conf"), ["a/b/x.conf"]);
        assert_eq!(found(&names, "none*/*"), [""; 0]);
        assert_eq!(found(&names, "none"), ["none"], "a name without wildcards is that name");
    }
}
