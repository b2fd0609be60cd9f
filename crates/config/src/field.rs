use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_domain::Secret;

use crate::duration::{self, Unit};
use crate::raw::Raw;
use crate::refused::Refused;
use crate::{Environment, Settings, secret, size};

/// Where a key's value lives in [`Settings`], and what values it takes.
pub(crate) enum Field {
    Text(Place<String>, Check),
    OptionalText(Place<Option<String>>),
    /// A path as it is written.
    Path(Place<PathBuf>),
    /// A file that must exist; a relative path starts at the configuration file's folder.
    File(Place<Option<PathBuf>>),
    Flag(Place<bool>),
    Number(Place<u64>, u64, u64),
    OptionalPort(Place<Option<u16>>),
    Address(Place<Option<SocketAddr>>),
    Addresses(Place<Vec<SocketAddr>>),
    /// The name of a request header, kept in lower case; empty is none.
    Header(Place<String>),
    Size(Place<u64>, u64, u64),
    Duration(Place<Duration>, Unit, Duration),
    Word(Place<&'static str>, &'static [&'static str]),
    Secret(Place<Option<Secret<String>>>),
    Hosts(Place<Vec<String>>),
}

/// Refuses texts that mean nothing.
pub(crate) type Check = fn(&str) -> Result<(), Refused>;

/// How one value is read from and written into [`Settings`].
#[derive(Debug)]
pub(crate) struct Place<T> {
    pub(crate) get: fn(&Settings) -> T,
    pub(crate) put: fn(&mut Settings, T),
}

/// What values refer to beside themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// Where relative paths start: the configuration file's folder.
    pub(crate) folder: &'a Path,
    /// Where `env:` secrets are looked up.
    pub(crate) env: &'a Environment,
}

/// A value as it is shown to people; secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Numbers and flags.
    Bare(String),
    Quoted(String),
    List(Vec<String>),
}

// === impl Field ===

impl Field {
    /// Checks a value and writes it into the settings.
    pub(crate) fn set(
        &self,
        settings: &mut Settings,
        raw: Raw<'_>,
        around: Surroundings<'_>,
    ) -> Result<(), Refused> {
        match self {
            Self::Text(place, check) => {
                let text = raw.filled()?;
                check(text)?;
                (place.put)(settings, text.to_owned());
            }
            Self::OptionalText(place) => (place.put)(settings, Some(raw.filled()?.to_owned())),
            Self::Path(place) => (place.put)(settings, PathBuf::from(raw.filled()?)),
            Self::File(place) => (place.put)(settings, Some(existing(raw.filled()?, around.folder)?)),
            Self::Flag(place) => (place.put)(settings, raw.flag()?),
            Self::Number(place, least, most) => (place.put)(settings, raw.number_in(*least, *most)?),
            Self::OptionalPort(place) => {
                let port = raw.number_in(0, u64::from(u16::MAX))?;
                (place.put)(settings, u16::try_from(port).ok());
            }
            Self::Address(place) => (place.put)(settings, Some(raw.address()?)),
            Self::Addresses(place) => (place.put)(settings, raw.addresses()?),
            Self::Header(place) => (place.put)(settings, header_name(raw.text()?)?),
            Self::Size(place, least, most) => (place.put)(settings, raw.size_in(*least, *most)?),
            Self::Duration(place, unit, least) => (place.put)(settings, raw.duration(*unit, *least)?),
            Self::Word(place, words) => (place.put)(settings, raw.word(words)?),
            Self::Secret(place) => {
                let secret = secret::resolve(raw.text()?, around.folder, around.env)?;
                if secret.expose().trim().is_empty() {
                    return Err(Refused::new("is empty").advise("give a secret, or leave the key out"));
                }
                (place.put)(settings, Some(secret));
            }
            Self::Hosts(place) => {
                let hosts = raw.list()?;
                hosts.iter().try_for_each(|host| check_host(host))?;
                (place.put)(settings, hosts);
            }
        }
        Ok(())
    }

