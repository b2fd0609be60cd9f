//! What a row of the route table says, and what goes in and out of its handler.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use gateway_domain::{ChannelId, UnixMillis, UserId};
use gateway_storage::StorageError;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::auth::SignIn;
use crate::door::Visit;
use crate::error::ApiError;
use crate::schema::Schema;
use crate::{Body, Parts};

/// One route: a row of [`crate::surface::ROUTES`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    /// The path, with parameters in braces.
    pub(crate) path: &'static str,
    pub(crate) handler: Handler,
    pub(crate) summary: &'static str,
    /// The resource under which the document lists it.
    pub(crate) tag: &'static str,
    pub(crate) access: Access,
    /// What the body must look like; `None`: the route takes none.
    pub(crate) request: Option<&'static Schema>,
    /// The query parameters, and what they mean.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// The status of success.
    pub(crate) success: u16,
    pub(crate) response: Shape,
    /// Whether a success is logged as a change.
    pub(crate) changes: bool,
    /// Whether the body may also be plain text.
    pub(crate) takes_text: bool,
}

/// The methods of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Who may call a route. There is no default: a row without it does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Whoever holds the admin token.
    Admin,
}

/// What an answer's body looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Nothing,
    One(&'static Schema),
    Many(&'static Schema),
    /// Any JSON object.
    Document,
    /// Server-sent events, without an end.
    Events,
    /// The document of the web pages.
    Html,
    /// A file of the web pages, of whichever kind its answer says.
    Asset,
}

/// How a route is answered. The kind says where the work may be done, so that no handler can forget it.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// From memory, at once.
    Memory(fn(&Parts, &Call) -> Answered),
    /// From the database: on a thread that may wait.
    Read(fn(&Parts, &Call) -> Answered),
    /// Changes the database, on a thread that may wait; what it changed is in force before the answer goes out.
    Write(fn(&Parts, &Call) -> Answered),
    /// Asks somebody else: an upstream or the publisher.
    Ask(for<'a> fn(&'a Parts, &'a Call) -> Asking<'a>),
    /// Lets people in and out; the only kind that sees credentials.
    Door(fn(&Parts, &Call, &Visit<'_>) -> Answered),
}

/// What a handler gives.
pub(crate) type Answered = Result<Answer, ApiError>;

/// What an asking handler gives.
pub(crate) type Asking<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// A path's parameters by name, as they stand in the path.
pub(crate) type Params = Vec<(String, String)>;

/// A call that passed the gate and found its route.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) path: String,
    pub(crate) params: Params,
    pub(crate) query: Option<String>,
    /// `If-Match`.
    pub(crate) if_match: Option<String>,
    /// All headers but those that bear credentials.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body is plain text.
    pub(crate) is_text: bool,
    /// The sign-in at the web pages that let it in; `None`: it brought the token, or needed nothing.
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) now: UnixMillis,
}

/// A good answer. Its status stands in the table.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Another status than the table's.
    pub(crate) status: Option<StatusCode>,
    pub(crate) body: Body,
    /// The version of the one thing that is shown.
    pub(crate) version: Option<i64>,
    /// Headers that only this answer has.
    pub(crate) headers: Vec<(http::HeaderName, String)>,
    /// What the sessions must forget once the change is in force.
    pub(crate) forget: Option<Forget>,
}

/// What is gone, so that no session may hold on to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forget {
    Channel(ChannelId),
    User(UserId),
    Model(String),
}

// === impl Route ===

impl Route {
    const fn new(verb: Verb, path: &'static str, handler: Handler, success: u16) -> Self {
        let (summary, tag, access) = ("", "", Access::Admin);
        let response = Shape::Nothing;
        let changes = verb.writes();
        let (request, query, takes_text) = (None, &[], false);
        Self {
            verb,
            path,
            handler,
            summary,
            tag,
            access,
            request,
            query,
            success,
            response,
            changes,
            takes_text,
        }
    }

