//! `meshctl platform match`: what a request reads as.

use std::path::{Path, PathBuf};

use clap::Args;
use mesh_core::body::{BodyError, Extract, Reader};
use mesh_core::platform::operation::Operation;
use mesh_core::platform::{Asked, Fields, Platform, Refused, Route};
use mesh_core::refusal::Reason;
use mesh_core::request::Field;
use serde_json::{Value, json};

use crate::{Verdict, error::Failure, input, output};

/// Show what a request to a platform reads as: its operation, and the resources that it names
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  meshctl platform match kafka_rest --method POST --target /topics/orders
  meshctl platform match dbt_cloud account=1 --method GET --target /api/v2/accounts/1/jobs/22/ --json

A name that means all resources of its kind is null.
Exit status: 0 the request has a name, 1 it is refused, 2 usage or file error.")]
pub(crate) struct Match {
    /// The platform, or file=TABLE, and its settings
    #[arg(value_name = "PLATFORM", required = true, num_args = 1..)]
    words: Vec<String>,

    /// The method
    #[arg(long, value_name = "METHOD", required_unless_present = "requests")]
    method: Option<String>,

    /// The path as it is sent, and the query
    #[arg(long, value_name = "TARGET", required_unless_present = "requests")]
    target: Option<String>,

    /// A field, as it is sent
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// The body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// Answer in JSON
    #[arg(long)]
    json: bool,

    /// A file of requests, one JSON object a line; each is answered by a line of JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "target", "headers", "body"])]
    requests: Option<PathBuf>,
}

/// A request, as it is described on the command line or in a file.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body is longer than what is read of one.
    pub(crate) is_cut: bool,
}

impl Fields for Described {
    fn field(&self, name: &str) -> Field<'_> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (None, _) => Field::Absent,
            (Some((_, value)), None) => Field::One(value.as_bytes()),
            (Some(_), Some(_)) => Field::Several,
        }
    }
}

impl Match {
    /// Prints what the request, or each of the file's, reads as.
    ///
    /// # Errors
    /// If a file cannot be read, or describes no request.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let platform = super::of_words(&self.words)?;
        if let Some(file) = &self.requests {
            input::lines(file, &mut |line| {
                let request =
                    Described::of_json(&line.value).map_err(|problem| line.invalid(problem))?;
                output::line(&answer(&platform, &request).0.to_string())
            })?;
            return Ok(Verdict::Accepted);
        }
        let request =
            Described::of_words(self.method, self.target, &self.headers, self.body.as_deref())?;
        let (answer, verdict) = answer(&platform, &request);
        output::line(&if self.json { answer.to_string() } else { shown(&answer) })?;
        Ok(verdict)
    }
}

