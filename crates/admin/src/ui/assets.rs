//! The files of the web pages, as they were built in.

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    /// Below the folder.
    pub(super) path: &'static str,
    /// `Content-Type`.
    pub(super) kind: &'static str,
    /// Names this content.
    pub(super) tag: &'static str,
    pub(super) plain: &'static [u8],
    /// The same, packed; absent where that would not be smaller.
    pub(super) gzip: Option<&'static [u8]>,
}

// `FOLDER`, `PAGE` and `FILES`, in the order of their paths.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file of this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let at = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    FILES.get(at)
}
