use gateway_random_wire::noise;
use proptest::prelude::*;

use super::*;

fn usage(prompt: u64, completion: u64, cached: Option<u64>, reasoning: Option<u64>) -> Usage {
    let source = UsageSource::Upstream;
    Usage {
        prompt: Some(prompt),
        completion: Some(completion),
        cached,
        reasoning,
        source,
        ..Usage::default()
    }
}

#[test]
fn chat_usage_is_read_with_its_details() {
    let json =
        br#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,
        "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":3}}}"#;
    let expected = Usage { audio_in: Some(0), ..usage(12, 7, Some(4), Some(3)) };
    assert_eq!(usage_of(json), Some(expected));
}

#[test]
fn responses_usage_is_read_from_the_response_and_from_its_last_event() {
    let counts = r#""usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":1},"output_tokens":9,
        "output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}"#;
    let expected = Some(usage(5, 9, Some(1), Some(2)));
    assert_eq!(usage_of(format!(r#"{{"object":"response",{counts}}}"#).as_bytes()), expected);
    let event = format!(r#"{{"type":"response.completed","response":{{"output":[],{counts}}}}}"#);
    assert_eq!(usage_of(event.as_bytes()), expected);
}

#[test]
fn embeddings_have_no_completion() {
    let json = br#"{"object":"list","data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    assert_eq!(
        usage_of(json),
        Some(Usage { prompt: Some(8), source: UsageSource::Upstream, ..Usage::default() })
    );
}

#[test]
fn the_cache_counter_of_deepseek_is_known() {
    let json = br#"{"usage":{"prompt_tokens":8,"completion_tokens":1,"prompt_cache_hit_tokens":6}}"#;
    assert_eq!(usage_of(json), Some(usage(8, 1, Some(6), None)));
}

/// How usage is spelled in OpenAI's document.
const COMPLETION: &str = r#"{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,
        "prompt_tokens_details":{"audio_tokens":1,"cached_tokens":2,"text_tokens":7,"image_tokens":0,"cache_write_tokens":5},
        "completion_tokens_details":{"accepted_prediction_tokens":0,"audio_tokens":3,"reasoning_tokens":4,
            "text_tokens":13,"rejected_prediction_tokens":0}}"#;
const RESPONSE: &str = r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":2,"cache_write_tokens":1},
        "output_tokens":20,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":30}"#;
const IMAGES: &str = r#"{"total_tokens":30,"input_tokens":10,"output_tokens":20,
        "input_tokens_details":{"text_tokens":4,"image_tokens":6}}"#;
const IMAGES_WITH_OUTPUT: &str = r#"{"total_tokens":30,"input_tokens":10,"output_tokens":20,
        "output_tokens_details":{"image_tokens":19,"text_tokens":1},
        "input_tokens_details":{"text_tokens":4,"image_tokens":6}}"#;
const TRANSCRIPT: &str = r#"{"type":"tokens","input_tokens":10,"input_token_details":{"text_tokens":2,"audio_tokens":8},
        "output_tokens":20,"total_tokens":30}"#;
const SPEECH: &str = r#"{"input_tokens":10,"output_tokens":20,"total_tokens":30}"#;
const RUN: &str = r#"{"completion_tokens":20,"prompt_tokens":10,"total_tokens":30}"#;
const EMBEDDINGS: &str = r#"{"prompt_tokens":10,"total_tokens":10}"#;
const REALTIME: &str = r#"{"total_tokens":30,"input_tokens":10,"output_tokens":20,
        "input_token_details":{"cached_tokens":2,"text_tokens":1,"image_tokens":0,"audio_tokens":7,
            "cached_tokens_details":{"text_tokens":1,"audio_tokens":1}},
        "output_token_details":{"text_tokens":5,"audio_tokens":15}}"#;

/// Prompt, completion, cached, reasoning, sound in, sound out.
type Counts = [Option<u64>; 6];

const PLAIN: Counts = [Some(10), Some(20), None, None, None, None];
const OF_COMPLETION: Counts = [Some(10), Some(20), Some(2), Some(4), Some(1), Some(3)];
const OF_RESPONSE: Counts = [Some(10), Some(20), Some(2), Some(4), None, None];
const OF_TRANSCRIPT: Counts = [Some(10), Some(20), None, None, Some(8), None];
const OF_REALTIME: Counts = [Some(10), Some(20), Some(2), None, Some(7), Some(15)];

