//! What the files of the web pages are, by their endings. Read by `build.rs`, too.

/// The `Content-Type` of a file; `None`: it is not for browsers.
pub(crate) fn content_type(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "LICENSE" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
