//! What was made at one channel is used there, and by whoever made it.

mod account;
mod limits;
mod lists;
mod trained;

use gateway_tests::{Answer, Gateway, Upstream, body, json_body, status, until};
use http::Method;
use serde_json::{Value, json};

use account::{account, account_of};

const OTHER_KEY: &str = "sk-canaryuser-the-other-tenant";

/// The id of the response in an answer, streamed or not.
fn made(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let found = match answer.events().first() {
        Some(event) => event["response"]["id"].clone(),
        None => answer.json()["id"].clone(),
    };
    found.as_str().expect("an answer names what it made").to_owned()
}

/// Makes a response in a conversation of its own.
async fn respond(gw: &Gateway, conversation: u32, stream: bool) -> String {
    let cache_key = format!("conversation-{conversation}");
    let asked = json!({"model": "m", "input": "hi", "prompt_cache_key": cache_key, "stream": stream});
    made(&gw.post("/v1/responses", asked.to_string()).send().await)
}

async fn go_on(gw: &Gateway, from: &str, key: &str) -> Answer {
    // Another conversation by its name, so that nothing but the id says where it belongs.
    let asked =
        json!({"model": "m", "input": "and?", "previous_response_id": from, "prompt_cache_key": "other"});
    gw.post("/v1/responses", asked.to_string()).key(key).send().await
}

#[tokio::test]
async fn a_response_is_continued_where_it_was_made_also_after_a_restart() {
    let (one, other) = (account("one").await, account("other").await);
    let mut gw = Gateway::serving("m", [&one, &other]).start().await;
    let mut responses = Vec::new();
    for conversation in 0..24 {
        responses.push(respond(&gw, conversation, conversation % 2 == 0).await);
    }
    for tag in ["one", "other"] {
        assert!(responses.iter().any(|id| account_of(id) == tag), "{responses:?}: both accounts made some");
    }
    for round in 0..2 {
        let mut continued = Vec::new();
        for id in &responses {
            let next = made(&go_on(&gw, id, gateway_tests::USER_KEY).await);
            assert_eq!(account_of(&next), account_of(id), "round {round}: {id} was continued as {next}");
            continued.push(next);
        }
        responses = continued;
        gw.restart().await;
    }
}

#[tokio::test]
async fn another_users_response_looks_like_one_that_never_was() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one])
        .user("tenant", OTHER_KEY)
        .set("objects.unknown_ids", "refuse")
        .start()
        .await;
    let id = respond(&gw, 0, false).await;
    let foreign = go_on(&gw, &id, OTHER_KEY).await;
    let nobodys = go_on(&gw, "responses_one_99", OTHER_KEY).await;
    foreign.assert_error(404, "object_not_found");
    assert_eq!(foreign.body_text().replace(&id, "responses_one_99"), nobodys.body_text());
    assert_eq!(one.requests().len(), 1, "nothing was asked of the upstream");
    made(&go_on(&gw, &id, gateway_tests::USER_KEY).await);

    gw.set("objects.isolation", "off");
    let open = async || (go_on(&gw, &id, OTHER_KEY).await.status == 200).then_some(());
    until("isolation is off", open).await;
}

