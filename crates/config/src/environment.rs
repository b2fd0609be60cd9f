use crate::Environment;
use crate::findings::Spot;
use crate::keys::{ALIASES, KEYS, Key};
use crate::lower::Lowering;
use crate::raw::{Raw, short};
use crate::refused::Refused;
use crate::suggest;

/// Puts the variables over what the file said.
///
/// A variable is ours when its name begins with `GATEWAY_` and has a `__`; then it must name a key. Other names
/// with that beginning are left alone, because other programs make them: Kubernetes sets `GATEWAY_PORT` in every
/// container beside a service called "gateway".
pub(crate) fn overlay(lowering: &mut Lowering<'_, '_>, env: &Environment) {
    let variables: Vec<(String, &'static Key)> = KEYS.iter().map(|key| (key.variable(), key)).collect();
    for (name, value) in env.range("GATEWAY_".to_owned()..) {
        if !name.starts_with("GATEWAY_") {
            break;
        }
        let spot = || Spot::Variable(name.clone());
        if let Some(key) = named(name, &variables) {
            lowering.set(key, Raw::Variable(value), spot());
        } else if name.contains("__") {
            let refused = Refused::new("unknown variable").advise(advice(name, &variables));
            lowering.findings.problem(&Spot::Variable(short(name)), "", refused);
        } else if let Some(meant) = with_one_underscore(name, value, &variables) {
            let refused = Refused::new("has no meaning here").advise(format!("did you mean `{meant}`?"));
            lowering.findings.warning(&spot(), "", refused);
        }
    }
    refuse_contradictions(lowering, env);
}

fn named(name: &str, variables: &[(String, &'static Key)]) -> Option<&'static Key> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).and_then(|(_, key)| Key::find(key));
    alias.or_else(|| variables.iter().find(|(variable, _)| variable == name).map(|(_, key)| *key))
}

fn advice(name: &str, variables: &[(String, &'static Key)]) -> String {
    if ["GATEWAY_CHANNELS__", "GATEWAY_MODELS__", "GATEWAY_USERS__"].iter().any(|list| name.starts_with(list))
    {
        return "channels, models and users are declared in the file or made through the admin API"
            .to_owned();
    }
    suggest::did_you_mean(name, variables.iter().map(|(variable, _)| variable.as_str()))
        .unwrap_or_else(|| "write GATEWAY_SECTION__KEY, such as GATEWAY_SERVER__PORT".to_owned())
}

/// `GATEWAY_SERVER_PORT`, unless it is one of the addresses that container platforms set.
fn with_one_underscore<'v>(
    name: &str,
    value: &str,
    variables: &'v [(String, &'static Key)],
) -> Option<&'v str> {
    if value.contains("://") {
        return None;
    }
    variables
        .iter()
        .map(|(variable, _)| variable.as_str())
        .find(|variable| variable.replace("__", "_") == name)
}

/// A key that is set by both its names must be set to the same.
fn refuse_contradictions(lowering: &mut Lowering<'_, '_>, env: &Environment) {
    for (alias, name) in ALIASES {
        let Some(key) = Key::find(name) else { continue };
        let variable = key.variable();
        if let (Some(one), Some(other)) = (env.get(alias), env.get(&variable))
            && one != other
        {
            let refused =
                Refused::new(format!("{variable} says something else")).advise("set only one of them");
            lowering.findings.problem(&Spot::Variable(alias.to_owned()), name, refused);
        }
    }
}

#[cfg(test)]
mod tests;
