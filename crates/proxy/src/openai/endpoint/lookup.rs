//! Which row of the table a request is for.

use std::sync::LazyLock;

use gateway_domain::Known;
use http::Method;

use super::path::{fits, is_plain};
use super::row::anything;
use crate::openai::uri::decoded;

use super::{
    Endpoint, EndpointKind, ModelAt, PathParams, assistants, audio, batches, chat, chatkit, containers,
    conversations, evals, files, fine_tuning, images, models, realtime, responses, simple, skills, threads,
    uploads, vector_stores, videos,
};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A call to carry to an upstream.
    Forward {
        /// The row.
        endpoint: &'static Endpoint,
        /// The path, and what it names.
        path: PathParams,
    },
    /// Administration of an OpenAI organization, which is not for everybody.
    Administration(PathParams),
    /// The list of models, answered by the gateway itself.
    ListModels,
    /// One model, answered by the gateway itself: the decoded name, which may hold slashes.
    Model(String),
    /// The path exists, but not for this method.
    WrongMethod {
        /// The value of the `allow` header.
        allow: &'static str,
    },
    /// A path below the version that no row knows; it means one thing only, so it can be passed on.
    Other(PathParams),
    /// Nothing.
    Unknown,
}

static GROUPS: [&[Endpoint]; 20] = [
    chat::ROWS,
    responses::ROWS,
    simple::ROWS,
    images::ROWS,
    audio::ROWS,
    models::ROWS,
    files::ROWS,
    uploads::ROWS,
    batches::ROWS,
    fine_tuning::ROWS,
    vector_stores::ROWS,
    containers::ROWS,
    conversations::ROWS,
    evals::ROWS,
    videos::ROWS,
    realtime::ROWS,
    assistants::ROWS,
    threads::ROWS,
    chatkit::ROWS,
    skills::ROWS,
];

/// What all of administration is carried as. Its method is no matter.
pub static ADMINISTRATION: Endpoint = anything("administration", EndpointKind::Administration);

/// What paths are carried as that no row knows. Its method is no matter.
pub static OTHER: Endpoint = anything("other", EndpointKind::Other).model(ModelAt::Body { required: false });

/// All rows of the table.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    GROUPS.iter().flat_map(|group| group.iter())
}

/// The rows whose paths have no parameters, by their paths below the version: nearly every request is for one of them,
/// and finds it without a look at any other.
static FIXED: LazyLock<Known<&'static str, Vec<&'static Endpoint>>> = LazyLock::new(|| {
    let mut fixed: Known<_, Vec<_>> = Known::default();
    for row in endpoints().filter(|row| !row.template.contains('{')) {
        fixed.entry(below_version(row)).or_default().push(row);
    }
    fixed
});

/// The rows whose paths begin with this segment, and maybe others.
fn group_of(first: &str) -> &'static [Endpoint] {
    match first {
        "chat" => chat::ROWS,
        "responses" => responses::ROWS,
        "embeddings" | "moderations" | "completions" | "content_provenance_checks" => simple::ROWS,
        "images" => images::ROWS,
        "audio" => audio::ROWS,
        "files" => files::ROWS,
        "uploads" => uploads::ROWS,
        "batches" => batches::ROWS,
        "fine_tuning" => fine_tuning::ROWS,
        "vector_stores" => vector_stores::ROWS,
        "containers" => containers::ROWS,
        "conversations" => conversations::ROWS,
        "evals" => evals::ROWS,
        "videos" => videos::ROWS,
        "realtime" => realtime::ROWS,
        "assistants" => assistants::ROWS,
        "threads" => threads::ROWS,
        "chatkit" => chatkit::ROWS,
        "skills" => skills::ROWS,
        _ => &[],
    }
}

