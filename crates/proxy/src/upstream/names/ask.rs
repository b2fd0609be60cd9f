use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gateway_health::is_out_of_files;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, Resolver};
use tokio::time::timeout;

use super::LookupError;
use super::sockets::Sockets;

/// The longest time that one question to one name server takes; lost datagrams are sent again within it.
const QUESTION_LIMIT: Duration = Duration::from_secs(2);
/// How long the addresses of one family wait for those of the other (RFC 8305, "resolution delay").
const FAMILY_DELAY: Duration = Duration::from_millis(50);
/// How long a line of the hosts file is good; then the file is looked at again.
const HOSTS_TTL: Duration = Duration::from_secs(10);

/// Asks for addresses: the hosts file first, then name servers, over UDP and, for long answers, TCP.
///
/// The system's files are read anew when they have changed, so that a network that came up late, or another one, is
/// noticed without a restart.
#[derive(Debug)]
pub(super) struct Asker {
    /// Instead of the system's; may be empty.
    servers: Vec<SocketAddr>,
    files: Files,
    system: Mutex<Option<Arc<System>>>,
}

/// Addresses, at least one, and how long they are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) addresses: Arc<[IpAddr]>,
    pub(super) ttl: Duration,
}

/// Where the system says how names are resolved.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) resolv_conf: PathBuf,
    pub(super) hosts: PathBuf,
}

/// What the files say.
#[derive(Debug)]
struct System {
    stamps: [Stamp; 2],
    resolver: Resolver<Sockets>,
    sockets: Sockets,
    hosts: Hosts,
    search: Vec<Name>,
    ndots: usize,
}

/// Tells whether a file has changed; `None` where there is none.
type Stamp = Option<(SystemTime, u64)>;

// === impl Asker ===

impl Asker {
    pub(super) fn new(servers: &[SocketAddr]) -> Self {
        Self::reading(servers, Files { resolv_conf: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into() })
    }

    pub(super) fn reading(servers: &[SocketAddr], files: Files) -> Self {
        Self { servers: servers.to_vec(), files, system: Mutex::default() }
    }

    /// Looks a name up once. The search list is gone through as the system's own resolver does, both families under
    /// one name before the next name.
    pub(super) async fn ask(&self, name: &str) -> Result<Found, LookupError> {
        let name = Name::from_str_relaxed(name).map_err(|_| LookupError::Absent)?;
        let system = self.system().map_err(|error| {
            if is_no_file(&error) {
                return LookupError::NoFile;
            }
            tracing::warn!(%error, "there is no way to ask for names");
            LookupError::Unreachable
        })?;
        if let Some(found) = system.in_hosts(&name) {
            return Ok(found);
        }
        let without_file = system.sockets.without_file();
        let mut why = LookupError::Absent;
        for name in system.candidates(name) {
            match both_families(&system.resolver, &name).await {
                Ok(found) => return Ok(found),
                Err(error) => why = why.max(error),
            }
        }
        let asked_nobody = why == LookupError::Unreachable && system.sockets.without_file() > without_file;
        Err(if asked_nobody { LookupError::NoFile } else { why })
    }

    fn system(&self) -> Result<Arc<System>, NetError> {
        let stamps = [stamp(&self.files.resolv_conf), stamp(&self.files.hosts)];
        let mut known = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(system) = known.as_ref().filter(|system| system.stamps == stamps) {
            return Ok(Arc::clone(system));
        }
        let system = Arc::new(System::read(&self.files, stamps, &self.servers)?);
        *known = Some(Arc::clone(&system));
        Ok(system)
    }
}

// === impl System ===

