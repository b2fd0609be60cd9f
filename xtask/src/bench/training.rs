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

/// The host of the upstream that speaks TLS.
const HOST: &str = "127.0.0.1";

/// Puts small and large requests and streams on gateways with little and with much to choose from, and on one whose upstream
/// is another one behind TLS; all of them end in good order, because only then they say what they did.
pub(super) fn run(bench: &Bench) -> anyhow::Result<()> {
    let plain = bench.start_gateway(House::PLAIN, TARGET_CORE)?;
    let full = bench.start_gateway(House::FULL, TARGET_CORE)?;
    let (outer, inner) = start_behind_tls(bench)?;
    for (gateway, house) in [(&plain, House::PLAIN), (&full, House::FULL), (&outer, House::PLAIN)] {
        for scenario in SCENARIOS.iter().filter(|of| matches!(of.cost, Cost::Request | Cost::Event)) {
            for text in [&[][..], &["--prose"]] {
                let words = scenario.arguments.iter().chain(text).map(ToString::to_string);
                drive(bench, gateway, words.chain(house.arguments()).collect())
                    .with_context(|| format!("{}: {}", scenario.name, scenario.meaning))?;
            }
        }
    }
    [outer, inner, plain, full].into_iter().try_for_each(Child::stop)
}

/// A gateway whose upstream is a gateway that speaks TLS. Each shows a side of it.
fn start_behind_tls(bench: &Bench) -> anyhow::Result<(Child, Child)> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_owned()])?;
    let keep = |name: &str, text: String| -> anyhow::Result<String> {
        let path = bench.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_str().context("the target folder's name is not UTF-8")?.to_owned())
    };
    let cert = keep("training-cert.pem", cert.pem())?;
    let key = keep("training-key.pem", signing_key.serialize_pem())?;
    let ready_at = format!("{HOST}:{}", free_port()?);
    let inner = bench.start(&Wanted {
        house: House { is_behind: true, ..House::PLAIN },
        core: TARGET_CORE,
        upstream: &format!("http://{}", bench.upstream.first_line),
        environment: &[
            ("GATEWAY_SERVER__TLS__CERT", &cert),
            ("GATEWAY_SERVER__TLS__KEY", &key),
            ("GATEWAY_ADMIN__LISTEN", &ready_at),
        ],
        ready_at: Some(&ready_at),
    })?;
    let outer = bench.start(&Wanted {
        house: House::PLAIN,
        core: TARGET_CORE,
        upstream: &format!("https://{}", inner.first_line),
        environment: &[("SSL_CERT_FILE", &cert)],
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
