use std::future::Future;
use std::io::Write as _;
use std::path::Path;

use metrics::NoopRecorder;

use super::ask::Files;
use super::stub::{A, AAAA, NXDOMAIN, NameServer, SERVFAIL, Say, addresses};
use super::*;

type Looked = Result<Vec<IpAddr>, LookupError>;

/// Names asked for at this server, with these contents of the system's files.
fn names_with(server: &[SocketAddr], folder: &Path) -> Names {
    let files = Files { resolv_conf: folder.join("resolv.conf"), hosts: folder.join("hosts") };
    Names::asking(Asker::reading(server, files), &Metrics::new(Arc::new(NoopRecorder)))
}

fn names(server: &NameServer) -> Names {
    names_with(&[server.address], Path::new("/nowhere"))
}

async fn look(names: &Names, host: &str) -> Looked {
    names.addresses(host, Instant::now() + Duration::from_secs(10)).await
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with the end of a lookup")]
fn found(texts: &[&str]) -> Looked {
    Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
}

/// Repeats a look until it sees what is wanted.
async fn eventually<F: Future<Output = Looked>>(wanted: Looked, look: impl Fn() -> F) {
    let seen = async {
        while look().await != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = timeout(Duration::from_secs(20), seen).await;
    assert!(seen.is_ok(), "wanted {wanted:?}, last seen {:?}", look().await);
}

#[tokio::test]
async fn an_answer_is_kept_and_both_families_are_in_it() {
    let server = NameServer::saying(addresses(60, &["1.0.0.1", "::1"])).await;
    let names = names(&server);
    for _ in 0..3 {
        assert_eq!(look(&names, "up.test").await, found(&["::1", "1.0.0.1"]));
    }
    assert_eq!((server.asked(A), server.asked(AAAA)), (vec!["up.test".into()], vec!["up.test".into()]));
}

#[tokio::test]
async fn calls_at_one_time_share_one_lookup() {
    let server = NameServer::saying(addresses(60, &["1.0.0.1"])).await;
    let names = names(&server);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let names = names.clone();
        calls.spawn(async move { look(&names, "up.test").await });
    }
    assert!(calls.join_all().await.into_iter().all(|looked| looked == found(&["1.0.0.1"])));
    assert_eq!(server.asked(A).len(), 1);
}

#[tokio::test]
async fn a_lookup_outlives_who_asked_for_it() {
    let server = NameServer::saying(addresses(60, &["1.0.0.1"])).await;
    let names = names(&server);
    assert_eq!(names.addresses("up.test", Instant::now()).await, Err(LookupError::Timeout));
    eventually(found(&["1.0.0.1"]), || look(&names, "up.test")).await;
    assert_eq!(server.asked(A).len(), 1);
}

#[tokio::test]
async fn a_literal_address_is_not_asked_for() {
    let server = NameServer::saying(SERVFAIL).await;
    let names = names(&server);
    assert_eq!(look(&names, "127.0.0.1").await, found(&["127.0.0.1"]));
    assert_eq!(look(&names, "::1").await, found(&["::1"]));
    assert!(server.asked(A).is_empty());
}

#[tokio::test]
async fn every_way_to_fail_is_told_apart_and_not_repeated_at_once() {
    let cases = [
        (NXDOMAIN, LookupError::Absent),
        (SERVFAIL, LookupError::Refused),
        (addresses(60, &[]), LookupError::Empty),
    ];
    for (say, error) in cases {
        let server = NameServer::saying(say).await;
        let names = names(&server);
        assert_eq!(look(&names, "up.test").await, Err(error));
        let asked = server.asked(A).len();
        assert_eq!(look(&names, "up.test").await, Err(error));
        assert_eq!(server.asked(A).len(), asked, "{error}");
        server.say(addresses(60, &["1.0.0.1"]));
        eventually(found(&["1.0.0.1"]), || look(&names, "up.test")).await;
    }
}

#[tokio::test]
async fn a_name_without_an_answer_delays_no_other_name() {
    let server = NameServer::answering(|name, _| match name {
        "silent.test" => Say::Silence,
        _ => addresses(60, &["1.0.0.1"]),
    })
    .await;
    let names = names(&server);
    let silent = look(&names, "silent.test");
    tokio::pin!(silent);
    tokio::select! {
        biased;
        looked = &mut silent => panic!("nobody answered, and yet: {looked:?}"),
        looked = look(&names, "up.test") => assert_eq!(looked, found(&["1.0.0.1"])),
    }
    assert_eq!(silent.await, Err(LookupError::Timeout));
}

#[tokio::test]
async fn a_family_without_an_answer_delays_the_other_one_by_a_moment_only() {
    for silent in [A, AAAA] {
        let server = NameServer::answering(move |_, kind| match kind {
            kind if kind == silent => Say::Silence,
            _ => addresses(60, &["1.0.0.1", "::1"]),
        })
        .await;
        let other = if silent == A { "::1" } else { "1.0.0.1" };
        assert_eq!(look(&names(&server), "up.test").await, found(&[other]));
    }
}

#[tokio::test]
async fn what_is_too_long_for_a_datagram_is_asked_for_over_tcp() {
    let many: Vec<IpAddr> = (1..=60).map(|last| IpAddr::from([1, 0, 0, last])).collect();
    let server = NameServer::saying(Say::TooMuch(many.clone())).await;
    assert_eq!(look(&names(&server), "up.test").await, Ok(many));
}

#[tokio::test]
async fn a_new_address_is_used_once_the_old_answer_is_over() {
    let server = NameServer::saying(addresses(1, &["1.0.0.1"])).await;
    let names = names(&server);
    assert_eq!(look(&names, "up.test").await, found(&["1.0.0.1"]));
    server.say(addresses(1, &["1.0.0.2"]));
    eventually(found(&["1.0.0.2"]), || look(&names, "up.test")).await;
}

#[tokio::test]
async fn the_last_answer_serves_while_the_name_server_fails() {
    let server = NameServer::saying(addresses(1, &["1.0.0.1"])).await;
    let names = names(&server);
    assert_eq!(look(&names, "up.test").await, found(&["1.0.0.1"]));
    for failing in [SERVFAIL, Say::Silence] {
        server.say(failing.clone());
        let before = server.asked(A).len();
        // In use all the time, so that the answer is renewed, or would be.
        while server.asked(A).len() == before {
            assert_eq!(look(&names, "up.test").await, found(&["1.0.0.1"]));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(look(&names, "up.test").await, found(&["1.0.0.1"]), "{failing:?}");
    }
    server.say(NXDOMAIN);
    eventually(Err(LookupError::Absent), || look(&names, "up.test")).await;
}

#[tokio::test]
async fn without_a_server_nothing_is_found_and_nothing_hangs() {
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let names = names_with(&[closed], Path::new("/nowhere"));
    let looked = look(&names, "up.test").await;
    assert!(matches!(looked, Err(LookupError::Unreachable | LookupError::Timeout)), "{looked:?}");
}

#[tokio::test]
async fn the_hosts_file_comes_first_and_is_read_anew_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hosts"), "1.0.0.7 my_service other\n::7 my_service\n").unwrap();
    let server = NameServer::saying(addresses(60, &["1.0.0.1"])).await;
    let names = names_with(&[server.address], folder.path());
    assert_eq!(look(&names, "my_service").await, found(&["::7", "1.0.0.7"]));
    assert!(server.asked(A).is_empty());

    std::fs::write(folder.path().join("hosts"), "1.0.0.8 one_more_name\n").unwrap();
    assert_eq!(look(&names, "one_more_name").await, found(&["1.0.0.8"]));
}

#[tokio::test]
async fn the_search_list_is_gone_through_as_the_system_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(folder.path().join("resolv.conf")).unwrap();
    writeln!(file, "nameserver 127.0.0.1\nsearch one.test two.test\noptions ndots:2").unwrap();
    let server = NameServer::answering(|name, kind| match (name, kind) {
        ("short.two.test" | "a.b.c", A) => addresses(60, &["1.0.0.2"]),
        // The address of the other family under the next domain is another machine's.
        ("two_faced.one.test", A) => addresses(60, &["1.0.0.3"]),
        ("two_faced.two.test", AAAA) => addresses(60, &["::3"]),
        _ => NXDOMAIN,
    })
    .await;
    let names = names_with(&[server.address], folder.path());

    assert_eq!(look(&names, "short").await, found(&["1.0.0.2"]));
    assert_eq!(server.asked(A), ["short.one.test", "short.two.test"]);
    assert_eq!(look(&names, "a.b.c").await, found(&["1.0.0.2"]));
    assert_eq!(look(&names, "a.b").await, Err(LookupError::Absent));
    assert_eq!(look(&names, "full.test.").await, Err(LookupError::Absent));
    assert_eq!(look(&names, "two_faced").await, found(&["1.0.0.3"]));
    assert_eq!(
        server.asked(A)[2..],
        ["a.b.c", "a.b.one.test", "a.b.two.test", "a.b", "full.test", "two_faced.one.test"].map(String::from)
    );
}

#[tokio::test]
async fn addresses_that_nobody_reaches_are_asked_for_before_their_time_is_over() {
    let server = NameServer::saying(addresses(300, &["1.0.0.1"])).await;
    let names = names(&server);
    assert_eq!(look(&names, "up.test").await, found(&["1.0.0.1"]));
    server.say(addresses(300, &["1.0.0.2"]));
    eventually(found(&["1.0.0.2"]), || async {
        let failed = Finish { won: Err(super::super::ConnectError::Timeout), lost: Vec::new() };
        names.raced("up.test", &failed);
        look(&names, "up.test").await
    })
    .await;
}