/// Every schema of OpenAI's document that has a `usage` of tokens, as it stands there, and what it comes to.
const SCHEMAS: &[(&str, &str, &str, Counts)] = &[
    ("CreateChatCompletionResponse", r#"{"object":"chat.completion","usage":U}"#, COMPLETION, OF_COMPLETION),
    (
        "CreateChatCompletionStreamResponse",
        r#"{"object":"chat.completion.chunk","choices":[],"usage":U}"#,
        COMPLETION,
        OF_COMPLETION,
    ),
    ("CreateCompletionResponse", r#"{"object":"text_completion","usage":U}"#, COMPLETION, OF_COMPLETION),
    (
        "CreateEmbeddingResponse",
        r#"{"object":"list","data":[],"usage":U}"#,
        EMBEDDINGS,
        [Some(10), None, None, None, None, None],
    ),
    ("Response", r#"{"object":"response","usage":U}"#, RESPONSE, OF_RESPONSE),
    ("CompactResource", r#"{"object":"response.compaction","usage":U}"#, RESPONSE, OF_RESPONSE),
    (
        "ResponseCompletedEvent",
        r#"{"type":"response.completed","response":{"usage":U}}"#,
        RESPONSE,
        OF_RESPONSE,
    ),
    (
        "ResponseIncompleteEvent",
        r#"{"type":"response.incomplete","response":{"usage":U}}"#,
        RESPONSE,
        OF_RESPONSE,
    ),
    ("ResponseFailedEvent", r#"{"type":"response.failed","response":{"usage":U}}"#, RESPONSE, OF_RESPONSE),
    ("ImagesResponse", r#"{"created":1,"data":[],"usage":U}"#, IMAGES_WITH_OUTPUT, PLAIN),
    ("ImageGenCompletedEvent", r#"{"type":"image_generation.completed","usage":U}"#, IMAGES, PLAIN),
    ("ImageEditCompletedEvent", r#"{"type":"image_edit.completed","usage":U}"#, IMAGES, PLAIN),
    ("CreateTranscriptionResponseJson", r#"{"text":"a","usage":U}"#, TRANSCRIPT, OF_TRANSCRIPT),
    ("CreateTranscriptionResponseDiarizedJson", r#"{"segments":[],"usage":U}"#, TRANSCRIPT, OF_TRANSCRIPT),
    ("TranscriptTextDoneEvent", r#"{"type":"transcript.text.done","usage":U}"#, TRANSCRIPT, OF_TRANSCRIPT),
    ("SpeechAudioDoneEvent", r#"{"type":"speech.audio.done","usage":U}"#, SPEECH, PLAIN),
    ("RunObject", r#"{"object":"thread.run","usage":U}"#, RUN, PLAIN),
    ("RunStepObject", r#"{"object":"thread.run.step","usage":U}"#, RUN, PLAIN),
    ("Batch", r#"{"object":"batch","usage":U}"#, RESPONSE, OF_RESPONSE),
    (
        "RealtimeResponse",
        r#"{"type":"response.done","response":{"object":"realtime.response","usage":U}}"#,
        REALTIME,
        OF_REALTIME,
    ),
    (
        "RealtimeServerEventConversationItemInputAudioTranscriptionCompleted",
        r#"{"type":"conversation.item.input_audio_transcription.completed","usage":U}"#,
        TRANSCRIPT,
        OF_TRANSCRIPT,
    ),
];

#[test]
fn the_usage_of_every_schema_is_read() {
    for (schema, around, usage, expected) in SCHEMAS {
        let found = usage_of(around.replace('U', usage).as_bytes());
        let [prompt, completion, cached, reasoning, audio_in, audio_out] = *expected;
        let source = UsageSource::Upstream;
        let expected = Usage { prompt, completion, cached, reasoning, audio_in, audio_out, source };
        assert_eq!(found, Some(expected), "{schema}");
    }
}

#[test]
fn seconds_are_no_tokens_and_a_question_for_a_count_uses_none() {
    for json in [
        r#"{"text":"a","usage":{"type":"duration","seconds":7}}"#,
        r#"{"object":"response.input_tokens","input_tokens":12}"#,
    ] {
        assert_eq!(usage_of(json.as_bytes()), None, "{json}");
    }
}

#[test]
fn words_elsewhere_are_no_usage() {
    for json in [
        r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}"#,
        r#"{"choices":[{"usage":{"prompt_tokens":1}}]}"#,
        r#"{"delta":"usage"}"#,
        r#"{"choices":[],"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":[1]}"#,
        r#"{"response":"x","a":{"usage":{"prompt_tokens":1}}}"#,
        r#"{"usage":{"prompt_tokens":1}"#,
        "",
        "[]",
    ] {
        assert_eq!(usage_of(json.as_bytes()), None, "{json}");
    }
}

#[test]
fn what_is_no_count_is_not_said() {
    for wrong in
        ["null", "-1", "1e18", "1.5", "1000000000000000000", "99999999999999999999999", "\"3\"", "{}"]
    {
        let json = format!(
            r#"{{"usage":{{"prompt_tokens":{wrong},"completion_tokens":2,"prompt_tokens_details":{wrong}}}}}"#
        );
        let expected = Some(Usage { completion: Some(2), source: UsageSource::Upstream, ..Usage::default() });
        assert_eq!(usage_of(json.as_bytes()), expected, "{wrong}");
    }
    let json = br#"{"usage":{"prompt_tokens":3.0,"completion_tokens":0}}"#;
    assert_eq!(usage_of(json), Some(usage(3, 0, None, None)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in noise()) {
        let _ = usage_of(&bytes);
        let _ = usage_of(&[b"{\"usage\":{\"prompt_tokens\":", &bytes[..], b"}}"].concat());
    }
}
