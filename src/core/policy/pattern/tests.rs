use proptest::prelude::*;

use super::*;

#[track_caller]
fn assert_holds(form: Form, pattern: &str, held: &[&str], others: &[&str]) {
    let pattern = Pattern::parse(pattern, form).unwrap();
    for name in held {
        assert!(pattern.holds(Some(name)), "{pattern:?} {name}");
    }
    for name in others {
        assert!(!pattern.holds(Some(name)), "{pattern:?} {name}");
    }
}

#[test]
fn an_asterisk_alone_holds_every_name_and_all() {
    for text in ["*", "**"] {
        for (_, form) in Form::WORDS {
            let pattern = Pattern::parse(text, form).unwrap();
            assert!(pattern.holds(None) && pattern.holds(Some("/a/b.c")));
        }
    }
    for text in ["a*", "*a", "a*b"] {
        assert!(!Pattern::parse(text, Form::Token).unwrap().holds(None));
    }
}

#[test]
fn an_asterisk_crosses_everything_if_a_name_has_no_parts() {
    assert_holds(Form::Token, "orders.*", &["orders.", "orders.a.b"], &["orders", "xorders.a"]);
    assert_holds(Form::Token, "*.dlq", &[".dlq", "a.b.dlq"], &["a.dlqx"]);
    assert_holds(Form::Token, "a*a", &["aa", "aba"], &["a", "ab"]);
    assert_holds(Form::Fold, "Load_*", &["load_orders/2026"], &["Load_orders"]);
    assert_eq!(Pattern::parse("a*b*", Form::Token), Err(PatternError::Stars));
    assert_eq!(Pattern::parse("a/*", Form::Token), Err(PatternError::Name));
}

#[test]
fn an_asterisk_stays_in_its_part() {
    assert_holds(Form::Dotted, "Main.*", &["main.sales"], &["main", "main.sales.orders"]);
    assert_holds(Form::Dotted, "main.*.*", &["main.sales.orders"], &["main.sales"]);
    assert_holds(Form::Dotted, "main.s*.o*s", &["main.sales.orders"], &["main.sales.order"]);
    assert_holds(
        Form::Path,
        "/Shared/*",
        &["/Shared/a"],
        &["/Shared", "/Shared/a/b", "/Shared2/a"],
    );
    assert_holds(Form::Path, "/Workspace/Shared/*", &["/Shared/a"], &["/Workspace/Shared/a"]);
    assert_holds(Form::Path, "/*", &["/a"], &["/", "/a/b"]);
    assert_holds(
        Form::File,
        "/Volumes/Main/*/v/*",
        &["/Volumes/main/s/v/X"],
        &["/Volumes/Main/s/v/X"],
    );
    assert_holds(Form::Slashed, "Prod/*", &["prod/key"], &["prod", "prod/a/b"]);
}

#[test]
fn the_first_part_of_a_file_says_how_the_others_are_compared() {
    assert_holds(Form::File, "/Volumes/Main/*/v/**", &["/Volumes/main/s/v/a"], &[]);
    assert_holds(Form::File, "dbfs:/tmp/*", &["/tmp/a"], &["/tmp"]);
    assert_holds(Form::File, "/*", &["/tmp"], &["/tmp/a"]);
    assert_eq!(Pattern::parse("/Vol*/Main/**", Form::File), Err(PatternError::First));
}

#[test]
fn two_asterisks_hold_what_is_below() {
    assert_holds(Form::Path, "/Shared/**", &["/Shared/a", "/Shared/a/b"], &["/Shared", "/"]);
    assert_holds(Form::Path, "/**", &["/a", "/a/b"], &["/"]);
    assert_holds(Form::Dotted, "main.**", &["main.a", "main.a.b"], &["main"]);
    for text in ["/Shared**", "**/a", "/a/**/b", "//**", "/a//**", "/a//*", "/a/../*", "a/*"] {
        assert!(Pattern::parse(text, Form::Path).is_err(), "{text}");
    }
}

