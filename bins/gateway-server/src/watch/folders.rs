use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The kernel's word that something happened to files in some folders.
#[derive(Debug)]
pub(super) struct Folders {
    kernel: kernel::Events,
    /// What these files are called. The database may stand in the same folder, and is of no interest.
    names: Vec<OsString>,
}

// === impl Folders ===

impl Folders {
    /// Watches the folders of these files, as far as they exist; `None` when none can be watched.
    pub(super) fn of(files: &[PathBuf]) -> Option<Self> {
        let names = files.iter().filter_map(|file| file.file_name().map(OsString::from)).collect();
        let folders = files.iter().filter_map(|file| file.parent());
        let folders =
            folders.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        Some(Self { kernel: kernel::Events::of(folders)?, names })
    }

    /// Waits until something has happened to one of the files. Returns once for several events that wait.
    pub(super) async fn changed(&self) {
        self.kernel.concerning(|name| self.concern(name)).await;
    }

    /// The file itself, or what Kubernetes swaps when a `ConfigMap` changes (`..data`).
    fn concern(&self, name: &[u8]) -> bool {
        name.starts_with(b"..") || self.names.iter().any(|ours| ours.as_encoded_bytes() == name)
    }
}

/// Asks for whole events only: a file that was closed after writing, was made, moved or removed. A library that also
/// asks for every write and every opening would be busy with the database's log all day.
#[cfg(target_os = "linux")]
mod kernel {
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(super) struct Events(AsyncFd<OwnedFd>);

    impl Events {
        /// Must run inside a runtime.
        pub(super) fn of(folders: impl Iterator<Item: AsRef<Path>>) -> Option<Self> {
            let kernel = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
            let wanted = WatchFlags::CLOSE_WRITE
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO;
            let watched =
                folders.filter(|folder| inotify::add_watch(&kernel, folder.as_ref(), wanted).is_ok()).count();
            if watched == 0 {
                return None;
            }
            #[expect(
                deprecated,
                reason = "its successor is unsafe for types that change their descriptor; OwnedFd never does"
            )]
            AsyncFd::new(kernel).ok().map(Self)
        }

        pub(super) async fn concerning(&self, concerns: impl Fn(&[u8]) -> bool) {
            loop {
                let Ok(mut ready) = self.0.readable().await else {
                    // Cannot be; the caller looks from time to time anyway.
                    return std::future::pending().await;
                };
                if self.drain(&concerns) {
                    return;
                }
                ready.clear_ready();
            }
        }

        /// Reads all events that wait. An overflow of the kernel's queue concerns everybody.
        fn drain(&self, concerns: impl Fn(&[u8]) -> bool) -> bool {
            let mut room = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(self.0.get_ref(), &mut room);
            let mut found = false;
            while let Ok(event) = events.next() {
                let overflow = event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
                found |= overflow || event.file_name().is_some_and(|name| concerns(name.to_bytes()));
            }
            found
        }
    }
}

/// Elsewhere nobody tells; the file is looked at from time to time.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::path::Path;

    #[derive(Debug)]
    pub(super) struct Events;

    impl Events {
        pub(super) fn of(_folders: impl Iterator<Item: AsRef<Path>>) -> Option<Self> {
            None
        }

        pub(super) async fn concerning(&self, _concerns: impl Fn(&[u8]) -> bool) {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_database_beside_the_file_is_of_no_interest() {
        let folder = tempfile::tempdir().unwrap();
        let watched = Folders::of(&[folder.path().join("gateway.toml")]).expect("this kernel tells");
        std::fs::write(folder.path().join("gateway.db-wal"), "x").unwrap();
        std::fs::write(folder.path().join("gateway.toml.swp"), "x").unwrap();
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(50), watched.changed());
        assert!(waiting.await.is_err());
        std::fs::write(folder.path().join("gateway.toml"), "x").unwrap();
        watched.changed().await;
    }

    #[tokio::test]
    async fn folders_that_are_not_there_cannot_be_watched() {
        assert!(Folders::of(&["/nowhere/gateway.toml".into()]).is_none());
    }
}