impl Described {
    /// A request of the command line.
    ///
    /// # Errors
    /// If a field is none, or the body cannot be read.
    pub(crate) fn of_words(
        method: Option<String>,
        target: Option<String>,
        headers: &[String],
        body: Option<&Path>,
    ) -> Result<Self, Failure> {
        let body = body.map(input::file).transpose()?.unwrap_or_default();
        let headers = headers.iter().map(|header| match header.split_once(':') {
            Some((name, value)) => Ok((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => Err(Failure::Usage(format!("{header}: a field is NAME: VALUE"))),
        });
        Ok(Self {
            method: method.unwrap_or_default(),
            target: target.unwrap_or_default(),
            headers: headers.collect::<Result<_, _>>()?,
            body,
            is_cut: false,
        })
    }

    /// Shows `work` the row that a platform has for it, and the operation that it is.
    ///
    /// # Errors
    /// If the platform has no name for it.
    pub(crate) fn named<T>(
        &self,
        platform: &Platform,
        work: impl FnOnce(&Route<'_, '_>, &Operation<'_, '_>) -> T,
    ) -> Result<T, Unnamed> {
        let asked = self.asked();
        let route = platform.route(&asked)?;
        let body = self.read_body(&route)?;
        let operation = route.name(body.as_ref())?;
        Ok(work(&route, &operation))
    }

    /// Reads what a route looks at in the body.
    fn read_body(&self, route: &Route<'_, '_>) -> Result<Option<Extract>, BodyError> {
        let Some(wanted) = route.wanted().filter(|_| !self.body.is_empty()) else {
            return Ok(None);
        };
        if self.is_cut {
            return Err(BodyError::TooLarge);
        }
        let mut reader = Reader::new(route.body_type()?, wanted);
        reader.feed(&self.body)?;
        reader.finish().map(Some)
    }

    /// A request of a file.
    pub(crate) fn of_json(value: &Value) -> Result<Self, String> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let missing = |name: &str| format!("there is no \"{name}\"");
        let mut request = Self {
            method: text("method").ok_or_else(|| missing("method"))?.into(),
            target: text("target").ok_or_else(|| missing("target"))?.into(),
            ..Self::default()
        };
        for header in value.get("headers").and_then(Value::as_array).into_iter().flatten() {
            let pair = |at: usize| header.get(at).and_then(Value::as_str);
            let (Some(name), Some(value)) = (pair(0), pair(1)) else {
                return Err("\"headers\" are pairs of texts".into());
            };
            request.headers.push((name.to_ascii_lowercase(), value.into()));
        }
        if let Some(encoded) = text("body_base64") {
            use base64::Engine as _;
            let body = base64::engine::general_purpose::STANDARD.decode(encoded);
            request.body = body.map_err(|error| format!("\"body_base64\": {error}"))?;
        } else if let Some(head) = text("body_head") {
            request.body = head.into();
            request.is_cut = true;
        } else if let Some(body) = text("body") {
            request.body = body.into();
        }
        Ok(request)
    }

    /// What a platform asks of it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query.as_bytes())),
            None => (self.target.as_str(), None),
        };
        Asked {
            method: &self.method,
            path: path.as_bytes(),
            query,
            is_decoded: false,
            fields: self,
        }
    }
}

/// Why a request has no name.
#[derive(Debug)]
pub(crate) struct Unnamed {
    /// The word of the refusal.
    pub(crate) word: &'static str,
    /// More about it.
    pub(crate) detail: Option<String>,
}

impl From<Refused<'_>> for Unnamed {
    fn from(refused: Refused<'_>) -> Self {
        Self { word: refused.word(), detail: refused.detail().map(str::to_owned) }
    }
}

impl From<BodyError> for Unnamed {
    fn from(error: BodyError) -> Self {
        Self { word: Reason::from(error).word(), detail: None }
    }
}

/// The answer to a request, and whether it has a name.
fn answer(platform: &Platform, request: &Described) -> (Value, Verdict) {
    let named = request.named(platform, |route, it| of_operation(it, route.needs_body()));
    match named {
        Ok(answer) => (answer, Verdict::Accepted),
        Err(Unnamed { word, detail }) => {
            let mut answer = json!({ "refused": word });
            if let (Some(detail), Some(answer)) = (detail, answer.as_object_mut()) {
                answer.insert("detail".into(), detail.into());
            }
            (answer, Verdict::Refused)
        }
    }
}

fn of_operation(operation: &Operation<'_, '_>, needs_body: bool) -> Value {
    let kinds = operation.table.kinds();
    let kind = |id| kinds.get(id).map_or("", |kind| &*kind.name);
    let resources = operation.resources.iter().map(
        |it| json!({ "kind": kind(it.kind), "action": kinds.word(it.action), "name": it.name }),
    );
    json!({
        "operation": operation.name(),
        "kind": kind(operation.kind),
        "action": kinds.word(operation.action),
        "resources": resources.collect::<Vec<_>>(),
        "needs_body": needs_body,
        "named": operation.is_named(),
    })
}

/// The answer for people.
fn shown(answer: &Value) -> String {
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or("*").to_owned()
    };
    if answer.get("refused").is_some() {
        let detail = answer.get("detail").and_then(Value::as_str);
        return match detail {
            Some(detail) => format!("{}: {detail}", text(answer, "refused")),
            None => text(answer, "refused"),
        };
    }
    let mut lines = vec![text(answer, "operation")];
    for it in answer.get("resources").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!("  {}:{} {}", text(it, "kind"), text(it, "action"), text(it, "name")));
    }
    lines.join("\n")
}
