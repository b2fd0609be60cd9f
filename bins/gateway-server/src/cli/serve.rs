use std::io::Write;

use gateway_config::{Environment, Source};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{load, tell};
use crate::{App, FirstStart, Logging, Options};

/// Serves until a signal ends it.
pub(super) fn serve(source: Source, environment: Environment, err: &mut dyn Write) -> anyhow::Result<()> {
    let loaded = load(&source, &environment)?;
    let logging = Logging::install(&loaded.settings.log, !environment.contains_key("NO_COLOR"))?;
    raise_file_limit();
    let mut app = App::build(Options { source, environment })?;
    app.obey_signals();
    app.control_log(logging.control());
    tell(err, &news(app.first_start()));
    app.run()
}

/// What is shown once, in words.
fn news(first: &FirstStart) -> String {
    let mut text = String::new();
    if let Some(token) = &first.admin_token {
        text.push_str("\nAdmin token, shown only this once (only its hash is kept):\n\n    ");
        text.push_str(token.expose());
        text.push_str("\n\n`gateway-server token` makes a new one.\n");
    }
    if let Some(channel) = &first.channel {
        text.push_str("\nOPENAI_API_KEY is set and there was no channel, so the channel `");
        text.push_str(channel.name);
        text.push_str("` was made: it serves every model from\n");
        text.push_str(channel.base_url.as_str());
        text.push_str(".\n");
        if let Some(key) = &channel.user_key {
            text.push_str("\nA first user was made. Its key, shown only this once:\n\n    ");
            text.push_str(key.expose());
            text.push_str(
                "\n\nGive it to your OpenAI client as the API key, and this gateway's /v1 as the base URL.\n",
            );
        }
    }
    text
}

/// Every call needs two sockets; the soft limit of most systems is 1024 files.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

#[cfg(test)]
mod tests {
    use gateway_domain::{BaseUrl, Secret};

    use super::*;
    use crate::FirstChannel;

    #[test]
    fn secrets_that_were_made_are_shown_and_nothing_else_is_said() {
        assert_eq!(news(&FirstStart::default()), "");
        let first = FirstStart {
            admin_token: Some(Secret::new("gwa-token".to_owned())),
            channel: Some(FirstChannel {
                name: "openai",
                base_url: BaseUrl::parse("https://api.openai.com").unwrap(),
                user_key: Some(Secret::new("sk-user".to_owned())),
            }),
        };
        let text = news(&first);
        for part in ["gwa-token", "sk-user", "`openai`", "https://api.openai.com/v1"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
