//! Speech, what was said, and voices.

use super::EndpointKind::{Speech, Transcriptions, Translations, Voices};
use super::ObjectKind::VoiceConsent;
use super::row::{ask, delete, get, post};
use super::{Endpoint, Gives, ObjectKind, StreamDialect, StreamEnd, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    ask("/v1/audio/speech", Speech).gives(Gives::Media).streams(StreamDialect::Chat, StreamEnd::Named),
    ask("/v1/audio/transcriptions", Transcriptions)
        .takes(Takes::Multipart)
        // Some upstreams fetch the sound themselves.
        .files(&["file", "url"])
        .gives(Gives::Media)
        .streams(StreamDialect::Chat, StreamEnd::Named),
    ask("/v1/audio/translations", Translations)
        .takes(Takes::Multipart)
        .files(&["file", "url"])
        .gives(Gives::Media),
    // Newer ones are made of a description as well, without any sound.
    post("/v1/audio/voices", Voices, &[]).takes(Takes::Multipart).makes(ObjectKind::Voice),
    get("/v1/audio/voice_consents", Voices, &[]).lists(VoiceConsent),
    post("/v1/audio/voice_consents", Voices, &[])
        .takes(Takes::Multipart)
        .files(&["recording"])
        .makes(VoiceConsent),
    get("/v1/audio/voice_consents/{consent_id}", Voices, &[("consent_id", VoiceConsent)]),
    post("/v1/audio/voice_consents/{consent_id}", Voices, &[("consent_id", VoiceConsent)]),
    delete("/v1/audio/voice_consents/{consent_id}", Voices, &[("consent_id", VoiceConsent)]),
];
