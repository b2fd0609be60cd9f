use std::time::Duration;

use insta::assert_snapshot;

use crate::scratch::{loaded, problems, scratch};

#[test]
fn an_unknown_key_is_answered_with_what_was_meant() {
    let file = "
prot = 1
wombat = 1
[server]
Host = 'x'
tls = { crt = 'x' }
policy = 'weighted'
nonsense = 1
[servre]
[[chanels]]
[server.deeper]
x = 1
";
    assert_snapshot!(problems(file), @"
    gateway.toml:2:1: prot: unknown key — did you mean `port` in [server]?
    gateway.toml:3:1: wombat: unknown key — known here: server, database, records, health_check, session, metrics, admin, proxy, objects, log, channels, models, users
    gateway.toml:5:1: server.Host: unknown key — did you mean `host`?
    gateway.toml:6:9: server.tls.crt: unknown key — did you mean `cert`?
    gateway.toml:7:1: server.policy: unknown key — `policy` belongs to [proxy]
    gateway.toml:8:1: server.nonsense: unknown key — known here: host, port, workers, read_timeout, write_timeout, header_timeout, body_timeout, keep_alive, max_body_bytes, max_header_bytes, max_connections, max_calls, max_body_memory, shutdown_grace, shutdown_delay, tls
    gateway.toml:9:2: servre: unknown key — did you mean `server`?
    gateway.toml:10:3: chanels: unknown key — did you mean `channels`?
    gateway.toml:11:9: server.deeper: unknown key — known here: host, port, workers, read_timeout, write_timeout, header_timeout, body_timeout, keep_alive, max_body_bytes, max_header_bytes, max_connections, max_calls, max_body_memory, shutdown_grace, shutdown_delay, tls
    ");
}

#[test]
fn a_section_that_is_no_table_is_pointed_out() {
    assert_snapshot!(problems("server = 5\nproxy = []\n[[admin]]\nauth = 'token'\n"), @"
    gateway.toml:1:10: server: expected a table, found a whole number — write it as [server]
    gateway.toml:2:9: proxy: expected a table, found a list — write it as [proxy]
    gateway.toml:3:1: admin: expected a table, found a list — write it as [admin]
    ");
}

#[test]
fn values_of_the_wrong_type_or_range_are_refused() {
    let file = "
[server]
host = 'http://x'
port = 70000
workers = 1.5
read_timeout = 0
max_body_bytes = '1KB'
max_header_bytes = '2GiB'
max_connections = true
[admin]
listen = '9000'
allowed_hosts = ['ok.test', 'http://x']
[metrics]
enabled = 1
[log]
format = 'text'
level = 'verbose'
[session]
idle_timeout = 2026-01-01
[proxy]
default_channel = ''
policy = ['a']
";
    assert_snapshot!(problems(file), @r#"
    gateway.toml:3:8: server.host: is more than a host — write the name or address alone, without scheme and port
    gateway.toml:4:8: server.port: must be between 0 and 65535, not 70000
    gateway.toml:5:11: server.workers: expected a whole number, found a number with a fraction
    gateway.toml:6:16: server.read_timeout: must be at least 1ms
    gateway.toml:7:18: server.max_body_bytes: must be between 1KiB and 1GiB, not 1KB
    gateway.toml:8:20: server.max_header_bytes: must be between 8KiB and 1MiB, not 2GiB
    gateway.toml:9:19: server.max_connections: expected a whole number, found true
    gateway.toml:11:10: admin.listen: is not an address with a port — write it like "127.0.0.1:9000" or "[::1]:9000"
    gateway.toml:12:17: admin.allowed_hosts: is more than a host — write the name or address alone, without scheme and port
    gateway.toml:14:11: metrics.enabled: expected true or false, found a whole number
    gateway.toml:16:10: log.format: unknown value "text" — expected one of "auto", "json", "pretty"
    gateway.toml:17:9: log.level: unknown value "verbose" — expected one of "off", "error", "warn", "info", "debug", "trace"
    gateway.toml:19:16: session.idle_timeout: expected a time, found a date
    gateway.toml:21:19: proxy.default_channel: is empty
    gateway.toml:22:10: proxy.policy: expected a string, found a list
    "#);
}

#[test]
fn every_notation_of_a_host_but_the_right_one_is_explained() {
    let host = |text: &str| problems(&format!("[server]\nhost = '{text}'"));
    for good in ["127.0.0.1", "::", "gateway.test", "host_1"] {
        assert_eq!(host(good), "no problem", "{good}");
    }
    assert_snapshot!(host("[::1]"), @r#"gateway.toml:2:8: server.host: has brackets — write "::1""#);
    assert_snapshot!(host("127.0.0.1:80"), @"gateway.toml:2:8: server.host: is more than a host — write the name or address alone, without scheme and port");
    assert_snapshot!(host("a b"), @"gateway.toml:2:8: server.host: is neither an address nor a host name");
}

#[test]
fn a_session_header_is_a_name_that_holds_no_secret() {
    let header = |text: &str| problems(&format!("[proxy]\nsession_header = '{text}'"));
    assert_eq!(loaded("[proxy]\nsession_header = 'X-Chat'").settings.proxy.session_header, "x-chat");
    assert_eq!(loaded("[proxy]\nsession_header = ''").settings.proxy.session_header, "");
    assert_snapshot!(header("x session"), @r#"gateway.toml:2:18: proxy.session_header: is not the name of a header — write it like "x-session-id""#);
    assert_snapshot!(header("Authorization"), @r#"gateway.toml:2:18: proxy.session_header: is a header that holds a secret — name another, or "" for none"#);
    assert_snapshot!(header("cookie"), @r#"gateway.toml:2:18: proxy.session_header: is a header that holds a secret — name another, or "" for none"#);
}

#[test]
fn name_servers_are_addresses_with_ports_each_once() {
    let servers = |text: &str| format!("[proxy]\ndns_servers = {text}");
    let expected = ["1.1.1.1:53", "[::1]:5353"].map(|text| text.parse().unwrap());
    assert_eq!(loaded(&servers("['1.1.1.1:53', '[::1]:5353']")).settings.proxy.dns_servers, expected);
    let by_variable = scratch().env("GATEWAY_PROXY__DNS_SERVERS", "1.1.1.1:53, [::1]:5353");
    assert_eq!(by_variable.load().unwrap().settings.proxy.dns_servers, expected);
    assert_snapshot!(problems(&servers("['1.1.1.1']")), @r#"gateway.toml:2:15: proxy.dns_servers: is not an address with a port — write it like "127.0.0.1:9000" or "[::1]:9000""#);
    assert_snapshot!(problems(&servers("['1.1.1.1:53', '1.1.1.1:53']")), @"gateway.toml:2:15: proxy.dns_servers: names 1.1.1.1:53 twice");
    assert_snapshot!(problems(&servers("'1.1.1.1:53'")), @"gateway.toml:2:15: proxy.dns_servers: expected a list of strings, found a string");
}

#[test]
fn the_new_limits_of_calls_have_bounds() {
    let file =
        "[proxy]\nmax_event_bytes = '8KiB'\nretry_percent = 101\nslack_percent = 50\nstream_timeout = 0\n";
    assert_snapshot!(problems(file), @"
    gateway.toml:2:19: proxy.max_event_bytes: must be between 16KiB and 64MiB, not 8KiB
    gateway.toml:3:17: proxy.retry_percent: must be between 0 and 100, not 101
    gateway.toml:4:17: proxy.slack_percent: must be between 100 and 10000, not 50
    gateway.toml:5:18: proxy.stream_timeout: must be at least 1ms
    ");
    let none = "[proxy]\ncommit_after = 0\nkeep_alive_comment = '0s'\nretry_percent = 0\nretry_floor = 0\n";
    assert_eq!(loaded(none).settings.proxy.commit_after, Duration::ZERO);
}
