//! The shapes of refusals, a row each.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use serde::Serialize;

use super::text::Text;

/// Whose clients a refusal is for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Shape {
    /// Databricks' REST interfaces and its SQL warehouses.
    Databricks,
    /// What hands out Databricks' tokens: `/oidc/*`.
    DatabricksOauth,
    /// The administrative interface of dbt Cloud.
    DbtCloud,
    /// Any other HTTP API: problem details (RFC 9457).
    #[default]
    Http,
    /// Kafka REST, all dialects.
    KafkaRest,
    /// Spark Connect, which is gRPC.
    SparkConnect,
    /// The development endpoint of an Azure Synapse workspace.
    Synapse,
}

/// What the clients of a shape read.
pub(super) struct Row {
    pub(super) content_type: &'static str,
    /// The status of every answer, if the refusal's is not it.
    pub(super) status: Option<u16>,
    /// Whether clients show the phrase of the status line: where there is no body, or whatever it holds.
    pub(super) has_phrase: bool,
    /// The platform's word for each status.
    codes: &'static [(u16, &'static str)],
    /// The word for any other below 500, and from there on.
    others: [&'static str; 2],
    pub(super) waits: Waits,
    pub(super) body: fn(&Text) -> String,
    pub(super) fields: fn(&Text) -> Vec<(&'static str, String)>,
}

/// When a client may be told to come again: with 429 and 503 alone. With any other status, `Retry-After` makes
/// clients repeat what is refused for good.
pub(super) struct Waits {
    /// Clients sleep as long as they are told.
    most: u64,
    /// What is told if nothing is known, of clients that come again in any case.
    otherwise: Option<u64>,
}

impl Waits {
    /// No client sleeps for longer because of one answer.
    const BRIEF: Self = Self { most: 60, otherwise: None };
    const NEVER: Self = Self { most: 0, otherwise: None };

    pub(super) fn secs(&self, status: u16, known: Option<u64>) -> Option<u64> {
        let secs =
            known.or(self.otherwise).filter(|_| matches!(status, 429 | 503) && self.most > 0)?;
        Some(secs.clamp(1, self.most))
    }
}

impl Row {
    /// The platform's word for a status.
    pub(super) fn code(&self, status: u16) -> &'static str {
        let known = self.codes.iter().find(|(known, _)| *known == status);
        let [client, server] = self.others;
        known.map_or(if status < 500 { client } else { server }, |(_, code)| *code)
    }
}

impl Shape {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Databricks,
        Self::DatabricksOauth,
        Self::DbtCloud,
        Self::Http,
        Self::KafkaRest,
        Self::SparkConnect,
        Self::Synapse,
    ];

    /// The shape for a request: by the word of its platform's table or of `mesh_platform`, its path, and its
    /// `Content-Type`.
    ///
    /// gRPC has the status 200 whatever it refuses: it is chosen only if both the path and the type ask for
    /// it.
    pub fn of(platform: &str, path: &[u8], content_type: Option<&[u8]>) -> Self {
        let is_grpc = || {
            let kind = content_type.unwrap_or_default().split_at_checked(GRPC.len());
            kind.is_some_and(|(kind, rest)| {
                kind.eq_ignore_ascii_case(GRPC.as_bytes())
                    && matches!(rest, [] | [b'+' | b';' | b' ', ..])
            })
        };
        match platform {
            "databricks" if path.starts_with(b"/oidc/") => Self::DatabricksOauth,
            "databricks" if path.starts_with(b"/spark.connect.") && is_grpc() => Self::SparkConnect,
            "databricks" => Self::Databricks,
            "dbt" | "dbt_cloud" => Self::DbtCloud,
            "kafka" | "kafka_rest" => Self::KafkaRest,
            "synapse" => Self::Synapse,
            _ => Self::Http,
        }
    }

    pub(super) const fn row(self) -> &'static Row {
        match self {
            Self::Databricks => &DATABRICKS,
            Self::DatabricksOauth => &DATABRICKS_OAUTH,
            Self::DbtCloud => &DBT_CLOUD,
            Self::Http => &HTTP,
            Self::KafkaRest => &KAFKA_REST,
            Self::SparkConnect => &SPARK_CONNECT,
            Self::Synapse => &SYNAPSE,
        }
    }
}

