//! Every operation of the OpenAI API goes up as it came, and its answer comes back as it was given.

mod answers;

use gateway_tests::{
    Gateway, GatewayBuilder, Received, USER_KEY, Upstream, body, chat, in_order, reset, status,
};
use http::Method;

/// One row per operation of OpenAI's document.
const OPERATIONS: &str = include_str!("../../crates/proxy/src/openai/endpoint/operations.txt");

/// Operations whose JSON may name a model at its top.
const AT_THE_TOP: [&str; 19] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/moderations",
    "/responses",
    "/responses/compact",
    "/responses/input_tokens",
    "/images/generations",
    "/images/edits",
    "/audio/speech",
    "/fine_tuning/jobs",
    "/videos",
    "/realtime/calls/{call_id}/accept",
    "/realtime/sessions",
    "/assistants",
    "/assistants/{assistant_id}",
    "/threads/runs",
    "/threads/{thread_id}/runs",
    "/images/variations",
];

/// Operations whose JSON names one within this member.
const WITHIN: [(&str, &str); 6] = [
    ("/fine_tuning/alpha/graders/run", "grader"),
    ("/fine_tuning/alpha/graders/validate", "grader"),
    ("/evals/{eval_id}/runs", "data_source"),
    ("/realtime/client_secrets", "session"),
    ("/realtime/translations/client_secrets", "session"),
    ("/realtime/transcription_sessions", "input_audio_transcription"),
];

/// Operations that take forms, and nothing else.
const FORMS_ONLY: [&str; 9] = [
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/voice_consents",
    "/audio/voices",
    "/images/variations",
    "/files",
    "/uploads/{upload_id}/parts",
    "/videos/characters",
    "/content_provenance_checks",
];

/// Operations that take forms as well as JSON.
const FORMS_TOO: [&str; 8] = [
    "/images/edits",
    "/videos",
    "/videos/edits",
    "/videos/extensions",
    "/videos/{video_id}/remix",
    "/containers/{container_id}/files",
    "/skills",
    "/skills/{skill_id}/versions",
];

/// Operations whose forms name a model.
const FORMS_WITH_MODEL: [&str; 5] =
    ["/audio/transcriptions", "/audio/translations", "/images/variations", "/images/edits", "/videos"];

const JSON: &str = "{ \"x\" : 1.50,\"model\":\"m\" ,\"grader\":{\"model\": \"m\"},\n\"data_source\":{\"model\":\"m\"},\
    \"session\":{\"model\":\"m\"},\"input_audio_transcription\":{\"model\":\"m\"},\"big\":9007199254740993}";

const FORM: &str = "--Bound.1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
    Content-Type: application/octet-stream\r\n\r\nname=\"model\"\r\n\r\nm\r\n--Bound\r\n--Bound.1\r\n\
    Content-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--Bound.1\r\n\
    Content-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--Bound.1--\r\n";

const ANSWER: &str = "{ \"id\" : \"x_1\",\"object\":\"thing\" ,\"n\":1.50e0,\"error\":null}\n";

/// The model `m` is called `backend` upstream, and the same channel takes what names no model.
fn gateway(up: &Upstream) -> GatewayBuilder {
    Gateway::serving("m", [up]).mapping("m", up, "model", "backend").set("proxy.default_channel", up.name())
}

fn operations() -> impl Iterator<Item = (Method, &'static str)> {
    let lines = OPERATIONS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        (method.parse().expect("a method"), path)
    })
}

fn is_administration(path: &str) -> bool {
    path.starts_with("/organization/") || path.starts_with("/projects/")
}

