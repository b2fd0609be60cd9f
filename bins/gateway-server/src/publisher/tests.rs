use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use gateway_config::Publisher;
use gateway_domain::{BaseUrl, NewChannel, Secret};
use gateway_storage::MasterKey;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::*;

/// A publisher over a real file and a database in memory, with a follower that takes notes.
struct Bench {
    folder: TempDir,
    store: Store,
    live: Arc<Live>,
    status: Arc<ArcSwap<ReloadStatus>>,
    meters: Arc<Meters>,
    publisher: Publisher,
    /// The versions that the follower was told of.
    told: Arc<Mutex<Vec<u64>>>,
    /// What the follower answers when it refuses.
    refusal: Arc<Mutex<Option<String>>>,
    /// The same when it had agreed.
    late: Arc<Mutex<Option<String>>>,
    press: Press,
    wishes: mpsc::Receiver<PublishRequest>,
}

fn bench(file: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.toml"), file).unwrap();
    let source = Source { path: None, directory: folder.path().to_owned() };
    let good = gateway_config::load(&source, &Environment::new()).unwrap();
    let store =
        Store::open_in_memory(&MasterKey::from_text("a key for tests, long enough").unwrap()).unwrap();
    let settings = Arc::new(good.settings.clone());
    let live = Arc::new(Live::new(Snapshot::assemble(1, settings, store.inventory().unwrap())));
    let first = Published { version: 1, restart_needed: Vec::new(), warnings: Vec::new() };
    let status = Arc::new(ArcSwap::from_pointee(status_of(Cause::Start, UnixMillis(0), &first, &good)));
    let (told, refusal) = (Arc::<Mutex<Vec<u64>>>::default(), Arc::<Mutex<Option<String>>>::default());
    let late = Arc::<Mutex<Option<String>>>::default();
    let followers =
        Box::new(Notes { told: Arc::clone(&told), refusal: Arc::clone(&refusal), late: Arc::clone(&late) });
    let meters = Arc::new(Meters::new("1").unwrap());
    let parts = Parts {
        source,
        environment: Environment::new(),
        store: store.clone(),
        live: Arc::clone(&live),
        status: Arc::clone(&status),
        meters: Arc::clone(&meters),
        followers,
        clock: || UnixMillis(7000),
    };
    let (publisher, wishes) = Publisher::channel(16);
    let press = Press::new(parts, good);
    Bench { folder, store, live, status, meters, publisher, told, refusal, late, press, wishes }
}

/// Takes notes of what it is told.
struct Notes {
    told: Arc<Mutex<Vec<u64>>>,
    refusal: Arc<Mutex<Option<String>>>,
    late: Arc<Mutex<Option<String>>>,
}

impl Follow for Notes {
    fn judge(&self, _settings: &Settings) -> Result<(), String> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn follow(&mut self, snapshot: &Arc<Snapshot>, _cause: Cause) -> Result<(), String> {
        let why = self.late.lock().unwrap().clone();
        why.map_or(Ok(()), Err).inspect(|()| self.told.lock().unwrap().push(snapshot.version))
    }
}