    /// The value for people; `None`: nothing is set.
    pub(crate) fn show(&self, settings: &Settings) -> Option<Shown> {
        match self {
            Self::Text(place, _) | Self::Header(place) => Some(Shown::Quoted((place.get)(settings))),
            Self::OptionalText(place) => (place.get)(settings).map(Shown::Quoted),
            Self::Path(place) => Some(Shown::Quoted((place.get)(settings).display().to_string())),
            Self::File(place) => (place.get)(settings).map(|path| Shown::Quoted(path.display().to_string())),
            Self::Flag(place) => Some(Shown::Bare((place.get)(settings).to_string())),
            Self::Number(place, ..) => Some(Shown::Bare((place.get)(settings).to_string())),
            Self::OptionalPort(place) => (place.get)(settings).map(|port| Shown::Bare(port.to_string())),
            Self::Address(place) => (place.get)(settings).map(|address| Shown::Quoted(address.to_string())),
            Self::Addresses(place) => {
                Some(Shown::List((place.get)(settings).iter().map(ToString::to_string).collect()))
            }
            Self::Size(place, ..) => Some(Shown::Quoted(size::show((place.get)(settings)))),
            Self::Duration(place, ..) => Some(Shown::Quoted(duration::show((place.get)(settings)))),
            Self::Word(place, _) => Some(Shown::Quoted((place.get)(settings).to_owned())),
            Self::Secret(place) => (place.get)(settings).map(|secret| Shown::Quoted(secret.masked())),
            Self::Hosts(place) => Some(Shown::List((place.get)(settings))),
        }
    }

    /// Whether two settings hold the same value here. Secrets are compared, not their masks.
    pub(crate) fn same(&self, a: &Settings, b: &Settings) -> bool {
        if let Self::Secret(place) = self {
            return (place.get)(a) == (place.get)(b);
        }
        self.show(a) == self.show(b)
    }

    /// What values it takes, for the reference.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Text(..) | Self::OptionalText(_) => "string".to_owned(),
            Self::Path(_) | Self::File(_) => "path".to_owned(),
            Self::Flag(_) => "true or false".to_owned(),
            Self::Number(_, least, most) => format!("number from {least} to {most}"),
            Self::OptionalPort(_) => "port".to_owned(),
            Self::Address(_) => "address:port".to_owned(),
            Self::Addresses(_) => "list of address:port".to_owned(),
            Self::Header(_) => "name of a header".to_owned(),
            Self::Size(..) => "size (\"32MiB\", or bytes)".to_owned(),
            Self::Duration(_, Unit::Seconds, _) => "time (\"30s\", or seconds)".to_owned(),
            Self::Duration(_, Unit::Minutes, _) => "time (\"30m\", or minutes)".to_owned(),
            Self::Word(_, words) => words.join(" | "),
            Self::Secret(_) => "secret (\"env:NAME\", \"file:/path\", or the secret itself)".to_owned(),
            Self::Hosts(_) => "list of strings".to_owned(),
        }
    }
}

// === impl Shown ===

impl Shown {
    /// Without quotes.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Bare(text) | Self::Quoted(text) => text.clone(),
            Self::List(items) => items.join(", "),
        }
    }

    /// As it is written in a TOML file.
    pub(crate) fn toml(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match self {
            Self::Bare(text) => text.clone(),
            Self::Quoted(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }
}

/// Refuses what is neither an IP address nor a host name.
pub(crate) fn check_host(text: &str) -> Result<(), Refused> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(Refused::new("has brackets").advise(format!("write \"{bare}\"")));
    }
    if text.contains("://") || text.contains(':') {
        return Err(Refused::new("is more than a host")
            .advise("write the name or address alone, without scheme and port"));
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if is_name { Ok(()) } else { Err(Refused::new("is neither an address nor a host name")) }
}

/// A header's name in lower case. Those that hold secrets are refused: what names a session is kept and counted.
fn header_name(text: &str) -> Result<String, Refused> {
    const SECRET: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-gateway-admin-token"];
    let name = text.to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.bytes().all(is_token) || name.len() > 100 {
        return Err(Refused::new("is not the name of a header").advise("write it like \"x-session-id\""));
    }
    if SECRET.contains(&name.as_str()) {
        return Err(Refused::new("is a header that holds a secret").advise("name another, or \"\" for none"));
    }
    Ok(name)
}

/// A single level, or filter directives, which only the logger understands.
pub(crate) fn check_level(text: &str) -> Result<(), Refused> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    if text.contains(['=', ',', '[']) {
        return Ok(());
    }
    Raw::Variable(&text.to_ascii_lowercase()).word(&LEVELS).map(|_level| ())
}

fn existing(text: &str, folder: &Path) -> Result<PathBuf, Refused> {
    let path = folder.join(text);
    match std::fs::metadata(&path) {
        Ok(about) if about.is_file() => Ok(path),
        Ok(_) => Err(Refused::new(format!("{} is not a file", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Refused::new(format!("the file {} does not exist", path.display())))
        }
        Err(error) => Err(Refused::new(format!("the file {} cannot be read: {error}", path.display()))),
    }
}
