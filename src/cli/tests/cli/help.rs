//! `meshctl help`.

use std::process::{Command, Stdio};

use mesh_core::{
    config::directive, identity::VARIABLES, identity::export::FIELDS, manual::CHAPTERS,
    refusal::Reason,
};

use crate::desk::Desk;

#[test]
fn a_directive_is_shown_with_its_syntax_and_its_text() {
    let run = Desk::new().run("help mesh_limit_status");
    let expected = "mesh_limit_status\n\n    \
                    Syntax:   mesh_limit_status code\n    \
                    Default:  mesh_limit_status 429\n    \
                    Context:  http, server, location, limit_except\n\n\
                    The status of a refusal by a limit, from 400 to 599.\n";
    assert_eq!((run.status, run.err.as_str(), run.out.as_str()), (0, "", expected));
}

#[test]
fn there_is_help_on_everything_that_has_a_name() {
    let desk = Desk::new();
    let all = desk.done("help", &[]);
    let names = directive::rows().into_iter().map(|row| row.name);
    for name in names.chain(CHAPTERS.iter().map(|it| it.name)) {
        assert!(all.split_whitespace().any(|word| word == name), "{name} is not listed");
        assert!(desk.run(&format!("help {name}")).out.len() > 50, "{name}");
    }
    for (list, words) in [
        ("reasons", Reason::ALL.iter().map(|it| it.word().to_owned()).collect::<Vec<_>>()),
        ("variables", VARIABLES.iter().map(|it| format!("${}", it.name)).collect()),
        ("headers", FIELDS.iter().map(|it| it.name.to_owned()).collect()),
    ] {
        let page = desk.done("help", &[list]);
        for word in words {
            assert!(page.contains(&format!("`{word}`")), "{word} is not in {list}");
            assert!(desk.done("help", &[&word]).starts_with(&word), "{word}");
        }
    }
}

#[test]
fn commands_have_their_help_too() {
    let desk = Desk::new();
    let run = desk.run("help token verify");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert!(run.out.contains("Usage: meshctl token verify [OPTIONS]"), "{}", run.out);
    assert!(desk.done("help key", &[]).contains("Usage: meshctl key <COMMAND>"));
    let both = desk.done("help jwks", &[]);
    assert!(both.starts_with("jwks\n\n    Syntax:   jwks file | url\n"), "{both}");
    assert!(both.ends_with("`meshctl jwks --help` is about the command."), "{both}");
}

#[test]
fn an_unknown_word_is_told_its_neighbour() {
    let desk = Desk::new();
    for (words, nearest) in [
        ("mesh_limt", "is \"mesh_limit\" meant? "),
        ("autenticate", "is \"mesh_authenticate\" meant? "),
        ("reasonss", "is \"reasons\" meant? "),
        ("xyz", ""),
        ("token verfy", "is \"token\" meant? "),
    ] {
        let run = desk.run(&format!("help {words}"));
        let told = format!(
            "meshctl: no help on \"{words}\": {nearest}\"meshctl help\" lists everything\n"
        );
        assert_eq!((run.status, run.out.as_str(), run.err), (2, "", told));
    }
}

#[test]
fn no_line_of_text_is_longer_than_a_terminal() {
    let desk = Desk::new();
    for name in directive::rows().into_iter().map(|row| row.name) {
        for line in desk.done("help", &[name]).lines() {
            let is_code = line.starts_with("    ");
            assert!(is_code || line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn the_man_page_holds_everything_and_groff_does_not_complain() {
    let desk = Desk::new();
    let page = desk.done("help", &["--man"]);
    assert!(page.is_ascii() && page.starts_with(".TH MESH 8"));
    for row in directive::rows() {
        assert!(page.contains(&format!("\n.SS \"{}\"\n", row.name)), "{}", row.name);
    }
    desk.write("mesh.8", &page);
    let groff = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww"])
        .arg(desk.path("mesh.8"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // It is not on every host.
    let Ok(groff) = groff else { return };
    let shown = groff.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(shown.stderr).unwrap(), "");
    assert!(String::from_utf8(shown.stdout).unwrap().contains("mesh_limit off | name rate="));
}