impl Bench {
    fn write(&self, file: &str) {
        fs::write(self.path(), file).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// One wish, served.
    async fn publish(&mut self, cause: Cause) -> Result<Published, PublishError> {
        self.publish_all(&[cause]).await.remove(0)
    }

    /// Several wishes that wait at the same time, served together.
    async fn publish_all(&mut self, causes: &[Cause]) -> Vec<Result<Published, PublishError>> {
        let mut asking = Vec::new();
        for cause in causes {
            let (publisher, cause) = (self.publisher.clone(), *cause);
            asking.push(Handle::current().spawn(async move { publisher.publish(cause).await }));
        }
        while self.wishes.len() < causes.len() {
            tokio::task::yield_now().await;
        }
        let mut waiting = Vec::new();
        while let Ok(wish) = self.wishes.try_recv() {
            waiting.push(wish);
        }
        self.press.serve(waiting).await;
        let mut answers = Vec::new();
        for task in asking {
            answers.push(task.await.unwrap());
        }
        answers
    }
}

fn channel(name: &str) -> NewChannel {
    NewChannel::new(name, BaseUrl::parse("http://127.0.0.1:1").unwrap(), Secret::new("sk-up".to_owned()))
}

const DECLARED: &str = "[[channels]]\nname = \"a\"\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"sk-a\"\n";

#[tokio::test]
async fn a_changed_file_is_live_before_its_wish_is_answered() {
    let mut bench = bench("");
    bench.write("[proxy]\nmax_attempts = 5\n");
    let published = bench.publish(Cause::FileChanged).await.unwrap();
    assert_eq!(published.version, 2);
    assert_eq!(bench.live.load().settings.proxy.max_attempts, 5);
    assert_eq!(*bench.told.lock().unwrap(), [2]);
    let status = bench.status.load();
    assert!(status.ok && status.cause == Cause::FileChanged && status.version == 2);
}

#[tokio::test]
async fn what_the_file_declares_reaches_the_snapshot() {
    let mut bench = bench("");
    bench.write(DECLARED);
    bench.publish(Cause::Signal).await.unwrap();
    assert!(bench.live.load().channels.values().any(|channel| &*channel.name == "a"));
}

#[tokio::test]
async fn a_broken_file_keeps_the_old_snapshot_and_says_why() {
    let mut bench = bench("[proxy]\nmax_attempts = 5\n");
    bench.write("[proxy]\nmax_attempts = \"many\"\n");
    let answer = bench.publish(Cause::Api).await;
    assert!(matches!(answer, Err(PublishError::Problems(_))), "{answer:?}");
    assert_eq!((bench.live.load().version, bench.live.load().settings.proxy.max_attempts), (1, 5));
    let status = bench.status.load();
    assert!(
        !status.ok && status.version == 1 && status.problems.iter().any(|problem| problem.line == Some(2))
    );
    assert!(bench.meters.render().contains("gateway_config_reload_success 0"));
}

#[tokio::test]
async fn a_broken_file_is_logged_once_and_again_only_when_it_is_broken_otherwise() {
    let mut bench = bench("");
    bench.write("[server]\nprot = 1\n");
    drop(bench.publish(Cause::FileChanged).await);
    let first = bench.press.logged.clone();
    drop(bench.publish(Cause::FileChanged).await);
    assert_eq!(bench.press.logged, first);
    bench.write("[server]\nprot = 1\nhots = 2\n");
    drop(bench.publish(Cause::FileChanged).await);
    assert_eq!((first.len(), bench.press.logged.len()), (1, 2));
}

#[tokio::test]
async fn an_admin_write_is_published_while_the_file_is_broken() {
    let mut bench = bench("[proxy]\nmax_attempts = 5\n");
    bench.write("nonsense");
    drop(bench.publish(Cause::FileChanged).await);
    bench.store.create_channel(&channel("new")).unwrap();
    let published = bench.publish(Cause::AdminWrite).await.unwrap();
    assert_eq!(published.version, 2);
    let live = bench.live.load();
    assert_eq!(live.settings.proxy.max_attempts, 5, "the last good settings stay");
    assert!(live.channels.values().any(|channel| &*channel.name == "new"));
    let status = bench.status.load();
    assert!(!status.ok && !status.problems.is_empty(), "the file is still broken");
    assert_eq!(status.version, 2);
}

#[tokio::test]
async fn wishes_that_wait_together_get_one_snapshot() {
    let mut bench = bench("");
    let answers = bench.publish_all(&[Cause::AdminWrite, Cause::Api, Cause::Signal, Cause::AdminWrite]).await;
    let versions: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().version).collect();
    assert_eq!(versions, [2, 2, 2, 2]);
    assert_eq!(*bench.told.lock().unwrap(), [2]);
}