#[tokio::test]
async fn objects_of_two_channels_in_one_call_are_refused_before_anything_is_sent() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("a", [&one]).model("b", gateway_tests::weighted([(&other, 10)])).start().await;
    let make = async |model: &str| {
        let asked = json!({"model": model, "input": "hi"}).to_string();
        made(&gw.post("/v1/responses", asked).send().await)
    };
    let (at_one, at_other) = (make("a").await, make("b").await);
    let asked = json!({"model": "a", "previous_response_id": at_one, "conversation": {"id": at_other}});
    let answer = gw.post("/v1/responses", asked.to_string()).send().await;
    answer.assert_error(409, "objects_on_different_channels");
    assert_eq!([one.requests().len(), other.requests().len()], [1, 1]);

    // The model's own channels do not count where an object says better.
    let asked = json!({"model": "a", "previous_response_id": at_other, "input": "hi"});
    let answer = gw.post("/v1/responses", asked.to_string()).send().await;
    assert_eq!(account_of(&made(&answer)), "other");
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not_remembered_and_what_nobody_knows_goes_to_the_models_channel() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one]).user("tenant", OTHER_KEY).start().await;
    let asked = json!({"model": "m", "input": "hi", "store": false}).to_string();
    let id = made(&gw.post("/v1/responses", asked).send().await);
    // It is nobody's, so it passes, and the upstream says what it thinks of it.
    made(&go_on(&gw, &id, OTHER_KEY).await);
    assert_eq!(go_on(&gw, "responses_elsewhere_1", OTHER_KEY).await.status, 404);
}

#[tokio::test]
async fn objects_of_a_disabled_channel_are_refused_in_so_many_words() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let first = admin.add_channel(&one, &["m"]).await;
    let id = respond(&gw, 0, false).await;
    admin.add_channel(&other, &["m"]).await;
    let disabled = admin.put(&format!("/api/channels/{first}"), &json!({"enabled": false})).await;
    assert_eq!(disabled.status, 200);
    go_on(&gw, &id, gateway_tests::USER_KEY).await.assert_error(409, "object_channel_disabled");
    assert_eq!(other.requests().len(), 0);
}

/// Kinds that are made by a POST without a model, and read by a GET of their id.
const KINDS: [&str; 8] =
    ["files", "uploads", "vector_stores", "conversations", "containers", "evals", "threads", "skills"];

async fn make(gw: &Gateway, path: &str, asked: &Value) -> String {
    let call = gw.post(path, asked.to_string());
    let call = match path {
        "/v1/files" | "/v1/skills" => {
            let form =
                "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
            gw.call(Method::POST, path).header("content-type", "multipart/form-data; boundary=b").body(form)
        }
        _ => call,
    };
    made(&call.send().await)
}

