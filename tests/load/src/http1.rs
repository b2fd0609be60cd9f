//! As much of HTTP/1.1 as a benchmark between two known programs needs.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A message whose head has arrived.
#[derive(Debug)]
pub(crate) struct Head {
    /// The length of the head with its closing blank line.
    pub len: usize,
    /// Announced length of the body; `None` for chunked bodies.
    pub body: Option<usize>,
    /// The status, for answers.
    pub status: u16,
    /// Whether the other side says when to come again.
    pub come_again: bool,
}

/// Reads until a head is whole. `None` when the other side closed between two messages.
pub(crate) async fn read_head<R: AsyncRead + Unpin>(
    io: &mut R,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Head>> {
    loop {
        if let Some(end) = memmem::find(buffer, b"\r\n\r\n") {
            return Ok(Some(head(buffer.get(..end).unwrap_or_default(), end + 4)));
        }
        if io.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

fn head(bytes: &[u8], len: usize) -> Head {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
    let (mut body, mut come_again) = (Some(0), false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = None;
        } else if name.eq_ignore_ascii_case("retry-after") {
            come_again = true;
        }
    }
    Head { len, body, status: status.unwrap_or(0), come_again }
}

/// Reads a body to its end and drops it from the buffer; tells how many bytes of content it had and shows each
/// piece as it comes.
pub(crate) async fn read_body<R: AsyncRead + Unpin>(
    io: &mut R,
    buffer: &mut Vec<u8>,
    head: &Head,
    mut seen: impl FnMut(&[u8]),
) -> io::Result<()> {
    buffer.drain(..head.len);
    let Some(mut left) = head.body else { return read_chunked(io, buffer, seen).await };
    loop {
        let here = left.min(buffer.len());
        seen(buffer.get(..here).unwrap_or_default());
        buffer.drain(..here);
        left -= here;
        if left == 0 {
            return Ok(());
        }
        if io.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn read_chunked<R: AsyncRead + Unpin>(
    io: &mut R,
    buffer: &mut Vec<u8>,
    mut seen: impl FnMut(&[u8]),
) -> io::Result<()> {
    loop {
        let line = loop {
            if let Some(end) = memmem::find(buffer, b"\r\n") {
                break end;
            }
            if io.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let size = std::str::from_utf8(buffer.get(..line).unwrap_or_default())
            .ok()
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let whole = line + 2 + size + 2;
        while buffer.len() < whole {
            if io.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        seen(buffer.get(line + 2..line + 2 + size).unwrap_or_default());
        buffer.drain(..whole);
        if size == 0 {
            return Ok(());
        }
    }
}