/// The path with ids in it, and with a model where it has one.
fn filled(template: &str, model: &str) -> String {
    let segment = |segment: &str| match segment {
        "{model}" | "{fine_tuned_model_checkpoint}" => model.to_owned(),
        _ if segment.starts_with('{') => "id-%41%2F.x_1:y".to_owned(),
        _ => segment.to_owned(),
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What a JSON body becomes on its way up.
fn renamed(template: &str) -> String {
    if AT_THE_TOP.contains(&template) {
        return JSON.replacen("\"model\":\"m\"", "\"model\":\"backend\"", 1);
    }
    match WITHIN.iter().find(|(path, _)| *path == template) {
        Some((_, member)) => {
            let (before, after) = JSON.split_once(&format!("\"{member}\":{{")).expect("the member is there");
            format!("{before}\"{member}\":{{{}", after.replacen("\"m\"", "\"backend\"", 1))
        }
        None => JSON.to_owned(),
    }
}

fn check(seen: &Received, method: &Method, target: &str, content_type: Option<&str>, sent: &str) {
    assert_eq!((seen.method(), seen.target()), (method.as_str(), target));
    assert_eq!(String::from_utf8_lossy(&seen.body), sent, "{method} {target}");
    assert_eq!(seen.header("content-type"), content_type, "{method} {target}");
    assert_eq!(seen.header("openai-beta"), Some("assistants=v2"), "{method} {target}");
    assert_eq!(seen.header("x-unheard-of"), Some("1"), "{method} {target}");
}

#[tokio::test]
async fn every_operation_goes_up_as_it_came_and_its_answer_comes_back_as_it_was_given() {
    let up = Upstream::scripted()
        .always(
            body("application/json", ANSWER).header("x-answer", "1").header("openai-version", "2020-10-01"),
        )
        .start()
        .await;
    // With isolation a list is asked for only where its user has something.
    let gw = gateway(&up).set("objects.isolation", "off").start().await;
    let mut carried = 0;
    for (method, operation) in operations().filter(|(_, path)| !is_administration(path)) {
        let (template, query) =
            operation.split_once('?').unwrap_or((operation, "limit=2&after=x%20y&order="));
        if method == Method::GET && template.starts_with("/models") {
            continue;
        }
        let mut bodies = Vec::new();
        if method != Method::POST {
            bodies.push((None, String::new(), String::new()));
        } else if !FORMS_ONLY.contains(&template) || template == "/audio/voice_consents/{consent_id}" {
            bodies.push((Some("application/json; charset=utf-8"), JSON.to_owned(), renamed(template)));
        }
        if method == Method::POST && (FORMS_ONLY.contains(&template) || FORMS_TOO.contains(&template)) {
            let named = FORMS_WITH_MODEL.contains(&template);
            let model_part =
                "name=\"model\"\r\n\r\nm\r\n--Bound.1\r\nContent-Disposition: form-data; name=\"purpose\"";
            let backend = model_part.replace("\r\n\r\nm\r\n", "\r\n\r\nbackend\r\n");
            let up = if named { FORM.replace(model_part, &backend) } else { FORM.to_owned() };
            bodies.push((Some("multipart/form-data; boundary=Bound.1"), FORM.to_owned(), up));
        }
        for (content_type, sent, expected) in bodies {
            let target = format!("/v1{}?{query}", filled(template, "m"));
            let mut call = gw.call(method.clone(), &target).header("openai-beta", "assistants=v2");
            call = call.header("x-unheard-of", "1").body(sent);
            if let Some(content_type) = content_type {
                call = call.header("content-type", content_type);
            }
            let answer = call.send().await;
            assert_eq!(answer.status, 200, "{method} {target}: {}", answer.body_text());
            assert_eq!(answer.body_text(), ANSWER, "{method} {target}");
            assert_eq!((answer.header("x-answer"), answer.header("openai-version")), ("1", "2020-10-01"));
            let target = format!("/v1{}?{query}", filled(template, "backend"));
            check(up.requests().last().expect("a request"), &method, &target, content_type, &expected);
            carried += 1;
        }
    }
    assert_eq!(carried, 160 + 7 + FORMS_TOO.len(), "operations, twins, and those with two kinds of bodies");
    let endpoints: Vec<String> = gw
        .get("/metrics")
        .send()
        .await
        .body_text()
        .lines()
        .filter(|line| line.starts_with("gateway_requests_total"))
        .map(str::to_owned)
        .collect();
    assert!(endpoints.iter().any(|line| line.contains("endpoint=\"/v1/threads/{thread_id}/runs/{run_id}\"")));
    assert!(!endpoints.iter().any(|line| line.contains("x_1")), "{endpoints:?}");
}

#[tokio::test]
async fn a_post_without_a_body_goes_up_without_one() {
    let up = Upstream::scripted().always(body("application/json", ANSWER)).start().await;
    let gw = gateway(&up).start().await;
    for path in ["/v1/batches/b/cancel", "/v1/uploads/u/cancel", "/v1/threads", "/v1/realtime/calls/c/hangup"]
    {
        let answer = gw.call(Method::POST, path).send().await;
        assert_eq!(answer.body_text(), ANSWER, "{path}");
        assert_eq!(up.requests().last().map(|seen| seen.body.len()), Some(0));
    }
    let answer =
        gw.call(Method::POST, "/v1/chat/completions").header("content-type", "application/json").send().await;
    answer.assert_error(400, "invalid_json");
}

#[tokio::test]
async fn bodies_of_another_type_are_refused_with_the_right_ones_named() {
    let up = Upstream::scripted().start().await;
    let gw = gateway(&up).start().await;
    for (path, content_type, wanted) in [
        ("/v1/files", "application/json", "multipart/form-data"),
        ("/v1/batches", "multipart/form-data; boundary=x", "application/json"),
        ("/v1/images/edits", "text/plain", "multipart/form-data"),
    ] {
        let answer = gw.post(path, "{}").header("content-type", content_type).send().await;
        answer.assert_error(415, "unsupported_content_type");
        assert!(answer.body_text().contains(wanted), "{}", answer.body_text());
    }
    assert_eq!(up.count(), 0);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let up = Upstream::scripted().start().await;
    let gw = gateway(&up).start().await;
    for (method, path, allow) in [
        (Method::PUT, "/v1/files/file-1", "GET, DELETE"),
        (Method::DELETE, "/v1/responses", "GET, POST"),
        // What can be had there by GET is a WebSocket, and that was not asked for.
        (Method::GET, "/v1/responses", "POST"),
        (Method::POST, "/v1/models/m", "GET, HEAD, DELETE"),
    ] {
        let answer = gw.call(method, path).send().await;
        answer.assert_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn a_model_in_a_query_or_a_path_chooses_the_channel_and_is_renamed_there() {
    let (up, other) = (Upstream::scripted().start().await, Upstream::scripted().start().await);
    for upstream in [&up, &other] {
        upstream.set_always(body("application/json", ANSWER));
    }
    let gw =
        gateway(&up).model("a/b", in_order([&other])).mapping("a/b", &other, "model", "x/y z").start().await;

    let sdp =
        gw.call(Method::POST, "/v1/realtime/calls?x=1&model=a%2Fb").header("content-type", "application/sdp");
    assert_eq!(sdp.body("v=0").send().await.status, 200);
    assert_eq!(other.only_request().target(), "/v1/realtime/calls?x=1&model=x%2Fy%20z");
    assert_eq!(other.only_request().body, "v=0");
    assert_eq!(gw.call(Method::DELETE, "/v1/models/a/b").send().await.status, 200);
    assert_eq!(other.requests()[1].target(), "/v1/models/x%2Fy%20z");
    // A model that no mapping knows was made at the default channel.
    assert_eq!(gw.call(Method::DELETE, "/v1/models/ft:gpt:o::1").send().await.status, 200);
    assert_eq!(up.only_request().target(), "/v1/models/ft:gpt:o::1");
}

// --- administration ---

#[tokio::test]
async fn administration_is_refused_unless_a_channel_is_named_for_it() {
    let (up, admin) = (Upstream::scripted().start().await, Upstream::scripted().start().await);
    admin.set_always(body("application/json", ANSWER));
    let gw = gateway(&up).model("n", in_order([&admin])).user("narrow", "sk-canaryuser-narrow-0001");
    let gw = gw
        .config(|toml| {
            let user = toml["users"][1].as_table_mut().expect("a table");
            user.insert("models".to_owned(), toml::Value::Array(vec!["m".into()]));
        })
        .start()
        .await;
    let (mut refused, mut carried) = (0, 0);
    for (method, template) in operations().filter(|(_, path)| is_administration(path)) {
        let answer = gw.call(method, &format!("/v1{}", filled(template, "m"))).send().await;
        answer.assert_error(403, "administration_not_routed");
        assert_eq!(answer.error().expect("an error").kind, "permission_error");
        refused += 1;
    }
    gw.get("/v1/organization/costs").no_key().send().await.assert_error(401, "invalid_api_key");

    gw.set("proxy.administration_channel", admin.name());
    gateway_tests::until("the setting is in force", async || {
        (gw.get("/v1/organization/costs").send().await.status == 200).then_some(())
    })
    .await;
    for (method, template) in operations().filter(|(_, path)| is_administration(path)) {
        let target = format!("/v1{}?after=x", filled(template, "m"));
        let answer = gw.call(method.clone(), &target).header("content-type", "application/json").body(JSON);
        assert_eq!(answer.send().await.body_text(), ANSWER, "{method} {target}");
        let seen = admin.requests().pop().expect("a request");
        assert_eq!((seen.method(), seen.target(), &*seen.body), (method.as_str(), &*target, JSON.as_bytes()));
        carried += 1;
    }
    assert_eq!((refused, carried, up.count()), (119, 119, 0));
    let narrow = gw.get("/v1/organization/costs").key("sk-canaryuser-narrow-0001").send().await;
    narrow.assert_error(403, "administration_not_routed");
}

#[tokio::test]
async fn a_key_without_rights_beside_models_does_not_take_its_channel_out() {
    let up =
        Upstream::answering(
            |seen| if seen.target().starts_with("/v1/chat") { chat("ok") } else { status(403) },
        )
        .start()
        .await;
    let gw = gateway(&up).set("health_check.unhealthy_after", 1).start().await;
    for _ in 0..5 {
        gw.get("/v1/files/file-1").send().await.assert_error(502, "upstream_auth_error");
    }
    gw.chat("m").say("hi").send().await.assert_text("ok");
}

// --- unknown paths ---

#[tokio::test]
async fn unknown_paths_are_refused_unless_they_may_pass() {
    let (up, other) = (Upstream::scripted().start().await, Upstream::scripted().start().await);
    for upstream in [&up, &other] {
        upstream.set_always(body("text/plain", "whatever"));
    }
    let builder =
        |up: &Upstream| gateway(up).model("n", in_order([&other])).mapping("n", &other, "model", "n2");
    let strict = builder(&up).start().await;
    strict.get("/v1/of/tomorrow").send().await.assert_error(404, "unknown_url");

    let gw = builder(&up).set("proxy.unknown_paths", "pass").start().await;
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = gw.call(method.clone(), "/v1/of/tomorrow%20?x=1").send().await;
        assert_eq!((answer.status, &*answer.body_text()), (200, "whatever"), "{method}");
        let seen = up.requests().pop().expect("a request");
        assert_eq!((seen.method(), seen.target()), (method.as_str(), "/v1/of/tomorrow%20?x=1"));
    }
    let answer = gw.post("/v1/rerank", "{\"model\":\"n\" ,\"x\":[]}").send().await;
    assert_eq!(answer.body_text(), "whatever");
    assert_eq!(other.only_request().body, "{\"model\":\"n2\" ,\"x\":[]}");
    let raw =
        gw.call(Method::POST, "/v1/rerank").header("content-type", "application/x-thing").body("not JSON");
    assert_eq!(raw.send().await.status, 200);
    assert_eq!(up.requests().pop().expect("a request").body, "not JSON");
    let before = up.count() + other.count();
    for path in
        ["/v1/of/../files", "/v1/of//x", "/v1/of/%2e%2E/x", "/of/tomorrow", "/v1/x/..%2f..%2fy", "/v1/"]
    {
        gw.get(path).send().await.assert_error(404, "unknown_url");
    }
    gw.post("/v1/rerank", "{\"model\":\"unheard-of\"}").send().await.assert_error(404, "model_not_found");
    assert_eq!(up.count() + other.count(), before);
    let metrics = gw.get("/metrics").send().await.body_text();
    assert!(!metrics.contains("tomorrow") && metrics.contains("endpoint=\"other\""));
}

// --- twice ---

#[tokio::test]
async fn what_leaves_something_behind_is_not_done_again_once_it_may_have_been_done() {
    let (up, other) = (Upstream::scripted().start().await, Upstream::scripted().start().await);
    up.set_always(reset());
    other.set_always(body("application/json", ANSWER));
    for path in ["/v1/fine_tuning/jobs", "/v1/assistants", "/v1/threads/runs", "/v1/videos"] {
        // A gateway of its own for each: after a few failures the channel would not be asked any more.
        let gw = Gateway::serving_weighted("m", in_order([&up, &other])).start().await;
        let answer = gw.post(path, "{\"model\":\"m\"}").send().await;
        answer.assert_error(502, "upstream_closed");
        assert_eq!((answer.attempts(), other.count()), (1, 0), "{path}");
    }
    let gw = Gateway::serving_weighted("m", in_order([&up, &other])).start().await;
    let answer = gw.post("/v1/embeddings", "{\"model\":\"m\"}").send().await;
    assert_eq!((answer.status, answer.attempts()), (200, 2));
}

#[tokio::test]
async fn the_key_of_the_client_stays_behind_everywhere() {
    let up = Upstream::scripted().always(body("application/json", ANSWER)).start().await;
    let gw = gateway(&up).set("objects.isolation", "off").start().await;
    let answer =
        gw.get(&format!("/v1/files?limit=1&key={USER_KEY}")).header("x-goog-api-key", USER_KEY).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(up.only_request().target(), "/v1/files?limit=1");
    assert_eq!(up.complaints(), Vec::<String>::new());
}
