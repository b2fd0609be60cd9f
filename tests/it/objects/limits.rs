//! Keys that are for some models only, and files whose lines ask models.

use gateway_tests::{Answer, Call, Gateway, USER_KEY, Upstream, user_keys, weighted};
use http::Method;
use serde_json::{Value, json};
use toml::Table;

use super::account::{account, account_of};
use super::made;

/// A key that may use the model `m` only.
fn limited_key() -> String {
    user_keys("limited", 1).remove(0)
}

/// A gateway before two accounts, that serve `m` and `other-m`, and a user who may use the first only.
async fn gateway() -> (Gateway, [Upstream; 2]) {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("m", [&one, &other])
        .model("other-m", weighted([(&other, 10)]))
        .user("limited", &limited_key())
        .config(|table| {
            let users = table.get_mut("users").and_then(toml::Value::as_array_mut).unwrap();
            let user: &mut Table = users.last_mut().unwrap().as_table_mut().unwrap();
            user.insert("models".to_owned(), toml::Value::Array(vec!["m".into()]));
        })
        .set("proxy.default_channel", one.name())
        .start()
        .await;
    (gw, [one, other])
}

async fn ask(gw: &Gateway, method: Method, path: &str, asked: &Value) -> Answer {
    let call = gw.call(method.clone(), path).key(&limited_key());
    if method == Method::POST { call.json(asked).send().await } else { call.send().await }
}

async fn post(gw: &Gateway, path: &str, asked: Value) -> Answer {
    ask(gw, Method::POST, path, &asked).await
}

fn upload(gw: &Gateway, key: &str, purpose: &str, file: &str) -> Call {
    let form = format!(
        "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n\
         --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{file}\r\n--b--\r\n"
    );
    let call = gw.call(Method::POST, "/v1/files").key(key);
    call.header("content-type", "multipart/form-data; boundary=b").body(form)
}

