use super::*;
use crate::config::directive::{LOCATION, read};
use crate::config::{RawMain, Resolver};
use crate::testing::{self, Lines};

/// A block: what it is, its lines, and the blocks in it.
#[derive(Clone)]
struct Tree<'t>(Block<'t>, Vec<&'t str>, Vec<Self>);

fn main_with(issuer: Lines<'_>) -> RawMain {
    let usual: Lines<'_> = &[("issuer", &["https://idp.example"]), ("jwks", &["x"])];
    testing::issuers(&[("idp", &[usual, issuer].concat())])
}

/// Reads lines, each of which is at a line of its own.
fn typed(lines: &[&str], line: &mut usize) -> RawLocation {
    let mut raw = RawLocation::default();
    for text in lines {
        *line = line.saturating_add(1);
        let words: Vec<_> = text.split(' ').collect();
        let place = Place { file: "x".into(), line: *line };
        read(LOCATION, &mut raw, words[0], &words[1..], &place).unwrap();
    }
    raw
}

/// Merges as Nginx does, and judges: the lines that are refused, else the lines that are warned of.
fn judge_of(main: &RawMain, http: &[&str], servers: &[Tree<'_>]) -> Result<Vec<String>, String> {
    let mut line = 0;
    let http = typed(http, &mut line);
    let mut levels = Levels::default();
    let mut resolver = Resolver::new(main);
    // Depth first: a block, then the blocks in it.
    let mut open: Vec<(Option<usize>, RawLocation, &Tree<'_>)> =
        servers.iter().rev().map(|tree| (None, http.clone(), tree)).collect();
    while let Some((outer, around, Tree(block, lines, within))) = open.pop() {
        let mut raw = typed(lines, &mut line);
        let level = levels.enter(outer, &http, &raw, *block);
        raw.inherit(&around);
        let location = resolver.resolve(&raw, &mut |_| None).unwrap();
        levels.settle(level, &raw, location.as_ref());
        open.extend(within.iter().rev().map(|tree| (Some(level), raw.clone(), tree)));
    }
    let advice = levels.judge(&main.issuers).map_err(|error| error.to_string())?;
    Ok(advice.iter().map(ToString::to_string).collect())
}

fn judge(http: &[&str], servers: &[Tree<'_>]) -> Result<Vec<String>, String> {
    judge_of(&main_with(&[("audience", &["api"])]), http, servers)
}

const TOKEN: &str = "mesh_authenticate token";
const OFF: &str = "mesh_authenticate off";
const CLAIM: &str = "mesh_require_claim /a b";

fn server<'t>(lines: &[&'t str], within: Vec<Tree<'t>>) -> Tree<'t> {
    Tree(Block::Server, lines.to_vec(), within)
}

fn at<'t>(name: &'t str, lines: &[&'t str]) -> Tree<'t> {
    Tree(Block::Location(name), lines.to_vec(), vec![])
}

fn around<'t>(name: &'t str, lines: &[&'t str], within: Vec<Tree<'t>>) -> Tree<'t> {
    Tree(Block::Location(name), lines.to_vec(), within)
}

fn unnamed<'t>(lines: &[&'t str]) -> Tree<'t> {
    Tree(Block::Unnamed, lines.to_vec(), vec![])
}

#[test]
fn a_promise_in_a_block_that_is_open_throughout_is_refused() {
    for (line, name) in [
        (CLAIM, "mesh_require_claim"),
        ("mesh_accept idp", "mesh_accept"),
        ("mesh_dpop require", "mesh_dpop require"),
        ("mesh_limit a rate=1r/s", "mesh_limit"),
        ("mesh_limit a rate=1r/s key=principal", "mesh_limit"),
        ("mesh_limit a rate=1r/s key=issuer", "mesh_limit"),
    ] {
        let nothing =
            format!("{name} does nothing: neither its block nor one within has mesh_authenticate");
        let expected = |at: usize| Err(format!("{nothing} in x:{at}"));
        let open = server(&[], vec![at("/other", &[TOKEN]), at("/a", &[line])]);
        assert_eq!(judge(&[], &[open]), expected(2), "{line}");
        assert_eq!(judge(&[line], &[server(&[], vec![at("/a", &[])])]), expected(1), "{line}");
        assert_eq!(judge(&[], &[server(&[line], vec![])]), expected(1), "{line}");
        let opened = server(&[TOKEN], vec![at("/a", &[OFF, line])]);
        assert_eq!(judge(&[], &[opened]), expected(3), "{line}");
        let some = server(&[], vec![around("/a", &[], vec![unnamed(&[line])])]);
        assert_eq!(judge(&[], &[some]), expected(1), "{line}");
        let opened = server(&[TOKEN], vec![around("/a", &[], vec![unnamed(&[OFF, line])])]);
        assert_eq!(judge(&[], &[opened]), expected(3), "{line}");
        let around_it = server(&[], vec![around("/a", &[line], vec![unnamed(&[])])]);
        assert_eq!(judge(&[], &[around_it]), expected(1), "{line}");
    }
}

