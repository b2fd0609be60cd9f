//! `/` and `/ui/…`: the web pages. They are static and hold no secret, so nobody is asked for the token; what they show
//! comes from the API, which asks.
//!
//! `/` is one small document that names the folder of all other files. The folder's name is a hash over them, so they
//! may be kept for ever, and a page never mixes files of two versions.

mod assets;
mod choice;
#[cfg(test)]
mod comments;
mod disk;
mod kinds;

use std::path::Path;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue,
    REFERRER_POLICY, VARY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::Parts;
use crate::error::ApiError;
use crate::route::{Answer, Answered, Call};
use assets::Asset;

/// What a page may do: use what comes from here, and nothing else. No inline script or style, no `eval`, no text that
/// becomes HTML by accident, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The document is asked for again each time; it is small, and answered "as before" nearly always.
const ASK_AGAIN: &str = "no-cache";

/// The path says which content it is.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The folder's name while files are read from disk.
const FOLDER_ON_DISK: &str = "/ui/disk";

/// Whether a path is one of the web pages', or would be.
pub(crate) fn owns(path: &str) -> bool {
    path == "/" || is_below(path)
}

/// Whether a path is where the files are. Nothing there needs the token, not even to be told that it is not there.
pub(crate) fn is_below(path: &str) -> bool {
    path == "/ui" || path.starts_with("/ui/")
}

/// What every answer at these paths says to a browser, refusals too.
pub(crate) fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (COOP, "same-origin"),
        (CORP, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// `GET /`.
pub(crate) fn page(parts: &Parts, call: &Call) -> Answered {
    match &parts.ui_folder {
        None => Ok(give(&assets::PAGE, ASK_AGAIN, call)),
        Some(folder) => {
            let page = disk::read(folder, "index.html").ok_or(ApiError::NoSuchPath)?;
            let page = String::from_utf8_lossy(&page).replace("{{ui}}", FOLDER_ON_DISK);
            Ok(from_disk("index.html", page.into()))
        }
    }
}

/// `GET /ui/{folder}/{file}`.
pub(crate) fn file(parts: &Parts, call: &Call) -> Answered {
    let (folder, path) = (call.param("folder"), call.param("file"));
    match &parts.ui_folder {
        None => {
            let ours = assets::FOLDER.strip_prefix("/ui/") == Some(folder);
            let file = assets::find(path).filter(|_| ours);
            Ok(give(file.ok_or(ApiError::NoSuchPath)?, FOR_EVER, call))
        }
        Some(root) => read_from(root, path),
    }
}

fn read_from(root: &Path, path: &str) -> Answered {
    if kinds::content_type(path).is_none() {
        return Err(ApiError::NoSuchPath);
    }
    Ok(from_disk(path, disk::read(root, path).ok_or(ApiError::NoSuchPath)?.into()))
}

fn from_disk(path: &str, body: Bytes) -> Answer {
    let kind = kinds::content_type(path).unwrap_or_default();
    let headers = vec![(CONTENT_TYPE, kind.to_owned()), (CACHE_CONTROL, "no-store".to_owned())];
    Answer { body: body.into(), headers, ..Answer::default() }
}

/// A file that was built in, in the form that suits the caller, or the word that it has it.
fn give(file: &'static Asset, caching: &str, call: &Call) -> Answer {
    let packed = file.gzip.filter(|_| choice::takes_gzip(&call.headers));
    let tag = format!("\"{}{}\"", file.tag, if packed.is_some() { "-gz" } else { "" });
    let mut headers = vec![(CACHE_CONTROL, caching.to_owned()), (VARY, "accept-encoding".to_owned())];
    let held = choice::holds(&call.headers, &tag);
    headers.push((ETAG, tag));
    if held {
        return Answer { status: Some(StatusCode::NOT_MODIFIED), headers, ..Answer::default() };
    }
    headers.push((CONTENT_TYPE, file.kind.to_owned()));
    if packed.is_some() {
        headers.push((CONTENT_ENCODING, "gzip".to_owned()));
    }
    let body = Bytes::from_static(packed.unwrap_or(file.plain));
    Answer { body: body.into(), headers, ..Answer::default() }
}

/// The whole table, for the tests.
#[cfg(test)]
pub(crate) fn built_in() -> impl Iterator<Item = String> {
    assets::FILES.iter().map(|file| format!("{}/{}", assets::FOLDER, file.path))
}
