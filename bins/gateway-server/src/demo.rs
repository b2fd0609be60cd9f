//! `gateway-server demo`: the real gateway on loopback, with a temporary database and two scripted upstreams. Needs no
//! account, no key and no network.

mod script;
mod stream;
mod upstream;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context as _;
use gateway_config::{Environment, Source};
use gateway_domain::{BaseUrl, NewChannel, NewUser, Secret};
use tempfile::TempDir;

use crate::app::{App, Options, open_store};
use crate::first_start::new_user_key;
use crate::telemetry::Logging;
use upstream::{Temper, Upstream};

/// What the demo's channels serve.
const MODELS: [&str; 4] = ["gpt-4o-mini", "gpt-4o", "text-embedding-3-small", "text-embedding-3-large"];

/// Serves until a signal ends it; everything that was made goes with it.
pub(crate) fn run(
    listen: SocketAddr,
    environment: &Environment,
    temporary: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        listen.ip().is_loopback(),
        "the demo listens on loopback only: its upstreams answer anybody"
    );
    let upstreams = [Upstream::start("slow", Temper::Slow)?, Upstream::start("moody", Temper::Moody)?];
    let folder = TempDir::with_prefix_in("gateway-demo-", temporary).context("no temporary folder")?;
    let listen = free_address(listen, out)?;
    let options = options(listen, &folder, environment);
    let loaded = gateway_config::load(&options.source, &options.environment)?;
    let _logging = Logging::install(&loaded.settings.log, !environment.contains_key("NO_COLOR"))?;
    let user_key = new_user_key()?;
    let store = open_store(&loaded.settings)?;
    for upstream in &upstreams {
        store.create_channel(&channel(upstream)?)?;
    }
    store.create_user(&NewUser {
        name: "demo".into(),
        keys: vec![user_key.clone()],
        enabled: true,
        allowed_models: None,
        may_explain: false,
    })?;
    store.close()?;
    let mut app = App::build(options)?;
    app.obey_signals();
    out.write_all(guide(&app, &user_key).as_bytes())?;
    out.flush()?;
    app.run()
}

/// The wished address, or a free port beside it when somebody listens there.
fn free_address(wished: SocketAddr, out: &mut dyn Write) -> anyhow::Result<SocketAddr> {
    let free = TcpListener::bind(wished).and_then(|probe| probe.local_addr());
    let Err(error) = free else { return Ok(wished) };
    let other = TcpListener::bind((wished.ip(), 0))
        .and_then(|probe| probe.local_addr())
        .with_context(|| format!("no port is free at {}", wished.ip()))?;
    writeln!(out, "Port {} cannot be used ({error}); this is port {}.", wished.port(), other.port())?;
    Ok(other)
}

/// Nothing of the real environment but how to log: the demo must not depend on what is configured on this machine.
fn options(listen: SocketAddr, folder: &TempDir, environment: &Environment) -> Options {
    let mut own: Environment =
        environment.iter().filter(|(name, _)| name.starts_with("GATEWAY_LOG__")).map(copied).collect();
    own.entry("GATEWAY_LOG__LEVEL".to_owned()).or_insert_with(|| "warn".to_owned());
    for (name, value) in [
        ("GATEWAY_SERVER__HOST", listen.ip().to_string()),
        ("GATEWAY_SERVER__PORT", listen.port().to_string()),
        ("GATEWAY_SERVER__SHUTDOWN_GRACE", "5s".to_owned()),
        ("GATEWAY_SERVER__MAX_CONNECTIONS", "256".to_owned()),
        ("GATEWAY_DATABASE__PATH", folder.path().join("demo.db").display().to_string()),
        ("GATEWAY_HEALTH_CHECK__INTERVAL", "5s".to_owned()),
    ] {
        own.insert(name.to_owned(), value);
    }
    Options { source: Source { path: None, directory: folder.path().to_owned() }, environment: own }
}

fn copied((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn channel(upstream: &Upstream) -> anyhow::Result<NewChannel> {
    let base_url = BaseUrl::parse(&format!("http://{}", upstream.address()))?;
    let key = Secret::new(format!("sk-demo-{}", upstream.name()));
    Ok(NewChannel {
        models: MODELS.iter().map(|model| (*model).into()).collect(),
        ..NewChannel::new(upstream.name(), base_url, key)
    })
}

/// What to try and what to look at.
fn guide(app: &App, user_key: &Secret<String>) -> String {
    let base = format!("http://{}", app.addresses().public);
    let key = user_key.expose();
    let token = app.first_start().admin_token.as_ref().map_or("(none)", |token| token.expose());
    format!(
        r#"
openai-gateway demo: {base}

Two scripted upstreams stand behind it: `slow` takes its time for every token, `moody` fails every fourth call
before its first byte (500, 429, or a closed connection). You should never see such a failure.

User key      {key}
Admin token   {token}

A streamed chat completion:

  curl -N {base}/v1/chat/completions -H 'authorization: Bearer {key}' -H 'content-type: application/json' -d '{{"model":"gpt-4o-mini","stream":true,"messages":[{{"role":"user","content":"Hello!"}}]}}'

Who answered, after how many tries (see x-gateway-channel, x-gateway-attempts):

  for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -D - {base}/v1/embeddings -H 'authorization: Bearer {key}' -H 'content-type: application/json' -d '{{"model":"text-embedding-3-small","input":"hi"}}' | grep -i x-gateway; done

An OpenAI SDK:

  OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY={key} python -c 'import openai; print(openai.OpenAI().models.list())'

What to look at: attempts, failures and latency by channel; the channels; the gateway itself; and in a browser, {base}/

  curl {base}/metrics
  curl {base}/api/channels -H 'authorization: Bearer {token}'
  curl {base}/api/status -H 'authorization: Bearer {token}'

GATEWAY_LOG__LEVEL=info shows a line per call. Ctrl-C ends the demo and removes all it made.

"#
    )
}

#[cfg(test)]
mod tests;
