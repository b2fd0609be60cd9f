//! Which objects a call names, in its path and in its body.

use std::borrow::Cow;

use http::Method;

use super::named::ids_in;
use super::references::references_in;
use crate::openai::{Endpoint, EndpointKind, Gives, ObjectKind, PathParams, Takes, uri};

/// The objects that a call names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named<'c> {
    /// Those that say where the call belongs.
    pub ids: Vec<Cow<'c, str>>,
    /// Those that are part of another one, such as the items of a conversation, or that may be the upstream's own, such
    /// as its skills. Not every one of them is recorded, so one that is not known means nothing.
    pub parts: Vec<Cow<'c, str>>,
    /// The model, where it may be one that somebody has trained.
    pub model: Option<Cow<'c, str>>,
    /// Models that are named elsewhere than at the top of the body: of graders, tools, transcriptions.
    pub models: Vec<Cow<'c, str>>,
}

/// The objects that the path, a socket's query, a JSON body and the fields of a form name. Of the body is known whether
/// it may name any.
pub(crate) fn named_by<'c>(
    endpoint: &Endpoint,
    path: &'c PathParams,
    query: Option<&'c str>,
    (body, names_objects): (&'c [u8], bool),
    form: &'c [String],
) -> Named<'c> {
    let mut named = Named::default();
    let query = query.filter(|_| endpoint.gives == Gives::Socket);
    for (at, (name, kind)) in endpoint.names.iter().enumerate() {
        let in_query = || query.and_then(|query| query.get(uri::in_query(query, name)?));
        let Some(id) = path.get(name).or_else(in_query).and_then(decoded) else { continue };
        // The name of a model: models have routes of their own.
        if *kind == ObjectKind::FineTunedModel {
            continue;
        }
        // A file stands in vector stores by itself; whatever else comes second is part of what comes first.
        if at == 0 || *kind == ObjectKind::File {
            named.ids.push(id);
        } else {
            named.parts.push(id);
        }
    }
    if endpoint.takes != Takes::Nothing && body.trim_ascii_start().first() == Some(&b'{') {
        if names_objects {
            ids_in(body, &mut named);
        }
        if may_refer(endpoint) {
            references_in(body, &mut named);
        }
    }
    named.ids.extend(form.iter().map(|id| Cow::Borrowed(&**id)));
    named
}

/// Whether a call may refer to pieces of responses.
fn may_refer(endpoint: &Endpoint) -> bool {
    use EndpointKind::{Compact, Conversations, InputTokens, Responses};
    matches!(endpoint.kind, Compact | Conversations | InputTokens | Responses)
}

// === impl Named ===

impl Named<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.parts.is_empty() && self.model.is_none()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().chain(&self.parts).chain(&self.model).map(|id| &**id)
    }
}

/// What is no more once this call has been answered well.
pub(crate) fn deleted_by<'p>(endpoint: &Endpoint, path: &'p PathParams) -> Option<Cow<'p, str>> {
    if endpoint.method != Method::DELETE {
        return None;
    }
    match endpoint.names {
        // It is taken out of a vector store, and stays a file.
        [_, .., (_, ObjectKind::File)] | [] => None,
        // What stands behind an object is deleted, a version or a permission, and the object stays.
        [.., (name, _)] if !endpoint.template.ends_with(&format!("{{{name}}}")) => None,
        [.., (name, _)] => path.get(name).and_then(decoded),
    }
}

