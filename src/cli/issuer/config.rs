//! The issuers of an Nginx configuration, as the module would read them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use mesh_core::config::directive::{self, ISSUER, MAIN};
use mesh_core::config::{Place, RawIssuer, RawMain};
use mesh_core::issuer::Issuer;

use super::include::included;
use crate::error::Failure;
use crate::input;
use crate::nginx_conf::{End, Item, Lexer};

/// The issuers of a configuration.
#[derive(Debug)]
pub(super) struct Configuration {
    /// The complete ones.
    pub(super) issuers: Vec<Issuer>,
    /// The faults that Nginx would refuse, each with its place.
    pub(super) faults: Vec<String>,
    /// The directory of relative names of files.
    pub(super) directory: PathBuf,
}

impl Configuration {
    /// Reads a file and those that it includes.
    ///
    /// # Errors
    /// If a file cannot be read, or is no configuration.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let directory = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut reader =
            Reader { main: RawMain::default(), faults: Vec::new(), directory, depth: 0 };
        reader.file(file, Context::Http)?;
        let Reader { main, faults, directory, .. } = reader;
        Ok(Self { issuers: main.issuers, faults, directory })
    }
}

/// The block that encloses the lines of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Context {
    /// `http`, or outside of it: a file may be one that `http` includes.
    Http,
    /// The block of an issuer.
    Issuer,
}

struct Reader {
    main: RawMain,
    faults: Vec<String>,
    directory: PathBuf,
    /// Files that are being read.
    depth: usize,
}

impl Reader {
    fn file(&mut self, path: &Path, context: Context) -> Result<(), Failure> {
        if self.depth > MOST_INCLUDES {
            return Err(Failure::invalid(path.display(), "files include one another"));
        }
        self.depth = self.depth.saturating_add(1);
        let text = input::file(path)?;
        let name: Arc<str> = path.display().to_string().into();
        let mut lexer = Lexer::new(&text);
        self.lines(&mut lexer, &name, context, false)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Reads to the end of the block, or of the file.
    fn lines(
        &mut self,
        lexer: &mut Lexer<'_>,
        file: &Arc<str>,
        context: Context,
        is_block: bool,
    ) -> Result<(), Failure> {
        loop {
            let item = next(lexer, file)?;
            let (words, line, end) = match item {
                Item::Directive(words, line, end) => (words, line, end),
                Item::BlockEnd if is_block => return Ok(()),
                Item::FileEnd if !is_block => return Ok(()),
                Item::BlockEnd => return Err(unexpected(lexer, file, "unexpected \"}\"")),
                Item::FileEnd => return Err(unexpected(lexer, file, END)),
            };
            let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            let words: Vec<&str> = words.iter().map(|word| &**word).collect();
            let Some((name, words)) = words.split_first() else { continue };
            let place = Place { file: Arc::clone(file), line };
            match (*name, words, end, context) {
                ("include", [pattern], End::Semicolon, _) => {
                    for path in included(&self.directory, pattern) {
                        self.file(&path, context)?;
                    }
                }
                ("http", [], End::Block, Context::Http) => {
                    self.lines(lexer, file, Context::Http, true)?;
                }
                ("mesh_issuer", _, End::Block, Context::Http) => {
                    self.issuer(words, &place, lexer, file)?;
                }
                (_, _, End::Semicolon, Context::Issuer) => {
                    let open = self.main.open.get_or_insert_with(RawIssuer::default);
                    if let Err(error) = directive::read(ISSUER, open, name, words, &place) {
                        self.faults.push(format!("{place}: {name}: {error}"));
                    }
                }
                (_, _, End::Semicolon, Context::Http) => {}
                (_, _, End::Block, _) => skip(lexer, file)?,
            }
        }
    }

    fn issuer(
        &mut self,
        words: &[&str],
        place: &Place,
        lexer: &mut Lexer<'_>,
        file: &Arc<str>,
    ) -> Result<(), Failure> {
        let faults = self.faults.len();
        if let Err(error) = directive::read(MAIN, &mut self.main, "mesh_issuer", words, place) {
            self.faults.push(format!("{place}: mesh_issuer: {error}"));
            return skip(lexer, file);
        }
        self.lines(lexer, file, Context::Issuer, true)?;
        if self.faults.len() > faults {
            // A half-read issuer would be checked for directives that it does not have.
            self.main.open = None;
        } else if let Err(error) = self.main.close_issuer() {
            self.faults.push(error.to_string());
        }
        Ok(())
    }
}

fn next(lexer: &mut Lexer<'_>, file: &Arc<str>) -> Result<Item, Failure> {
    lexer
        .next_item()
        .map_err(|error| Failure::invalid(format_args!("{file}:{}", error.line), error.problem))
}

/// Reads to the end of a block of others.
fn skip(lexer: &mut Lexer<'_>, file: &Arc<str>) -> Result<(), Failure> {
    let mut depth = 1_usize;
    while depth > 0 {
        match next(lexer, file)? {
            Item::Directive(_, _, End::Block) => depth = depth.saturating_add(1),
            Item::Directive(_, _, End::Semicolon) => {}
            Item::BlockEnd => depth = depth.saturating_sub(1),
            Item::FileEnd => return Err(unexpected(lexer, file, END)),
        }
    }
    Ok(())
}

fn unexpected(lexer: &Lexer<'_>, file: &Arc<str>, problem: &str) -> Failure {
    Failure::invalid(format_args!("{file}:{}", lexer.line()), problem)
}

const END: &str = "unexpected end of file, expecting \"}\"";

/// Files that may include one another.
const MOST_INCLUDES: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn configuration(files: &[(&str, &str)]) -> Result<Configuration, Failure> {
        let dir = TempDir::new().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Configuration::read(&dir.path().join("nginx.conf"))
    }

