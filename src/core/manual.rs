//! The manual's chapters: read here, on a Markdown host, and by `meshctl help TOPIC`.
//!
//! The reference is not among them: each row of [`crate::config::directive`], [`crate::refusal::Reason`],
//! [`crate::identity::VARIABLES`] and [`crate::identity::export::FIELDS`] holds its own documentation, and
//! `meshctl help` prints it.

/// A chapter.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// The topic of `meshctl help TOPIC`.
    pub name: &'static str,
    /// Its Markdown, from its title on.
    pub text: &'static str,
}

impl Chapter {
    /// Its title, and what follows.
    pub fn parts(&self) -> (&'static str, &'static str) {
        let (title, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
        (title.trim_start_matches(['#', ' ']), rest)
    }
}

macro_rules! chapters {
    ($($name:ident: $file:literal;)+) => {
        /// Every chapter, in the order of the manual.
        pub const CHAPTERS: &[Chapter] =
            &[$(Chapter { name: stringify!($name), text: include_str!($file) },)+];

        $(#[doc = include_str!($file)] pub mod $name {})+
    };
}

chapters! {
    configuration: "manual/configuration.md";
    variables: "manual/variables.md";
    headers: "manual/headers.md";
    reasons: "manual/reasons.md";
    failures: "manual/failures.md";
    opaque: "manual/opaque.md";
    dpop: "manual/dpop.md";
    metadata: "manual/metadata.md";
    platforms: "manual/platforms.md";
    policy: "manual/policy.md";
    refusals: "manual/refusals.md";
    operation: "manual/operation.md";
    attacks: "manual/attacks.md";
    meshctl: "manual/meshctl.md";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_chapter_begins_with_its_title() {
        for chapter in CHAPTERS {
            assert!(chapter.text.starts_with("# "), "{}", chapter.name);
            assert!(!chapter.parts().0.is_empty(), "{}", chapter.name);
        }
    }

    #[test]
    fn each_chapter_and_directive_that_is_referred_to_is_there() {
        let rows = crate::config::directive::rows();
        let texts = rows.iter().map(|row| row.doc).chain(CHAPTERS.iter().map(|it| it.text));
        let known: HashSet<_> = rows
            .iter()
            .map(|row| row.name)
            .chain(CHAPTERS.iter().map(|it| it.name))
            .chain(crate::identity::VARIABLES.iter().map(|it| it.name))
            .collect();
        for text in texts {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for name in text.split("the chapter `").skip(1).filter_map(|it| it.split('`').next()) {
                assert!(CHAPTERS.iter().any(|it| it.name == name), "no chapter {name}");
            }
            for word in text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_') {
                let is_name = word.starts_with("mesh_") && !word.ends_with('_');
                assert!(!is_name || known.contains(word), "no directive {word}");
            }
        }
    }

    #[test]
    fn the_policy_of_the_manual_is_one_without_a_warning() {
        let text = include_str!("manual/policy.md");
        let (_, example) = text.split_once("```yaml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let tables = crate::config::Platforms::default().tables();
        let policies = crate::policy::Policies::new(tables, vec!["okta".into(), "entra".into()]);
        let (policy, warnings) = policies.read(example.as_bytes()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(policy.rules(), 3);
    }

    const README: &str = include_str!("../../README.md");

    #[test]
    fn the_readme_is_short_and_leads_to_what_is_there() {
        assert!(README.lines().count() <= 300);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for link in README.split("](").skip(1).filter_map(|it| it.split(')').next()) {
            assert!(root.join(link).exists(), "no {link}");
        }
    }

    #[test]
    fn the_readme_shows_the_smallest_example_without_its_comments() {
        let example = include_str!("../../nginx-conf/nginx.conf");
        let shown = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
        let lines: Vec<_> = example.lines().filter(shown).collect();
        assert!(README.contains(&format!("\n```nginx\n{}\n```\n", lines.join("\n"))));
    }

    #[test]
    fn each_test_that_proves_a_defence_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut there = HashSet::new();
        for folder in ["src", "t"] {
            tests_in(&root.join(folder), &mut there);
        }
        let mut attacks = 0;
        for attack in include_str!("manual/attacks.md").split("\n### ").skip(1) {
            attacks += 1;
            let (title, text) = attack.split_once('\n').unwrap();
            let (_, tests) = text.split_once("\nTests: ").expect(title);
            let (tests, _) = tests.split_once(".\n").expect(title);
            for test in tests.split('`').skip(1).step_by(2) {
                assert!(there.contains(test), "{title}: no test {test}");
            }
        }
        assert!(attacks > 30, "{attacks}");
    }

    /// The names of the suites and of the functions below a folder.
    fn tests_in(folder: &Path, names: &mut HashSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["fuzz", "bench", "node_modules"].contains(&name) {
                    tests_in(&path, names);
                }
            } else if name.ends_with(".t") {
                names.insert(name.to_owned());
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let functions = text.split("fn ").skip(1).filter_map(|it| it.split('(').next());
                names.extend(functions.map(str::to_owned));
            }
        }
    }
}
