use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::path::is_plain;
use super::*;

/// Every operation of OpenAI's document, as method and path below `/v1`, those of the same path counted once.
fn documented() -> BTreeSet<(&'static str, &'static str)> {
    include_str!("operations.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a method and a path"))
        .map(|(method, path)| (method, path.strip_suffix("?beta=true").unwrap_or(path)))
        .collect()
}

/// WebSockets, of which OpenAI tells in its guides: its document has none.
const SOCKETS: [(&str, &str); 2] = [("GET", "/realtime"), ("GET", "/responses")];

fn is_administration(path: &str) -> bool {
    path.starts_with("/organization/") || path.starts_with("/projects/")
}

/// A path for a template: what its parameters are is no matter.
fn filled(template: &str) -> String {
    let filled = |segment: &str| if segment.starts_with('{') { "x_1".to_owned() } else { segment.to_owned() };
    template.split('/').map(filled).collect::<Vec<_>>().join("/")
}

fn method(name: &str) -> Method {
    name.parse().expect("a method")
}

#[test]
fn every_operation_of_the_document_is_a_row_or_administration_or_the_gateways_own() {
    let (mut rows, mut administration, mut own) = (0, 0, 0);
    for (name, template) in documented() {
        let found = lookup(&method(name), &format!("/v1{}", filled(template)));
        match &found {
            Lookup::Forward { endpoint, path } => {
                assert_eq!((endpoint.method.as_str(), endpoint.template), (name, &*format!("/v1{template}")));
                assert_eq!(path.as_str(), filled(template));
                rows += 1;
            }
            Lookup::Administration(_) => {
                assert!(is_administration(template), "{name} {template}");
                administration += 1;
            }
            Lookup::ListModels | Lookup::Model(_) => own += 1,
            Lookup::WrongMethod { .. } | Lookup::Other(_) | Lookup::Unknown => {
                panic!("{name} {template}: {found:?}")
            }
        }
    }
    assert_eq!((rows, administration, own), (160, 119, 2));
}

#[test]
fn no_row_is_twice_there_or_unknown_to_the_document() {
    let mut documented = documented();
    for socket in SOCKETS {
        assert!(documented.insert(socket), "{socket:?} is in the document by now: hold it against that");
    }
    let mut seen = BTreeSet::new();
    for row in endpoints() {
        let operation = (row.method.as_str(), row.template.strip_prefix("/v1").expect("a version"));
        assert!(documented.contains(&operation), "{operation:?}");
        assert_eq!(row.gives == Gives::Socket, SOCKETS.contains(&operation), "{operation:?}");
        assert!(seen.insert(operation), "{operation:?}");
    }
}

#[test]
fn rows_are_found_without_the_version_too() {
    for row in endpoints() {
        let path = filled(row.template);
        let below = path.strip_prefix("/v1").expect("a version");
        assert_eq!(lookup(&row.method, below), lookup(&row.method, &path));
    }
}

#[test]
fn the_names_of_a_row_are_parameters_of_its_path() {
    for row in endpoints() {
        for (name, _) in row.names {
            let in_path = row.template.contains(&format!("{{{name}}}"));
            assert!(in_path || row.gives == Gives::Socket, "{} {name}", row.template);
        }
        let has_model = matches!(row.model, ModelAt::Path);
        assert_eq!(has_model, row.names.iter().any(|(_, kind)| *kind == ObjectKind::FineTunedModel));
    }
}

#[test]
fn what_leaves_something_behind_is_never_done_twice_and_what_reads_always_may_be() {
    for row in endpoints() {
        match row.method.as_str() {
            "GET" | "DELETE" => assert!(row.repeatable, "{}", row.template),
            _ if row.asks() => assert!(row.repeatable, "{}", row.template),
            _ if row.makes.is_some() => assert!(!row.repeatable, "{}", row.template),
            _ => {}
        }
    }
    let others: Vec<_> = endpoints()
        .filter(|row| row.method == Method::POST && row.repeatable && !row.asks())
        .map(|row| row.template)
        .collect();
    assert_eq!(
        others,
        [
            "/v1/content_provenance_checks",
            "/v1/fine_tuning/alpha/graders/run",
            "/v1/fine_tuning/alpha/graders/validate",
            "/v1/vector_stores/{vector_store_id}/search",
        ]
    );
}