/// Everything that one account can have: an object of each kind, and those that come of others.
async fn fill(gw: &Gateway) -> Vec<(&'static str, String)> {
    let mut objects = Vec::new();
    for kind in KINDS {
        objects.push((kind, make(gw, &format!("/v1/{kind}"), &json!({})).await));
    }
    let of = |kind: &str| objects.iter().find(|(k, _)| *k == kind).map(|(_, id)| id.clone()).unwrap();
    let (file, upload, conversation, store) =
        (of("files"), of("uploads"), of("conversations"), of("vector_stores"));
    let batch = make(gw, "/v1/batches", &json!({"input_file_id": file, "endpoint": "/v1/responses"})).await;
    let told = gw.get(&format!("/v1/batches/{batch}")).send().await.json();
    objects.push(("files", told["output_file_id"].as_str().unwrap().to_owned()));
    objects.push(("batches", batch));
    let completed =
        gw.post(&format!("/v1/uploads/{upload}/complete"), r#"{"part_ids":[]}"#).send().await.json();
    objects.push(("files", completed["file"]["id"].as_str().unwrap().to_owned()));
    for asked in [
        json!({"model": "m", "input": "hi", "conversation": conversation}),
        json!({"model": "m", "input": "hi", "tools": [{"type": "file_search", "vector_store_ids": [store]}]}),
        json!({"model": "m", "input": "hi", "conversation": conversation, "stream": true}),
    ] {
        objects.push(("responses", make(gw, "/v1/responses", &asked).await));
    }
    objects.push(("vector_stores", make(gw, "/v1/vector_stores", &json!({"file_ids": [file]})).await));
    objects
}

/// How an object is asked for.
fn path_of(kind: &str, id: &str) -> (Method, String) {
    match kind {
        // Uploads cannot be read, only gone on with.
        "uploads" => (Method::POST, format!("/v1/uploads/{id}/cancel")),
        _ => (Method::GET, format!("/v1/{kind}/{id}")),
    }
}

async fn two_filled_accounts() -> (Gateway, [Upstream; 2], Vec<(&'static str, String)>) {
    let (one, other) = (account("one").await, account("other").await);
    let mut gw = Gateway::serving("m", [&one, &other])
        .user("tenant", OTHER_KEY)
        .set("proxy.default_channel", one.name())
        .start()
        .await;
    let mut objects = fill(&gw).await;
    gw.set("proxy.default_channel", other.name());
    gw.restart().await;
    objects.extend(fill(&gw).await);
    gw.restart().await;
    (gw, [one, other], objects)
}

#[tokio::test]
async fn every_kind_of_object_is_found_where_it_was_made_after_restarts_and_by_nobody_else() {
    let (gw, accounts, objects) = two_filled_accounts().await;
    for tag in ["one", "other"] {
        let made = objects.iter().filter(|(_, id)| account_of(id) == tag).count();
        assert_eq!(made, objects.len() / 2, "{tag}: {objects:?}");
    }
    for (kind, id) in &objects {
        let (method, path) = path_of(kind, id);
        let foreign = gw.call(method.clone(), &path).key(OTHER_KEY).send().await;
        foreign.assert_error(404, "object_not_found");
        let answer = gw.call(method, &path).send().await;
        assert_eq!((answer.status, answer.json()["id"].as_str()), (200, Some(id.as_str())), "{path}");
        let maker = accounts.iter().zip(["one", "other"]).find(|(_, tag)| account_of(id) == *tag).unwrap().0;
        assert_eq!(answer.channel(), maker.name(), "{path}");
    }
}

#[tokio::test]
async fn what_came_of_a_response_is_found_where_it_is_streamed_or_not() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("m", [&one, &other]).user("tenant", OTHER_KEY).start().await;
    for conversation in 0..16 {
        let cache_key = format!("conversation-{conversation}");
        let stream = conversation % 2 == 0;
        let asked = json!({"model": "m", "input": "hi", "prompt_cache_key": cache_key, "stream": stream});
        let answer = gw.post("/v1/responses", asked.to_string()).send().await;
        let response = match answer.events().last() {
            Some(event) => event["response"].clone(),
            None => answer.json(),
        };
        let output = &response["output"];
        let container = output[1]["container_id"].as_str().expect("a container was opened");
        let path = format!("/v1/containers/{container}");
        let shown = async || {
            let found = gw.get(&path).send().await;
            // Where a stream ends, what it tells is learned a moment after its client has read it.
            (found.status == 200 && found.attempts() == 1).then(|| found.channel().to_owned())
        };
        assert_eq!(until("the container is known", shown).await, answer.channel(), "{container}");
        gw.get(&path).key(OTHER_KEY).send().await.assert_error(404, "object_not_found");

        let asked = json!({
            "model": "m", "prompt_cache_key": "other",
            "input": [{"type": "item_reference", "id": output[0]["id"]}],
        });
        let next = gw.post("/v1/responses", asked.to_string()).send().await;
        assert_eq!((next.status, next.channel()), (200, answer.channel()), "{output}");
        let foreign = gw.post("/v1/responses", asked.to_string()).key(OTHER_KEY).send().await;
        foreign.assert_error(404, "object_not_found");
    }
}

#[tokio::test]
async fn a_streamed_response_is_its_makers_however_long_its_first_event() {
    // It repeats the instructions and the tools.
    let created = json!({"type": "response.created",
                         "response": {"id": "resp_long", "instructions": "x".repeat(200_000)}});
    let delta = json!({"type": "response.output_text.delta", "delta": "hi"});
    let completed = json!({"type": "response.completed", "response": {"id": "resp_long", "output": []}});
    let events = [created, delta, completed].map(|event| format!("data: {event}\n\n")).concat();
    let one = Upstream::scripted().always(body("text/event-stream", events.clone())).start().await;
    let gw = Gateway::serving("m", [&one]).user("tenant", OTHER_KEY).start().await;

    let answer = gw.post("/v1/responses", r#"{"model":"m","input":"hi","stream":true}"#).send().await;
    assert_eq!((answer.status, answer.body_text()), (200, events));
    assert_eq!(gw.get("/v1/responses/resp_long").send().await.status, 200);
    gw.get("/v1/responses/resp_long").key(OTHER_KEY).send().await.assert_error(404, "object_not_found");
}

#[tokio::test]
async fn a_deleted_object_is_nobodys() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one])
        .set("proxy.default_channel", one.name())
        .set("objects.unknown_ids", "refuse")
        .start()
        .await;
    let path = format!("/v1/files/{}", make(&gw, "/v1/files", &json!({})).await);
    assert_eq!(gw.get(&format!("{path}/content")).send().await.status, 200);
    assert_eq!(gw.call(Method::DELETE, &path).send().await.status, 200);
    gw.get(&path).send().await.assert_error(404, "object_not_found");
    assert_eq!(one.requests().len(), 3);
}

