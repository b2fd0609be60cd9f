//! The gateways that are measured: how much each has to serve.

use std::fmt::Write as _;

/// The key of the only user; of several, the beginning of each one's.
pub(super) const KEY: &str = "sk-bench-0123456789abcdef";

/// What channels show to their upstream, and how the upstream calls the model.
const UPSTREAM_KEY: &str = "sk-upstream-bench";
const UPSTREAM_MODEL: &str = "bench-backend";

/// The token of the admin API.
pub(super) const TOKEN: &str = "bench-admin-token-0123";

/// What a gateway has to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct House {
    pub channels: usize,
    /// 1 is a user whose key has no number.
    pub users: usize,
    /// 1 is a model without a number.
    pub models: usize,
    pub workers: u32,
    pub sessions: usize,
    /// Calls at a time; 0 is as many as there may be by default.
    pub calls: usize,
    /// Whether it is another one's upstream.
    pub is_behind: bool,
}

impl House {
    /// One of everything.
    pub(super) const PLAIN: Self =
        Self { channels: 1, users: 1, models: 1, workers: 1, sessions: 0, calls: 0, is_behind: false };

    /// As in a firm.
    pub(super) const FULL: Self = Self { channels: 3, users: 1_000, sessions: 1_000, ..Self::PLAIN };

    /// Its configuration file; `upstream` is the scheme, the host and the port of all channels. Records and metrics are on,
    /// as they are by default.
    pub(super) fn configuration(&self, port: u16, upstream: &str, database: &str) -> String {
        let mut text = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = {port}\nworkers = {}\nmax_connections = 16000\n",
            self.workers
        );
        if self.calls > 0 {
            let _infallible = writeln!(text, "max_calls = {}", self.calls);
        }
        let _infallible = write!(
            text,
            "[database]\npath = \"{database}\"\n[log]\nlevel = \"warn\"\n[admin]\ntoken = \"{TOKEN}\"\n"
        );
        for channel in 0..self.channels {
            let _infallible = write!(
                text,
                "[[channels]]\nname = \"c{channel}\"\nbase_url = \"{upstream}/v1\"\n\
                 api_key = \"{UPSTREAM_KEY}\"\nprobe = \"off\"\n"
            );
        }
        let mapping = |channel| format!("{{ channel = \"c{channel}\", model = \"{UPSTREAM_MODEL}\" }}");
        let (name, key) = if self.is_behind { (UPSTREAM_MODEL, UPSTREAM_KEY) } else { ("bench", KEY) };
        for model in 0..self.models {
            // One model is served by all channels; of several each has one.
            let mappings: Vec<_> = if self.models == 1 {
                (0..self.channels).map(mapping).collect()
            } else {
                vec![mapping(model % self.channels.max(1))]
            };
            let name = numbered(name, model, self.models);
            let _infallible =
                write!(text, "[[models]]\nname = \"{name}\"\nchannels = [{}]\n", mappings.join(", "));
        }
        for user in 0..self.users {
            let (name, key) = (numbered("bench", user, self.users), numbered(key, user, self.users));
            let _infallible = write!(text, "[[users]]\nname = \"{name}\"\nkey = \"{key}\"\n");
        }
        text
    }

    /// What the load generator must know to use all of it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--key".to_owned(), KEY.to_owned()];
        let several = [("--users", self.users), ("--models", self.models), ("--sessions", self.sessions)];
        for (name, count) in several.into_iter().filter(|(_, count)| *count > 1) {
            arguments.extend([name.to_owned(), count.to_string()]);
        }
        arguments
    }
}

fn numbered(name: &str, number: usize, of: usize) -> String {
    if of == 1 { name.to_owned() } else { format!("{name}-{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_uses_what_the_house_has() {
        let text = House::FULL.configuration(1, "u", "d");
        assert_eq!(text.matches("[[channels]]").count(), 3);
        assert_eq!(text.matches("[[users]]").count(), 1_000);
        assert!(text.contains(&format!("\"{KEY}-999\"")) && text.contains("name = \"bench\"\nchannels"));
        assert_eq!(House::FULL.arguments()[2..], ["--users", "1000", "--sessions", "1000"]);
        assert_eq!(House::PLAIN.arguments(), ["--key", KEY]);
    }
}