#[test]
fn every_object_is_made_listed_or_named_and_has_a_word_of_its_own() {
    let words: BTreeSet<_> = ObjectKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), ObjectKind::ALL.len());
    for kind in ObjectKind::ALL {
        let known = endpoints().any(|row| {
            row.makes == Some(kind) || row.lists == Some(kind) || row.names.iter().any(|(_, of)| *of == kind)
        });
        assert!(known, "{kind:?}");
    }
}

#[test]
fn only_responses_speak_the_dialect_of_responses() {
    for row in endpoints() {
        let responses = row.ends == StreamEnd::Response;
        assert_eq!(row.dialect == StreamDialect::Responses, responses, "{}", row.template);
    }
}

#[test]
fn parameters_are_found_by_name_as_they_came() {
    let found = lookup(&Method::GET, "/v1/vector_stores/vs_1/files/file-%41%2Fb");
    let Lookup::Forward { path, .. } = found else { panic!("{found:?}") };
    assert_eq!(path.get("vector_store_id"), Some("vs_1"));
    assert_eq!(path.get("file_id"), Some("file-%41%2Fb"));
    assert_eq!(path.get("batch_id"), None);
    let found = lookup(&Method::DELETE, "/v1/models/ft:org/name");
    let Lookup::Forward { path, .. } = found else { panic!("{found:?}") };
    assert_eq!(path.get("model"), Some("ft:org/name"));
}

#[test]
fn words_of_a_path_are_no_ids() {
    let template = |method: Method, path: &str| {
        let Lookup::Forward { endpoint, .. } = lookup(&method, path) else { panic!("{method} {path}") };
        endpoint.template
    };
    assert_eq!(template(Method::POST, "/v1/responses/compact"), "/v1/responses/compact");
    assert_eq!(template(Method::POST, "/v1/threads/runs"), "/v1/threads/runs");
    assert_eq!(template(Method::POST, "/v1/threads/t"), "/v1/threads/{thread_id}");
    assert_eq!(lookup(&Method::GET, "/v1/videos/edits"), Lookup::WrongMethod { allow: "POST" });
}

#[test]
fn models_are_listed_and_shown() {
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(lookup(&method, "/v1/models"), Lookup::ListModels);
        assert_eq!(lookup(&method, "/models"), Lookup::ListModels);
    }
    for (path, id) in [
        ("/v1/models/gpt-4o", "gpt-4o"),
        ("/models/gpt-4o", "gpt-4o"),
        ("/v1/models/meta-llama/Llama-3", "meta-llama/Llama-3"),
        ("/v1/models/meta-llama%2FLlama-3", "meta-llama/Llama-3"),
        ("/v1/models/ft:gpt%3A%C3%A9%20x", "ft:gpt:é x"),
        ("/v1/models/..", ".."),
    ] {
        assert_eq!(lookup(&Method::GET, path), Lookup::Model(id.to_owned()), "{path}");
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    for (method, path, allow) in [
        (Method::PUT, "/v1/chat/completions", "GET, POST"),
        (Method::OPTIONS, "/embeddings", "POST"),
        (Method::POST, "/v1/models", "GET, HEAD"),
        (Method::POST, "/v1/models/m", "GET, HEAD, DELETE"),
        (Method::PATCH, "/v1/vector_stores/vs_1", "GET, POST, DELETE"),
        (Method::POST, "/v1/files/file-1", "GET, DELETE"),
        (Method::HEAD, "/v1/files/file-1/content", "GET"),
    ] {
        assert_eq!(lookup(&method, path), Lookup::WrongMethod { allow }, "{method} {path}");
    }
    assert_eq!(lookup(&Method::DELETE, "/v1/models/.."), Lookup::WrongMethod { allow: "GET, HEAD, DELETE" });
}

#[test]
fn administration_is_told_by_its_first_word() {
    for path in ["/v1/organization/costs", "/v1/projects/p/roles", "/organization/of/tomorrow"] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PATCH] {
            assert!(matches!(lookup(&method, path), Lookup::Administration(_)), "{method} {path}");
        }
    }
    assert!(matches!(lookup(&Method::GET, "/v1/organizations/x"), Lookup::Other(_)));
}