    pub(crate) const fn get(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Get, path, handler, 200)
    }

    /// A `POST` that makes something.
    pub(crate) const fn create(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Post, path, handler, 201)
    }

    /// A `POST` that does something.
    pub(crate) const fn act(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Post, path, handler, 200)
    }

    pub(crate) const fn put(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Put, path, handler, 200)
    }

    pub(crate) const fn patch(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Patch, path, handler, 200)
    }

    pub(crate) const fn delete(path: &'static str, handler: Handler) -> Self {
        Self::new(Verb::Delete, path, handler, 204)
    }

    pub(crate) const fn says(mut self, tag: &'static str, summary: &'static str) -> Self {
        self.tag = tag;
        self.summary = summary;
        self
    }

    pub(crate) const fn takes(mut self, request: &'static Schema) -> Self {
        self.request = Some(request);
        self
    }

    /// The body may also be plain text. Only for routes that change nothing: a page of another site can send text
    /// without asking the browser for leave.
    pub(crate) const fn or_text(mut self) -> Self {
        self.takes_text = true;
        self
    }

    pub(crate) const fn asks(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    pub(crate) const fn gives(mut self, response: Shape) -> Self {
        self.response = response;
        self
    }

    /// A `POST` that does something and has nothing to tell of it.
    pub(crate) const fn quiet(mut self) -> Self {
        self.success = 204;
        self
    }

    /// A `POST` that changes nothing.
    pub(crate) const fn only_asks(mut self) -> Self {
        self.changes = false;
        self
    }

    pub(crate) const fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }
}

// === impl Verb ===

impl Verb {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The verb of a method; `HEAD` is a `GET` whose body the server leaves out.
    pub(crate) fn of(method: &http::Method) -> Option<Self> {
        match method.as_str() {
            "GET" | "HEAD" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "PATCH" => Some(Self::Patch),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }

    /// Whether it changes anything.
    pub(crate) const fn writes(self) -> bool {
        !matches!(self, Self::Get)
    }
}

// === impl Handler ===

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory(_) => "Memory",
            Self::Read(_) => "Read",
            Self::Write(_) => "Write",
            Self::Ask(_) => "Ask",
            Self::Door(_) => "Door",
        })
    }
}

// === impl Call ===

impl Call {
    /// A path parameter as it stands in the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A path parameter that is a row number; `what` is the word for the error text.
    pub(crate) fn id(&self, name: &str, what: &'static str) -> Result<i64, ApiError> {
        let text = self.param(name);
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or(ApiError::BadId { what })
    }

    /// The version that the caller expects; `None` when it expects none.
    ///
    /// A value that is no version of ours cannot match any.
    pub(crate) fn expected_version(&self) -> Option<i64> {
        let text = self.if_match.as_deref()?.trim();
        if text == "*" {
            return None;
        }
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let digits = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Some(digits.and_then(|digits| digits.parse().ok()).unwrap_or(-1))
    }

    /// Refuses when the caller expects another version than there is. For writes that storage does not check.
    pub(crate) fn check_version(
        &self,
        current: impl FnOnce() -> Result<i64, ApiError>,
    ) -> Result<(), ApiError> {
        let Some(expected) = self.expected_version() else { return Ok(()) };
        let found = current()?;
        if expected == found { Ok(()) } else { Err(StorageError::VersionMismatch { found }.into()) }
    }
}

// === impl Answer ===

impl Answer {
    /// JSON. Serialising our own answers cannot fail short of a bug; then it is an error answer, not a panic.
    pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Answered {
        let body =
            serde_json::to_vec(value).map_err(|_| ApiError::Internal("an answer could not be written"))?;
        Ok(Self { body: Bytes::from(body).into(), ..Self::default() })
    }

    /// One thing with a version.
    pub(crate) fn versioned<T: Serialize>(value: &T, version: i64) -> Answered {
        Ok(Self { version: Some(version), ..Self::json(value)? })
    }

    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn forgetting(mut self, what: Forget) -> Self {
        self.forget = Some(what);
        self
    }
}
