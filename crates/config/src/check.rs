//! What the values must be together. A check is left out when one of its values was refused already.

use std::net::IpAddr;
use std::time::Duration;

use gateway_domain::Declaration;

use crate::duration::show;
use crate::field::{Field, Place};
use crate::findings::{Findings, Spot};
use crate::keys::Key;
use crate::lower::{Known, Lowering};
use crate::refused::Refused;
use crate::{AdminAuth, Settings, secret, suggest};

/// Fewer characters can be guessed over a network.
const SHORTEST_TOKEN: usize = 16;

/// Times that lie within another: the inner one, the outer one. The outermost come first, so that a default that
/// gives way to its outer time passes that on to its own inner times.
const NESTED: [(&str, &str); 6] = [
    ("server.read_timeout", "server.body_timeout"),
    ("health_check.timeout", "health_check.interval"),
    ("proxy.first_byte_timeout", "proxy.stream_timeout"),
    ("proxy.stream_gap_timeout", "proxy.stream_timeout"),
    ("proxy.connect_timeout", "proxy.first_byte_timeout"),
    ("proxy.connect_timeout", "proxy.total_timeout"),
];

/// The times that a channel's own ones lie within.
const AROUND_CHANNELS: [&str; 3] =
    ["proxy.first_byte_timeout", "proxy.total_timeout", "proxy.stream_timeout"];

pub(crate) fn check(lowering: &mut Lowering<'_, '_>, declaration: &Declaration) {
    let Lowering { settings, known, findings, .. } = lowering;
    check_tls(settings, known, findings);
    check_admin(settings, known, findings);
    check_ports(settings, known, findings);
    let proxy = &settings.proxy;
    for (key, name) in [
        ("proxy.default_channel", &proxy.default_channel),
        ("proxy.administration_channel", &proxy.administration_channel),
    ] {
        check_channel(key, name.as_deref(), known, findings, declaration);
    }
}

/// An inner time that somebody wrote must fit into its outer one; a default gives way by itself, so that whoever
/// shortens one time need not know all that lie within it.
pub(crate) fn check_times(lowering: &mut Lowering<'_, '_>) {
    let Lowering { settings, known, findings, .. } = lowering;
    for (inner, outer) in NESTED {
        let (Some(within), Some(around)) = (time(inner), time(outer)) else { continue };
        let (short, long) = ((within.get)(settings), (around.get)(settings));
        if short <= long || !known.is_sound(inner) || !known.is_sound(outer) {
            continue;
        }
        if !known.is_set(inner) {
            (within.put)(settings, long);
            continue;
        }
        let message = format!("{} is longer than {outer}, which is {}", show(short), show(long));
        let refused = Refused::new(message).advise(format!("shorten it, or lengthen {outer}"));
        findings.problem(&known.spot(inner), inner, refused);
    }
}

/// Whether the times that a channel's own ones are compared with are what was meant.
pub(crate) fn channel_times_are_sound(known: &Known) -> bool {
    AROUND_CHANNELS.iter().all(|key| known.is_sound(key))
}

fn time(name: &str) -> Option<&'static Place<Duration>> {
    let Field::Duration(place, ..) = &Key::find(name)?.field else { return None };
    Some(place)
}

fn check_tls(settings: &Settings, known: &Known, findings: &mut Findings<'_>) {
    let Some(tls) = &settings.server.tls else { return };
    for (path, missing, other) in
        [(&tls.cert, "server.tls.cert", "server.tls.key"), (&tls.key, "server.tls.key", "server.tls.cert")]
    {
        if path.as_os_str().is_empty() && known.is_sound(missing) {
            let refused = Refused::new("is missing").advise("TLS needs both a certificate and its key");
            findings.problem(&known.spot(other), missing, refused);
        }
    }
}

fn check_admin(settings: &Settings, known: &Known, findings: &mut Findings<'_>) {
    let on_loopback = settings.admin_on_loopback();
    let place_is_sound = known.is_sound("admin.listen") && known.is_sound("server.host");
    if settings.admin.auth == AdminAuth::None && !on_loopback && place_is_sound {
        let at = match settings.admin.listen {
            Some(address) => address.to_string(),
            None => settings.server.host.clone(),
        };
        let refused =
            Refused::new(format!("\"none\" is accepted only on loopback, and the admin API is at {at}"));
        let advice = "set admin.listen to \"127.0.0.1:9000\", or auth to \"token\"";
        findings.problem(&known.spot("admin.auth"), "admin.auth", refused.advise(advice));
    }
    let Some(token) = &settings.admin.token else { return };
    let spot = known.spot("admin.token");
    if let Err(refused) = secret::check_header_safe(token) {
        findings.problem(&spot, "admin.token", refused);
    }
    if token.expose().chars().count() < SHORTEST_TOKEN && place_is_sound {
        let refused =
            Refused::new(format!("has fewer than {SHORTEST_TOKEN} characters, so it can be guessed"))
                .advise("take a longer one, for example from `openssl rand -hex 32`");
        if on_loopback {
            findings.warning(&spot, "admin.token", refused);
        } else {
            findings.problem(&spot, "admin.token", refused);
        }
    }
}

/// Two listeners cannot share a port, unless each has an address of its own. 0 takes a free port, so it never
/// meets another.
fn check_ports(settings: &Settings, known: &Known, findings: &mut Findings<'_>) {
    let public = settings.server.port;
    let admin = settings.admin.listen.map(|address| address.port());
    if let Some(address) = settings.admin.listen
        && public != 0
        && public == address.port()
        && may_be_the_same(&settings.server.host, address.ip())
    {
        let refused = Refused::new(format!("takes port {public}, which is server.port"));
        findings.problem(&known.spot("admin.listen"), "admin.listen", refused.advise("take another port"));
    }
    let Some(metrics) = settings.metrics.port.filter(|port| *port != 0) else { return };
    let advice = "leave metrics.port out and the same listener serves /metrics";
    for (port, key) in [(Some(public), "server.port"), (admin, "admin.listen")] {
        if port == Some(metrics) {
            let refused =
                Refused::new(format!("takes port {metrics}, which is that of {key}")).advise(advice);
            findings.problem(&known.spot("metrics.port"), "metrics.port", refused);
        }
    }
}

fn may_be_the_same(host: &str, address: IpAddr) -> bool {
    match host.parse::<IpAddr>() {
        Ok(host) => host == address || host.is_unspecified() || address.is_unspecified(),
        Err(_) => true,
    }
}

/// The channel may have been made through the admin API, so an undeclared name is no error; a near miss of a
/// declared one is worth a word.
fn check_channel(
    key: &'static str,
    name: Option<&str>,
    known: &Known,
    findings: &mut Findings<'_>,
    declaration: &Declaration,
) {
    let Some(name) = name else { return };
    let declared = || declaration.channels.iter().map(|channel| &*channel.name);
    if declared().any(|channel| channel == name) {
        return;
    }
    if let Some(meant) = suggest::did_you_mean(name, declared()) {
        let spot: Spot = known.spot(key);
        let refused = Refused::new("no channel of this name is declared").advise(meant);
        findings.warning(&spot, key, refused);
    }
}

#[cfg(test)]
mod tests;
