// One call's story: each attempt on a line of time, why it was made, and how it ended.

import { ApiError, words } from "../lib/api.js";
import { count, day, ms, NONE, size, spaced } from "../lib/format.js";
import { to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html } from "../lib/view.js";
import { CopyButton } from "../components/button.js";
import { Outcome } from "../components/outcome.js";
import { Empty, Failure, Head, Loading } from "../components/states.js";

/** What the words of routing mean. @type {Record<string, string>} */
const REASONS = {
  home: "the session's own channel",
  pinned: "it served the session last",
  spill: "the session's channel was not fit",
  keyless: "drawn by chance",
  probe: "a trial after a failure",
  retry: "an earlier attempt failed",
  panic: "nobody was fit; it was the least unfit",
  only_one: "nobody else serves it",
  object: "it holds the object that the call names",
};

/** @param {{ id: string }} props */
export function Exchange({ id }) {
  const exchange = useResource(`/api/exchanges/${encodeURIComponent(id)}`, { on: [] });
  const whose = exchange.data?.user_id ?? null;
  const user = useResource(whose === null ? null : `/api/users/${whose}`, { on: [] }).data;
  const back = html`<a href=${to("requests")}>Requests</a>`;
  if (exchange.data === null) {
    const missing = exchange.error instanceof ApiError && exchange.error.status === 404;
    if (!exchange.error) return html`<${Head} title="Request" lead=${back} /><section class="card"><${Loading} /></section>`;
    return html`
      <${Head} title="Request" lead=${back} />
      ${missing
        ? html`<section class="card"><${Empty} icon="search" title="No such request on record">There is none with the x-request-id <code class="break">${id}</code>. It may still be running, or its record may have been cleaned up.<//></section>`
        : html`<${Failure} error=${words(exchange.error)} retry=${exchange.reload} />`}
    `;
  }
  const row = exchange.data;
  return html`
    <${Head} title=${row.model ?? row.endpoint} lead=${html`${back} · <code class="break">${row.request_id}</code>`}>
      <${CopyButton} text=${row.request_id} kind="" label="Copy the x-request-id">Copy id<//>
      ${row.model && user && html`<a class="button" href=${to("routing", null, { model: row.model, user: row.user_id })}>Explain routing now</a>`}
    <//>
    <div class="stack">
      <section class="card">
        <header><h2>What happened</h2><${Outcome} exchange=${row} /></header>
        <div class="body"><${Timeline} row=${row} /></div>
      </section>
      <div class="grid-2">
        <section class="card">
          <header><h2>The call</h2></header>
          <div class="body"><dl class="facts">
            <dt>Began</dt><dd>${day(row.started_at)}</dd>
            <dt>Endpoint</dt><dd><code>${row.endpoint}</code>${row.streamed ? " · streamed" : ""}</dd>
            <dt>User</dt><dd>${row.user_id === null ? "an unknown key" : html`<a href=${to("users", row.user_id)}>${user?.name ?? `user ${row.user_id}`}</a>`}</dd>
            <dt>Session named by</dt><dd>${row.session_source ? spaced(row.session_source) : "nothing"}</dd>
            <dt>Bytes in, out</dt><dd>${size(row.bytes_in)}, ${size(row.bytes_out)}</dd>
          </dl></div>
        </section>
        <section class="card">
          <header><h2>Times and tokens</h2></header>
          <div class="body"><dl class="facts">
            <dt>First byte</dt><dd>${ms(row.first_byte_ms)}</dd>
            <dt>Total</dt><dd>${ms(row.total_ms)}</dd>
            <dt>Prompt tokens</dt><dd>${count(row.usage.prompt_tokens)}${row.usage.cached_tokens ? `, ${count(row.usage.cached_tokens)} from the cache` : ""}</dd>
            <dt>Completion tokens</dt><dd>${count(row.usage.completion_tokens)}${row.usage.reasoning_tokens ? `, ${count(row.usage.reasoning_tokens)} of them reasoning` : ""}</dd>
            <dt>Tokens per second</dt><dd>${speed(row)}</dd>
          </dl></div>
        </section>
      </div>
    </div>
  `;
}

/** @param {any} row */
function speed(row) {
  const time = row.total_ms - (row.first_byte_ms ?? row.total_ms);
  return row.streamed && row.usage.completion_tokens && time > 0 ? count((row.usage.completion_tokens * 1000) / time) : NONE;
}

/** @param {{ row: any }} props */
function Timeline({ row }) {
  if (row.attempts.length === 0) return html`<p class="quiet">No channel was asked: the gateway answered by itself.</p>`;
  const whole = Math.max(row.total_ms, 1);
  let at = 0;
  // Attempts follow each other; one that ran beside another ended with the call.
  const placed = row.attempts.map((/** @type {any} */ one) => {
    const start = one.hedge ? Math.max(0, whole - one.total_ms) : Math.min(at, whole);
    if (!one.hedge) at = start + one.total_ms;
    return { ...one, start };
  });
  const share = (/** @type {number} */ time) => `${Math.min(100, (time / whole) * 100).toFixed(2)}%`;
  return html`
    <ol class="timeline">
      ${placed.map((/** @type {any} */ one, /** @type {number} */ index) => {
        const good = one.outcome === "ok" || one.outcome === "success";
        return html`
          <li>
            <div class="spread">
              <div class="row wrap"><b>${index + 1}.</b><a class="name break" href=${to("channels", one.channel_id)}>${one.channel_name}</a><span class=${`tag ${good ? "good" : "bad"}`}>${one.status ?? "no status"} ${spaced(one.outcome)}</span>${one.hedge && html`<span class="tag accent">beside the one before</span>`}</div>
              <span class="quiet small">${one.first_byte_ms === null ? "" : `first byte ${ms(one.first_byte_ms)}, `}ended after ${ms(one.total_ms)}</span>
            </div>
            <div class="lane" role="img" aria-label=${`Attempt ${index + 1} ran ${ms(one.total_ms)} of ${ms(whole)}`}>
              <i class=${good ? "" : "bad"} style=${{ left: share(one.start), width: share(Math.max(one.total_ms, whole / 200)) }}></i>
              ${one.first_byte_ms !== null && html`<b style=${{ left: share(one.start + one.first_byte_ms) }}></b>`}
            </div>
            <div class="quiet small said-why">Chosen: ${REASONS[one.reason] ?? spaced(one.reason)}${one.health === null ? "" : `; health ${one.health.toFixed(2)}`}${one.home === null ? "" : html`; the session's home is <a href=${to("channels", one.home)}>${placed.find((/** @type {any} */ other) => other.channel_id === one.home)?.channel_name ?? `channel ${one.home}`}</a>`}</div>
          </li>
        `;
      })}
    </ol>
    <div class="spread quiet small axis"><span>0</span><span>${ms(whole)}</span></div>
  `;
}