impl System {
    /// What cannot be read because no file is left is no less there, and is read the next time.
    fn read(files: &Files, stamps: [Stamp; 2], servers: &[SocketAddr]) -> Result<Self, NetError> {
        let said = fs::read(&files.resolv_conf).map_err(NetError::from).and_then(parse_resolv_conf);
        if let Err(error) = &said
            && is_no_file(error)
        {
            return Err(error.clone());
        }
        let (mut config, mut options) = said.unwrap_or_else(|error| {
            // As the C library does: no file, or none that names a server, means a server on this machine.
            tracing::debug!(%error, "no name servers are configured");
            let local = NameServerConfig::udp_and_tcp(std::net::Ipv4Addr::LOCALHOST.into());
            (ResolverConfig::from_parts(None, Vec::new(), vec![local]), ResolverOpts::default())
        });
        if !servers.is_empty() {
            let servers = servers.iter().map(|server| name_server(*server)).collect();
            config = ResolverConfig::from_parts(config.domain().cloned(), config.search().to_vec(), servers);
        }
        let search = match (config.search(), config.domain()) {
            ([], Some(domain)) => vec![domain.clone()],
            (search, _) => search.to_vec(),
        };
        let ndots = options.ndots;
        options.timeout = options.timeout.min(QUESTION_LIMIT);
        // Answers are kept by who asks, the hosts file is looked at above.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let sockets = Sockets::default();
        let mut builder = Resolver::builder_with_config(config, sockets.clone());
        *builder.options_mut() = options;
        let mut hosts = Hosts::default();
        match fs::File::open(&files.hosts) {
            Ok(file) => {
                if let Err(error) = hosts.read_hosts_conf(file) {
                    tracing::warn!(%error, "the hosts file cannot be read");
                }
            }
            Err(error) if is_out_of_files(&error) => return Err(error.into()),
            // There need not be one.
            Err(_) => {}
        }
        Ok(Self { stamps, resolver: builder.build()?, sockets, hosts, search, ndots })
    }

    fn in_hosts(&self, name: &Name) -> Option<Found> {
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let lookups = [of(RecordType::AAAA), of(RecordType::A)];
        let records = lookups.iter().flatten().flat_map(Lookup::answers);
        let addresses: Arc<[IpAddr]> = records.filter_map(|record| record.data.ip_addr()).collect();
        (!addresses.is_empty()).then_some(Found { addresses, ttl: HOSTS_TTL })
    }

    /// The full names that a name may stand for, in the order in which they are asked for.
    fn candidates(&self, name: Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name];
        }
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        let mut names: Vec<Name> =
            self.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok()).collect();
        let place = if dots >= self.ndots { 0 } else { names.len() };
        let mut full = name;
        full.set_fqdn(true);
        names.insert(place, full);
        names
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut config.connections {
        connection.port = address.port();
    }
    config
}

async fn both_families(resolver: &Resolver<Sockets>, name: &Name) -> Result<Found, LookupError> {
    let mut six = pin!(one_family(resolver, name, RecordType::AAAA));
    let mut four = pin!(one_family(resolver, name, RecordType::A));
    // Some name servers never answer for a family that they know nothing of: the other one is not to wait for it.
    let (first, second) = tokio::select! {
        six = &mut six => (six.clone(), in_its_wake(six.is_ok(), four).await),
        four = &mut four => (four.clone(), in_its_wake(four.is_ok(), six).await),
    };
    match (first, second) {
        (Ok(one), Ok(other)) => {
            let addresses = one.addresses.iter().chain(&*other.addresses).copied().collect();
            Ok(Found { addresses, ttl: one.ttl.min(other.ttl) })
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(one), Err(other)) => Err(one.max(other)),
    }
}

async fn in_its_wake(
    found: bool,
    other: impl Future<Output = Result<Found, LookupError>>,
) -> Result<Found, LookupError> {
    if !found {
        return other.await;
    }
    timeout(FAMILY_DELAY, other).await.unwrap_or(Err(LookupError::Timeout))
}

async fn one_family(
    resolver: &Resolver<Sockets>,
    name: &Name,
    kind: RecordType,
) -> Result<Found, LookupError> {
    let lookup = resolver.lookup(name.clone(), kind).await.map_err(|error| why(&error))?;
    let addresses: Arc<[IpAddr]> =
        lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
    if addresses.is_empty() {
        return Err(LookupError::Empty);
    }
    // Aliases on the way count too: the shortest-lived record is the one that may change first.
    let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
    Ok(Found { addresses, ttl: Duration::from_secs(ttl.into()) })
}

fn why(error: &NetError) -> LookupError {
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = error {
        return if none.response_code == ResponseCode::NXDomain {
            LookupError::Absent
        } else if none.response_code == ResponseCode::NoError {
            LookupError::Empty
        } else {
            LookupError::Refused
        };
    }
    if matches!(error, NetError::Timeout) {
        LookupError::Timeout
    } else if matches!(error, NetError::Io(_) | NetError::NoConnections | NetError::Busy) {
        LookupError::Unreachable
    } else {
        LookupError::Refused
    }
}

fn is_no_file(error: &NetError) -> bool {
    matches!(error, NetError::Io(error) if is_out_of_files(&**error))
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}
