//! Models, as far as the gateway does not answer for them itself.

use super::EndpointKind::Models;
use super::ObjectKind::FineTunedModel;
use super::row::delete;
use super::{Endpoint, ModelAt};

pub(super) static ROWS: &[Endpoint] =
    &[delete("/v1/models/{model}", Models, &[("model", FineTunedModel)]).model(ModelAt::Path)];
