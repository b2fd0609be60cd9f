use http::Request;

use super::*;

fn authority(text: &str) -> Option<(String, Option<u16>)> {
    Authority::parse(text).map(|authority| (authority.host, authority.port))
}

#[test]
fn authorities_are_read_strictly() {
    assert_eq!(authority("Example.COM:80"), Some(("example.com".to_owned(), Some(80))));
    assert_eq!(authority("example.com."), Some(("example.com".to_owned(), None)));
    assert_eq!(authority("[::1]:8080"), Some(("::1".to_owned(), Some(8080))));
    assert_eq!(authority("[::1]"), Some(("::1".to_owned(), None)));
    for text in [
        "",
        ":80",
        "a b",
        "a/b",
        "a?b",
        "user@host",
        "host:",
        "host:99999",
        "host:8o",
        "[::1",
        "[::1]x",
        "[evil]",
        "a:b:c",
        ".",
    ] {
        assert_eq!(authority(text), None, "{text}");
    }
}

#[test]
fn the_authority_of_http2_counts_as_host() {
    let head = |uri: &str, host: Option<&str>| {
        let request = Request::get(uri);
        let request = host.into_iter().fold(request, |request, host| request.header("host", host));
        request.body(()).unwrap().into_parts().0
    };
    assert!(check_host(&head("http://localhost/api", None), &[], true).is_ok());
    assert!(check_host(&head("http://evil.test/api", None), &[], true).is_err());
    assert!(check_host(&head("http://localhost/api", Some("localhost")), &[], true).is_ok());
    assert!(check_host(&head("http://localhost/api", Some("evil.test")), &[], true).is_err());
    assert!(check_host(&head("http://evil.test/api", Some("localhost")), &[], true).is_err());
}
