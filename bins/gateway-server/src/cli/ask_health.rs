//! Asks the gateway that runs with this configuration whether it lives, as a container's health check does.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gateway_config::{Environment, Settings, Source};
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::load;
use crate::tls;

/// The longest wait for a connection, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// An answer other than 200 is an error.
pub(super) fn ask(source: &Source, environment: &Environment) -> anyhow::Result<()> {
    let settings = load(source, environment)?.settings;
    let status = status(&settings)?;
    anyhow::ensure!(status == "200", "the gateway answers {status}");
    Ok(())
}

fn status(settings: &Settings) -> anyhow::Result<String> {
    let server = &settings.server;
    anyhow::ensure!(server.port != 0, "server.port is 0: nobody knows where the gateway listens");
    // What is listened on is not always what can be called.
    let host = match server.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        other => other,
    };
    let address = (host, server.port).to_socket_addrs()?.next().context("server.host has no address")?;
    let socket = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nobody listens at {address}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    match &server.tls {
        None => exchange(socket),
        Some(files) => {
            let name = ServerName::IpAddress(address.ip().into());
            let connection = ClientConnection::new(Arc::new(tls::own_client_config(files)?), name)?;
            exchange(StreamOwned::new(connection, socket))
        }
    }
}

/// Only the status line counts, so the answer need not be whole.
fn exchange(mut stream: impl Read + Write) -> anyhow::Result<String> {
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut piece = [0; 256];
    while !answer.contains(&b'\n') && answer.len() < 1024 {
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).filter(|_| text.starts_with("HTTP/1.1 "));
    status.map(str::to_owned).context("the answer is no HTTP")
}
