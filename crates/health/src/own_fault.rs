//! What fails here and says nothing of a channel.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// Whether something failed because this process, or this machine, has as many files open as it may: the error itself, or
/// one that caused it.
#[must_use]
pub fn is_out_of_files(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let errno = error.downcast_ref::<io::Error>().and_then(Errno::from_io_error);
        if matches!(errno, Some(Errno::MFILE | Errno::NFILE)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// What [`is_out_of_files`] recognises, for those who know that no file was left and have not the error that said so.
#[must_use]
pub fn out_of_files() -> io::Error {
    Errno::MFILE.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no answer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn it_is_recognised_behind_other_errors_and_nothing_else_is() {
        for errno in [Errno::MFILE, Errno::NFILE] {
            assert!(is_out_of_files(&io::Error::from(errno)));
            assert!(is_out_of_files(&Outer(errno.into())));
        }
        assert!(is_out_of_files(&out_of_files()));
        assert!(!is_out_of_files(&Outer(Errno::CONNREFUSED.into())));
        assert!(!is_out_of_files(&io::Error::other("too many open files")));
    }
}
