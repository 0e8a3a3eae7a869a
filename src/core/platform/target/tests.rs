use proptest::prelude::*;

use super::*;

/// The segments of a path, in both readings of one that has two.
fn segments(path: &Path<'_>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match path.others() {
        [] => text(path.text()).split('/').skip(1).map(Into::into).collect(),
        others => others.iter().map(|it| text(it.span.of(path.text()))).collect(),
    }
}

/// Paths of which some have a meaning in each of their bytes.
fn paths() -> impl Strategy<Value = String> {
    let segment = "[a-z0-9._:~@&'()*+,=|-]{1,20}|\\.{1,3}[a-z]?|[!$\"#;?\\\\% \u{1}\u{e9}a]{1,2}|";
    let segments = prop::collection::vec(segment, 0..9);
    (segments, "/?", "/?")
        .prop_map(|(segments, first, last)| format!("{first}{}{last}", segments.join("/")))
}

proptest! {
    #[test]
    fn a_plain_path_is_cut_as_any_other(path in paths()) {
        if let Some(plain) = Path::plain(path.as_bytes()) {
            let general = Path::general(&path, false);
            prop_assert!(general.is_ok(), "{path}: {general:?}");
            let general = general.unwrap();
            prop_assert_eq!(plain.text(), general.text());
            prop_assert_eq!(segments(&plain), segments(&general));
            prop_assert!(general.others().iter().all(|it| it.span.of(general.text()) == it.raw));
            prop_assert!(general.others().iter().all(|it| odd(it.raw) == Odd::None));
        }
    }

    #[test]
    fn a_path_of_letters_is_plain(path in "(/[A-Za-z0-9_:~@-][A-Za-z0-9._:~@-]{0,20}){0,9}/?") {
        prop_assert_eq!(Path::plain(path.as_bytes()).is_some(), path.starts_with('/'));
    }
}

#[test]
fn what_may_be_read_in_two_ways_is_not_plain() {
    for path in ["", "a", "//", "//a", "/a//", "/a//b", "/.", "/a/..", "/a/.b", "/a%20b", "/a b"] {
        assert!(Path::plain(path.as_bytes()).is_none(), "{path}");
    }
    for byte in b"\0\x1f \"#%;?\\\x7f\x80\xff" {
        for length in [0, 14, 15, 16, 17, 40] {
            let mut path = vec![b'a'; length + 2];
            (path[0], path[length + 1]) = (b'/', *byte);
            assert!(Path::plain(&path).is_none(), "{byte} behind {length}");
        }
    }
}

#[test]
fn a_path_has_a_bound() {
    for (segments, is_known) in [(64, true), (65, false), (5000, false)] {
        for path in ["/a".repeat(segments), format!("{}/", "/a".repeat(segments))] {
            let path = Target::parse(path.as_bytes(), None, false).map(|target| target.path);
            assert_eq!(path.is_ok(), is_known, "{segments}");
            assert!(path.is_ok() || path.err() == Some(Refused::Unknown));
        }
    }
    for (length, is_known) in [(MAX_PATH, true), (MAX_PATH + 1, false)] {
        let path = format!("/{}", "a".repeat(length - 1));
        assert_eq!(Target::parse(path.as_bytes(), None, false).is_ok(), is_known);
    }
}
