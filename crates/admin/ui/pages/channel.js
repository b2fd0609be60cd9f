// One channel: how it is and why, where it stands in routing, and what can be done with it.

import { useAction } from "../lib/action.js";
import { ago, count, day, ms, percent, plural, rate, spaced } from "../lib/format.js";
import { useHistory } from "../lib/history.js";
import { go, to } from "../lib/router.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Chart } from "../components/chart.js";
import { Standing } from "../components/health.js";
import { Empty, Failure, Head, Loading, Note, Shown } from "../components/states.js";
import { Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { change, Checks, Latency } from "./channels.js";
import { ChannelForm } from "./channel_form.js";
import { Offer } from "./channel_offer.js";
import { removeChannel } from "./channel_removal.js";
import { Trial } from "./channel_trial.js";

/** @param {{ id: number, channels: import("../lib/resource.js").Resource }} props */
export function Channel({ id, channels }) {
  const row = (channels.data ?? []).find((/** @type {any} */ known) => known.id === id);
  const [open, setOpen] = useState(/** @type {"edit" | "copy" | "test" | "offer" | null} */ (null));
  const history = useHistory(900);
  const work = useAction();
  if (!row) {
    if (channels.error) return html`<${Failure} error=${channels.error} retry=${channels.reload} />`;
    if (channels.data === null) return html`<${Loading} />`;
    return html`<${Empty} icon="server" title="There is no such channel" actions=${html`<a class="button" href=${to("channels")}>All channels</a>`}>It may have been deleted.<//>`;
  }
  const locked = row.managed_by === "file";
  const close = () => setOpen(null);
  const act = (/** @type {Record<string, unknown>} */ body, /** @type {string} */ done) =>
    work.run(async () => {
      await change(row, body, channels);
      toast("good", done);
    });
  const lines = history?.channels[row.id];
  const perSecond = (/** @type {string} */ name) => (lines?.[name] ?? []).map((value) => (value === null || !history ? null : (value * 1000) / history.step));
  return html`
    <${Head} title=${row.name} lead=${html`<a href=${to("channels")}>Channels</a> · <span class="break">${row.base_url}</span>`}>
      <${Button} icon="play" onClick=${() => setOpen("test")}>Test<//>
      <${Button} icon="pencil" onClick=${() => setOpen("edit")}>${locked ? "Settings" : "Edit"}<//>
      <${Button} icon="copy" onClick=${() => setOpen("copy")}>Duplicate<//>
      ${!locked &&
      html`
        ${row.weight === 0
          ? html`<${Button} icon="play" busy=${work.busy} onClick=${() => act({ weight: 10 }, `${row.name} takes calls again, with weight 10`)}>Undrain<//>`
          : html`<${Button} icon="pause" busy=${work.busy} onClick=${() => act({ weight: 0 }, `${row.name} is drained: running calls finish, new ones go elsewhere`)}>Drain<//>`}
        <${Button} icon=${row.enabled ? "ban" : "check"} busy=${work.busy} onClick=${() => act({ enabled: !row.enabled }, `${row.name} is ${row.enabled ? "disabled" : "enabled"}`)}>${row.enabled ? "Disable" : "Enable"}<//>
        <${Button} kind="danger" icon="trash-2" onClick=${() => void removeChannel(row).then((gone) => { if (gone) { void channels.reload(); go(to("channels")); } })}>Delete<//>
      `}
    <//>
    <div class="stack">
      ${locked && html`<${Note}>This channel stands in the configuration file, so it can only be changed there.<//>`}
      <div class="grid-2">
        <section class="card">
          <header><h2>Health</h2><${Standing} channel=${row} /></header>
          <div class="body stack">
            <div class="wide-ticks"><${Checks} id=${row.id} /></div>
            ${row.health.last_error && html`<${Note} kind=${row.health.usable ? "warn" : "bad"}><span class="break">${row.health.last_error}</span><//>`}
            <dl class="facts">
              <dt>Last heard of</dt><dd>${ago(row.health.last_checked)}</dd>
              <dt>Failures in a row</dt><dd>${count(row.health.consecutive_failures)}</dd>
              <dt>Latency</dt><dd><${Latency} id=${row.id} line=${lines?.["p50_ms"]} /></dd>
            </dl>
            ${row.health.troubled_models.map(
              (/** @type {any} */ trouble) => html`<${Note} kind="warn"><b>${trouble.model}</b>: ${plural(trouble.failures, "failure")} since ${ago(trouble.since)}. ${trouble.last_error}<//>`,
            )}
          </div>
        </section>
        <section class="card">
          <header><h2>Settings</h2></header>
          <div class="body">
            <dl class="facts">
              <dt>API key</dt><dd class="mono">${row.api_key || html`<span class="quiet">none</span>`}</dd>
              <dt>Weight, tier</dt><dd>${row.weight}, ${row.tier}</dd>
              <dt>Health check</dt><dd class="mono">${typeof row.probe === "string" ? row.probe : JSON.stringify(row.probe)}</dd>
              <dt>Calls at a time</dt><dd>${row.max_concurrency ?? "no limit"}</dd>
              <dt>Per minute</dt><dd>${limits(row)}</dd>
              <dt>Times</dt><dd>${times(row)}</dd>
              <dt>Made, changed</dt><dd title=${`${day(row.created_at)}, ${day(row.updated_at)}`}>${ago(row.created_at)}, ${ago(row.updated_at)}</dd>
            </dl>
          </div>
        </section>
      </div>
      ${history && lines?.["requests"] && html`
        <section class="card">
          <header class="bare"><h2>Calls per second, last 15 minutes</h2></header>
          <div class="body">
            <${Chart} title="Calls per second" from=${history.from} step=${history.step} show=${rate}
              series=${[
                { label: "Calls", color: "--series-1", line: perSecond("requests"), area: true },
                { label: "Errors", color: "--bad-mark", line: perSecond("errors"), dash: true },
              ]} />
          </div>
        </section>
      `}
      <${Standings} row=${row} onOffer=${() => setOpen("offer")} />
    </div>
    ${open === "edit" && html`<${ChannelForm} row=${row} onClose=${close} onSaved=${(/** @type {any} */ saved) => { close(); void channels.reload(); toast("good", `${saved.name} was saved`); }} />`}
    ${open === "copy" && html`<${ChannelForm} copied=${row} onClose=${close} onSaved=${(/** @type {any} */ made) => { void channels.reload(); toast("good", `${made.name} was added`); go(to("channels", made.id)); }} />`}
    ${open === "test" && html`<${Trial} row=${row} onClose=${close} />`}
    ${open === "offer" && html`<${Offer} row=${row} onClose=${close} onDone=${(/** @type {number} */ added) => { close(); void channels.reload(); if (added) toast("good", `${plural(added, "model")} mapped to ${row.name}`); }} />`}
  `;
}

/** Where it stands in routing, model by model. @param {{ row: any, onOffer: () => void }} props */
function Standings({ row, onOffer }) {
  const pools = useResource("/api/routing/pools", { every: 5000 });
  return html`
    <section class="card">
      <header><h2>Models</h2><${Button} kind="small" icon="download" onClick=${onOffer}>Fetch models from the upstream<//></header>
      <${Shown} of=${pools}>
        ${(/** @type {any[]} */ all) => {
          const rows = all.flatMap((pool) => pool.channels.filter((/** @type {any} */ one) => one.channel_id === row.id).map((/** @type {any} */ one) => ({ ...one, pool: pool.name })));
          if (rows.length === 0) {
            const why = row.enabled ? "Fetch what its upstream offers, or map it on the page of a model." : "A disabled channel stands in no pool. Enable it to see its models here.";
            return html`<${Empty} icon="boxes" title=${row.enabled ? "It serves no model" : "It is disabled"}>${why}<//>`;
          }
          return html`
            <${Table}
              caption=${`Models of ${row.name}`}
              noun="model"
              rows=${rows}
              id=${(/** @type {any} */ one) => one.pool}
              columns=${[
                { key: "model", label: "Model", kind: "lead", by: (/** @type {any} */ one) => one.pool, show: (/** @type {any} */ one) => html`<span class="name break">${one.pool === "*" ? "any other name" : one.pool || "calls without a model"}</span>` },
                { key: "state", label: "Breaker", show: (/** @type {any} */ one) => html`<span class=${`tag ${one.state === "closed" ? "" : "warn"}`} title=${one.cause ?? undefined}>${spaced(one.state)}${one.open_ms ? ` for ${ms(one.open_ms)}` : ""}</span>` },
                { key: "latency", label: "First token", kind: "num", by: (/** @type {any} */ one) => one.latency_ms, show: (/** @type {any} */ one) => ms(one.latency_ms) },
                { key: "errors", label: "Errors", kind: "num", by: (/** @type {any} */ one) => one.error_rate, show: (/** @type {any} */ one) => percent(one.error_rate) },
                { key: "inflight", label: "Under way", kind: "num", by: (/** @type {any} */ one) => one.inflight, show: (/** @type {any} */ one) => count(one.inflight) },
                { key: "share", label: "Share now", kind: "num", by: (/** @type {any} */ one) => one.share, show: (/** @type {any} */ one) => percent(one.share) },
                { key: "expected", label: "By weight", kind: "num", by: (/** @type {any} */ one) => one.expected_share, show: (/** @type {any} */ one) => percent(one.expected_share) },
              ]}
            />
          `;
        }}
      <//>
    </section>
  `;
}

/** @param {any} row */
function limits(row) {
  const told = [row.requests_per_minute && plural(row.requests_per_minute, "request"), row.tokens_per_minute && plural(row.tokens_per_minute, "token")].filter(Boolean);
  return told.length ? told.join(", ") : "no limit";
}

/** @param {any} row */
function times(row) {
  const told = [
    row.connect_timeout && `connect ${row.connect_timeout}`,
    row.first_byte_timeout && `first byte ${row.first_byte_timeout}`,
    row.stream_gap_timeout && `silence ${row.stream_gap_timeout}`,
    row.pool_idle_timeout && `idle connection ${row.pool_idle_timeout}`,
  ].filter(Boolean);
  return told.length ? told.join(", ") : "as the gateway";
}

