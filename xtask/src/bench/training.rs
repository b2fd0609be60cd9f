//! Loads that show a program what it will have to do, so that its compiler can learn from what it did.

use anyhow::{Context, bail};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::Bench;
use super::house::House;
use super::process::{Child, LOAD_CORE, TARGET_CORE, free_port};
use super::scenarios::{Cost, SCENARIOS};
use super::targets::Wanted;
use crate::shell::say;

/// How long each load lasts on each gateway, in seconds: until what a start has cost counts for little.
const SECONDS: f64 = 1.5;

/// The host of everybody who speaks TLS.
const HOST: &str = "127.0.0.1";

/// A certificate that everybody here trusts, and its key: where they lie.
struct Certificate {
    cert: String,
    key: String,
}

/// Puts small and large requests and streams on gateways in different places. All of them end in good order, because only then
/// they say what they did.
pub(super) fn run(bench: &Bench) -> anyhow::Result<()> {
    let certificate = Certificate::make(bench)?;
    let trusting = vec!["--trust".to_owned(), certificate.cert.clone()];
    let (secured, secure_upstream) = start_secured(bench, &certificate)?;
    let (outer, inner) = start_two(bench, &certificate)?;
    let plain = bench.start_gateway(House::PLAIN, TARGET_CORE)?;
    let full = bench.start_gateway(House::FULL, TARGET_CORE)?;
    for (gateway, arguments) in [
        (&plain, House::PLAIN.arguments()),
        (&full, House::FULL.arguments()),
        (&secured, [House::PLAIN.arguments(), trusting].concat()),
        (&outer, House::PLAIN.arguments()),
    ] {
        for scenario in SCENARIOS.iter().filter(|of| matches!(of.cost, Cost::Request | Cost::Event)) {
            let words = scenario.arguments.iter().map(ToString::to_string);
            drive(bench, gateway, words.chain(arguments.clone()).collect())
                .with_context(|| format!("{}: {}", scenario.name, scenario.meaning))?;
        }
    }
    [outer, inner, plain, full, secured, secure_upstream].into_iter().try_for_each(Child::stop)
}

/// A gateway with TLS on both sides and HTTP/1.1 within, and its upstream.
fn start_secured(bench: &Bench, certificate: &Certificate) -> anyhow::Result<(Child, Child)> {
    let Certificate { cert, key } = certificate;
    let upstream =
        Child::start_and_read(&bench.load, &["upstream", "--cert", cert, "--key", key], LOAD_CORE)?;
    let ready_at = format!("{HOST}:{}", free_port()?);
    let gateway = bench.start(&Wanted {
        house: House::PLAIN,
        core: TARGET_CORE,
        upstream: &format!("https://{}", upstream.first_line),
        environment: &[
            ("GATEWAY_SERVER__TLS__CERT", cert),
            ("GATEWAY_SERVER__TLS__KEY", key),
            ("GATEWAY_ADMIN__LISTEN", &ready_at),
            ("SSL_CERT_FILE", cert),
        ],
        ready_at: Some(&ready_at),
    })?;
    Ok((gateway, upstream))
}

/// A gateway whose upstream is another one, over TLS: the two agree on HTTP/2, and each shows a side of it.
fn start_two(bench: &Bench, certificate: &Certificate) -> anyhow::Result<(Child, Child)> {
    let Certificate { cert, key } = certificate;
    let ready_at = format!("{HOST}:{}", free_port()?);
    let inner = bench.start(&Wanted {
        house: House { is_behind: true, ..House::PLAIN },
        core: TARGET_CORE,
        upstream: &format!("http://{}", bench.upstream.first_line),
        environment: &[
            ("GATEWAY_SERVER__TLS__CERT", cert),
            ("GATEWAY_SERVER__TLS__KEY", key),
            ("GATEWAY_ADMIN__LISTEN", &ready_at),
        ],
        ready_at: Some(&ready_at),
    })?;
    let outer = bench.start(&Wanted {
        house: House::PLAIN,
        core: TARGET_CORE,
        upstream: &format!("https://{}", inner.first_line),
        environment: &[("SSL_CERT_FILE", cert)],
        ready_at: None,
    })?;
    Ok((outer, inner))
}

fn drive(bench: &Bench, gateway: &Child, mut words: Vec<String>) -> anyhow::Result<()> {
    words.extend(["--to".to_owned(), gateway.first_line.clone()]);
    let seconds = if bench.options.quick { 0.2 } else { SECONDS };
    words.extend(["--warmup", "0", "--seconds", &seconds.to_string()].map(str::to_owned));
    say(&format!("training: {}", words.join(" ")));
    let seen = bench.drive(&words, LOAD_CORE)?;
    let number = |name: &str| seen.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    // What went wrong is nothing to learn from.
    if number("completed") == 0 || number("errors") + number("incomplete") > 0 {
        bail!("not every request was answered, or not every stream was whole: {seen}");
    }
    Ok(())
}

// === impl Certificate ===

impl Certificate {
    fn make(bench: &Bench) -> anyhow::Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_owned()])?;
        let keep = |name: &str, text: String| -> anyhow::Result<String> {
            let path = bench.folder.join(name);
            std::fs::write(&path, text)?;
            Ok(path.to_str().context("the target folder's name is not UTF-8")?.to_owned())
        };
        Ok(Self {
            cert: keep("training-cert.pem", cert.pem())?,
            key: keep("training-key.pem", signing_key.serialize_pem())?,
        })
    }
}
