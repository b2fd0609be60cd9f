//! Who may carry a call: the channels of its model, or where its objects are.

use std::borrow::Cow;
use std::sync::Arc;

use gateway_config::UnknownIds;
use gateway_domain::User;
use http::Method;

use crate::affinity::{Directory, Pull, named_by};
use crate::call::{Call, Place};
use crate::error::ProxyError;
use crate::limited;
use crate::openai::EndpointKind;
use crate::plane::{Plane, Served};

/// What models are called that somebody has trained.
const TRAINED: &str = "ft:";

/// Finds out where a call belongs because of what it names, and refuses it where that is not its user's.
pub(crate) async fn place(directory: &Directory, plane: &Plane, call: &mut Call) -> Result<(), ProxyError> {
    let body = (call.body.text(), call.names_objects);
    let mut named = named_by(call.endpoint, &call.path, call.query.as_deref(), body, &call.form_ids);
    limited::check(call, &named.models)?;
    named.model = trained_model(plane, call).map(Cow::Borrowed);
    let rules = limited::rules(call, plane.snapshot.settings.objects);
    let pull = directory.place(&named, call.user.id, rules).await?;
    // Another user's would have been refused.
    let own_model = named.model.is_some_and(|name| directory.objects.of(&name).is_some());
    call.own_model = own_model;
    call.pull = pull;
    call.asks_around = call.endpoint.method == Method::GET && call.pull == Pull::None { unknown: true };
    Ok(())
}

/// The model's mappings, or the wildcard channels; the default channel for calls that name no model.
pub(crate) fn route<'a>(plane: &'a Plane, call: &Call) -> Result<&'a Arc<Served>, ProxyError> {
    if call.endpoint.kind == EndpointKind::Administration {
        let why = "the channel of proxy.administration_channel is missing or disabled".to_owned();
        let unserved = || ProxyError::NoChannel { model: "administration".to_owned(), why };
        return plane.administration().ok_or_else(unserved);
    }
    if let Pull::To { channel, .. } = call.pull
        && !plane.snapshot.channels.get(&channel).is_some_and(|channel| channel.enabled)
    {
        return Err(ProxyError::ObjectsAway);
    }
    match &call.model {
        Some((name, _)) if call.own_model => {
            plane.model(name).or(plane.everyone()).ok_or_else(|| ProxyError::model_not_found(name))
        }
        Some((name, at)) if call.user.may_use(name) => {
            // A model in a path is one that was made at a channel. Few of them are known by name.
            let passes = plane.snapshot.settings.objects.unknown_ids == UnknownIds::Pass;
            let owner = || plane.default().filter(|_| passes && matches!(at, Place::Path(_)));
            plane.model(name).or_else(owner).ok_or_else(|| ProxyError::model_not_found(name))
        }
        Some((name, _)) => Err(ProxyError::model_not_found(name)),
        None if !limited::may_name_none(call) => Err(ProxyError::ModelMissing),
        // Its objects say where it belongs, or are looked for.
        None if call.asks_around => plane.everyone().ok_or(ProxyError::ModelMissing),
        None if call.among.is_some() => plane.everyone().ok_or(ProxyError::ModelMissing),
        None if call.pull.is_to() => plane.default().or(plane.everyone()).ok_or(ProxyError::ModelMissing),
        None => plane.default().ok_or(ProxyError::ModelMissing),
    }
}

/// Administration is carried only where a channel is named for it, and for whoever may use all models.
pub(crate) fn check_administration(plane: &Plane, user: &User) -> Result<(), ProxyError> {
    let routed = plane.snapshot.settings.proxy.administration_channel.is_some();
    if routed && user.allowed_models.is_none() { Ok(()) } else { Err(ProxyError::AdministrationNotRouted) }
}

/// The name of a call's model, where it may be one that a user has trained. One that has mappings is for everybody.
fn trained_model<'c>(plane: &Plane, call: &'c Call) -> Option<&'c str> {
    let (name, _) = call.model.as_ref()?;
    (may_be_trained(name) && !plane.has_model(name)).then_some(&**name)
}

/// Whether a model of this name may be one that a user has trained.
pub(crate) fn may_be_trained(name: &str) -> bool {
    name.starts_with(TRAINED)
}
