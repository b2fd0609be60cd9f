//! What is measured: the gateway, and nginx with the same upstream.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::Bench;
use super::house::House;
use super::process::{Child, TARGET_CORE, free_port, wait_until_ready};
use crate::shell::{self, say};

/// The name of the upstream where it is asked directly.
pub(super) const DIRECT: &str = "upstream alone";
pub(super) const NGINX: &str = "nginx";
pub(super) const GATEWAY: &str = "gateway";
pub(super) const FULL: &str = "gateway, full house";

/// A gateway with many users takes a moment to come up.
const PATIENCE: Duration = Duration::from_mins(2);

/// A gateway to be started.
pub(super) struct Wanted<'a> {
    pub house: House,
    pub core: &'a str,
    /// Where its channels are: scheme, host and port.
    pub upstream: &'a str,
    /// What it is told beside its configuration file.
    pub environment: &'a [(&'a str, &'a str)],
    /// Where it says that it is ready, if not where it serves.
    pub ready_at: Option<&'a str>,
}

// === impl Bench ===

impl Bench {
    /// A fresh gateway with an empty database, in front of the upstream.
    pub(super) fn start_gateway(&self, house: House, core: &str) -> anyhow::Result<Child> {
        let upstream = format!("http://{}", self.upstream.first_line);
        self.start(&Wanted { house, core, upstream: &upstream, environment: &[], ready_at: None })
    }

    /// A fresh gateway with an empty database.
    pub(super) fn start(&self, wanted: &Wanted<'_>) -> anyhow::Result<Child> {
        let Wanted { house, core, upstream, environment, ready_at } = wanted;
        let port = free_port()?;
        let name = format!("gateway-{port}");
        let database = self.folder.join(format!("{name}.db"));
        for end in ["", "-wal", "-shm"] {
            // Left over from an earlier run, or not there.
            let _gone = std::fs::remove_file(self.folder.join(format!("{name}.db{end}")));
        }
        let config = self.folder.join(format!("{name}.toml"));
        let database_path = database.to_str().context("the target folder's name is not UTF-8")?;
        std::fs::write(&config, house.configuration(port, upstream, database_path))?;
        let config_path = config.to_str().context("the target folder's name is not UTF-8")?;
        let mut child = Child::start(&self.gateway, &["--config", config_path], core, environment)?;
        child.first_line = format!("127.0.0.1:{port}");
        child.leaves =
            ["", "-wal", "-shm", ".key"].map(|end| self.folder.join(format!("{name}.db{end}"))).to_vec();
        child.leaves.push(config);
        wait_until_ready(ready_at.unwrap_or(&child.first_line), "/readyz", PATIENCE)?;
        Ok(child)
    }

    /// nginx as a plain reverse proxy with kept upstream connections; `None` where it is not installed.
    pub(super) fn start_nginx(&self) -> anyhow::Result<Option<Child>> {
        if !shell::exists_with("nginx", "-v") {
            say("nginx is not installed: measuring without it");
            return Ok(None);
        }
        let port = free_port()?;
        let config = self.folder.join("nginx.conf");
        let text = format!(
            "worker_processes 1; daemon off; master_process off; pid {0}/nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections 16384; }}\n\
             http {{ access_log off; client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000;\n\
               client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
               upstream up {{ server {1}; keepalive 512; keepalive_requests 1000000; }}\n\
               server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://up; proxy_http_version 1.1;\n\
                 proxy_set_header Connection \"\"; proxy_buffering off; proxy_read_timeout 120s; }} }} }}\n",
            self.folder.display(),
            self.upstream.first_line
        );
        std::fs::write(&config, text)?;
        let config = config.to_str().context("the target folder's name is not UTF-8")?;
        let mut child = Child::start(Path::new("nginx"), &["-c", config], TARGET_CORE, &[])?;
        child.first_line = format!("127.0.0.1:{port}");
        wait_until_ready(&child.first_line, "/v1/models", PATIENCE)?;
        Ok(Some(child))
    }
}
