//! Which objects an answer makes, read from as much of it as was held.

use std::borrow::Cow;

use super::walk::{Map, walk};

/// What a value in an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A whole answer.
    Answer,
    /// What an event of a stream of responses says.
    Event,
    /// What such an event tells of.
    Inner,
    /// The id of what was made.
    Id,
    /// Ids of what came with it.
    File,
    FileObject,
    Container,
    Thread,
    Model,
    /// The list of what a response has put out, a piece of it, and its id.
    Output,
    Piece,
    PieceId,
    Plain,
}

/// What an answer tells the gateway to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made<'a> {
    /// The object that the call was for.
    Itself(Cow<'a, str>),
    /// A file that came of it: a batch's output, an upload's file.
    File(Cow<'a, str>),
    /// A container that a response has opened.
    Container(Cow<'a, str>),
    /// The thread that a run was made with.
    Thread(Cow<'a, str>),
    /// A piece of a response, which later ones may refer to.
    Piece(Cow<'a, str>),
    /// A model that was trained, or how far it had come on the way.
    Model(Cow<'a, str>),
}

struct Answer;

// === impl Answer ===

impl Map<Role> for Answer {
    fn member(&self, of: Role, key: &str) -> Role {
        match (of, key) {
            (Role::Answer | Role::Inner, "id") => Role::Id,
            (Role::Answer, "output_file_id" | "error_file_id" | "result_files")
            | (Role::FileObject, "id") => Role::File,
            (Role::Answer, "file") => Role::FileObject,
            (Role::Answer, "thread_id") => Role::Thread,
            (Role::Answer, "fine_tuned_model") | (_, "fine_tuned_model_checkpoint") => Role::Model,
            (Role::Event, "response") => Role::Inner,
            (Role::Answer | Role::Inner, "output") => Role::Output,
            (Role::Piece, "id") => Role::PieceId,
            (_, "container_id") => Role::Container,
            _ => Role::Plain,
        }
    }

    fn element(&self, of: Role) -> Role {
        match of {
            Role::File => Role::File,
            Role::Output => Role::Piece,
            Role::Answer
            | Role::Event
            | Role::Inner
            | Role::Id
            | Role::FileObject
            | Role::Container
            | Role::Thread
            | Role::Model
            | Role::Piece
            | Role::PieceId
            | Role::Plain => Role::Plain,
        }
    }
}

/// What a JSON answer, or the beginning of one, makes.
pub(crate) fn made_by_answer(body: &[u8]) -> Vec<Made<'_>> {
    let mut made = Vec::new();
    gather(body, Role::Answer, &mut made);
    made
}

/// What the first events of a stream make. `responses` says that it is a stream of responses, where the object stands
/// inside of `response`; elsewhere each event is the object.
pub(crate) fn made_by_events(stream: &[u8], responses: bool) -> Vec<Made<'_>> {
    let top = if responses { Role::Event } else { Role::Answer };
    let mut made = Vec::new();
    for line in stream.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(data) = line.strip_prefix(b"data:") {
            gather(data, top, &mut made);
        }
    }
    made
}

/// What one event of a stream of responses makes.
pub(crate) fn made_by_event(event: &[u8]) -> Vec<Made<'_>> {
    let mut made = Vec::new();
    gather(event, Role::Event, &mut made);
    made
}

fn gather<'a>(text: &'a [u8], top: Role, made: &mut Vec<Made<'a>>) {
    walk(text, top, &Answer, |role, value| {
        let found = match role {
            _ if value.is_empty() => return,
            Role::Id => Made::Itself(value),
            Role::File => Made::File(value),
            Role::Container => Made::Container(value),
            Role::Thread => Made::Thread(value),
            Role::PieceId => Made::Piece(value),
            // Models that are to be had by everybody are named in jobs, too.
            Role::Model if value.starts_with("ft:") => Made::Model(value),
            Role::Model
            | Role::Answer
            | Role::Event
            | Role::Inner
            | Role::FileObject
            | Role::Output
            | Role::Piece
            | Role::Plain => return,
        };
        if !made.contains(&found) {
            made.push(found);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn itself(id: &str) -> Made<'_> {
        Made::Itself(id.into())
    }

    #[test]
    fn the_id_of_an_answer_is_the_one_at_its_top() {
        let body = br#"{"output":[{"id":"msg_1"}],"conversation":{"id":"conv_1"},"id":"resp_1","object":"response"}"#;
        assert_eq!(made_by_answer(body), [Made::Piece("msg_1".into()), itself("resp_1")]);
        assert_eq!(made_by_answer(br#"{"object":"list","data":[{"id":"file-1"}]}"#), []);
    }

    #[test]
    fn files_that_come_of_batches_uploads_and_fine_tunes_are_found() {
        let file = |id: &'static str| Made::File(id.into());
        let batch = br#"{"id":"batch_1","input_file_id":"file-0","output_file_id":"file-1","error_file_id":"file-2"}"#;
        assert_eq!(made_by_answer(batch), [itself("batch_1"), file("file-1"), file("file-2")]);
        assert_eq!(made_by_answer(br#"{"id":"b","output_file_id":null}"#), [itself("b")]);
        let upload = br#"{"id":"upload_1","file":{"id":"file-3","object":"file"}}"#;
        assert_eq!(made_by_answer(upload), [itself("upload_1"), file("file-3")]);
        let job = br#"{"id":"ftjob-1","result_files":["file-4"]}"#;
        assert_eq!(made_by_answer(job), [itself("ftjob-1"), file("file-4")]);
    }

    #[test]
    fn containers_and_threads_that_come_along_are_found() {
        let response =
            br#"{"id":"resp_1","output":[{"type":"code_interpreter_call","container_id":"cntr_1"}]}"#;
        assert_eq!(made_by_answer(response), [itself("resp_1"), Made::Container("cntr_1".into())]);
        let run = br#"{"id":"run_1","thread_id":"thread_1"}"#;
        assert_eq!(made_by_answer(run), [itself("run_1"), Made::Thread("thread_1".into())]);
    }

    #[test]
    fn an_id_is_found_wherever_it_stands_in_a_long_answer() {
        let long = "A".repeat(1 << 20);
        let front = format!(r#"{{"id":"resp_1","output":"{long}"#);
        assert_eq!(made_by_answer(front.as_bytes()), [itself("resp_1")]);
        let back = format!(r#"{{"output":"{long}","id":"resp_1"}}"#);
        assert_eq!(made_by_answer(back.as_bytes()), [itself("resp_1")]);
        let cut = br#"{"id":"resp_12"#;
        assert_eq!(made_by_answer(cut), [], "half an id is none");
    }

    #[test]
    fn trained_models_are_found_and_no_others() {
        let model = |name: &'static str| Made::Model(name.into());
        let job = br#"{"id":"ftjob-1","model":"gpt-4o-mini","fine_tuned_model":"ft:gpt-4o-mini:o::1"}"#;
        assert_eq!(made_by_answer(job), [itself("ftjob-1"), model("ft:gpt-4o-mini:o::1")]);
        assert_eq!(made_by_answer(br#"{"id":"j","fine_tuned_model":null}"#), [itself("j")]);
        assert_eq!(made_by_answer(br#"{"id":"j","fine_tuned_model":"gpt-4o"}"#), [itself("j")]);
        let list = br#"{"data":[{"id":"c1","fine_tuned_model_checkpoint":"ft:m:o::1:ckpt-step-9"}]}"#;
        assert_eq!(made_by_answer(list), [model("ft:m:o::1:ckpt-step-9")]);
    }

    #[test]
    fn the_last_event_of_a_response_tells_all_that_came_of_it() {
        let event =
            br#"{"type":"response.completed","response":{"output":[{"id":"msg_1","content":[{"id":"no"}]},
            {"container_id":"cntr_1","id":"ci_1"}],"id":"resp_1"}}"#;
        let piece = |id: &'static str| Made::Piece(id.into());
        assert_eq!(
            made_by_event(event),
            [piece("msg_1"), Made::Container("cntr_1".into()), piece("ci_1"), itself("resp_1")]
        );
    }

    #[test]
    fn a_stream_tells_its_response_in_its_first_event() {
        let stream = b"event: response.created\r\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\r\n\r\n\
            data: {\"type\":\"response.output_item.added\",\"item\":{\"id\":\"msg_1\"},\"item_id\":\"x\"}\n\n";
        assert_eq!(made_by_events(stream, true), [itself("resp_1")]);
        let chat = b"data: {\"id\":\"chatcmpl-1\",\"choices\":[]}\n\ndata: {\"id\":\"chatcmpl-1\"}\n\ndata: [DONE]\n\n";
        assert_eq!(made_by_events(chat, false), [itself("chatcmpl-1")]);
    }
}
