use std::sync::Arc;

use gateway_admin::Traffic;
use gateway_config::Live;
use gateway_domain::Exchange;
use gateway_storage::Recorder;

/// Where finished exchanges go: the figures of the last minutes, one log line and one record each. Called on the data
/// plane's threads, so nothing here waits: log lines and records are dropped and counted when their queues are full.
pub(crate) fn journal(
    recorder: Recorder,
    live: Arc<Live>,
    traffic: Arc<Traffic>,
) -> Arc<dyn Fn(&Exchange) + Send + Sync> {
    Arc::new(move |exchange| {
        traffic.count(exchange);
        log(exchange);
        if live.look(|live| live.settings.database.keep_requests) > 0 {
            // A drop is counted by the recorder itself and shown as a metric.
            let _kept = recorder.exchange(exchange);
        }
    })
}

fn log(exchange: &Exchange) {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let last = exchange.attempts.last();
    tracing::info!(
        request_id = &*exchange.request_id,
        endpoint = exchange.endpoint,
        status = exchange.status,
        outcome = exchange.outcome.as_str(),
        user = exchange.user.map(|id| id.0),
        key = exchange.key.map(|id| id.0),
        model = exchange.model.as_deref(),
        channel = last.map(|attempt| &*attempt.channel_name),
        reason = last.map(|attempt| attempt.reason),
        attempts = exchange.attempts.len(),
        streamed = exchange.streamed,
        first_byte_ms = exchange.first_byte.map(millis),
        total_ms = millis(exchange.total),
        bytes_in = exchange.bytes_in,
        bytes_out = exchange.bytes_out,
        usage = exchange.usage.source.as_str(),
        prompt_tokens = exchange.usage.prompt,
        completion_tokens = exchange.usage.completion,
        cached_tokens = exchange.usage.cached,
        reasoning_tokens = exchange.usage.reasoning,
        audio_in_tokens = exchange.usage.audio_in,
        audio_out_tokens = exchange.usage.audio_out,
        "exchange"
    );
}