#[tokio::test]
async fn a_call_that_was_begun_is_gone_on_with_where_it_was_begun() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("m", [&one, &other]).user("tenant", OTHER_KEY).start().await;
    for _ in 0..8 {
        let begun = gw.post("/v1/realtime/calls?model=m", "v=0").header("content-type", "application/sdp");
        let begun = begun.send().await;
        assert_eq!(begun.status, 201);
        let path = begun.header("location").to_owned();
        let hangup = gw.call(Method::POST, &format!("{path}/hangup"));
        let foreign = gw.call(Method::POST, &format!("{path}/hangup")).key(OTHER_KEY).send().await;
        foreign.assert_error(404, "object_not_found");
        let answer = hangup.send().await;
        assert_eq!((answer.status, answer.channel()), (200, begun.channel()), "{path}");
    }
}

#[tokio::test]
async fn a_form_that_names_a_file_goes_to_the_files_channel_and_names_no_foreign_one() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("m", [&one, &other])
        .user("tenant", OTHER_KEY)
        .set("proxy.default_channel", one.name())
        .start()
        .await;
    let container = make(&gw, "/v1/containers", &json!({})).await;
    let file = make(&gw, "/v1/files", &json!({})).await;
    let attach = async |key: &str, container: &str, file: &str| {
        let part =
            format!("--b\r\ncontent-disposition: form-data; name=\"file_id\"\r\n\r\n{file}\r\n--b--\r\n");
        let call = gw.call(Method::POST, &format!("/v1/containers/{container}/files")).key(key);
        call.header("content-type", "multipart/form-data; boundary=b").body(part).send().await
    };
    assert_eq!(attach(gateway_tests::USER_KEY, &container, &file).await.status, 200);
    let theirs = made(&gw.post("/v1/containers", "{}").key(OTHER_KEY).send().await);
    attach(OTHER_KEY, &theirs, &file).await.assert_error(404, "object_not_found");
    gw.set("proxy.default_channel", other.name());
    let elsewhere = async || {
        let file = make(&gw, "/v1/files", &json!({})).await;
        (account_of(&file) == "other").then_some(file)
    };
    let file = until("files go to the other channel", elsewhere).await;
    let apart = attach(gateway_tests::USER_KEY, &container, &file).await;
    apart.assert_error(409, "objects_on_different_channels");
}

/// Has Python do something to the database; false, with a loud word, where there is none.
fn database(gw: &Gateway, statement: &str) -> bool {
    let program =
        "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],timeout=30)\nc.execute(sys.argv[2])\nc.commit()";
    let path = gw.database_path();
    let done = std::process::Command::new("python3").args(["-c", program]).arg(path).arg(statement).status();
    let Ok(status) = done else {
        eprintln!("SKIPPED: there is no python3 to change the database with");
        return false;
    };
    assert!(status.success(), "{statement}");
    true
}

