//! `cargo xtask bench`: what the gateway costs on this machine, beside the same upstream asked directly and, where it is
//! installed, beside nginx as a plain reverse proxy.
//!
//! Absolute figures of a small shared machine are worth little; ratios within one run are worth something. So every
//! round asks every target, one after the other, and the report shows medians over the rounds.

mod process;
mod report;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::shell::{self, cargo, say};
use process::{Child, free_port, wait_until_ready};
use report::{Figures, Report};

/// The key that the load uses.
const KEY: &str = "sk-bench-0123456789abcdef";

/// One way to put load on a target.
struct Scenario {
    name: &'static str,
    arguments: &'static [&'static str],
}

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "1 KB request, 64 connections", arguments: &["--connections", "64"] },
    Scenario {
        name: "100 KB request, 64 connections",
        arguments: &["--connections", "64", "--prompt", "100000"],
    },
    Scenario { name: "200 streams of 100 events", arguments: &["--connections", "200", "--stream"] },
    Scenario { name: "200 requests/s, even pace", arguments: &["--connections", "32", "--rate", "200"] },
];

/// Runs every scenario against every target.
pub(crate) fn run(rounds: u32, quick: bool) -> anyhow::Result<()> {
    cargo(["build", "--release", "--locked", "-p", "gateway-server", "-p", "gateway-load"]).run()?;
    let release = shell::target_directory()?.join("release");
    let folder = shell::target_directory()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let upstream = Child::start_and_read(&release.join("gateway-load"), &["upstream"], process::LOAD_CORE)?;
    let gateway = start_gateway(&release.join("gateway-server"), &folder, &upstream.first_line)?;
    let nginx = start_nginx(&folder, &upstream.first_line)?;
    let idle = gateway.memory_kb()?;

    let mut targets = vec![("upstream alone", upstream.first_line.clone(), None)];
    if let Some(nginx) = &nginx {
        targets.push(("nginx", nginx.first_line.clone(), Some(nginx)));
    }
    targets.push(("gateway", gateway.first_line.clone(), Some(&gateway)));

    let (rounds, seconds) = if quick { (1, "0.5") } else { (rounds, "3") };
    let mut report = Report::default();
    for round in 0..rounds {
        for scenario in &SCENARIOS {
            say(&format!("round {}: {}", round + 1, scenario.name));
            for (name, address, child) in &targets {
                let figures = measure(&release.join("gateway-load"), address, scenario, seconds, *child)?;
                report.add(scenario.name, name, figures);
            }
        }
    }
    report.note("gateway: memory at idle", &format!("{:.1} MB", kilo(idle)));
    report.note("gateway: memory after the load", &format!("{:.1} MB", kilo(gateway.memory_kb()?)));
    let size = std::fs::metadata(release.join("gateway-server"))?.len() / 1024;
    report.note("gateway: size of the binary", &format!("{:.1} MB", kilo(size)));
    say(&report.table());
    std::fs::write(folder.join("report.json"), serde_json::to_string_pretty(&report.json())?)?;
    std::fs::write(folder.join("report.svg"), report.picture())?;
    say(&format!("written: {0}/report.json, {0}/report.svg", folder.display()));
    Ok(())
}

fn measure(
    load: &Path,
    address: &str,
    scenario: &Scenario,
    seconds: &str,
    child: Option<&Child>,
) -> anyhow::Result<Figures> {
    let mut arguments =
        vec!["closed", "--to", address, "--key", KEY, "--warmup", "0.5", "--seconds", seconds];
    arguments.extend(scenario.arguments);
    let before = child.map(Child::cpu_nanoseconds).transpose()?;
    let answer = process::output(load, &arguments, process::LOAD_CORE)?;
    let spent = match (child, before) {
        (Some(child), Some(before)) => Some(child.cpu_nanoseconds()?.saturating_sub(before)),
        _ => None,
    };
    let seen: Value = serde_json::from_str(&answer).context("cannot read the load generator's report")?;
    Figures::new(&seen, spent)
}

fn start_gateway(binary: &Path, folder: &Path, upstream: &str) -> anyhow::Result<Child> {
    let port = free_port()?;
    let database = folder.join("gateway.db");
    for file in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
        // Left over from the last run, or not there.
        let _gone = std::fs::remove_file(folder.join(file));
    }
    let config = folder.join("gateway.toml");
    let text = format!(
        "[server]\nhost = \"127.0.0.1\"\nport = {port}\nworkers = 1\n\
         [database]\npath = \"{}\"\n\
         [log]\nlevel = \"warn\"\n\
         [admin]\ntoken = \"bench-admin-token-0123\"\n\
         [[channels]]\nname = \"bench\"\nbase_url = \"http://{upstream}/v1\"\napi_key = \"sk-upstream-bench\"\nprobe = \"off\"\n\
         [[models]]\nname = \"bench\"\nchannels = [{{ channel = \"bench\", model = \"bench-backend\" }}]\n\
         [[users]]\nname = \"bench\"\nkey = \"{KEY}\"\n",
        database.display()
    );
    std::fs::write(&config, text)?;
    let config = config.to_str().context("the target folder's name is not UTF-8")?;
    let mut child = Child::start(binary, &["--config", config], process::TARGET_CORE)?;
    child.first_line = format!("127.0.0.1:{port}");
    wait_until_ready(&child.first_line, "/readyz", Duration::from_secs(10))?;
    Ok(child)
}

/// nginx as a plain reverse proxy with kept upstream connections; `None` where it is not installed.
fn start_nginx(folder: &Path, upstream: &str) -> anyhow::Result<Option<Child>> {
    if !shell::exists_with("nginx", "-v") {
        say("nginx is not installed: measuring without it");
        return Ok(None);
    }
    let port = free_port()?;
    let config = folder.join("nginx.conf");
    let text = format!(
        "worker_processes 1; daemon off; master_process off; pid {0}/nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000;\n\
           client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
           upstream up {{ server {upstream}; keepalive 512; keepalive_requests 1000000; }}\n\
           server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n",
        folder.display()
    );
    std::fs::write(&config, text)?;
    let config = config.to_str().context("the target folder's name is not UTF-8")?;
    let mut child = Child::start(Path::new("nginx"), &["-c", config], process::TARGET_CORE)?;
    child.first_line = format!("127.0.0.1:{port}");
    wait_until_ready(&child.first_line, "/v1/models", Duration::from_secs(10))?;
    Ok(Some(child))
}

fn kilo(of: u64) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX)) / 1024.0
}
