//! Notices that the configuration file has changed.

mod folders;

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use gateway_config::{Cause, PublishError, Publisher, Source};
use gateway_health::is_out_of_files;

use folders::Folders;

/// Editors write in several steps; what comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(100);

/// How often the file is looked at whatever the kernel tells: for network file systems, for symbolic links to places
/// that are not watched, and for kernels out of watches.
const LOOK: Duration = Duration::from_secs(5);

/// What stood in the configuration file when it was last looked at. Look before loading: then a change between the
/// two is noticed.
#[derive(Debug)]
pub(crate) struct Seen {
    candidates: Vec<PathBuf>,
    contents: Option<u64>,
}

// === impl Seen ===

impl Seen {
    pub(crate) fn look(source: &Source) -> Self {
        let candidates = candidates(source);
        // Who loads next says by itself what is wrong with the file.
        Self { contents: fingerprint(&candidates).unwrap_or_default(), candidates }
    }
}

/// Watches until the publisher is gone.
///
/// The *folder* is watched, not the file: editors and Kubernetes replace files instead of writing into them, and a
/// watch on the old file would see nothing. An event only causes a look; what counts is that the contents differ.
pub(crate) async fn watch(seen: Seen, publisher: Publisher) {
    let Seen { candidates, contents } = seen;
    // `None`: what is seen next is a change, whatever it is.
    let mut known = Some(contents);
    let folders = Folders::of(&candidates);
    if folders.is_none() {
        tracing::warn!(every = ?LOOK, "the kernel does not tell of file changes; the configuration is polled");
    }
    loop {
        // At once, too: a change before the folder was watched caused no event.
        match look(&candidates).await {
            Ok(now) if known == Some(now) => {}
            Ok(now) => {
                known = Some(now);
                // The publisher says by itself what is wrong.
                match publisher.publish(Cause::FileChanged).await {
                    Err(PublishError::Closed) => return,
                    // The file is not to blame, and need not change again before it is tried again.
                    Err(PublishError::Storage(_)) => known = None,
                    Ok(_) | Err(PublishError::Problems(_)) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, again_in = ?LOOK, "the configuration file cannot be looked at for want of a file");
            }
        }
        tokio::select! {
            () = changed(folders.as_ref()) => {
                // What comes until then is seen by the same look; what comes later is told again.
                tokio::time::sleep(SETTLE).await;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn changed(folders: Option<&Folders>) {
    match folders {
        Some(folders) => folders.changed().await,
        None => std::future::pending().await,
    }
}

/// The places where the file may stand, the first one first.
fn candidates(source: &Source) -> Vec<PathBuf> {
    match &source.path {
        Some(path) => vec![path.clone()],
        None => ["gateway.toml", "config/gateway.toml"].map(|name| source.directory.join(name)).to_vec(),
    }
}

async fn look(candidates: &[PathBuf]) -> io::Result<Option<u64>> {
    let candidates = candidates.to_vec();
    tokio::task::spawn_blocking(move || fingerprint(&candidates))
        .await
        .unwrap_or_else(|error| Err(error.into()))
}

/// Which file is found first, and what stands in it. An error where that cannot be told now, because no file is left to open.
fn fingerprint(candidates: &[PathBuf]) -> io::Result<Option<u64>> {
    for path in candidates {
        match fs::read(path) {
            Ok(contents) => {
                let mut hasher = DefaultHasher::new();
                (path, contents).hash(&mut hasher);
                return Ok(Some(hasher.finish()));
            }
            Err(error) if is_out_of_files(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use gateway_config::{PublishRequest, Published};
    use tokio::sync::mpsc::Receiver;

    use super::*;

    fn watching(path: PathBuf) -> Receiver<PublishRequest> {
        let (publisher, wishes) = Publisher::channel(1);
        let seen = Seen::look(&Source { path: Some(path), ..Source::default() });
        drop(tokio::runtime::Handle::current().spawn(watch(seen, publisher)));
        wishes
    }

    /// Changes something until it is noticed: the watch may begin after the first change.
    async fn noticed(wishes: &mut Receiver<PublishRequest>, mut change: impl FnMut(usize)) {
        for round in 0.. {
            change(round);
            if let Ok(wish) = tokio::time::timeout(Duration::from_millis(300), wishes.recv()).await {
                let wish = wish.unwrap();
                assert_eq!(wish.cause, Cause::FileChanged);
                let published = Published { version: 2, restart_needed: Vec::new(), warnings: Vec::new() };
                drop(wish.reply.send(Ok(published)));
                return;
            }
            assert!(round < 40, "the change was not noticed");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        fs::write(&path, "").unwrap();
        let mut wishes = watching(path.clone());
        noticed(&mut wishes, |round| fs::write(&path, format!("# {round}")).unwrap()).await;
        noticed(&mut wishes, |round| {
            let new = folder.path().join("new");
            fs::write(&new, format!("# replaced {round}")).unwrap();
            fs::rename(&new, &path).unwrap();
        })
        .await;
        noticed(&mut wishes, |_| drop(fs::remove_file(&path))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_the_database_could_not_take_is_tried_again_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        fs::write(&path, "").unwrap();
        let mut wishes = watching(path.clone());
        let busy = PublishError::Storage("it is busy".into());
        let done = Published { version: 2, restart_needed: Vec::new(), warnings: Vec::new() };
        for is_removed in [false, true] {
            let changed = if is_removed { fs::remove_file(&path) } else { fs::write(&path, "# changed") };
            changed.unwrap();
            for answer in [Err(busy.clone()), Err(busy.clone()), Ok(done.clone())] {
                let wish = tokio::time::timeout(10 * LOOK, wishes.recv()).await;
                drop(wish.expect("it is asked for in time").unwrap().reply.send(answer));
            }
            let more = tokio::time::timeout(10 * LOOK, wishes.recv()).await;
            assert!(more.is_err(), "what has been taken is not asked for again");
        }
    }

    #[tokio::test]
    async fn a_config_map_that_swaps_its_link_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let swap = |round: usize| {
            let version = at(&format!("..v{round}"));
            fs::create_dir_all(&version).unwrap();
            fs::write(version.join("gateway.toml"), format!("# {round}")).unwrap();
            drop(fs::remove_file(at("..tmp")));
            symlink(&version, at("..tmp")).unwrap();
            fs::rename(at("..tmp"), at("..data")).unwrap();
        };
        swap(1000);
        symlink(at("..data/gateway.toml"), at("gateway.toml")).unwrap();
        let mut wishes = watching(at("gateway.toml"));
        noticed(&mut wishes, swap).await;
    }
}