fn line(model: &str) -> String {
    json!({"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"model": model}}).to_string()
}

#[tokio::test]
async fn a_key_for_some_models_makes_uses_and_lists_its_own_objects() {
    let (gw, _accounts) = gateway().await;
    for group in ["vector_stores", "conversations", "containers", "threads", "evals", "skills"] {
        let id = made(&post(&gw, &format!("/v1/{group}"), json!({})).await);
        let path = format!("/v1/{group}/{id}");
        assert_eq!(ask(&gw, Method::GET, &path, &Value::Null).await.status, 200, "{path}");
        assert_eq!(ask(&gw, Method::DELETE, &path, &Value::Null).await.status, 200, "{path}");
    }
    let store = made(&post(&gw, "/v1/vector_stores", json!({})).await);
    let list = ask(&gw, Method::GET, "/v1/vector_stores", &Value::Null).await.json();
    assert_eq!(list["data"][0]["id"], store);

    let file = made(&upload(&gw, &limited_key(), "batch", &line("m")).send().await);
    let batch = post(&gw, "/v1/batches", json!({"input_file_id": file})).await;
    let batch = made(&batch);
    assert_eq!(ask(&gw, Method::GET, &format!("/v1/batches/{batch}"), &Value::Null).await.status, 200);
    let assistant = made(&post(&gw, "/v1/assistants", json!({"model": "m"})).await);
    let run = post(&gw, "/v1/threads/runs", json!({"assistant_id": assistant})).await;
    assert_eq!(run.status, 200, "{}", run.body_text());
}

#[tokio::test]
async fn a_key_for_some_models_reaches_no_other_model_by_not_naming_it() {
    let (gw, accounts) = gateway().await;
    let response = made(&post(&gw, "/v1/responses", json!({"model": "m", "input": "hi"})).await);
    let asked: usize = accounts.iter().map(Upstream::count).sum();
    for (path, body) in [
        ("/v1/responses", json!({"previous_response_id": response})),
        ("/v1/responses", json!({"prompt": {"id": "pmpt_1"}})),
        ("/v1/images/generations", json!({"prompt": "a cat"})),
        ("/v1/videos", json!({"prompt": "a cat"})),
        ("/v1/videos/edits", json!({"prompt": "a cat"})),
        ("/v1/moderations", json!({"input": "x"})),
        ("/v1/chatkit/sessions", json!({"workflow": {"id": "wf_1"}})),
        ("/v1/realtime/sessions", json!({})),
        ("/v1/realtime/client_secrets", json!({"session": {}})),
        ("/v1/realtime/calls", json!({})),
        ("/v1/batches", json!({})),
        ("/v1/threads/runs", json!({})),
    ] {
        post(&gw, path, body).await.assert_error(400, "missing_model");
    }
    for (method, path) in [
        (Method::GET, "/v1/files/file-1"),
        (Method::DELETE, "/v1/evals/eval_1"),
        (Method::GET, "/v1/batches/b"),
    ] {
        ask(&gw, method, path, &Value::Null).await.assert_error(404, "object_not_found");
    }
    post(&gw, "/v1/batches", json!({"input_file_id": "file-1"})).await.assert_error(404, "object_not_found");
    assert_eq!(accounts.iter().map(Upstream::count).sum::<usize>(), asked, "nothing was sent");
}

#[tokio::test]
async fn a_key_for_some_models_names_no_other_in_any_place() {
    let (gw, accounts) = gateway().await;
    for (path, body) in [
        ("/v1/assistants", json!({"model": "other-m"})),
        ("/v1/fine_tuning/jobs", json!({"model": "other-m"})),
        (
            "/v1/fine_tuning/jobs",
            json!({"model": "m", "method": {"reinforcement": {"grader": {"model": "other-m"}}}}),
        ),
        ("/v1/fine_tuning/alpha/graders/run", json!({"grader": {"graders": {"a": {"model": "other-m"}}}})),
        ("/v1/evals", json!({"testing_criteria": [{"type": "score_model", "model": "other-m"}]})),
        ("/v1/evals/eval_1/runs", json!({"data_source": {"model": "other-m"}})),
        ("/v1/responses", json!({"model": "m", "tools": [{"type": "image_generation", "model": "other-m"}]})),
        ("/v1/chat/completions", json!({"model": "m", "messages": [], "moderation": {"model": "other-m"}})),
        ("/v1/realtime/client_secrets", json!({"session": {"model": "other-m"}})),
        (
            "/v1/realtime/client_secrets",
            json!({"session": {"model": "m", "audio": {"input": {"transcription": {"model": "other-m"}}}}}),
        ),
        ("/v1/threads/runs", json!({"model": "other-m"})),
    ] {
        let answer = post(&gw, path, body).await;
        answer.assert_error(404, "model_not_found");
    }
    assert_eq!([accounts[0].count(), accounts[1].count()], [0, 0]);
    let answer = post(&gw, "/v1/responses", json!({"model": "m", "metadata": {"model": "other-m"}})).await;
    assert_eq!(answer.status, 200, "{}", answer.body_text());
}

#[tokio::test]
async fn the_lines_of_a_batch_ask_no_model_that_the_key_is_not_for() {
    let (gw, [one, other]) = gateway().await;
    let good = format!("{}\n\n{}", line("m"), line("m"));
    let send = async |purpose: &str, file: &str| upload(&gw, &limited_key(), purpose, file).send().await;
    made(&send("batch", &good).await);
    let late = format!("{}\n{}", format!("{}\n", line("m")).repeat(500), line("other-m"));
    send("batch", &late).await.assert_error(404, "model_not_found");
    for bad in ["{", r#"{"body":{}}"#, r#"{"body":{"model":"m"},"body":{"model":"other-m"}}"#] {
        let answer = send("batch", &format!("{}\n{bad}\n", line("m"))).await;
        answer.assert_error(400, "invalid_batch_file");
        assert!(answer.body_text().contains("line 2"), "{}", answer.body_text());
    }
    made(&send("user_data", "{").await);
    let parts = post(&gw, "/v1/uploads", json!({"purpose": "batch", "bytes": 1})).await;
    parts.assert_error(400, "batch_in_parts");
    made(&post(&gw, "/v1/uploads", json!({"purpose": "user_data", "bytes": 1})).await);
    assert_eq!((one.count(), other.count()), (3, 0));
}

#[tokio::test]
async fn a_batch_goes_to_a_channel_that_calls_its_models_as_its_lines_do() {
    let (gw, _accounts) = gateway().await;
    let send = async |file: &str| upload(&gw, USER_KEY, "batch", file).send().await;
    for (file, account) in [
        (line("m"), "one"),
        (line("other-m"), "other"),
        (format!("{}\n{}\n", line("m"), line("other-m")), "other"),
        (line("nobody-knows"), "one"),
        ("no line at all".to_owned(), "one"),
    ] {
        let id = made(&send(&file).await);
        assert_eq!(account_of(&id), account, "{file}");
        let asked = json!({"input_file_id": id}).to_string();
        let batch = made(&gw.post("/v1/batches", asked).send().await);
        assert_eq!(account_of(&batch), account);
    }
}

#[tokio::test]
async fn a_batch_that_no_channel_could_run_is_refused_when_its_file_comes() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("m", [&one])
        .mapping("m", &one, "model", "backend")
        .model("a", weighted([(&one, 10)]))
        .model("b", weighted([(&other, 10)]))
        .set("proxy.default_channel", one.name())
        .start()
        .await;
    for (file, why) in [
        (line("m"), "calls otherwise"),
        (format!("{}\n{}", line("a"), line("b")), "no channel serves all the models"),
    ] {
        let answer = upload(&gw, USER_KEY, "batch", &file).send().await;
        answer.assert_error(400, "invalid_batch_file");
        assert!(answer.body_text().contains(why), "{}", answer.body_text());
        made(&upload(&gw, USER_KEY, "user_data", &file).send().await);
    }
    assert_eq!((one.count(), other.count()), (2, 0));
}
