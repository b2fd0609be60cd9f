//! Where a file may go whose lines are calls of a batch.
//!
//! The file goes up as it came, so its lines reach the upstream with the names of models that the client gave. It must
//! go to a channel that calls the models so, too, and a key that is for some models only may name no other.

use gateway_domain::{ChannelId, User};
use gateway_routing::ChannelSet;

use crate::error::ProxyError;
use crate::openai::MultipartPeek;
use crate::plane::Plane;

/// The channels that may have the file of a form, if it is one of a batch and not every channel may.
pub(crate) fn channels(
    plane: &Plane,
    user: &User,
    form: Option<&MultipartPeek>,
) -> Result<Option<ChannelSet>, ProxyError> {
    let Some(form) = form.filter(|form| form.purpose.as_deref() == Some("batch")) else { return Ok(None) };
    let Some(found) = &form.batch else { return Ok(None) };
    if user.allowed_models.is_some() {
        if let Some(name) = found.models.iter().find(|name| !user.may_use(name)) {
            return Err(ProxyError::model_not_found(name));
        }
        if let Some((line, why)) = found.flaw {
            return Err(bad(format!("line {line} of the file {why}, and this key is for some models only")));
        }
    }
    let mut common: Option<Vec<ChannelId>> = None;
    for name in &found.models {
        let Some(mut serving) = serving(plane, name) else { continue };
        if serving.is_empty() {
            return Err(bad(format!(
                "the file's lines ask for the model `{}`, which every channel calls otherwise, and lines go up as they \
                 are: ask for it as the channels call it, once whoever runs this gateway has it mapped by that name",
                shown(name)
            )));
        }
        if let Some(common) = &common {
            serving.retain(|channel| common.contains(channel));
        }
        if serving.is_empty() {
            return Err(bad(format!(
                "no channel serves all the models that the file's lines ask for by these names: put the lines for `{}` \
                 into a file of their own",
                shown(name)
            )));
        }
        common = Some(serving);
    }
    let Some(common) = common else { return Ok(None) };
    // Where files usually go.
    let default = plane.default().into_iter().flat_map(|served| served.channels());
    let usual: Vec<ChannelId> = default.map(|channel| channel.id).filter(|id| common.contains(id)).collect();
    let mut set = ChannelSet::new();
    for channel in if usual.is_empty() { common } else { usual } {
        set.insert(channel);
    }
    Ok(Some(set))
}

/// The channels that serve a model by the name that clients call it; `None` where it is none that the gateway knows, and
/// the upstream is to judge.
fn serving(plane: &Plane, name: &str) -> Option<Vec<ChannelId>> {
    if plane.has_model(name) {
        return Some(plane.model(name)?.channels_by_name(name).collect());
    }
    let any = plane.model(name)?.channels();
    let default = plane.default().into_iter().flat_map(|served| served.channels());
    Some(any.chain(default).map(|channel| channel.id).collect())
}

fn bad(message: String) -> ProxyError {
    ProxyError::BadRequest { message, param: Some("file"), code: "invalid_batch_file" }
}

fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}
