//! `HttpProbe` against real sockets: one scripted server per test, on a port of the system's choice.

#[cfg(test)]
mod http_probe {
    mod server;
    mod shapes;

    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use gateway_domain::{Channel, ProbePlan, Secret};
    use gateway_health::Probe;
    use rustls::crypto::ring;
    use rustls::{RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use server::{
        KEY, PATIENCE, SHORT, Server, Then, assert_clean, channel, http_answer, http_probe,
        http_probe_trusting, probe, serve_tls, verdict,
    };

    #[tokio::test]
    async fn the_default_probe_asks_for_the_models_with_the_channels_key() {
        let answer = http_answer("200 OK", "", r#"{"data":[]}"#);
        let (report, asked) = probe(answer, Then::Close, ProbePlan::Models).await;
        assert!(report.is_ok() && report.why.is_none(), "{report:?}");
        assert_eq!((report.status, report.body.as_deref()), (Some(200), Some(&br#"{"data":[]}"#[..])));
        assert!(asked.starts_with("GET /v1/models HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_lowercase().contains("\r\nauthorization: bearer sk-canary-7f3a\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_channel_without_a_key_is_asked_without_the_header() {
        let server = Server::start(http_answer("200 OK", "", ""), Then::Close).await;
        let channel = Channel {
            api_key: Secret::new(String::new()),
            ..Channel::clone(&channel(&server.base_url, ProbePlan::Models))
        };
        assert!(http_probe().probe(Arc::new(channel), PATIENCE).await.is_ok());
        assert!(!server.asked().await.to_lowercase().contains("authorization"));
    }

    #[tokio::test]
    async fn a_custom_path_stands_below_the_base() {
        let plan = ProbePlan::Path("/health?deep=1".to_owned());
        let (report, asked) = probe(http_answer("204 No Content", "", ""), Then::Close, plan).await;
        assert!(report.is_ok());
        assert!(asked.starts_with("GET /v1/health?deep=1 HTTP/1.1\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_chat_probe_asks_for_one_token() {
        let plan = ProbePlan::Chat { model: "gpt-\"4o\"".to_owned() };
        let (report, asked) =
            probe(http_answer("200 OK", "", r#"{"choices":[{}]}"#), Then::Close, plan).await;
        assert!(report.is_ok());
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let expected = serde_json::json!({
            "model": "gpt-\"4o\"", "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1,
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn each_status_has_its_verdict() {
        for (status, expected) in [
            ("200 OK", "ok"),
            ("404 Not Found", "ok"),
            ("405 Method Not Allowed", "ok"),
            ("429 Too Many Requests", "ok"),
            ("400 Bad Request", "misasked"),
            ("401 Unauthorized", "refused"),
            ("402 Payment Required", "refused"),
            ("403 Forbidden", "refused"),
            ("500 Internal Server Error", "failed"),
            ("503 Service Unavailable", "failed"),
        ] {
            assert_eq!(verdict(status, ProbePlan::Models).await, expected, "{status}");
        }
    }

    #[tokio::test]
    async fn only_the_default_probe_is_content_with_a_server_that_lists_no_models() {
        assert_eq!(verdict("404 Not Found", ProbePlan::Path("/health".to_owned())).await, "misasked");
        assert_eq!(verdict("404 Not Found", ProbePlan::Chat { model: "m".to_owned() }).await, "misasked");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_is_a_failure() {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let location = format!("location: http://{}/\r\n", elsewhere.local_addr().unwrap());
        let (report, _) =
            probe(http_answer("302 Found", &location, ""), Then::Close, ProbePlan::Models).await;
        assert_eq!((report.is_ok(), report.status), (false, Some(302)));
        assert_eq!(report.why.as_deref(), Some("answered 302 Found: redirects are not followed"));
        let visit = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
        assert!(visit.is_err(), "nobody came");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up_in_time() {
        let started = Instant::now();
        let (report, _) = probe("", Then::Hang, ProbePlan::Models).await;
        assert_eq!((report.is_ok(), report.status), (false, None));
        assert_eq!(report.why.as_deref(), Some("no whole answer within 300ms"));
        assert!(started.elapsed() < PATIENCE && report.latency >= SHORT);
    }

    #[tokio::test]
    async fn a_server_that_stops_within_its_answer_is_given_up_in_time() {
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        let (report, _) = probe(half, Then::Hang, ProbePlan::Models).await;
        assert!(!report.is_ok());
        let (report, _) = probe(half, Then::Close, ProbePlan::Models).await;
        assert!(report.why.unwrap().starts_with("the answer broke off"));
    }

    #[tokio::test]
    async fn garbage_is_no_answer() {
        for garbage in ["SSH-2.0-OpenSSH_9.2\r\n", "\0\u{1}\u{2}", "HTTP/1.1 two hundred\r\n\r\n", ""] {
            let (report, _) = probe(garbage, Then::Close, ProbePlan::Models).await;
            assert_eq!((report.is_ok(), report.status), (false, None), "{garbage:?}");
        }
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_a_failure_that_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let report = http_probe().probe(channel(&base_url, ProbePlan::Models), PATIENCE).await;
        assert!(report.why.unwrap().to_lowercase().contains("connection refused"));
    }

    #[tokio::test]
    async fn a_server_without_tls_is_a_failure_for_a_channel_with_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("https://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut hello = [0; 5];
            socket.read_exact(&mut hello).await.unwrap();
            assert_eq!(hello[0], 22, "a TLS handshake");
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let report = http_probe().probe(channel(&base_url, ProbePlan::Models), PATIENCE).await;
        assert_eq!((report.is_ok(), report.status), (false, None));
        server.join_next().await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_channel_over_tls_is_asked_by_http_2_and_only_if_somebody_vouches_for_it() {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = certified.cert.der().clone();
        let mut trusted = RootCertStore::empty();
        trusted.add(certificate.clone()).unwrap();
        for (roots, protocol) in [(trusted, Some(b"h2".to_vec())), (RootCertStore::empty(), None)] {
            let key = certified.signing_key.serialize_der().try_into().unwrap();
            let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let channel = channel(&format!("https://{}", listener.local_addr().unwrap()), ProbePlan::Models);
            let probe = http_probe_trusting(roots);
            let (report, asked_by) = tokio::join!(probe.probe(channel, PATIENCE), serve_tls(listener, tls));
            assert_eq!((report.is_ok(), asked_by), (protocol.is_some(), protocol), "{report:?}");
            assert!(report.is_ok() || report.why.unwrap().contains("certificate"));
        }
    }

    #[tokio::test]
    async fn the_reason_is_the_upstreams_own_message_without_the_key() {
        let body =
            format!(r#"{{"error":{{"message":"Incorrect API key: {KEY}\n(see\u0007 docs)","code":1}}}}"#);
        let (report, _) =
            probe(http_answer("401 Unauthorized", "", &body), Then::Close, ProbePlan::Models).await;
        let why = "answered 401 Unauthorized: Incorrect API key: [secret] (see docs)";
        assert_eq!(report.why.as_deref(), Some(why));
        assert!(report.body.unwrap().windows(8).any(|part| part == b"[secret]"));
    }

    #[tokio::test]
    async fn long_and_strange_error_texts_are_cut_and_cleaned() {
        let body = format!("<html>\x1b[31m{KEY}{}", "ü\n".repeat(10_000));
        let (report, _) =
            probe(http_answer("502 Bad Gateway", "", &body), Then::Close, ProbePlan::Models).await;
        assert!(report.why.unwrap().starts_with("answered 502 Bad Gateway: <html>[31m[secret]ü ü "));
    }

    #[tokio::test]
    async fn of_an_endless_body_only_the_first_64_kib_are_read_and_no_half_key_is_left_at_the_end() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n";
        let answer = format!("{head}{}{KEY}{}", "x".repeat(64 * 1024 - 5), "y".repeat(1000));
        let (report, _) = probe(answer, Then::Hang, ProbePlan::Models).await;
        let body = report.body.clone().unwrap();
        assert_eq!((report.is_ok(), body.len()), (true, 64 * 1024));
        assert!(body.ends_with(b"x[secr"));
    }

    #[tokio::test]
    async fn a_key_that_no_header_can_carry_is_a_failure_and_not_shown() {
        let channel = Channel {
            api_key: Secret::new("sk-\ncanary".to_owned()),
            ..Channel::clone(&channel("http://127.0.0.1:1", ProbePlan::Models))
        };
        let report = http_probe().probe(Arc::new(channel), PATIENCE).await;
        assert!(!report.is_ok() && !format!("{report:?}").contains("canary"), "{report:?}");
    }

    #[tokio::test]
    async fn models_are_listed_in_the_servers_order() {
        let body = r#"{"object":"list","data":[{"id":"b","x":1},{"id":"a"},{"name":"no id"}]}"#;
        let server = Server::start(http_answer("200 OK", "", body), Then::Close).await;
        let models = http_probe().models(&channel(&server.base_url, ProbePlan::Off), PATIENCE).await;
        assert_eq!(models.unwrap(), ["b", "a"]);
    }

    #[tokio::test]
    async fn a_long_model_list_is_read_whole() {
        let models: Vec<_> = (0..5000).map(|n| serde_json::json!({"id": format!("model-{n}")})).collect();
        let body = serde_json::json!({ "data": models }).to_string();
        assert!(body.len() > 64 * 1024);
        let server = Server::start(http_answer("200 OK", "", &body), Then::Close).await;
        let models = http_probe().models(&channel(&server.base_url, ProbePlan::Models), PATIENCE).await;
        assert_eq!(models.unwrap().len(), 5000);
    }

    #[tokio::test]
    async fn what_is_no_model_list_is_a_report_that_says_why() {
        for (status, body) in
            [("200 OK", "<html>"), ("200 OK", "{}"), ("404 Not Found", ""), ("429 Slow", "")]
        {
            let server = Server::start(http_answer(status, "", body), Then::Close).await;
            let channel = channel(&server.base_url, ProbePlan::Models);
            let report = http_probe().models(&channel, PATIENCE).await.unwrap_err();
            assert!(report.why.as_ref().is_some_and(|why| why.contains(&status[..3])), "{status}");
            assert_clean(&report);
        }
    }

    #[tokio::test]
    async fn the_test_button_gets_the_answer_of_a_chat() {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"your key is {KEY}"}}}}]}}"#);
        let server = Server::start(http_answer("200 OK", "", &body), Then::Close).await;
        let report = http_probe()
            .ask(
                &channel(&server.base_url, ProbePlan::Off),
                &ProbePlan::Chat { model: "m".to_owned() },
                PATIENCE,
            )
            .await;
        assert_clean(&report);
        let text = String::from_utf8(report.body.clone().unwrap().to_vec()).unwrap();
        assert!(report.is_ok() && text.contains("your key is [secret]"), "{text}");
        assert!(server.asked().await.starts_with("POST /v1/chat/completions"));
    }
}
