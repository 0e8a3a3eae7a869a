//! `meshctl help`: the manual, from the rows and chapters that the module itself is made of.

mod man;
mod markdown;
mod page;

use std::io::{self, ErrorKind, Write};

use clap::{Args, CommandFactory};
use mesh_core::{
    config::directive::{self, Context, Row},
    identity::export::{FIELDS, Field},
    identity::{VARIABLES, Variable},
    manual::{CHAPTERS, Chapter},
    refusal::Reason,
};

use self::{
    man::Man,
    markdown::{Block, blocks},
    page::Page,
};
use crate::{Meshctl, error::Failure};

/// Explain a directive, a reason, a variable, a header, a topic or a command.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # Everything that there is help on
  meshctl help

  # One directive; one reason; all variables; a chapter of the manual
  meshctl help mesh_limit
  meshctl help unknown_key
  meshctl help variables
  meshctl help attacks

  # The options of a command, as `meshctl token verify --help`
  meshctl help token verify

  # The whole manual as a man page
  meshctl help --man > mesh.8 && man -l mesh.8")]
pub(crate) struct Help {
    /// What to explain; without it, everything that can be explained is listed
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// Print the whole manual as a man page
    #[arg(long, conflicts_with = "words")]
    man: bool,
}

impl Help {
    /// Prints a page.
    ///
    /// # Errors
    /// For a word that there is no help on.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = match self.words.as_slice() {
            [] if self.man => manual(),
            [] => paged(&overview()),
            [word] => match explained(word) {
                Some(page) => paged(&page),
                None => command(&self.words).ok_or_else(|| unknown(word))?,
            },
            words => command(words).ok_or_else(|| unknown(&words.join(" ")))?,
        };
        match io::stdout().lock().write_all(text.as_bytes()) {
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Failure::Output),
        }
    }
}

fn paged(blocks: &[Block]) -> String {
    let mut page = Page::new();
    page.blocks(blocks);
    page.into_text()
}

/// The contexts by which the manual lists directives.
const CONTEXTS: [(Context, &str); 3] = [
    (Context::Http, "Directives of http, server and location"),
    (Context::Issuer, "Directives of a mesh_issuer block"),
    (Context::Location, "Directives of location alone"),
];

/// The directives that are listed under a context: each under the first that allows it.
fn listed(context: Context) -> Vec<Row> {
    directive::rows().into_iter().filter(|row| row.contexts.first() == Some(&context)).collect()
}

fn overview() -> Vec<Block> {
    let heading = |text: &str| Block::Heading(2, text.into());
    let names = |names: Vec<&str>| Block::Paragraph(names.join(" "));
    let mut page = vec![
        heading("Commands"),
        names(Meshctl::command().get_subcommands().map(clap::Command::get_name).collect()),
        heading("Topics"),
        Block::Table(
            vec!["topic".into(), "title".into()],
            CHAPTERS.iter().map(|it| vec![it.name.into(), it.parts().0.into()]).collect(),
        ),
    ];
    for (context, title) in CONTEXTS {
        page.push(heading(title));
        page.push(names(listed(context).iter().map(|row| row.name).collect()));
    }
    page.push(Block::Paragraph(
        "`meshctl help WORD` explains a word of these lists, a variable, a header or a reason; \
         `meshctl help --man` prints the whole manual as a man page."
            .into(),
    ));
    page
}

/// The manual's page on a word. A name that begins with `$` is a variable's.
fn explained(word: &str) -> Option<Vec<Block>> {
    if let Some(name) = word.strip_prefix('$') {
        return of_variable(name);
    }
    let mut page = if let Some(chapter) = CHAPTERS.iter().find(|it| it.name == word) {
        of_chapter(chapter)
    } else if let Some(row) = directive::rows().into_iter().find(|row| row.name == word) {
        of_directive(&row)
    } else if let Some(page) = of_variable(word) {
        return Some(page);
    } else if let Some(reason) = Reason::ALL.iter().find(|it| it.word() == word) {
        of_reason(*reason)
    } else {
        let field = FIELDS.iter().find(|it| it.name.eq_ignore_ascii_case(word))?;
        of_field(field)
    };
    if VARIABLES.iter().any(|it| it.name == word) {
        page.push(Block::Paragraph(format!("`meshctl help '${word}'` is about the variable.")));
    }
    if Meshctl::command().find_subcommand(word).is_some() {
        page.push(Block::Paragraph(format!("`meshctl {word} --help` is about the command.")));
    }
    Some(page)
}

/// A chapter, with the table of its rows if it has one.
fn of_chapter(chapter: &Chapter) -> Vec<Block> {
    let (title, rest) = chapter.parts();
    let mut page = vec![Block::Heading(1, title.into())];
    page.extend(table(chapter.name));
    page.extend(blocks(rest));
    page
}