#[test]
fn a_limit_that_asks_for_no_identity_is_warned_of() {
    for key in ["address", "$x"] {
        let line = format!("mesh_limit a rate=1r/s key={key}");
        let lines = [&*line];
        let advice = judge(&[], &[server(&[], vec![at("/a", &lines)])]).unwrap();
        assert!(matches!(&*advice, [one] if one.starts_with("mesh_limit does nothing: ")));
    }
}

#[test]
fn settings_that_do_something_and_words_that_are_off_are_taken() {
    for servers in [
        &[server(&[TOKEN, CLAIM], vec![at("/a", &[])])][..],
        &[server(&[CLAIM], vec![at("/a", &[TOKEN])])],
        &[server(&[], vec![at("/a", &["mesh_authenticate certificate", CLAIM])])],
        &[server(&[], vec![around("/a", &[CLAIM, OFF], vec![unnamed(&[TOKEN])])])],
        &[server(&[], vec![around("/a", &[CLAIM], vec![unnamed(&[TOKEN])])])],
        &[server(&[CLAIM], vec![around("/a", &[], vec![unnamed(&[TOKEN])])])],
        &[server(&[], vec![around("/a", &[TOKEN], vec![unnamed(&[CLAIM])])])],
        &[server(&[], vec![around("/a", &[], vec![unnamed(&[TOKEN, CLAIM])])])],
        &[server(
            &[],
            vec![at("/a", &["mesh_require_claim off", "mesh_accept off", "mesh_dpop accept"])],
        )],
        &[server(&[], vec![at("/a", &["mesh_limit off", "mesh_dpop off"])])],
    ] {
        assert_eq!(judge(&[], servers), Ok(vec![]));
    }
    assert_eq!(judge(&[TOKEN, CLAIM], &[server(&[], vec![])]), Ok(vec![]));
    assert_eq!(judge(&[CLAIM], &[server(&[TOKEN], vec![]), server(&[OFF], vec![])]), Ok(vec![]));
    assert_eq!(judge(&[CLAIM], &[]), Ok(vec![]), "Nginx merges nothing, and serves nothing");
}

#[test]
fn a_setting_that_is_inherited_in_vain_is_warned_of_unless_somebody_says_off() {
    let vain = |block: &str, line: usize| {
        format!(
            "mesh_require_claim does nothing in {block}, which does not authenticate: say \
             \"mesh_authenticate off\" there if it is meant to be open; set in x:{line}"
        )
    };
    let (a, b) = (at("/a", &[TOKEN]), at("/b", &[]));
    let one = server(&[CLAIM], vec![a, b]);
    assert_eq!(judge(&[], &[one]), Ok(vec![vain("location \"/b\"", 1)]));
    let said = server(&[CLAIM], vec![at("/a", &[TOKEN]), at("/b", &[OFF])]);
    assert_eq!(judge(&[], &[said]), Ok(vec![]));
    let replaced =
        server(&[CLAIM], vec![at("/a", &[TOKEN]), at("/b", &["mesh_require_claim off"])]);
    assert_eq!(judge(&[], &[replaced]), Ok(vec![]));
    // A server that is open as a whole is reported once, any other by its locations.
    let within = vec![at("/c", &[]), at("/d", &[])];
    let servers = [server(&[TOKEN], vec![]), server(&[], within)];
    assert_eq!(judge(&[CLAIM], &servers), Ok(vec![vain("a server", 1)]));
    let within = vec![at("/c", &[]), at("/d", &[TOKEN])];
    assert_eq!(judge(&[CLAIM], &[server(&[], within)]), Ok(vec![vain("location \"/c\"", 1)]));
    // The block between is off; the locations in it are as open as that block.
    let deep = vec![at("/b/c", &[])];
    let between = vec![at("/a", &[TOKEN]), around("/b", &[OFF], deep.clone())];
    assert_eq!(judge(&[], &[server(&[CLAIM], between)]), Ok(vec![]));
    let between = vec![at("/a", &[TOKEN]), around("/b", &[], deep)];
    assert_eq!(
        judge(&[], &[server(&[CLAIM], between)]),
        Ok(vec![vain("location \"/b\"", 1)]),
        "once, for the outermost"
    );
    let quiet = vec![at("/a", &[TOKEN]), around("/b", &[OFF], vec![unnamed(&[])])];
    assert_eq!(judge(&[], &[server(&[CLAIM], quiet)]), Ok(vec![]));
}