/// The phrases of statuses (RFC 9110 section 15).
const PHRASES: &[(u16, &str)] = &[
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (408, "Request Timeout"),
    (413, "Content Too Large"),
    (415, "Unsupported Media Type"),
    (421, "Misdirected Request"),
    (429, "Too Many Requests"),
    (503, "Service Unavailable"),
];

/// The phrase of any other.
const REFUSED: &str = "Refused";

/// The status, its phrase and the message.
pub(super) fn status_line(text: &Text) -> String {
    let phrase = HTTP.code(text.status);
    format!("{} {phrase}: {}", text.status, text.message)
}

const GRPC: &str = "application/grpc";

const JSON: &str = "application/json";

/// databricks-sdk repeats 429 and 503 for five minutes, every second if it is not told when, and shows the
/// phrase of an answer to HEAD. The SQL connector shows a field and no body.
const DATABRICKS: Row = Row {
    content_type: JSON,
    status: None,
    has_phrase: true,
    codes: &[
        (400, "INVALID_PARAMETER_VALUE"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (408, "DEADLINE_EXCEEDED"),
        (413, "INVALID_PARAMETER_VALUE"),
        (415, "INVALID_PARAMETER_VALUE"),
        (429, "REQUEST_LIMIT_EXCEEDED"),
        (503, "TEMPORARILY_UNAVAILABLE"),
    ],
    others: ["BAD_REQUEST", "INTERNAL_ERROR"],
    waits: Waits { most: 60, otherwise: Some(5) },
    body: databricks,
    fields: |text| vec![("X-Databricks-Error-Or-Redirect-Message", text.message.clone())],
};

#[derive(Serialize)]
struct Databricks<'t> {
    error_code: &'static str,
    message: &'t str,
    details: (ErrorInfo<'t>, RequestInfo<'t>),
}

/// `google.rpc.ErrorInfo`. The SDK for Go takes no metadata but strings.
#[derive(Serialize)]
struct ErrorInfo<'t> {
    #[serde(rename = "@type")]
    kind: &'static str,
    reason: &'static str,
    domain: &'static str,
    metadata: BTreeMap<&'static str, &'t str>,
}

/// `google.rpc.RequestInfo`.
#[derive(Serialize)]
struct RequestInfo<'t> {
    #[serde(rename = "@type")]
    kind: &'static str,
    request_id: &'t str,
    serving_data: &'static str,
}

fn databricks(text: &Text) -> String {
    json(&Databricks {
        error_code: text.code,
        message: &text.message,
        details: (
            ErrorInfo {
                kind: "type.googleapis.com/google.rpc.ErrorInfo",
                reason: text.reason.unwrap_or(text.code),
                domain: "mesh",
                metadata: text.facts.iter().map(|(word, fact)| (*word, &**fact)).collect(),
            },
            RequestInfo {
                kind: "type.googleapis.com/google.rpc.RequestInfo",
                request_id: &text.reference,
                serving_data: "",
            },
        ),
    })
}

/// RFC 6749 section 5.2, and section 4.1.2.1 for what that lacks.
const DATABRICKS_OAUTH: Row = Row {
    content_type: JSON,
    status: None,
    has_phrase: false,
    codes: &[
        (401, "invalid_client"),
        (403, "access_denied"),
        (429, "temporarily_unavailable"),
        (503, "temporarily_unavailable"),
    ],
    others: ["invalid_request", "server_error"],
    waits: Waits::BRIEF,
    body: oauth,
    fields: |_| vec![("Cache-Control", "no-store".to_owned())],
};

#[derive(Serialize)]
struct Oauth<'t> {
    error: &'static str,
    error_description: &'t str,
}

fn oauth(text: &Text) -> String {
    json(&Oauth { error: text.code, error_description: &text.message })
}

/// Airflow raises what the phrase says.
const DBT_CLOUD: Row = Row {
    content_type: JSON,
    status: None,
    has_phrase: true,
    codes: &[],
    others: ["", ""],
    waits: Waits::BRIEF,
    body: dbt_cloud,
    fields: |_| Vec::new(),
};