    fn names(configuration: &Configuration) -> Vec<&str> {
        configuration.issuers.iter().map(|issuer| &*issuer.name).collect()
    }

    const IDP: &str = "mesh_issuer idp { issuer https://a; audience a; }";

    #[test]
    fn issuers_are_found_in_http_and_in_what_it_includes() {
        let main = format!(
            "events {{ }}\nhttp {{ {IDP} include conf.d/*.conf; server {{ location / {{ }} }}\n\
             include one.conf; }} stream {{ server {{ }} }}"
        );
        let two = "mesh_issuer two { issuer \"https://b\"; include part; jwks 'k s.json'; }";
        let found = configuration(&[
            ("nginx.conf", &main),
            ("conf.d/b.conf", "mesh_issuer three { issuer https://c; audience a; }"),
            ("conf.d/a.conf", two),
            ("conf.d/.hidden.conf", "mesh_issuer hidden { }"),
            ("conf.d/a.txt", "mesh_issuer other { }"),
            ("one.conf", "mesh_issuer four { issuer https://d; audience a; leeway 1m; }"),
            ("part", "audience a;"),
        ])
        .unwrap();
        assert_eq!(found.faults, Vec::<String>::new());
        assert_eq!(names(&found), ["idp", "two", "three", "four"]);
        assert_eq!(found.issuers[3].leeway, 60);
    }

    #[test]
    fn faults_have_their_place_and_leave_the_other_issuers_alone() {
        let main = format!(
            "http {{\nmesh_issuer a {{\n issuer https://a;\n leeway never;\n}}\n\
             mesh_issuer b {{ issuer https://b; }}\n{IDP}\nmesh_issuer idp {{ }}\n}}"
        );
        let found = configuration(&[("nginx.conf", &main)]).unwrap();
        assert_eq!(names(&found), ["idp"]);
        let faults: Vec<_> =
            found.faults.iter().map(|it| it.rsplit_once("nginx.conf").unwrap().1).collect();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].starts_with(":4: leeway: \"never\" is not a time"), "{faults:?}");
        assert!(found.faults[1].contains("mesh_issuer \"b\" has no \"audience\" in "));
        assert!(
            faults[2].starts_with(":8: mesh_issuer: issuer \"idp\" is duplicate"),
            "{faults:?}"
        );
    }

    #[test]
    fn every_example_is_read_without_a_fault() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nginx-conf/issuers");
        let mut count = 0;
        for entry in fs::read_dir(examples).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "conf") {
                let found = Configuration::read(&path).unwrap();
                assert_eq!(found.faults, Vec::<String>::new(), "{}", path.display());
                assert!(!found.issuers.is_empty(), "{}", path.display());
                count += 1;
            }
        }
        assert!(count > 0, "no example");
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for (text, problem) in [
            ("http {", "unexpected end of file"),
            ("}", "unexpected \"}\""),
            ("a", "nginx.conf:1: unexpected end of file"),
            ("include none.conf;", "none.conf"),
            ("include nginx.conf;", "include one another"),
        ] {
            let failure = configuration(&[("nginx.conf", text)]).unwrap_err().to_string();
            assert!(failure.contains(problem), "{text}: {failure}");
        }
    }
}