/// Finds what stands at `path` (no query). The prefix `/v1` may be left out, because a client's base URL may end
/// before it.
pub fn lookup(method: &Method, path: &str) -> Lookup {
    let (versioned, rest) = match path.strip_prefix("/v1") {
        Some(rest) if rest.starts_with('/') => (true, rest),
        _ => (false, path),
    };
    if let Some(rows) = FIXED.get(rest) {
        let (found, allowed) = choose(rows.iter().copied(), method);
        return match found {
            Some(endpoint) => Lookup::Forward { endpoint, path: PathParams::of(endpoint.template, rest) },
            None => Lookup::WrongMethod { allow: allowed.as_str() },
        };
    }
    let below = rest.strip_prefix('/').unwrap_or_default();
    let first = below.split('/').next().unwrap_or_default();
    if first == "models" {
        return of_models(method, rest);
    }
    if !is_plain(rest) {
        return Lookup::Unknown;
    }
    let fitting = || group_of(first).iter().filter(|row| fits(below_version(row), rest));
    // A path may fit several templates with parameters: the one with the fewest is meant.
    let template = fitting().map(|row| row.template).min_by_key(|template| template.matches('{').count());
    let (found, allowed) = choose(fitting().filter(|row| Some(row.template) == template), method);
    match found {
        Some(endpoint) => Lookup::Forward { endpoint, path: PathParams::of(endpoint.template, rest) },
        None if allowed.any() => Lookup::WrongMethod { allow: allowed.as_str() },
        None if matches!(first, "organization" | "projects") => {
            Lookup::Administration(PathParams::unknown(rest))
        }
        None if versioned => Lookup::Other(PathParams::unknown(rest)),
        None => Lookup::Unknown,
    }
}

/// Of the rows of one path the one for this method, and the methods of all.
fn choose(
    rows: impl Iterator<Item = &'static Endpoint>,
    method: &Method,
) -> (Option<&'static Endpoint>, Allowed) {
    let (mut found, mut allowed) = (None, Allowed::default());
    for endpoint in rows {
        allowed.add(&endpoint.method);
        if endpoint.method == *method {
            found = Some(endpoint);
        }
    }
    (found, allowed)
}

fn below_version(endpoint: &Endpoint) -> &'static str {
    endpoint.template.strip_prefix("/v1").unwrap_or(endpoint.template)
}

/// The gateway's own answers about models, and the one operation on them that is not.
fn of_models(method: &Method, rest: &str) -> Lookup {
    let read = method == Method::GET || method == Method::HEAD;
    match rest.strip_prefix("/models") {
        Some("") if read => Lookup::ListModels,
        Some("") => Lookup::WrongMethod { allow: "GET, HEAD" },
        Some(id) => match id.strip_prefix('/').and_then(decoded) {
            Some(name) if read => Lookup::Model(name),
            Some(_) => match models::ROWS.iter().find(|row| row.method == *method && is_plain(rest)) {
                Some(endpoint) => Lookup::Forward { endpoint, path: PathParams::of(endpoint.template, rest) },
                None => Lookup::WrongMethod { allow: "GET, HEAD, DELETE" },
            },
            None => Lookup::Unknown,
        },
        None => Lookup::Unknown,
    }
}

/// The methods that the rows of one path have.
#[derive(Clone, Copy, Debug, Default)]
struct Allowed {
    get: bool,
    post: bool,
    delete: bool,
}

// === impl Allowed ===

impl Allowed {
    fn add(&mut self, method: &Method) {
        self.get |= method == Method::GET;
        self.post |= method == Method::POST;
        self.delete |= method == Method::DELETE;
    }

    fn any(self) -> bool {
        self.get || self.post || self.delete
    }

    fn as_str(self) -> &'static str {
        match (self.get, self.post, self.delete) {
            (true, true, true) => "GET, POST, DELETE",
            (true, true, false) => "GET, POST",
            (true, false, true) => "GET, DELETE",
            (true, false, false) => "GET",
            (false, true, true) => "POST, DELETE",
            (false, true, false) => "POST",
            (false, false, _) => "DELETE",
        }
    }
}
