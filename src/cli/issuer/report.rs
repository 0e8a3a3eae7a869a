//! The findings of a check, for people and for machines.

use core::fmt;

use serde_json::{Value, json};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It works, but should be looked at.
    Warning,
    /// The module would not have the keys, or not for long.
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Note => "note",
            Self::Ok => "ok",
            Self::Warning => "warning",
        }
    }
}

/// One thing that a check found.
#[derive(Debug)]
pub(super) struct Finding {
    level: Level,
    /// The thing that was looked at, in one stable word.
    check: &'static str,
    text: String,
    /// What to do about it.
    advice: Option<&'static str>,
}

/// An issuer, and the findings about it.
#[derive(Debug)]
pub(super) struct Checked {
    name: Box<str>,
    url: Box<str>,
    findings: Vec<Finding>,
}

impl Checked {
    pub(super) fn new(name: &str, url: &str) -> Self {
        Self { name: name.into(), url: url.into(), findings: Vec::new() }
    }

    /// Notes a finding.
    pub(super) fn find(&mut self, level: Level, check: &'static str, text: impl fmt::Display) {
        self.findings.push(Finding { level, check, text: text.to_string(), advice: None });
    }

    /// Notes an error, and what to do about it.
    pub(super) fn fail(
        &mut self,
        check: &'static str,
        text: impl fmt::Display,
        advice: Option<&'static str>,
    ) {
        let text = text.to_string();
        self.findings.push(Finding { level: Level::Error, check, text, advice });
    }

    fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.level < Level::Error)
    }
}

/// All findings.
#[derive(Debug)]
pub(super) struct Report {
    target: String,
    faults: Vec<String>,
    issuers: Vec<Checked>,
}

impl Report {
    pub(super) fn new(target: &str, faults: Vec<String>) -> Self {
        Self { target: target.to_owned(), faults, issuers: Vec::new() }
    }

    /// Notes a fault of the configuration.
    pub(super) fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    pub(super) fn add(&mut self, checked: Checked) {
        self.issuers.push(checked);
    }

    /// Whether nothing is wrong.
    pub(super) fn is_good(&self) -> bool {
        self.faults.is_empty() && self.issuers.iter().all(Checked::is_good)
    }

    /// Without control characters: much of it is another party's words.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        if !self.faults.is_empty() {
            lines.push(format!("configuration {}", self.target));
            lines.extend(self.faults.iter().map(|fault| format!("  error    {fault}")));
        }
        for issuer in &self.issuers {
            lines.push(format!("mesh_issuer \"{}\", {}", issuer.name, issuer.url));
            for Finding { level, check, text, advice } in &issuer.findings {
                lines.push(format!("  {:8} {check}: {text}", level.word()));
                lines.extend(advice.map(|advice| format!("{:11}{advice}", "")));
            }
        }
        let clean = |line: String| line.replace(|it: char| it.is_control(), "?");
        lines.into_iter().map(clean).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let finding = |it: &Finding| {
            json!({ "level": it.level.word(), "check": it.check, "text": it.text,
                "advice": it.advice })
        };
        let issuer = |it: &Checked| {
            let findings: Vec<_> = it.findings.iter().map(finding).collect();
            json!({ "name": it.name, "issuer": it.url, "good": it.is_good(), "findings": findings })
        };
        json!({
            "good": self.is_good(),
            "target": self.target,
            "faults": self.faults,
            "issuers": self.issuers.iter().map(issuer).collect::<Vec<_>>(),
        })
    }
}
