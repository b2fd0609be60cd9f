use serde_json::Value;

/// Listens to a chat stream until the model has said something.
#[derive(Debug, Default)]
pub(super) struct Listener {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
    begun: bool,
}

/// The first event of a stream that decides.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Content, or the model's end.
    Model,
    /// An error in place of it.
    Error(Value),
    /// An event that is no JSON.
    Garbage,
    /// The end of a stream in which no model spoke.
    Nothing,
}

// === impl Listener ===

impl Listener {
    /// Takes in some bytes. Tells what was heard, and after how many of them.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<(Heard, usize)> {
        for (read, byte) in (1..).zip(bytes) {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    if let Some(heard) = self.end_line() {
                        return Some((heard, read));
                    }
                }
                byte => self.line.push(*byte),
            }
        }
        None
    }

    fn end_line(&mut self) -> Option<Heard> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            self.data.push(b'\n');
        }
        if !line.is_empty() || self.data.is_empty() {
            return None;
        }
        judge(&std::mem::take(&mut self.data))
    }
}

fn judge(data: &[u8]) -> Option<Heard> {
    if data == b"[DONE]\n" {
        return Some(Heard::Nothing);
    }
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return Some(Heard::Garbage) };
    if event.get("error").is_some_and(|error| !error.is_null()) {
        return Some(Heard::Error(event));
    }
    let choices = event.get("choices")?.as_array()?;
    choices.iter().any(speaks).then_some(Heard::Model)
}

/// Whether a choice brings content of any kind (text, thoughts, a tool's call), or ends. The first event of most
/// streams brings only the role, which costs the server no model.
fn speaks(choice: &Value) -> bool {
    let brings = |(name, value): (&String, &Value)| match value {
        Value::String(text) => name != "role" && !text.is_empty(),
        Value::Array(parts) => !parts.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    choice.get("finish_reason").is_some_and(|reason| !reason.is_null())
        || choice.get("delta").and_then(Value::as_object).is_some_and(|delta| delta.iter().any(brings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str =
        r#"data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
    const WORD: &str = r#"data: {"choices":[{"delta":{"content":"p"}}]}"#;
    const END: &str = r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#;

    /// What is heard of a stream, whole and byte by byte.
    fn heard(stream: &str) -> Option<Heard> {
        let whole = Listener::default().hear(stream.as_bytes());
        let mut listener = Listener::default();
        let single = stream.bytes().zip(1..).find_map(|(byte, read)| Some((listener.hear(&[byte])?.0, read)));
        assert_eq!(whole, single, "{stream:?}");
        whole.map(|(heard, _)| heard)
    }

    #[test]
    fn content_and_an_end_are_a_model_speaking_and_a_role_is_not() {
        assert_eq!(heard(&format!("{ROLE}\n\n")), None);
        assert_eq!(heard(&format!("{ROLE}\n\n{WORD}\n\n")), Some(Heard::Model));
        assert_eq!(heard(&format!("{ROLE}\n\n{END}\n\n")), Some(Heard::Model));
        for delta in
            [r#"{"reasoning_content":"h"}"#, r#"{"tool_calls":[{"index":0}]}"#, r#"{"refusal":"no"}"#]
        {
            let event = format!("data:{{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
            assert_eq!(heard(&event), Some(Heard::Model), "{delta}");
        }
    }

    #[test]
    fn every_way_to_write_an_event_is_understood() {
        let split =
            WORD.replacen(':', ":\r\n: a comment\r\nevent: x\r\ndata:", 1).replacen("data:\r\n", "", 1);
        for stream in [
            format!("{WORD}\r\n\r\n"),
            format!("{WORD}\r\r"),
            format!("\u{feff}{WORD}\n\n"),
            format!(": ping\n\nid: 1\nretry: 5\n{WORD}\n\n"),
            format!("{split}\r\n\r\n"),
            "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"p\"}}]}\n\n".to_owned(),
        ] {
            assert_eq!(heard(&stream), Some(Heard::Model), "{stream:?}");
        }
        assert_eq!(heard(&format!("{WORD}\n")), None, "an event ends with an empty line");
    }

    #[test]
    fn errors_garbage_and_a_stream_in_which_nobody_spoke_are_told_apart() {
        let error = r#"{"error":{"message":"no money","code":"insufficient_quota"}}"#;
        let said = heard(&format!("data: {error}\n\n"));
        assert_eq!(said, Some(Heard::Error(serde_json::from_str(error).unwrap())));
        assert_eq!(heard("data: <html>\n\n"), Some(Heard::Garbage));
        assert_eq!(heard(&format!("{ROLE}\n\ndata: [DONE]\n\n")), Some(Heard::Nothing));
        assert_eq!(heard("data: {\"choices\":[]}\n\ndata: 7\n\n"), None);
    }
}
