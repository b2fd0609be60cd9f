//! Bodies that are read as they come and kept where there is room: forms with files, and what is passed on unread.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_config::Settings;
use gateway_health::is_out_of_files;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Body;
use tokio::time::Instant;

use crate::admit::next_data;
use crate::error::ProxyError;
use crate::openai::{BatchLines, MultipartPeek, MultipartScanner, PeekError, boundary_of};
use crate::room::Room;
use crate::spool::{Spool, SpoolWriter};

/// The slowest upload that is borne for as long as it takes, in bytes per second: half a megabit.
const SLOWEST: u64 = 64 << 10;

/// What a body of this length may take longer than a short one. A fixed time would either cut large uploads over
/// honest lines, or let anybody hold a place for as long.
pub(crate) fn allowance(length: u64) -> Duration {
    Duration::from_secs(length / SLOWEST)
}

/// Reads a form, and keeps it. It is refused as soon as it says what it must not. `lines` reads the file that is in it.
pub(crate) async fn read_form<B>(
    body: B,
    headers: &HeaderMap,
    lines: Option<BatchLines>,
    around: (&Settings, &Arc<Room>),
) -> Result<(Spool, MultipartPeek), ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut scanner = scanner(headers).map_err(ProxyError::BadForm)?.reading_lines(lines);
    let spool = read(body, around, |data| scanner.feed(data)).await?;
    Ok((spool, scanner.finish().map_err(ProxyError::BadForm)?))
}

/// Reads a body of which nothing needs to be known, and keeps it.
pub(crate) async fn read_unseen<B>(body: B, around: (&Settings, &Arc<Room>)) -> Result<Spool, ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    read(body, around, |_| Ok(())).await
}

fn scanner(headers: &HeaderMap) -> Result<MultipartScanner, PeekError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(one), None) => MultipartScanner::new(boundary_of(one.as_bytes())?),
        (_, Some(_)) => Err(PeekError::content_type("is given twice")),
        (None, None) => Err(PeekError::content_type("is missing")),
    }
}

/// Reads a body to its end. Silence is bounded by `server.read_timeout`; the whole by `server.body_timeout` and the
/// [`allowance`] of what has come, so that whoever sends fast enough is never cut off.
async fn read<B>(
    mut body: B,
    (settings, room): (&Settings, &Arc<Room>),
    mut see: impl FnMut(&[u8]) -> Result<(), PeekError>,
) -> Result<Spool, ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (server, proxy) = (&settings.server, &settings.proxy);
    let limit = proxy.max_upload_bytes;
    let too_large = || ProxyError::BodyTooLarge { limit, key: "proxy.max_upload_bytes" };
    if body.size_hint().lower() > limit {
        return Err(too_large());
    }
    let in_memory = body.size_hint().lower().min(proxy.spool_above as u64);
    let share = room.share(in_memory, server.max_body_memory)?;
    let began = Instant::now();
    let mut kept = SpoolWriter::new(proxy.spool_above, share);
    loop {
        let end = || began + server.body_timeout + allowance(kept.len());
        let Some(data) = next_data(&mut body, kept.len(), server.read_timeout, end).await? else { break };
        if kept.len() + data.len() as u64 > limit {
            return Err(too_large());
        }
        see(&data).map_err(ProxyError::BadForm)?;
        kept.make_room(room, data.len())?;
        kept.write(&data).await.map_err(|error| lost(&error))?;
    }
    kept.finish().await.map_err(|error| lost(&error))
}

fn lost(error: &std::io::Error) -> ProxyError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    tracing::error!(%error, folder = %std::env::temp_dir().display(), "an upload cannot be kept");
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        ProxyError::DiskFull
    } else if is_out_of_files(error) {
        ProxyError::NoFile
    } else {
        ProxyError::DiskBroken
    }
}

#[cfg(test)]
mod tests;