#[tokio::test]
async fn a_broken_file_fails_only_those_who_asked_for_the_file() {
    let mut bench = bench("");
    bench.write("nonsense");
    let answers = bench.publish_all(&[Cause::AdminWrite, Cause::FileChanged]).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_follower_that_refuses_keeps_the_old_snapshot() {
    let mut bench = bench("");
    for refusal in [Arc::clone(&bench.refusal), Arc::clone(&bench.late)] {
        let before = bench.live.load().version;
        *refusal.lock().unwrap() = Some("the pools cannot be built".to_owned());
        let answer = bench.publish(Cause::Api).await;
        assert!(answer.unwrap_err().to_string().contains("the pools cannot be built"));
        assert_eq!(bench.live.load().version, before);
        *refusal.lock().unwrap() = None;
        assert_eq!(bench.publish(Cause::Api).await.unwrap().version, before + 1, "no version is skipped");
    }
}

#[tokio::test]
async fn what_a_refused_configuration_declares_does_not_come_in_by_the_next_admin_write() {
    let mut bench = bench("");
    for refusal in [Arc::clone(&bench.refusal), Arc::clone(&bench.late)] {
        *refusal.lock().unwrap() = Some("the certificate is broken".to_owned());
        bench.write("[[channels]]\nname = \"refused\"\nbase_url = \"http://127.0.0.1:9\"\n");
        assert!(bench.publish(Cause::Api).await.is_err());
        *refusal.lock().unwrap() = None;

        let id = bench.store.create_channel(&channel("written")).unwrap().value.id;
        bench.publish(Cause::AdminWrite).await.unwrap();

        let live = bench.live.load();
        let names: Vec<&str> = live.channels.values().map(|channel| &*channel.name).collect();
        assert_eq!(names, ["written"]);
        bench.store.delete_channel(id, None).unwrap();
    }
}

#[tokio::test]
async fn a_refused_configuration_takes_nothing_over_and_removes_nothing() {
    let users = "[[users]]\nname = \"u\"\nkey = \"sk-declared-0123456789\"\n";
    let mut bench = bench(users);
    bench.publish(Cause::Api).await.unwrap();
    let channel = bench.store.create_channel(&channel("a")).unwrap().value;
    let user = bench.live.load().users.values().next().unwrap().id;
    bench.publish(Cause::AdminWrite).await.unwrap();
    let before = bench.store.inventory().unwrap();

    // It names the channel, and the user no more.
    *bench.refusal.lock().unwrap() = Some("no".to_owned());
    bench.write(DECLARED);
    assert!(bench.publish(Cause::Api).await.is_err());
    *bench.refusal.lock().unwrap() = None;
    bench.publish(Cause::AdminWrite).await.unwrap();

    assert_eq!(bench.store.channel(channel.id).unwrap().value, channel);
    assert!(bench.live.load().users.contains_key(&user));
    assert_eq!(bench.store.inventory().unwrap(), before);
}

#[tokio::test]
async fn keys_that_need_a_restart_are_named_until_they_are_taken_back() {
    let mut bench = bench("[server]\nport = 8080\n");
    bench.write("[server]\nport = 9000\n");
    assert_eq!(bench.publish(Cause::Api).await.unwrap().restart_needed, ["server.port"]);
    assert_eq!(bench.publish(Cause::AdminWrite).await.unwrap().restart_needed, ["server.port"]);
    bench.write("[server]\nport = 8080\n");
    assert!(bench.publish(Cause::Api).await.unwrap().restart_needed.is_empty());
}

#[tokio::test]
async fn a_closed_database_fails_the_wish_and_changes_nothing() {
    let mut bench = bench("");
    bench.store.close().unwrap();
    for cause in [Cause::Api, Cause::AdminWrite] {
        let answer = bench.publish(cause).await;
        assert!(matches!(answer, Err(PublishError::Storage(_))), "{answer:?}");
    }
    assert_eq!(bench.live.load().version, 1);
}

#[tokio::test]
async fn the_task_serves_until_nobody_can_ask() {
    let Bench { press, wishes, publisher, .. } = bench("");
    let task = Handle::current().spawn(press.run(wishes));
    assert_eq!(publisher.publish(Cause::Api).await.unwrap().version, 2);
    drop(publisher);
    task.await.unwrap();
}