/// The table of a chapter that lists rows.
fn table(chapter: &str) -> Option<Block> {
    let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).into()).collect::<Vec<String>>();
    Some(match chapter {
        "headers" => {
            let of = |name: &str, shown| row(&[&format!("`{name}`"), &format!("`${shown}`")]);
            let rows = FIELDS.iter().map(|it| of(it.name, it.attribute.variable()));
            Block::Table(row(&["header", "value"]), rows.collect())
        }
        "reasons" => {
            let of =
                |it: &Reason| row(&[&format!("`{it}`"), &it.status().to_string(), it.meaning()]);
            Block::Table(
                row(&["reason", "status", "meaning"]),
                Reason::ALL.iter().map(of).collect(),
            )
        }
        "variables" => {
            let of = |it: &Variable| row(&[&format!("`${}`", it.name), it.doc.trim()]);
            Block::Table(row(&["variable", "value"]), VARIABLES.iter().map(of).collect())
        }
        _ => return None,
    })
}

fn of_directive(row: &Row) -> Vec<Block> {
    let mut page = vec![Block::Heading(1, row.name.into()), usage(row)];
    page.extend(blocks(row.doc));
    page
}

/// The usage of a directive, in the form of Nginx's manual.
fn usage(row: &Row) -> Block {
    let contexts: Vec<_> = row.contexts.iter().map(|context| context.as_str()).collect();
    Block::Code(vec![
        format!("Syntax:   {} {}", row.name, row.syntax).trim_end().into(),
        format!("Default:  {}", row.default),
        format!("Context:  {}", contexts.join(", ")),
    ])
}

fn of_reason(reason: Reason) -> Vec<Block> {
    let told = match reason.error() {
        Some(error) => format!(" The challenge has `error=\"{error}\"`."),
        None => String::new(),
    };
    let status = reason.status();
    vec![
        Block::Heading(1, reason.word().into()),
        Block::Paragraph(format!("Status {status}: {}.{told}", reason.meaning())),
        Block::Paragraph(
            "`meshctl help reasons` explains what clients and the log are told.".into(),
        ),
    ]
}

fn of_variable(name: &str) -> Option<Vec<Block>> {
    let variable = VARIABLES.iter().find(|it| it.name == name)?;
    let doc = variable.doc.trim().into();
    Some(vec![Block::Heading(1, format!("${name}")), Block::Paragraph(doc)])
}

fn of_field(field: &Field) -> Vec<Block> {
    let name = field.attribute.variable();
    let doc = VARIABLES.iter().find(|it| it.name == name).map_or("", |it| it.doc.trim());
    let value = format!("The value of `${name}`. {doc}");
    vec![Block::Heading(1, field.name.into()), Block::Paragraph(value)]
}

/// The help of a command.
fn command(words: &[String]) -> Option<String> {
    let mut root = Meshctl::command();
    root.build();
    let command = words.iter().try_fold(&mut root, |at, word| at.find_subcommand_mut(word))?;
    Some(command.render_long_help().to_string())
}

/// The least likeness of two words of which one may be meant by the other.
const ALIKE: f64 = 0.8;

fn unknown(word: &str) -> Failure {
    let rows = directive::rows();
    let command = Meshctl::command();
    let names = rows
        .iter()
        .map(|row| row.name)
        .chain(CHAPTERS.iter().map(|it| it.name))
        .chain(VARIABLES.iter().map(|it| it.name))
        .chain(Reason::ALL.iter().map(|it| it.word()))
        .chain(FIELDS.iter().map(|it| it.name))
        .chain(command.get_subcommands().map(clap::Command::get_name));
    let likeness = |name: &str| {
        let whole = strsim::jaro_winkler(word, name);
        let short = name.strip_prefix("mesh_").unwrap_or(name);
        whole.max(strsim::jaro_winkler(word, short))
    };
    let nearest = names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let advice = match nearest {
        Some((_, name)) => format!("is \"{name}\" meant? "),
        None => String::new(),
    };
    Failure::Usage(format!("no help on {word:?}: {advice}\"meshctl help\" lists everything"))
}

/// The whole manual as a man page.
fn manual() -> String {
    let mut man = Man::new();
    man.section("Synopsis");
    man.blocks(&[Block::Code(vec!["load_module modules/ngx_http_mesh_module.so;".into()])]);
    for chapter in CHAPTERS {
        let (title, rest) = chapter.parts();
        man.section(title);
        man.blocks(table(chapter.name).as_slice());
        man.blocks(&blocks(rest));
        if chapter.name == "configuration" {
            directives(&mut man);
        }
    }
    man.into_text()
}

fn directives(man: &mut Man) {
    for (context, title) in CONTEXTS {
        man.section(title);
        for row in listed(context) {
            man.part(row.name);
            man.blocks(&[usage(&row)]);
            man.blocks(&blocks(row.doc));
        }
    }
}
