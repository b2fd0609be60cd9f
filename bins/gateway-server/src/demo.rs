//! `gateway-server demo`: the real gateway, with upstreams that are scripted.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use gateway_config::Environment;

pub(crate) fn run(
    _listen: SocketAddr,
    _environment: &Environment,
    _temporary: &Path,
    _out: &mut dyn Write,
) -> anyhow::Result<()> {
    Ok(())
}
