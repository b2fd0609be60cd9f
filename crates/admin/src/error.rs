//! Every way in which the admin API says no, and the only place that knows their HTTP statuses.

use bytes::Bytes;
use gateway_config::PublishError;
use gateway_storage::StorageError;
use http::header::{ALLOW, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value, json};

const SEE_LOG: &str = "the database failed; the gateway's log says why";

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No credentials, or wrong ones: one text for both, so that nothing can be learned from it.
    #[error("this needs the admin token: Authorization: Bearer <token>")]
    Unauthorized,
    /// A person typed another token at the web pages.
    #[error("this is not the admin token")]
    WrongToken,
    /// Too many wrong tokens from this address.
    #[error("too many wrong tokens from this address; try again in {retry_after} s")]
    TooManyTries {
        /// Seconds.
        retry_after: u64,
    },
    /// DNS rebinding, or a host that nobody put on the list.
    #[error(
        "the admin API does not answer under this host name; add it to admin.allowed_hosts if it is yours"
    )]
    ForeignHost,
    /// A page of another site sent a write.
    #[error("changes from pages of another site are refused")]
    ForeignSite,
    /// The cookie of the web pages came with a change that no page of ours sent.
    #[error("a change that relies on the session cookie must carry the header x-gateway-ui: 1")]
    NoPage,
    /// No route has this path.
    #[error("there is nothing at this path; GET /api/openapi.json lists what there is")]
    NoSuchPath,
    /// The path exists, the method does not.
    #[error("this path answers to {allow} only")]
    WrongMethod {
        /// The methods it has.
        allow: String,
    },
    /// A path parameter that is no row number.
    #[error("invalid {what} ID")]
    BadId {
        /// What it should have named.
        what: &'static str,
    },
    /// No such thing, outside the database.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// A question names something that does not exist.
    #[error("{message}")]
    Unknown {
        /// The field or parameter that names it.
        param: &'static str,
        /// What there is not, and what to do.
        message: &'static str,
    },
    /// Not a JSON object, or one that can be read in two ways.
    #[error("{0}")]
    InvalidJson(String),
    /// A body that is declared as text and is none.
    #[error("the body is not UTF-8 text (at byte {valid_up_to})")]
    NotText {
        /// How many bytes are text.
        valid_up_to: usize,
    },
    /// More than an admin body ever needs.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// A body that is not declared as JSON, or is compressed.
    #[error("the body must be sent as content-type: application/json, uncompressed")]
    UnsupportedMedia,
    /// A JSON object that does not fit.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// The configuration file is wrong.
    #[error("the configuration in force was left as it is: {0}")]
    Configuration(PublishError),
    /// The database said no.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// Somebody else changed the thing since the caller read it.
    #[error("somebody else changed this meanwhile: it is at version {found} now, as `current` shows it")]
    Outdated {
        /// The version that it has.
        found: i64,
        /// The thing as it is, in the words of its `GET`.
        current: Value,
    },
    /// As many listen to the feed as may.
    #[error(
        "{most} listen to the feed already, which is as many as may; close a page, or try again in {retry_after} s"
    )]
    TooManyListeners {
        /// How many may.
        most: usize,
        /// Seconds.
        retry_after: u64,
    },
    /// The feed has ended.
    #[error("the gateway is stopping")]
    Stopping,
    /// A defect of the gateway.
    #[error("{0}")]
    Internal(&'static str),
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field or parameter, dotted when it is nested.
    pub(crate) param: String,
    pub(crate) fault: Fault,
    /// What is wrong, to be read after the field's name. Never repeats a value.
    pub(crate) message: String,
}

/// What kind of wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A field that must be given is not.
    Missing,
    /// A field that is not one of the schema.
    Unknown,
    /// A value of another JSON type.
    Kind,
    /// A value of the right type that will not do.
    Value,
}

