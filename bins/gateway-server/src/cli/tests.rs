use super::*;

/// Runs the program in an empty folder; gives its end and what it wrote.
fn program(arguments: &[&str], files: &[(&str, &str)], variables: &[(&str, &str)]) -> (Exit, String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let database = folder.path().join("gateway.db");
    let mut environment: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.insert("GATEWAY_DATABASE__PATH".to_owned(), database.display().to_string());
    let world = World {
        arguments: std::iter::once("gateway-server")
            .chain(arguments.iter().copied())
            .map(Into::into)
            .collect(),
        environment,
        directory: folder.path().to_owned(),
        temporary: folder.path().to_owned(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(world, &mut out, &mut err);
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory as _;
    Arguments::command().debug_assert();
}

#[test]
fn help_and_version_are_no_failures() {
    for arguments in [&["--help"][..], &["--version"], &["check", "--help"]] {
        let (exit, out, err) = program(arguments, &[], &[]);
        assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{arguments:?}");
        assert!(!out.is_empty());
    }
    assert!(program(&["--help"], &[], &[]).1.contains("Exit codes"));
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let (exit, out, err) = program(&["--nonsense"], &[], &[]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.contains("--nonsense"));
}

#[test]
fn check_prints_every_problem_with_its_place() {
    let file = "[server]\nport = \"many\"\nprot = 1\n";
    let (exit, _, err) = program(&["check"], &[("gateway.toml", file)], &[]);
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("gateway.toml:2:") && err.contains("gateway.toml:3:"), "{err}");
    assert!(err.contains("2 problems"), "{err}");
}

#[test]
fn check_is_content_with_a_good_file_and_with_none() {
    let (exit, out, _) = program(&["check"], &[("gateway.toml", "[server]\nport = 9000\n")], &[]);
    assert_eq!(exit, Exit::Done);
    assert!(out.contains("gateway.toml: no problems"), "{out}");
    assert_eq!(program(&["check"], &[], &[]).0, Exit::Done);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    assert_eq!(program(&["check", "--config", "missing.toml"], &[], &[]).0, Exit::Usage);
    assert_eq!(program(&["check"], &[], &[("GATEWAY_CONFIG", "missing.toml")]).0, Exit::Usage);
}

#[test]
fn serving_a_broken_configuration_exits_with_2_before_anything_is_opened() {
    let (exit, _, err) = program(&[], &[("gateway.toml", "[server]\nport = 70000\n")], &[]);
    assert_eq!(exit, Exit::Usage, "{err}");
}

#[test]
fn config_shows_values_with_their_origin_and_no_secret() {
    let variables = [("GATEWAY_SERVER__PORT", "9000"), ("GATEWAY_ADMIN_TOKEN", "canary-0123456789")];
    let (exit, out, _) = program(&["config", "--log-format", "json"], &[], &variables);
    assert_eq!(exit, Exit::Done);
    let line = |key: &str| out.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    assert!(line("server.port").contains("9000") && line("server.port").ends_with("# GATEWAY_SERVER__PORT"));
    assert!(line("log.format").contains("json"), "{out}");
    assert!(!out.contains("canary"), "{out}");
}

#[test]
fn every_token_is_new_and_printed_alone() {
    let (exit, out, err) = program(&["token"], &[], &[]);
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    assert!(out.starts_with("gwa-") && out.len() == 4 + 64 + 1, "{out}");
    assert_ne!(program(&["token"], &[], &[]).1, out);
}

#[test]
fn a_token_that_is_configured_is_not_replaced() {
    let (exit, _, err) = program(&["token"], &[], &[("GATEWAY_ADMIN_TOKEN", "0123456789abcdef")]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("GATEWAY_ADMIN_TOKEN"), "{err}");
}

#[test]
fn migrate_makes_a_database_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/other.db");
    let (exit, out, err) = program(&["migrate", "--database", path.to_str().unwrap()], &[], &[]);
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains("other.db") && path.exists());
}

#[test]
fn health_fails_when_nobody_listens() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (exit, _, err) = program(&["health"], &[], &[("GATEWAY_SERVER__PORT", &port)]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains(&port), "{err}");
}
