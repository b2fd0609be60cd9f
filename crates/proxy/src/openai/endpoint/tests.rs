use proptest::prelude::*;

use super::*;

fn template(method: &Method, path: &str) -> Option<&'static str> {
    match lookup(method, path) {
        Lookup::Forward(endpoint) => Some(endpoint.template),
        Lookup::ListModels | Lookup::Model(_) | Lookup::WrongMethod { .. } | Lookup::Unknown => None,
    }
}

#[test]
fn every_endpoint_is_found_with_and_without_the_version() {
    for endpoint in &ENDPOINTS {
        assert_eq!(endpoint.template, format!("/v1{}", endpoint.upstream_path));
        assert_eq!(template(&Method::POST, endpoint.template), Some(endpoint.template));
        assert_eq!(template(&Method::POST, endpoint.upstream_path), Some(endpoint.template));
    }
}

#[test]
fn moderations_and_images_do_without_a_model() {
    let optional: Vec<_> =
        ENDPOINTS.iter().filter(|endpoint| endpoint.model == ModelRule::Optional).map(|e| e.kind).collect();
    assert_eq!(optional, [EndpointKind::Moderations, EndpointKind::ImageGenerations]);
}

#[test]
fn only_responses_speak_the_dialect_of_responses() {
    for endpoint in &ENDPOINTS {
        let responses = endpoint.kind == EndpointKind::Responses;
        assert_eq!(endpoint.dialect == StreamDialect::Responses, responses, "{}", endpoint.template);
    }
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
fn a_wrong_method_names_the_right_one() {
    assert_eq!(lookup(&Method::GET, "/v1/chat/completions"), Lookup::WrongMethod { allow: "POST" });
    assert_eq!(lookup(&Method::OPTIONS, "/embeddings"), Lookup::WrongMethod { allow: "POST" });
    assert_eq!(lookup(&Method::POST, "/v1/models"), Lookup::WrongMethod { allow: "GET, HEAD" });
    assert_eq!(lookup(&Method::DELETE, "/v1/models/m"), Lookup::WrongMethod { allow: "GET, HEAD" });
}

#[test]
fn everything_else_is_unknown() {
    for path in [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v2/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat",
        "/v1chat/completions",
        "/v1/v1/models",
        "/v1//models",
        "/v1/models/",
        "/v1/models/%",
        "/v1/models/%f",
        "/v1/models/%zz",
        "/v1/models/%ff",
        "/v1/modelsx",
        "/V1/models",
        "/v1/chat/completions/../models",
    ] {
        assert_eq!(lookup(&Method::GET, path), Lookup::Unknown, "{path}");
        assert_eq!(lookup(&Method::POST, path), Lookup::Unknown, "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_makes_it_panic(path in "(/v1)?/?(models/?)?[%0-9a-fA-F/éx]{0,12}") {
        drop(lookup(&Method::GET, &path));
    }
}