#[test]
fn what_no_row_knows_may_be_passed_on_only_where_it_means_one_thing() {
    for path in ["/v1/v1/models", "/v1/chat", "/v1/modelsx", "/v1/files/a/b", "/v1/..x/y..z", "/v1/a%20b"] {
        assert!(matches!(lookup(&Method::GET, path), Lookup::Other(_)), "{path}");
    }
    for path in [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v2/chat/completions",
        "/v1/chat/completions/",
        "/v1chat/completions",
        "/v1//models",
        "/v1/models/",
        "/v1/models/%",
        "/v1/models/%f",
        "/v1/models/%zz",
        "/v1/models/%ff",
        "/V1/models",
        "/v1/chat/completions/../models",
        "/v1/files/..",
        "/v1/files/%2E%2e",
        "/v1/files/..%2f..%2Forganization",
        "/v1/files/..\\organization",
        "/v1/files/.%5c..%5Cx",
        "/v1/organization/../files",
        "/v1/./files",
    ] {
        assert_eq!(lookup(&Method::GET, path), Lookup::Unknown, "{path}");
        assert_eq!(lookup(&Method::POST, path), Lookup::Unknown, "{path}");
    }
}

/// `GATEWAY_UPDATE_DOCS=1 cargo test -p gateway-proxy the_page` writes it anew.
#[test]
fn the_page_of_the_endpoints_is_the_table() {
    let mut page = String::from(
        "# Endpoints\n\nEvery operation of OpenAI's API that is carried to a channel; `GET /v1/models` and \
         `GET /v1/models/{model}` are answered by the gateway. What names no model goes to the channel of the objects it \
         names, or to `proxy.default_channel`; lists show each user's own objects of all channels \
         ([more](../operations/objects.md)). `/v1/organization` and `/v1/projects` are refused unless \
         `proxy.administration_channel` names a channel for them; any other path below `/v1` is refused unless \
         `proxy.unknown_paths` is `pass`. *Repeated* calls may go to another channel although the first may have \
         carried them out.\n\n| method | path | model | takes | gives | repeated |\n|---|---|---|---|---|---|\n",
    );
    for row in endpoints() {
        let model = match row.model {
            ModelAt::Body { required: true } => "body, required".to_owned(),
            ModelAt::Body { required: false } => "body".to_owned(),
            ModelAt::Query => "query".to_owned(),
            ModelAt::Path => "path".to_owned(),
            ModelAt::Nested(members) => format!("`{}`", members.join(".")),
            ModelAt::Nowhere => "–".to_owned(),
        };
        let takes = match row.takes {
            Takes::Nothing => "–",
            Takes::Json => "JSON",
            Takes::Multipart => "form",
            Takes::JsonOrMultipart => "JSON or form",
            Takes::Anything => "anything",
        };
        let gives = match row.gives {
            Gives::Json => "JSON",
            Gives::Events => "JSON, events",
            Gives::Little => "JSON, nothing",
            Gives::Media => "sound or text, JSON, events",
            Gives::Bytes => "bytes",
            Gives::Socket => "WebSocket",
        };
        let repeated = if row.repeatable { "yes" } else { "no" };
        let (method, path) = (&row.method, row.template);
        writeln!(page, "| {method} | `{path}` | {model} | {takes} | {gives} | {repeated} |")
            .expect("a string grows");
    }
    let kept_at = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/endpoints.md");
    if std::env::var_os("GATEWAY_UPDATE_DOCS").is_some() {
        std::fs::write(kept_at, &page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(kept_at).unwrap_or_default();
    assert!(
        kept == page,
        "docs/reference/endpoints.md is not the table: write it anew and look at the difference"
    );
}

proptest! {
    #[test]
    fn no_path_makes_it_panic(path in "(/v1)?/?(models/?|files/|videos/)?[%0-9a-fA-F/éx.]{0,12}") {
        drop(lookup(&Method::GET, &path));
    }

    #[test]
    fn what_goes_up_is_what_came(id in "[-._~a-zA-Z0-9%:@!$&'()*+,;=]{1,30}") {
        let path = format!("/v1/files/{id}/content");
        if let Lookup::Forward { path, .. } = lookup(&Method::GET, &path) {
            prop_assert_eq!(path.as_str(), format!("/files/{id}/content"));
            prop_assert_eq!(path.get("file_id"), Some(&*id));
        } else {
            prop_assert!(!is_plain(&path));
        }
    }
}
