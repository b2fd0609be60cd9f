use proptest::prelude::*;

use super::*;

fn renaming(text: &str) -> String {
    let edits = AnswerEdits::new(Some("public"), false).unwrap();
    String::from_utf8(edits.document(Bytes::from(text.to_owned())).to_vec()).unwrap()
}

fn events(edits: &AnswerEdits, text: &str) -> String {
    String::from_utf8(edits.events(Bytes::from(text.to_owned())).to_vec()).unwrap()
}

fn hiding() -> AnswerEdits {
    AnswerEdits::new(None, true).unwrap()
}

#[test]
fn the_public_name_stands_where_the_answer_names_its_model_and_nowhere_else() {
    let rows = [
        (
            r#"{ "id":"1", "model" : "gpt-4o-2024-08-06", "x":1.50}"#,
            r#"{ "id":"1", "model" : "public", "x":1.50}"#,
        ),
        (
            r#"{"choices":[{"message":{"content":"\"model\":\"m\"","model":"deep"}}],"model":"m"}"#,
            r#"{"choices":[{"message":{"content":"\"model\":\"m\"","model":"deep"}}],"model":"public"}"#,
        ),
        (r#"{"mod\u0065l":"m"}"#, r#"{"mod\u0065l":"public"}"#),
        (r#"{"model":null}"#, r#"{"model":null}"#),
        (r#"{"model":"public"}"#, r#"{"model":"public"}"#),
        ("[1]", "[1]"),
        ("{", "{"),
    ];
    for (answer, expected) in rows {
        assert_eq!(renaming(answer), expected);
    }
}

#[test]
fn events_name_it_at_their_top_or_in_their_response() {
    let edits = AnswerEdits::new(Some("public"), false).unwrap();
    let chat = "data: {\"model\":\"m-0613\",\"choices\":[]}\n\n: model\n\ndata: [DONE]\n\n";
    assert_eq!(events(&edits, chat), chat.replace("m-0613", "public"));
    let response = "event: response.created\r\ndata: {\"type\":\"response.created\",\"response\":{\"tools\":[{\"model\":\"t\"}],\
        \"model\":\"m-0613\"}}\r\n\r\n";
    assert_eq!(events(&edits, response), response.replace("m-0613", "public"));
}

#[test]
fn usage_that_nobody_asked_for_is_taken_out_and_an_event_that_told_nothing_else_goes() {
    let stream = "data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"usage\"}}],\"usage\":null}\n\n\
        data: {\"id\":\"1\",\"usage\": null , \"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        : still here\n\n\
        data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n\
        data: [DONE]\n\n";
    let clean = "data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"usage\"}}]}\n\n\
        data: {\"id\":\"1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        : still here\n\n\
        data: [DONE]\n\n";
    assert_eq!(events(&hiding(), stream), clean);
}

#[test]
fn usage_beside_words_is_taken_out_and_the_words_stay() {
    let rows = [
        (r#"{"choices":[{"delta":{}}],"usage":{"a":1}}"#, r#"{"choices":[{"delta":{}}]}"#),
        (r#"{"usage":{"a":1},"choices":[{}]}"#, r#"{"choices":[{}]}"#),
        (r#"{"usage":null}"#, "{}"),
        (r#"{ "a" : 1 , "usage" : null }"#, r#"{ "a" : 1  }"#),
        (r#"{"usage":null,"usage":null}"#, "{}"),
        (r#"{"a":1,"usage":1,"usage":2}"#, r#"{"a":1}"#),
        (r#"{"a":1, "usage":1 , "usage":2,"usage": 3 }"#, r#"{"a":1 }"#),
        (r#"{"a":1,"usage":1,"b":2,"usage":3}"#, r#"{"a":1,"b":2}"#),
        (r#"{"usage":1,"b":2,"usage":3,"c":4}"#, r#"{"b":2,"c":4}"#),
        (r#"{"choices":[{"usage":1}]}"#, r#"{"choices":[{"usage":1}]}"#),
        // An empty list without a count is not the event that was asked for.
        (r#"{"choices":[],"usage":null}"#, r#"{"choices":[]}"#),
    ];
    for (data, expected) in rows {
        assert_eq!(
            events(&hiding(), &format!("data: {data}\n\n")),
            format!("data: {expected}\n\n"),
            "{data}"
        );
    }
}

#[test]
fn comments_before_an_event_that_goes_stay() {
    let told = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";
    assert_eq!(events(&hiding(), &format!(": one\n: two\nid: 7\n: three\n{told}")), ": one\n: two\n");
}

#[test]
fn data_over_several_lines_and_every_line_end_are_understood() {
    let edits = AnswerEdits::new(Some("public"), true).unwrap();
    let stream = "\u{feff}data:{\"model\":\rdata:\"m\",\revent:x\rdata:\"usage\":null}\r\r";
    assert_eq!(
        events(&edits, stream),
        "\u{feff}data:{\"model\":\rdata:\"m\",\revent:x\rdata:\"usage\":null}\r\r".replace(
            "\u{feff}data:{\"model\":\rdata:\"m\",\revent:x\rdata:\"usage\":null}",
            "data: {\"model\":\rdata: \"public\"}\revent:x",
        )
    );
}

proptest! {
    /// Any way to spell an answer comes out as the same answer with the members changed, by way of a tree.
    #[test]
    fn what_is_changed_is_what_a_tree_would_change(
        model in "[a-zé\"\\\\/ ]{1,8}",
        words in "[a-zé\"\\\\ ]{0,12}",
        with_usage: bool,
        pretty: bool,
        empty: bool,
    ) {
        let choices = if empty { serde_json::json!([]) } else { serde_json::json!([{ "delta": { "content": words } }]) };
        let usage = if with_usage { serde_json::json!({ "prompt_tokens": 3 }) } else { serde_json::Value::Null };
        let event = serde_json::json!({ "a": words, "model": model, "choices": choices, "usage": usage, "z": [1] });
        let text = if pretty { serde_json::to_string_pretty(&event) } else { serde_json::to_string(&event) }.unwrap();
        let lines = format!("data: {}\n", text.replace('\n', "\ndata: "));
        let changed = events(&AnswerEdits::new(Some("public"), true).unwrap(), &format!("id: 7\n{lines}\n"));
        if empty && with_usage {
            prop_assert_eq!(changed, "");
        } else {
            let data: Vec<&str> = changed.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            let seen: serde_json::Value = serde_json::from_str(&data.join("\n")).unwrap();
            let mut expected = event;
            let members = expected.as_object_mut().unwrap();
            members.insert("model".to_owned(), "public".into());
            members.remove("usage");
            prop_assert_eq!(seen, expected);
            prop_assert!(changed.starts_with("id: 7\n") && changed.ends_with("\n\n"));
        }
    }

    #[test]
    fn no_bytes_make_it_fail_and_streams_without_the_words_pass_as_they_are(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let edits = AnswerEdits::new(Some("public"), true).unwrap();
        edits.document(Bytes::from(bytes.clone()));
        let passed = edits.events(Bytes::from(bytes.clone()));
        let says = |word: &[u8]| bytes.windows(5).any(|window| window == word);
        if !says(b"model") && !says(b"usage") {
            prop_assert_eq!(&passed[..], &bytes[..]);
        }
    }
}