#[test]
fn lines_that_may_not_be_meant_are_warned_of() {
    let advice = judge(&["mesh_dry_run all"], &[server(&[TOKEN], vec![])]).unwrap();
    assert_eq!(advice, ["mesh_dry_run all lets every request pass that would be refused in x:1"]);
    let star = ["mesh_accept idp audience=api audience=*"];
    let advice = judge(&[], &[server(&[TOKEN], vec![at("/a", &star)])]).unwrap();
    assert_eq!(advice, ["mesh_accept has audience=*, which matches only itself in x:2"]);
    let main = main_with(&[("audience", &["api", "*"])]);
    let advice = main.advice.first().map(ToString::to_string).unwrap_or_default();
    assert!(advice.starts_with("mesh_issuer \"idp\" has the audience \"*\", which"), "{advice}");
    assert!(main_with(&[("audience", &["api"])]).advice.is_empty());
}

#[test]
fn an_audience_that_other_tokens_have_too_is_warned_of_without_a_required_claim() {
    let main = main_with(&[("audience", &["api"]), ("audience_claim", &["/client_id"])]);
    let claim = "mesh_issuer \"idp\" has an audience_claim, and ";
    let end = " believes it without any mesh_require_claim: its ID tokens pass as well in x:";
    let judge = |servers: &[Tree<'_>]| judge_of(&main, &[], servers).unwrap();
    let (required, open) = ([TOKEN, CLAIM], [TOKEN]);
    assert!(judge(&[server(&required, vec![at("/a", &[])])]).is_empty());
    assert!(judge(&[server(&[], vec![at("/a", &required)])]).is_empty());
    assert!(judge(&[server(&open, vec![at("/", &[CLAIM]), at("/b", &[OFF])])]).is_empty());
    let advice = judge(&[server(&[], vec![at("/a", &open), at("/b", &open)])]);
    assert_eq!(advice, [format!("{claim}location \"/a\"{end}1")], "once");
    let off = [TOKEN, CLAIM];
    let advice = judge(&[server(&off, vec![at("/a", &["mesh_require_claim off"])])]);
    assert_eq!(advice, [format!("{claim}location \"/a\"{end}1")]);
    let advice = judge(&[server(&open, vec![at("/a", &[CLAIM])])]);
    assert_eq!(advice, [format!("{claim}a server{end}1")], "requests that no location takes");
    let within = vec![around("/", &required, vec![unnamed(&["mesh_require_claim off"])])];
    let advice = judge(&[server(&[], within)]);
    assert_eq!(advice, [format!("{claim}a limit_except{end}1")]);
    let within = vec![around("/", &[], vec![unnamed(&required)])];
    assert!(judge(&[server(&[], within)]).is_empty());
    let judged = server(&open, vec![unnamed(&[]), at("/", &[CLAIM])]);
    assert!(judge(&[judged]).is_empty(), "an if of a server takes no request");
    let certificate = ["mesh_authenticate certificate"];
    assert!(judge(&[server(&[], vec![at("/a", &certificate)])]).is_empty());
}
