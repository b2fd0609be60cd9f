use super::script::{Story, Wish};
use super::*;

fn story(body: &str) -> Story {
    Story::tell(Wish::read(body.as_bytes()).unwrap(), "slow", 1, 1_700_000_000)
}

#[test]
fn a_streamed_chat_says_the_same_as_a_whole_one() {
    let story = story(
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},
            "messages":[{"role":"user","content":[{"type":"text","text":"hello there"}]}]}"#,
    );
    let events = story.chat_events();
    let streamed: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    let whole = story.chat();
    assert_eq!(whole["choices"][0]["message"]["content"], streamed);
    assert!(streamed.contains("hello there") && streamed.contains("`slow`"));
    let last = events.last().unwrap();
    assert_eq!((&last["usage"], last["choices"].as_array().unwrap().len()), (&whole["usage"], 0));
}

#[test]
fn usage_is_streamed_only_when_it_is_asked_for() {
    let events = story(r#"{"model":"m","stream":true,"messages":[]}"#).chat_events();
    assert!(events.iter().all(|event| event.get("usage").is_none()));
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "stop");
}

#[test]
fn a_streamed_response_ends_with_the_whole_one() {
    let story = story(r#"{"model":"m","stream":true,"input":"hello"}"#);
    let events = story.response_events();
    assert_eq!(events.first().unwrap()["type"], "response.created");
    assert_eq!(events.last().unwrap()["response"], story.whole_response());
    let deltas: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(story.whole_response()["output"][0]["content"][0]["text"], deltas);
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.len() == events.len());
}

#[test]
fn embeddings_depend_on_the_input_alone_and_have_the_length_that_was_asked_for() {
    let answer = story(r#"{"model":"m","input":["a","b","a"],"dimensions":8}"#).embeddings();
    let vector = |index: usize| answer["data"][index]["embedding"].clone();
    assert_eq!(vector(0), vector(2));
    assert_ne!(vector(0), vector(1));
    assert_eq!(vector(0).as_array().unwrap().len(), 8);
}

#[test]
fn a_taken_port_is_left_alone_and_the_other_one_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let wished = taken.local_addr().unwrap();
    let mut out = Vec::new();
    let given = free_address(wished, &mut out).unwrap();
    assert_ne!(given.port(), wished.port());
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&wished.port().to_string()) && text.contains(&given.port().to_string()), "{text}");
}

#[test]
fn the_demo_takes_nothing_from_the_environment_but_how_to_log() {
    let folder = TempDir::new().unwrap();
    let environment: Environment =
        [("GATEWAY_ADMIN__AUTH", "none"), ("GATEWAY_LOG__LEVEL", "info"), ("OPENAI_API_KEY", "sk-real")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let options = options("127.0.0.1:9".parse().unwrap(), &folder, &environment);
    assert_eq!(options.environment.get("GATEWAY_LOG__LEVEL").map(String::as_str), Some("info"));
    assert!(!options.environment.contains_key("OPENAI_API_KEY"));
    assert!(!options.environment.contains_key("GATEWAY_ADMIN__AUTH"));
    assert!(gateway_config::load(&options.source, &options.environment).is_ok());
}

#[test]
fn a_demo_that_others_could_reach_is_refused() {
    let error = run("0.0.0.0:0".parse().unwrap(), &Environment::new(), Path::new("/tmp"), &mut Vec::new());
    assert!(error.unwrap_err().to_string().contains("loopback"));
}