#[derive(Serialize)]
struct DbtCloud<'t> {
    status: DbtStatus<'t>,
    data: Option<()>,
}

#[derive(Serialize)]
struct DbtStatus<'t> {
    code: u16,
    is_success: bool,
    user_message: &'t str,
    developer_message: String,
}

fn dbt_cloud(text: &Text) -> String {
    let mut developer_message = String::new();
    if let Some((reason, meaning)) = text.reason.zip(text.meaning) {
        let _ = write!(developer_message, "{reason}: {meaning}");
    }
    json(&DbtCloud {
        status: DbtStatus {
            code: text.status,
            is_success: false,
            user_message: &text.message,
            developer_message,
        },
        data: None,
    })
}

/// Clients of any API may know `Retry-After` (RFC 9110 section 10.2.3), and are told the truth.
const HTTP: Row = Row {
    content_type: "application/problem+json",
    status: None,
    has_phrase: false,
    codes: PHRASES,
    others: [REFUSED, REFUSED],
    waits: Waits { most: u64::MAX, otherwise: None },
    body: problem,
    fields: |_| Vec::new(),
};

/// RFC 9457 section 3. `about:blank` has the status's phrase for a title (section 4.2.1).
#[derive(Serialize)]
struct Problem<'t> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'t str,
    reference: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

fn problem(text: &Text) -> String {
    json(&Problem {
        kind: "about:blank",
        title: text.code,
        status: text.status,
        detail: &text.message,
        reference: &text.reference,
        reason: text.reason,
    })
}

/// Codes of five digits are those of Confluent's REST servers; what has none there has the status, as there.
const KAFKA_REST: Row = Row {
    content_type: JSON,
    status: None,
    has_phrase: false,
    codes: &[(400, "40002"), (401, "40101"), (403, "40301"), (429, "42901")],
    others: ["", ""],
    waits: Waits::BRIEF,
    body: kafka_rest,
    fields: |_| Vec::new(),
};

#[derive(Serialize)]
struct KafkaRest<'t> {
    error_code: u32,
    message: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

fn kafka_rest(text: &Text) -> String {
    let error_code = text.code.parse().unwrap_or_else(|_| u32::from(text.status));
    json(&KafkaRest { error_code, message: &text.message, reason: text.reason })
}

/// An answer of trailers alone. A code is what the client decides by: it repeats UNAVAILABLE (14) and UNKNOWN
/// (2), and any code with a RetryInfo.
const SPARK_CONNECT: Row = Row {
    content_type: GRPC,
    status: Some(200),
    has_phrase: false,
    codes: &[(401, "16"), (403, "7"), (404, "5"), (408, "4"), (413, "8"), (429, "8")],
    others: ["3", "14"],
    waits: Waits::NEVER,
    body: |_| String::new(),
    fields: |text| {
        // The message holds no byte that has to be encoded but `%`.
        let message = text.message.replace('%', "%25");
        vec![("grpc-status", text.code.to_owned()), ("grpc-message", message)]
    },
};

const SYNAPSE: Row = Row {
    content_type: JSON,
    status: None,
    has_phrase: false,
    codes: &[
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (408, "RequestTimeout"),
        (413, "RequestEntityTooLarge"),
        (415, "UnsupportedMediaType"),
        (429, "TooManyRequests"),
        (503, "ServiceUnavailable"),
    ],
    others: ["BadRequest", "InternalServerError"],
    waits: Waits::BRIEF,
    body: synapse,
    fields: |_| Vec::new(),
};

#[derive(Serialize)]
struct Synapse<'t> {
    error: OData<'t>,
}

/// The error of OData 4.
#[derive(Serialize)]
struct OData<'t> {
    code: &'static str,
    message: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Vec<Self>>,
}

fn synapse(text: &Text) -> String {
    let target = text.target.as_deref();
    let reason = text.reason.zip(text.meaning);
    let details =
        reason.map(|(code, message)| OData { code, message, target: None, details: None });
    let details = Some(details.into_iter().collect());
    json(&Synapse { error: OData { code: text.code, message: &text.message, target, details } })
}

/// Nothing that is written here can fail.
fn json(shape: &impl Serialize) -> String {
    serde_json::to_string(shape).unwrap_or_default()
}