#[tokio::test]
async fn where_the_database_does_not_say_whose_an_object_is_nothing_passes() {
    let one = account("one").await;
    let mut gw = Gateway::serving("m", [&one]).set("proxy.default_channel", one.name()).start().await;
    let held = make(&gw, "/v1/files", &json!({})).await;
    gw.restart().await;
    if !database(&gw, "ALTER TABLE objects RENAME TO away") {
        return;
    }
    let asked = one.count();
    let answer = gw.get("/v1/files/files_one_99").send().await;
    answer.assert_error(503, "objects_unavailable");
    assert_eq!((answer.header("retry-after"), one.count()), ("1", asked));
    assert_eq!(gw.get(&format!("/v1/files/{held}")).send().await.status, 200, "memory holds this one");
    assert!(database(&gw, "ALTER TABLE away RENAME TO objects"));
    assert_eq!(gw.get("/v1/files/files_one_99").send().await.status, 404, "now it is known to be nobody's");
    assert_eq!(one.count(), asked + 2);
}

#[tokio::test]
async fn an_object_that_no_record_knows_is_looked_for_at_one_channel_after_the_other() {
    let (one, other) = (account("one").await, account("other").await);
    let before = Gateway::serving("m", [&other]).set("proxy.default_channel", other.name()).start().await;
    let id = make(&before, "/v1/files", &json!({})).await;
    let gw = Gateway::serving("m", [&one, &other]).set("proxy.default_channel", one.name()).start().await;
    let answer = gw.get(&format!("/v1/files/{id}")).send().await;
    assert_eq!((answer.status, answer.channel(), answer.attempts()), (200, other.name(), 2));
    assert_eq!(gw.get("/v1/files/files_nowhere_1").send().await.status, 404);
    let deleted = gw.call(Method::DELETE, &format!("/v1/files/{id}")).send().await;
    assert_eq!(
        (deleted.status, deleted.channel()),
        (404, one.name()),
        "only what changes nothing asks around"
    );
}

#[tokio::test]
async fn an_object_that_no_record_knows_is_looked_for_elsewhere_where_the_first_to_ask_is_limited_or_out() {
    let other = account("other").await;
    let before = Gateway::serving("m", [&other]).set("proxy.default_channel", other.name()).start().await;
    for (reply, until_known) in [(status(429).retry_after(60), 1), (status(503), 4)] {
        let one = Upstream::scripted().always(reply).start().await;
        let gw = Gateway::serving("m", [&one, &other]).set("proxy.default_channel", one.name()).start().await;
        for turn in 0..=until_known {
            let id = make(&before, "/v1/files", &json!({})).await;
            let answer = gw.get(&format!("/v1/files/{id}")).send().await;
            let attempts = if turn < until_known { 2 } else { 1 };
            let seen = (answer.status, answer.channel(), answer.attempts());
            assert_eq!(seen, (200, other.name(), attempts), "{}", answer.body_text());
        }
        assert_eq!(one.count(), until_known, "what is known to be limited or out is not asked again");
        if until_known > 1 {
            one.set_always(json_body(&json!({"id": "file-here", "object": "file"})));
            let back =
                async || (gw.get("/v1/files/file-here").send().await.channel() == one.name()).then_some(());
            until("the first to ask is tried again", back).await;
        }
    }
}

#[tokio::test]
async fn a_response_is_forgotten_after_the_time_that_the_setting_gives_it() {
    let one = account("one").await;
    let mut gw = Gateway::serving("m", [&one]).set("objects.unknown_ids", "refuse").start().await;
    let response = respond(&gw, 1, false).await;
    gw.restart().await;
    made(&go_on(&gw, &response, gateway_tests::USER_KEY).await);

    gw.set("objects.keep_responses", "1s");

    until("the response is forgotten", async || {
        gw.restart().await;
        (go_on(&gw, &response, gateway_tests::USER_KEY).await.status == 404).then_some(())
    })
    .await;
}
