//! Speaking with a model.

use super::EndpointKind::Realtime;
use super::ObjectKind::{ClientSecret, RealtimeCall};
use super::row::{post, socket};
use super::{Endpoint, Gives, ModelAt, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    socket("/v1/realtime", Realtime, &[("call_id", RealtimeCall)]),
    post("/v1/realtime/calls", Realtime, &[])
        .model(ModelAt::Query)
        .takes(Takes::Anything)
        .gives(Gives::Media)
        .makes(RealtimeCall),
    post("/v1/realtime/calls/{call_id}/accept", Realtime, &[("call_id", RealtimeCall)])
        .model(ModelAt::Body { required: false })
        .gives(Gives::Little),
    post("/v1/realtime/calls/{call_id}/hangup", Realtime, &[("call_id", RealtimeCall)])
        .takes(Takes::Nothing)
        .gives(Gives::Little),
    post("/v1/realtime/calls/{call_id}/refer", Realtime, &[("call_id", RealtimeCall)]).gives(Gives::Little),
    post("/v1/realtime/calls/{call_id}/reject", Realtime, &[("call_id", RealtimeCall)]).gives(Gives::Little),
    post("/v1/realtime/client_secrets", Realtime, &[])
        .model(ModelAt::Nested(&["session", "model"]))
        .makes(ClientSecret),
    post("/v1/realtime/sessions", Realtime, &[]).model(ModelAt::Body { required: false }).makes(ClientSecret),
    post("/v1/realtime/transcription_sessions", Realtime, &[])
        .model(ModelAt::Nested(&["input_audio_transcription", "model"]))
        .makes(ClientSecret),
    post("/v1/realtime/translations/client_secrets", Realtime, &[])
        .model(ModelAt::Nested(&["session", "model"]))
        .makes(ClientSecret),
];
