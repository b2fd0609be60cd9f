//! The first thing that anybody runs.

use std::collections::BTreeMap;

use gateway_tests::{Call, GatewayProcess};
use http::Method;
use serde_json::json;

/// Starts the demo on a free port, in an empty folder, with nothing in its environment.
async fn demo() -> Option<(GatewayProcess, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["demo", "--listen", "127.0.0.1:0"].map(str::to_owned);
    let environment = BTreeMap::from([("TMPDIR".to_owned(), folder.path().display().to_string())]);
    let process = GatewayProcess::start(&arguments, &environment, folder.path().to_owned()).await?;
    Some((process, folder))
}

/// The first word of the output that begins so.
fn word(output: &str, beginning: &str) -> String {
    let words = output.split(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let mut words = words.filter(|word| word.starts_with(beginning));
    words.next().unwrap_or_else(|| panic!("nothing begins with {beginning} in:\n{output}")).to_owned()
}

#[tokio::test]
async fn the_demo_answers_a_streamed_chat_with_the_key_that_it_prints() {
    let Some((mut demo, folder)) = demo().await else { return };
    let guide = demo.output();
    assert!(guide.contains("curl ") && guide.contains("/v1/chat/completions"), "{guide}");
    let key = word(&guide, "sk-");

    let chat = json!({"model": "gpt-4o-mini", "stream": true, "stream_options": {"include_usage": true},
                      "messages": [{"role": "user", "content": "hi"}]});
    for _ in 0..5 {
        let answer = Call::new(demo.address(), Method::POST, "/v1/chat/completions")
            .key(&key)
            .json(&chat)
            .send()
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        assert!(!answer.text().is_empty() && answer.is_done() && !answer.cut, "{}", answer.body_text());
        assert!(answer.usage().is_some(), "{}", answer.body_text());
    }
    let models = Call::new(demo.address(), Method::GET, "/v1/models").key(&key).send().await;
    assert!(models.body_text().contains("gpt-4o-mini"));

    demo.terminate();
    assert_eq!(demo.wait().await.code(), Some(0), "{}", demo.output());
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert!(left.is_empty(), "the demo leaves nothing behind: {left:?}");
}

#[tokio::test]
async fn the_line_that_the_demo_prints_can_be_pasted() {
    let Some((demo, _folder)) = demo().await else { return };
    let guide = demo.output();
    let from = guide.find("curl ").expect("a curl line");
    let line: String = {
        // A line that ends with a backslash goes on.
        let mut whole = String::new();
        for part in guide[from..].lines() {
            whole.push_str(part.trim_end_matches('\\'));
            if !part.ends_with('\\') {
                break;
            }
        }
        whole
    };

    let Ok(output) = std::process::Command::new("sh").args(["-c", &line]).output() else { return };
    if output.status.code() == Some(127) {
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("data: [DONE]"), "{line}\n{said}");
}