#[test]
fn a_rule_touches_what_is_above_and_below() {
    let touches =
        |pattern: &str, name: &str| Pattern::parse(pattern, Form::Path).unwrap().touches(name, '/');
    for name in ["/", "/Shared", "/Shared/pii", "/Shared/pii/a"] {
        assert!(touches("/Shared/pii/**", name), "{name}");
        assert!(touches("/Shared/pii", name), "{name}");
        assert!(touches("/S*/pii", name), "{name}");
    }
    for name in ["/Users", "/Shared/other", "/Shared/piis", "/Shared2"] {
        assert!(!touches("/Shared/pii/**", name), "{name}");
    }
}

/// Whether a pattern holds a name, letter by letter: an asterisk is any letters but the separator.
fn holds_plainly(pattern: &[u8], name: &[u8], separator: Option<u8>) -> bool {
    match (pattern, name) {
        ([b'*', rest @ ..], _) if holds_plainly(rest, name, separator) => true,
        ([b'*', ..], [first, name @ ..]) => {
            Some(*first) != separator && holds_plainly(pattern, name, separator)
        }
        ([one, rest @ ..], [first, name @ ..]) => {
            one == first && holds_plainly(rest, name, separator)
        }
        ([], []) => true,
        _ => false,
    }
}

/// Names of a small tree.
fn names() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut level = all.clone();
    for _ in 0..4 {
        level = level
            .iter()
            .flat_map(|above| ["a", "b", "ab"].map(|name| format!("{above}/{name}")))
            .collect();
        all.extend(level.iter().cloned());
    }
    all.iter().map(|name| if name.is_empty() { "/".into() } else { name.clone() }).collect()
}

fn is_below(name: &str, above: &str) -> bool {
    let above = if above == "/" { "" } else { above };
    name != "/" && name.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

proptest! {
    #[test]
    fn a_pattern_without_parts_holds_what_its_letters_say(pattern in "[ab.]{0,3}\\*?[ab.]{0,3}", name in "[ab.]{1,6}") {
        if let Ok(read) = Pattern::parse(&pattern, Form::Token) {
            let expected = holds_plainly(pattern.as_bytes(), name.as_bytes(), None);
            prop_assert_eq!(read.holds(Some(&name)), expected, "{} {}", pattern, name);
        }
    }

    #[test]
    fn a_pattern_with_parts_holds_what_its_letters_say(pattern in "(/[ab]{0,2}\\*?[ab]{0,2}){1,3}", name in "(/[ab]{1,3}){1,4}") {
        if let Ok(read) = Pattern::parse(&pattern, Form::Path) {
            let plain = pattern.strip_suffix('/').unwrap_or(&pattern);
            let expected = holds_plainly(plain.as_bytes(), name.as_bytes(), Some(b'/'));
            prop_assert_eq!(read.holds(Some(&name)), expected, "{} {}", pattern, name);
        }
    }

    #[test]
    fn two_asterisks_hold_what_is_below_what_is_above_them(above in "(/[ab]{0,1}\\*?[ab]{0,1}){1,3}", name in "(/[ab]{1,2}){1,4}") {
        if let (Ok(below), Ok(above)) = (Pattern::parse(&format!("{above}/**"), Form::Path), Pattern::parse(&above, Form::Path)) {
            let parents = name.match_indices('/').skip(1).map(|(at, _)| name.split_at(at).0);
            let expected = parents.into_iter().any(|parent| above.holds(Some(parent)));
            prop_assert_eq!(below.holds(Some(&name)), expected, "{:?} {}", above, name);
        }
    }

    #[test]
    fn a_pattern_touches_what_it_holds_and_what_is_above_and_below_that(
        pattern in prop::sample::select(vec![
            "/a", "/a/b", "/a*", "/*b", "/a*b/a", "/a/*", "/*/b", "/a/**", "/**", "/a*/**", "/a/*/**", "/a/b/ab", "*",
        ]),
    ) {
        let read = Pattern::parse(pattern, Form::Path).unwrap();
        let all = names();
        for name in &all {
            let is_near = |held: &String| {
                read.holds(Some(held)) && (held == name || is_below(held, name) || is_below(name, held))
            };
            prop_assert_eq!(read.touches(name, '/'), all.iter().any(is_near), "{} {}", pattern, name);
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_none(text in "\\PC{0,12}", name in "\\PC{0,12}") {
        for (_, form) in Form::WORDS {
            if let Ok(pattern) = Pattern::parse(&text, form) {
                let _ = (pattern.holds(Some(&name)), pattern.holds(None), pattern.touches(&name, '/'));
            }
        }
    }
}