/// What a refusal looks like on the wire.
#[derive(Debug)]
struct Verdict {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    param: Option<String>,
    header: Option<(HeaderName, String)>,
    /// What people are told instead of the error's own text, which holds details of the machine for the log.
    instead: Option<&'static str>,
}

// === impl ApiError ===

impl ApiError {
    /// One field whose value will not do.
    pub(crate) fn value(param: &str, message: &str) -> Self {
        let (param, message) = (param.to_owned(), message.to_owned());
        Self::Invalid(vec![Problem { param, fault: Fault::Value, message }])
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.verdict().status
    }

    /// `{"error":{"message","type","param","code"}}`, and beside these `problems` when there is a list of them.
    pub(crate) fn body(&self) -> Bytes {
        let Verdict { kind, code, param, instead, .. } = self.verdict();
        let message = instead.map_or_else(|| self.to_string(), str::to_owned);
        let mut error = Map::new();
        error.insert("message".to_owned(), message.into());
        error.insert("type".to_owned(), kind.into());
        error.insert("param".to_owned(), param.into());
        error.insert("code".to_owned(), code.into());
        if let Self::Outdated { current, .. } = self {
            error.insert("current".to_owned(), current.clone());
        }
        let problems = self.problems();
        if !problems.is_empty() {
            error.insert("problems".to_owned(), problems.into());
        }
        json!({ "error": error }).to_string().into()
    }

