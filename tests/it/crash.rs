//! Sudden death. What was acknowledged is there afterwards.

use std::collections::HashSet;
use std::process::Command;
use std::time::{Duration, Instant};

use gateway_tests::{Gateway, GatewayProcess, Line, Upstream, chat, ms};
use serde_json::json;

/// Makes channels and users one after the other until `last` writes are acknowledged or the gateway dies.
async fn write(gw: &GatewayProcess, last: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0..last {
        let name = format!("written-{number}");
        let channel = json!({"name": name, "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-canarychannel-crash",
                             "models": [format!("model-{number}")], "probe": "off"});
        let call = gw.admin().call(http::Method::POST, "/api/channels").json(&channel);
        match call.try_send().await {
            Ok(answer) if answer.status == 201 && !answer.cut => acknowledged.push(name),
            Ok(answer) => panic!("{}", answer.body_text()),
            Err(_dead) => break,
        }
    }
    acknowledged
}

#[tokio::test]
async fn every_acknowledged_write_survives_a_kill() {
    for kill_after in [3_usize, 20, 50] {
        let Some(mut gw) = Gateway::empty().spawn().await else { return };
        // Fifty writes in a row; the last rounds are killed in the middle of one that is not acknowledged yet.
        let acknowledged = write(&gw, kill_after).await;
        let dangling = gw.admin().call(http::Method::POST, "/api/users").json(&json!({"name": "dangling"}));
        let (_unknown, ()) = tokio::join!(dangling.try_send(), gw_kill(&mut gw));

        assert_eq!(acknowledged.len(), kill_after);
        whole(&gw);
        let gw = gw.again().await;
        let channels = gw.admin().list("/api/channels").await;
        let names: Vec<&str> = channels.iter().filter_map(|channel| channel["name"].as_str()).collect();
        for name in &acknowledged {
            assert!(names.contains(&name.as_str()), "{name} was acknowledged and is gone");
        }
        for channel in &channels {
            let models = channel["models"].as_array().map(Vec::len);
            assert_eq!(models, Some(1), "half a write is left: {channel}");
        }
    }
}

async fn gw_kill(gw: &mut GatewayProcess) {
    gw.kill().await;
}

#[tokio::test]
async fn a_kill_under_traffic_leaves_a_sound_database_and_the_next_start_serves() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).spawn().await else { return };
    for _ in 0..50 {
        gw.chat("m").say("hi").send().await.assert_text("ok");
    }
    gw.kill().await;
    whole(&gw);

    let gw = gw.again().await;

    gw.chat("m").say("hi").send().await.assert_text("ok");
}

#[tokio::test]
async fn a_kill_loses_no_exchange_that_was_over_a_second_before_it() {
    const LOST_AT_MOST: Duration = Duration::from_secs(1);
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).spawn().await else { return };
    let ask = |gw: &GatewayProcess, id: &str| gw.chat("m").say("hi").header("x-request-id", id).call();
    let (mut line, mut over, began) = (Line::new(), Vec::new(), Instant::now());
    while began.elapsed() < LOST_AT_MOST * 2 || over.len() < 100 {
        let id = format!("steady-{}", over.len());
        line.send(ask(&gw, &id)).await.expect("an answer").assert_text("ok");
        over.push((id, Instant::now()));
        tokio::time::sleep(ms(4)).await;
    }
    let dangling = ask(&gw, "dangling");
    let killed = Instant::now();
    let (_unknown, ()) = tokio::join!(dangling.try_send(), gw_kill(&mut gw));

    whole(&gw);
    let gw = gw.again().await;
    let records = gw.admin().exchanges().await;
    let ids: Vec<&str> = records.iter().filter_map(|record| record["request_id"].as_str()).collect();
    let known: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an exchange is there twice");
    for (id, at) in &over {
        let old = killed.duration_since(*at) > LOST_AT_MOST;
        assert!(
            !old || known.contains(id.as_str()),
            "{id} was over {:?} before the kill",
            killed.duration_since(*at)
        );
    }
    let lost = over.iter().filter(|(id, _)| !known.contains(id.as_str())).count();
    eprintln!("{lost} of {} exchanges were lost, all of the last second", over.len());
}

/// The database passes SQLite's own check.
fn whole(gw: &GatewayProcess) {
    let program = "import sqlite3,sys\nprint(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let database = gw.folder().join("gateway.db");
    match Command::new("python3").args(["-c", program]).arg(database).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok"),
        Err(_absent) => eprintln!("SKIPPED: there is no python3 to check the database with"),
    }
}
