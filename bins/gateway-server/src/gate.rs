use http::header::{EXPECT, HOST};
use http::uri::Authority;
use http::{Method, Request, Version};

use crate::reply::Refusal;

/// Looks at the head of a request before anybody is asked to answer it.
///
/// Those who read heads accept some that a gateway must not: two hosts (two readers would see two sites), a tunnel, an
/// absolute target of another site. Paths are *not* looked at here: they are compared exactly where they are routed,
/// so `..`, `%2f` and backslashes are simply paths that nobody serves.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT || request.method() == Method::TRACE {
        return Err(Refusal::Method);
    }
    check_host(request)?;
    check_expect(request)
}

fn check_host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut named = request.headers().get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (_, Some(_)) => return Err(Refusal::Host("The request names two hosts.")),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Refusal::Host("The Host header is not a host."))?;
            if !is_plain(text) {
                parse_host(text)?;
            }
            Some(text)
        }
        (None, None) => None,
    };
    // In HTTP/2 this is `:authority`; in HTTP/1 it is there only when the target is in absolute form.
    match (request.uri().authority(), host) {
        (Some(target), Some(host)) if !target.as_str().eq_ignore_ascii_case(host) => {
            Err(Refusal::Host("The target and the Host header name different hosts."))
        }
        (Some(target), _) if target.as_str().contains('@') => {
            Err(Refusal::Host("The target holds a user name."))
        }
        (Some(_), None) if request.version() < Version::HTTP_2 => {
            Err(Refusal::Host("The request names no host."))
        }
        (None, None) if request.version() > Version::HTTP_10 => {
            Err(Refusal::Host("The request names no host."))
        }
        _ => Ok(()),
    }
}

/// Whether a text is a name or an IPv4 address with or without a port, as nearly all hosts are: nothing in it could be read
/// in another way.
fn is_plain(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "80"));
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    (1..=255).contains(&host.len())
        && host.bytes().all(letters)
        && port.parse::<u16>().is_ok_and(|_| !port.starts_with('+'))
}

fn parse_host(text: &str) -> Result<(), Refusal> {
    let wrong = Refusal::Host("The Host header is not a host.");
    let host: Authority = text.parse().map_err(|_| wrong)?;
    let port_is_number = host.as_str().rsplit_once(':').is_none_or(|(before, port)| {
        // `[::1]` ends with a bracket, so its last colon is not a port's.
        port.ends_with(']') || before.is_empty() || port.parse::<u16>().is_ok()
    });
    if host.as_str().contains('@') || host.host().is_empty() || !port_is_number {
        return Err(wrong);
    }
    Ok(())
}

fn check_expect<B>(request: &Request<B>) -> Result<(), Refusal> {
    let met = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if request.headers().get_all(EXPECT).iter().all(met) { Ok(()) } else { Err(Refusal::Expect) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        method: &'static str,
        target: &'static str,
        version: Version,
        headers: &'static [(&'static str, &'static str)],
    }

    const GET: Case =
        Case { method: "GET", target: "/", version: Version::HTTP_11, headers: &[("host", "gw")] };

    fn verdict(case: &Case) -> Result<(), &'static str> {
        let mut request =
            Request::builder().method(case.method).uri(case.target).version(case.version).body(()).unwrap();
        for (name, value) in case.headers {
            request.headers_mut().append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        check(&request).map_err(|refusal| match refusal {
            Refusal::Method => "method",
            Refusal::Host(_) => "host",
            Refusal::Expect => "expect",
            Refusal::Head(_)
            | Refusal::GetOnly
            | Refusal::NotFound
            | Refusal::TooLarge
            | Refusal::BodyTimeout
            | Refusal::BadBody
            | Refusal::Busy
            | Refusal::Crowded
            | Refusal::Internal => panic!("the gate never says {refusal:?}"),
        })
    }

    #[test]
    fn ordinary_heads_pass() {
        for case in [
            GET,
            Case { headers: &[("host", "gw:8080")], ..GET },
            Case { headers: &[("host", "[::1]:8080")], ..GET },
            Case { headers: &[("host", "[::1]")], ..GET },
            Case { target: "http://GW/v1", ..GET },
            Case { version: Version::HTTP_10, headers: &[], ..GET },
            Case { version: Version::HTTP_2, target: "https://gw/v1", headers: &[], ..GET },
            Case { version: Version::HTTP_2, target: "https://gw/v1", ..GET },
            Case { headers: &[("host", "gw"), ("expect", "100-Continue")], ..GET },
            Case { target: "/a/../b%2f\\c", ..GET },
        ] {
            assert_eq!(verdict(&case), Ok(()), "{} {:?}", case.target, case.headers);
        }
    }

    #[test]
    fn tunnels_and_echoes_are_refused() {
        assert_eq!(verdict(&Case { method: "TRACE", ..GET }), Err("method"));
        assert_eq!(verdict(&Case { method: "CONNECT", target: "gw:443", ..GET }), Err("method"));
    }

    #[test]
    fn a_request_names_exactly_one_well_formed_host() {
        for case in [
            Case { headers: &[], ..GET },
            Case { headers: &[("host", "gw"), ("host", "gw")], ..GET },
            Case { headers: &[("host", "")], ..GET },
            Case { headers: &[("host", "a/b")], ..GET },
            Case { headers: &[("host", "a?b")], ..GET },
            Case { headers: &[("host", "a#b")], ..GET },
            Case { headers: &[("host", "user@gw")], ..GET },
            Case { headers: &[("host", "gw:port")], ..GET },
            Case { headers: &[("host", "gw:99999")], ..GET },
            Case { headers: &[("host", "a b")], ..GET },
            Case { headers: &[("host", "g\u{e4}")], ..GET },
            Case { version: Version::HTTP_2, headers: &[], ..GET },
        ] {
            assert_eq!(verdict(&case), Err("host"), "{:?}", case.headers);
        }
    }

    #[test]
    fn an_absolute_target_of_another_site_is_refused() {
        assert_eq!(verdict(&Case { target: "http://evil.test/v1", ..GET }), Err("host"));
        assert_eq!(verdict(&Case { target: "http://gw/v1", headers: &[], ..GET }), Err("host"));
        assert_eq!(
            verdict(&Case { version: Version::HTTP_2, target: "https://evil/v1", ..GET }),
            Err("host")
        );
    }

    #[test]
    fn an_expectation_other_than_100_continue_is_refused() {
        assert_eq!(verdict(&Case { headers: &[("host", "gw"), ("expect", "bogus")], ..GET }), Err("expect"));
    }
}