    /// The header that belongs to the refusal.
    pub(crate) fn header(&self) -> Option<(HeaderName, String)> {
        self.verdict().header
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Unauthorized => {
                let challenge = r#"Bearer realm="gateway admin""#.to_owned();
                client(StatusCode::UNAUTHORIZED, "invalid_admin_token")
                    .kind("authentication_error")
                    .header(WWW_AUTHENTICATE, challenge)
            }
            Self::WrongToken => client(StatusCode::UNAUTHORIZED, "invalid_admin_token")
                .kind("authentication_error")
                .param(Some("token".to_owned())),
            Self::TooManyTries { retry_after } => client(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
                .kind("rate_limit_error")
                .header(RETRY_AFTER, retry_after.to_string()),
            Self::ForeignHost => client(StatusCode::FORBIDDEN, "host_not_allowed").kind("permission_error"),
            Self::ForeignSite => client(StatusCode::FORBIDDEN, "cross_site_request").kind("permission_error"),
            Self::NoPage => client(StatusCode::FORBIDDEN, "missing_ui_header").kind("permission_error"),
            Self::NoSuchPath | Self::NotFound { .. } => not_found(),
            Self::Unknown { param, .. } => not_found().param(Some((*param).to_owned())),
            Self::WrongMethod { allow } => {
                client(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").header(ALLOW, allow.clone())
            }
            Self::BadId { .. } => client(StatusCode::BAD_REQUEST, "invalid_id"),
            Self::InvalidJson(_) => client(StatusCode::BAD_REQUEST, "invalid_json"),
            Self::NotText { .. } => client(StatusCode::BAD_REQUEST, "invalid_text"),
            Self::TooLarge { .. } => client(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            Self::UnsupportedMedia => client(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::Invalid(problems) => verdict_of(problems),
            Self::Configuration(error) => verdict_of_publishing(error),
            Self::Storage(error) => verdict_of_storage(error),
            Self::Outdated { found, .. } => {
                client(StatusCode::CONFLICT, "version_mismatch").header(ETAG, format!("\"{found}\""))
            }
            Self::TooManyListeners { retry_after, .. } => {
                server(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners")
                    .header(RETRY_AFTER, retry_after.to_string())
            }
            Self::Stopping => server(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            Self::Internal(_) => server(StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        }
    }

    fn problems(&self) -> Vec<Value> {
        if let Self::Invalid(problems) = self {
            return problems.iter().map(Problem::json).collect();
        }
        if let Self::Configuration(PublishError::Problems(problems)) = self {
            return problems.iter().map(crate::config::problem_json).collect();
        }
        Vec::new()
    }
}

// === impl Problem ===

impl Problem {
    /// A value of another JSON type; `wanted` says what it must be.
    pub(crate) fn of_kind(param: &str, wanted: &str) -> Self {
        Self { param: param.to_owned(), fault: Fault::Kind, message: wanted.to_owned() }
    }

    fn json(&self) -> Value {
        json!({"param": self.param, "code": self.fault.code(), "message": self.message})
    }
}

// === impl Verdict ===

impl Verdict {
    fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    fn header(self, name: HeaderName, value: String) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    fn instead(self, message: &'static str) -> Self {
        Self { instead: Some(message), ..self }
    }

    fn param(self, param: Option<String>) -> Self {
        Self { param, ..self }
    }
}

// === impl Fault ===

impl Fault {
    /// The word for it in an error's `code`.
    const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing_field",
            Self::Unknown => "unknown_field",
            Self::Kind => "invalid_type",
            Self::Value => "invalid_value",
        }
    }
}

/// A body of the wrong shape is 400, as it was in the original gateway; a value that will not do is 422.
fn verdict_of(problems: &[Problem]) -> Verdict {
    let worst = problems.iter().min_by_key(|problem| problem.fault);
    let fault = worst.map_or(Fault::Value, |problem| problem.fault);
    let status = match fault {
        Fault::Missing | Fault::Unknown | Fault::Kind => StatusCode::BAD_REQUEST,
        Fault::Value => StatusCode::UNPROCESSABLE_ENTITY,
    };
    client(status, fault.code()).param(worst.map(|problem| problem.param.clone()))
}

fn verdict_of_publishing(error: &PublishError) -> Verdict {
    match error {
        PublishError::Problems(_) => client(StatusCode::UNPROCESSABLE_ENTITY, "invalid_configuration"),
        PublishError::Storage(_) => server(StatusCode::SERVICE_UNAVAILABLE, "storage_error").instead(SEE_LOG),
        PublishError::Closed => server(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    }
}

fn verdict_of_storage(error: &StorageError) -> Verdict {
    let conflict = |code| client(StatusCode::CONFLICT, code);
    match error {
        StorageError::NotFound { .. } => not_found(),
        StorageError::Conflict { field, .. } => conflict("conflict").param(Some((*field).to_owned())),
        StorageError::ManagedByFile { .. } => conflict("managed_by_file"),
        StorageError::VersionMismatch { .. } => conflict("version_mismatch"),
        // Only a declaration can name an unknown channel, and declarations do not come through here.
        StorageError::UnknownChannel { .. } => conflict("conflict"),
        StorageError::Busy => {
            server(StatusCode::SERVICE_UNAVAILABLE, "storage_busy").header(RETRY_AFTER, "1".to_owned())
        }
        StorageError::Closed => server(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        StorageError::Full => server(StatusCode::INSUFFICIENT_STORAGE, "storage_full"),
        StorageError::Io { .. }
        | StorageError::Corrupt { .. }
        | StorageError::TooNew { .. }
        | StorageError::WrongMasterKey { .. }
        | StorageError::BadMasterKey { .. } => {
            server(StatusCode::SERVICE_UNAVAILABLE, "storage_error").instead(SEE_LOG)
        }
        StorageError::Sql(_) => server(StatusCode::INTERNAL_SERVER_ERROR, "internal_error").instead(SEE_LOG),
    }
}

fn not_found() -> Verdict {
    client(StatusCode::NOT_FOUND, "not_found").kind("not_found_error")
}

fn client(status: StatusCode, code: &'static str) -> Verdict {
    Verdict { status, kind: "invalid_request_error", code, param: None, header: None, instead: None }
}

fn server(status: StatusCode, code: &'static str) -> Verdict {
    client(status, code).kind("server_error")
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{} {}", problem.param, problem.message)).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests;
