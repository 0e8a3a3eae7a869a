use proptest::prelude::*;

use super::*;

fn normal(form: Form, name: &str) -> Option<String> {
    form.normal(name).unwrap_or_else(|_| panic!("{name}")).map(Cow::into_owned)
}

fn is_malformed(form: Form, name: &str) -> bool {
    form.normal(name).is_err()
}

fn forms() -> impl Strategy<Value = Form> {
    prop::sample::select(Form::WORDS.map(|(_, form)| form).to_vec())
}

#[test]
fn a_number_has_one_spelling() {
    for name in ["0", "42", "18446744073709551615"] {
        assert_eq!(normal(Form::Number, name).as_deref(), Some(name));
    }
    for name in
        ["", "042", "00", " 42", "42 ", "+42", "-1", "4.2", "42.0", "1e3", "0x2a", "[42]", "٤٢"]
    {
        assert!(is_malformed(Form::Number, name), "{name}");
    }
    // Two of them are one number in 64 bits.
    assert!(is_malformed(Form::Number, "18446744073709551616"));
    assert!(is_malformed(Form::Number, "99999999999999999999"));
    assert!(is_malformed(Form::Number, &"1".repeat(21)));
}

#[test]
fn a_uuid_is_lower_case_with_hyphens() {
    let normal_one = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    for name in
        [normal_one, "0A1B2C3D-4e5f-6071-8293-a4b5c6d7e8f9", "0a1b2c3d4e5f60718293A4B5C6D7E8F9"]
    {
        assert_eq!(normal(Form::Uuid, name).as_deref(), Some(normal_one));
    }
    for name in
        ["0a1b2c3d-4e5f-6071-8293a4b5c6d7e8f9", "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}", "g"]
    {
        assert!(is_malformed(Form::Uuid, name), "{name}");
    }
    assert!(is_malformed(Form::Uuid, "0a1b2c3d4e5f60718293a4b5c6d7e8fg"));
}

#[test]
fn a_topic_has_the_letters_of_kafka() {
    for name in ["orders", "a.b_c-D9", "-"] {
        assert_eq!(normal(Form::Token, name).as_deref(), Some(name));
    }
    for name in [".", "..", "a/b", "a b", "ü", "a%2e"] {
        assert!(is_malformed(Form::Token, name), "{name}");
    }
    assert!(!is_malformed(Form::Token, &"t".repeat(249)));
    assert!(is_malformed(Form::Token, &"t".repeat(250)));
}

#[test]
fn letters_that_fold_to_ascii_are_refused_in_names_that_fold() {
    assert_eq!(normal(Form::Fold, "Load Ürders").as_deref(), Some("load Ürders"));
    for name in ["\u{212a}afka", "\u{17f}ales", "\u{130}d"] {
        assert!(is_malformed(Form::Fold, name));
        assert!(is_malformed(Form::Dotted, name));
        assert!(!is_malformed(Form::Plain, name));
    }
}

#[test]
fn a_part_of_a_dotted_name_is_never_empty() {
    assert_eq!(normal(Form::Dotted, "Main.Sales.Orders").as_deref(), Some("main.sales.orders"));
    for name in ["main..orders", ".main", "main.", "."] {
        assert!(is_malformed(Form::Dotted, name), "{name}");
    }
    assert_eq!(normal(Form::Slashed, "Prod/key").as_deref(), Some("prod/key"));
    assert!(is_malformed(Form::Slashed, "prod//key"));
    assert!(is_malformed(Form::Slashed, "prod/"));
}

#[test]
fn the_workspace_has_one_root() {
    for (name, expected) in [
        ("/Shared/x", "/Shared/x"),
        ("/Workspace/Shared/x", "/Shared/x"),
        ("/Workspace", "/"),
        ("/Workspace/", "/"),
        ("/Workspaces/x", "/Workspaces/x"),
        ("/Shared/", "/Shared"),
        ("/", "/"),
        ("/Users/a@b.c/n b", "/Users/a@b.c/n b"),
    ] {
        assert_eq!(normal(Form::Path, name).as_deref(), Some(expected), "{name}");
    }
    for name in [
        "/a/../b",
        "/a/./b",
        "/..",
        "/a//b",
        "//a",
        "/a\\b",
        "/Workspace/Workspace/x",
        "../x",
        "a/../b",
    ] {
        assert!(is_malformed(Form::Path, name), "{name}");
    }
    assert_eq!(normal(Form::Path, "Shared/x"), None);
    assert_eq!(normal(Form::Path, "git:main"), None);
}

#[test]
fn an_object_of_the_workspace_is_no_file() {
    for name in ["/Workspace/Shared/x", "/Workspace", "/workspace/x", "dbfs:/Workspace/x"] {
        assert!(is_malformed(Form::File, name), "{name}");
    }
    assert_eq!(normal(Form::File, "/Workspaces/x").as_deref(), Some("/Workspaces/x"));
}

#[test]
fn a_part_in_backticks_is_no_other_name() {
    for name in ["`main`.sales.orders", "main.`sales.orders`", "main.sales.a`b"] {
        assert!(is_malformed(Form::Dotted, name), "{name}");
    }
}

#[test]
fn a_volume_folds_and_what_is_in_it_does_not() {
    for (name, expected) in [
        ("/Volumes/Main/Sales/Raw/A b", "/Volumes/main/sales/raw/A b"),
        ("dbfs:/Volumes/Main/S/V", "/Volumes/main/s/v"),
        ("/Volumes/Main", "/Volumes/main"),
        ("/Volumes", "/Volumes"),
        ("/dbfs/tmp/X", "/tmp/X"),
        ("dbfs:/tmp/X/", "/tmp/X"),
        ("dbfs:/", "/"),
        ("/tmp/Volumes/A/B", "/tmp/Volumes/A/B"),
    ] {
        assert_eq!(normal(Form::File, name).as_deref(), Some(expected), "{name}");
    }
    for name in [
        "/volumes/a/b/c",
        "/VOLUMES/a",
        "dbfs:dbfs:/x",
        "/dbfs/dbfs/x",
        "dbfs:/dbfs/x",
        "dbfs:/dbfs",
        "/a/../b",
        "/Volumes/\u{212a}/b",
    ] {
        assert!(is_malformed(Form::File, name), "{name}");
    }
    assert_eq!(normal(Form::File, "s3://bucket/x"), None);
}

proptest! {
    #[test]
    fn a_normal_name_is_its_own_normal_form(form in forms(), name in "(/|dbfs:|/Workspace|/dbfs|/Volumes)?[A-Za-z0-9./ _-]{1,24}") {
        if let Ok(Some(first)) = form.normal(&name) {
            prop_assert_eq!(form.normal(&first), Ok(Some(first.clone())));
        }
    }

    #[test]
    fn no_name_holds_a_control_character(form in forms(), name in "[a-z]{0,3}[\\x00-\\x1f\\x7f\u{80}-\u{9f}][a-z]{0,3}") {
        prop_assert!(is_malformed(form, &name));
    }

    #[test]
    fn any_text_has_a_verdict(form in forms(), name in any::<String>()) {
        let _ = form.normal(&name);
    }
}
