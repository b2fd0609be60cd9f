//! The requests that are sent: one after the other of a list that was written beforehand.

use std::net::SocketAddr;

use clap::Args;

/// How many different requests are kept at most; more users or models than that share them out evenly.
const VARIANTS: usize = 4096;
/// Of large prompts fewer are kept.
const LARGE: usize = 16 << 10;

/// What people write, as it stands in a JSON string.
const PROSE: &str = r#"Sum up what follows, please:\n\n\"The café opened at nine — nobody came.\"\n\tif x == 1 { return; }\n"#;

/// What a request says.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wording {
    /// The server.
    #[arg(long)]
    pub(crate) to: SocketAddr,
    /// The bearer key; with `--users` the number of a user is added to it.
    #[arg(long, default_value = "")]
    key: String,
    /// From how many users requests come.
    #[arg(long)]
    users: Option<usize>,
    /// How many models they name, `bench-0` and so on; without it all name `bench`.
    #[arg(long)]
    models: Option<usize>,
    /// How many sessions they name in `x-session-id`.
    #[arg(long)]
    sessions: Option<usize>,
    /// Bytes of the prompt.
    #[arg(long, default_value_t = 800)]
    prompt: usize,
    /// Make the prompt of prose, with line ends, quotes and letters that are not ASCII, instead of one letter.
    #[arg(long)]
    prose: bool,
    /// Ask for streams of this many events.
    #[arg(long)]
    pub(crate) events: Option<u32>,
    /// Milliseconds between two of them.
    #[arg(long, default_value_t = 0)]
    gap_ms: u64,
}

// === impl Wording ===

impl Wording {
    /// All different requests, in the order in which they are sent.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        let most = if self.prompt > LARGE { 1 } else { VARIANTS };
        let wanted = [self.users, self.models, self.sessions].into_iter().flatten().max().unwrap_or(1);
        let count = wanted.clamp(1, most);
        // Of more than are kept every so-manieth is taken, so that they lie all over the tables.
        (0..count).map(|number| self.request(number * (wanted / count).max(1))).collect()
    }

    /// The prompt; prose ends with the sentence in which it has its length.
    fn text(&self) -> String {
        if self.prose { PROSE.repeat(self.prompt.div_ceil(PROSE.len())) } else { "x".repeat(self.prompt) }
    }

    fn request(&self, number: usize) -> Vec<u8> {
        let among = |all: Option<usize>| all.filter(|all| *all > 0).map(|all| number % all);
        let numbered = |name: &str, all| match among(all) {
            Some(number) => format!("{name}-{number}"),
            None => name.to_owned(),
        };
        let session = among(self.sessions).map(|number| format!("x-session-id: bench-{number}\r\n"));
        let (stream, script) = match self.events {
            Some(events) => (",\"stream\":true", format!("[[events={events} gap_ms={}]]", self.gap_ms)),
            None => ("", String::new()),
        };
        let body = format!(
            "{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{script}{}\"}}],\"temperature\":0.70{stream}}}",
            numbered("bench", self.models),
            self.text(),
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\naccept: application/json\r\nuser-agent: gateway-load\r\n{}\
             content-length: {}\r\n\r\n{body}",
            self.to,
            numbered(&self.key, self.users),
            session.unwrap_or_default(),
            body.len()
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wording(users: usize) -> Wording {
        Wording {
            to: ([127, 0, 0, 1], 1).into(),
            key: "sk".to_owned(),
            users: Some(users),
            models: Some(3),
            sessions: None,
            prompt: 4,
            prose: false,
            events: None,
            gap_ms: 0,
        }
    }

    #[test]
    fn users_and_models_take_turns() {
        let requests = wording(7).requests();
        let text = String::from_utf8(requests.get(5).unwrap().clone()).unwrap();
        assert_eq!(requests.len(), 7);
        assert!(text.contains("Bearer sk-5\r\n") && text.contains("\"bench-2\""), "{text}");
    }

    #[test]
    fn prose_is_json_and_as_long_as_asked() {
        let requests = Wording { prose: true, prompt: 1_000, ..wording(1) }.requests();
        let text = String::from_utf8(requests.first().unwrap().clone()).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let prompt = body.pointer("/messages/0/content").and_then(|prompt| prompt.as_str()).unwrap();
        assert!(prompt.contains("café") && prompt.contains("\n\n\"The") && prompt.len() > 900, "{prompt}");
    }

    #[test]
    fn of_many_users_some_are_taken_from_everywhere() {
        let requests = wording(100_000).requests();
        let last = String::from_utf8(requests.last().unwrap().clone()).unwrap();
        assert_eq!(requests.len(), VARIANTS);
        assert!(last.contains("Bearer sk-98280\r\n"), "{last}");
    }
}