/// An id without its percent-encoding, as the upstream will read it: `file%2D1` must not pass for another id than
/// `file-1`. `None` when nothing is left.
fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return (!segment.is_empty()).then_some(Cow::Borrowed(segment));
    }
    let bytes = segment.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = (*byte == b'%').then(|| segment.get(at + 1..at + 3)).flatten();
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let meant = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(meant.unwrap_or(*byte));
        at += if meant.is_some() { 3 } else { 1 };
    }
    Some(Cow::Owned(String::from_utf8_lossy(&plain).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::{Lookup, lookup};

    fn found(method: &Method, path: &str) -> (&'static Endpoint, PathParams) {
        let Lookup::Forward { endpoint, path } = lookup(method, path) else { panic!("{method} {path}") };
        (endpoint, path)
    }

    fn named(method: &Method, path: &str, body: &str) -> (Vec<String>, Vec<String>) {
        let (endpoint, path) = found(method, path);
        let query = Some("call_id=rtc_1");
        let Named { ids, parts, .. } = named_by(endpoint, &path, query, (body.as_bytes(), true), &[]);
        let owned = |list: Vec<Cow<'_, str>>| list.into_iter().map(Cow::into_owned).collect();
        (owned(ids), owned(parts))
    }

    fn ids(list: &[&str]) -> Vec<String> {
        list.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_path_names_what_its_parameters_say() {
        let rows: [(&str, &[&str], &[&str]); 6] = [
            ("/v1/files/file-1/content", &["file-1"], &[]),
            ("/v1/files/file%2d1", &["file-1"], &[]),
            ("/v1/conversations/conv_1/items/msg_1", &["conv_1"], &["msg_1"]),
            ("/v1/vector_stores/vs_1/files/file-1", &["vs_1", "file-1"], &[]),
            ("/v1/containers/cntr_1/files/cfile_1", &["cntr_1"], &["cfile_1"]),
            ("/v1/files", &[], &[]),
        ];
        for (path, whole, parts) in rows {
            assert_eq!(named(&Method::GET, path, ""), (ids(whole), ids(parts)), "{path}");
        }
    }

    #[test]
    fn the_query_of_a_socket_names_its_call_and_no_other_query_does() {
        assert_eq!(named(&Method::GET, "/v1/realtime", "").0, ids(&["rtc_1"]));
        assert_eq!(named(&Method::GET, "/v1/responses", "").0, ids(&[]));
        assert_eq!(named(&Method::GET, "/v1/files/file-1", "").0, ids(&["file-1"]));
    }

    #[test]
    fn a_body_names_more_than_its_path() {
        let body = r#"{"assistant_id":"asst_1"}"#;
        let path = "/v1/threads/thread_1/runs";
        assert_eq!(named(&Method::POST, path, body).0, ids(&["thread_1", "asst_1"]));
        assert_eq!(named(&Method::POST, "/v1/responses", "--boundary").0, ids(&[]));
    }

    #[test]
    fn the_fields_of_a_form_name_objects_too() {
        let (endpoint, path) = found(&Method::POST, "/v1/containers/cntr_1/files");
        let form = ["file-1".to_owned()];
        assert_eq!(named_by(endpoint, &path, None, (b"", true), &form).ids, ["cntr_1", "file-1"]);
    }

    #[test]
    fn a_deletion_ends_what_stands_last_in_its_path_but_for_a_file_that_is_only_taken_out() {
        let deleted = |path| {
            let (endpoint, path) = found(&Method::DELETE, path);
            deleted_by(endpoint, &path).map(Cow::into_owned)
        };
        assert_eq!(deleted("/v1/files/file-1").as_deref(), Some("file-1"));
        assert_eq!(deleted("/v1/containers/cntr_1/files/cfile_1").as_deref(), Some("cfile_1"));
        assert_eq!(deleted("/v1/vector_stores/vs_1/files/file-1"), None);
        assert_eq!(deleted("/v1/skills/skill_1").as_deref(), Some("skill_1"));
        assert_eq!(deleted("/v1/skills/skill_1/versions/2"), None);
        assert_eq!(deleted("/v1/models/ft:m%3Ax").as_deref(), Some("ft:m:x"));
        assert_eq!(deleted("/v1/fine_tuning/checkpoints/ft:m/permissions/cp_1"), None);
        let (endpoint, path) = found(&Method::GET, "/v1/files/file-1");
        assert_eq!(deleted_by(endpoint, &path), None);
    }
}
