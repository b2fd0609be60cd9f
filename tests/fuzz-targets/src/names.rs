//! Paths and queries.

use gateway_proxy::openai::{Lookup, ObjectKind, lookup, uri};
use http::Method;

/// Looking a path up always ends, and what it names stands in it.
pub(crate) fn a_path_leads_to_one_row(path: &[u8]) {
    let Ok(path) = std::str::from_utf8(path) else { return };
    for method in [Method::GET, Method::POST, Method::DELETE] {
        match lookup(&method, path) {
            Lookup::Forward { endpoint, path: params } => {
                assert_eq!(endpoint.method, method);
                // A row may also name what stands in the query.
                let in_path = |name: &str| endpoint.template.contains(&format!("{{{name}}}"));
                for (name, kind) in endpoint.names.iter().filter(|(name, _)| in_path(name)) {
                    let value = params.place_of(name).and_then(|span| params.as_str().get(span));
                    // Names of models are the only ones that hold slashes.
                    let fits = |value: &str| *kind == ObjectKind::FineTunedModel || !value.contains('/');
                    assert!(value.is_some_and(|value| !value.is_empty() && fits(value)), "{name}");
                }
                assert!(path.ends_with(params.as_str()), "{:?} of {path:?}", params.as_str());
            }
            Lookup::Administration(params) | Lookup::Other(params) => {
                assert!(path.ends_with(params.as_str()), "{:?} of {path:?}", params.as_str());
            }
            Lookup::Model(name) => assert!(!name.is_empty()),
            Lookup::ListModels | Lookup::WrongMethod { .. } | Lookup::Unknown => {}
        }
    }
}

/// A name that is put into a query is read there again, and nothing else is changed.
pub(crate) fn a_name_survives_being_written_and_read(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let _decoded = uri::decoded(text);
    if !text.is_empty() {
        let encoded = uri::encoded(text);
        assert!(!encoded.contains(['/', '?', '#', '&', '=', ' ']), "{encoded}");
        assert_eq!(uri::decoded(&encoded).as_deref(), Some(text));
    }
    if let Some(span) = uri::in_query(text, "model") {
        let changed = uri::with(text, span.clone(), "other");
        assert_eq!(uri::in_query(&changed, "model"), Some(span.start..span.start + 5));
        assert!(changed.starts_with(&text[..span.start]) && changed.ends_with(&text[span.end..]));
    }
}
