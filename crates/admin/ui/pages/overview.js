// Whether the gateway is well: what needs somebody first, then the figures.

import { clock, count, ms, NONE, percent, rate, span } from "../lib/format.js";
import { last, sum, useHistory } from "../lib/history.js";
import { useLive } from "../lib/live.js";
import { useResource } from "../lib/resource.js";
import { to } from "../lib/router.js";
import { html, useState } from "../lib/view.js";
import { Chart } from "../components/chart.js";
import { Sparkline, Standing } from "../components/health.js";
import { Icon } from "../components/icon.js";
import { Outcome } from "../components/outcome.js";
import { Empty, Head, Loading, Shown } from "../components/states.js";
import { attention } from "./attention.js";
import { FirstRun, useFirstRun } from "./first_run.js";

const RANGES = /** @type {const} */ ([
  [300, "5 min"],
  [900, "15 min"],
  [3600, "1 h"],
]);

export function Overview() {
  const status = useResource("/api/status", { every: 10_000 });
  const pools = useResource("/api/routing/pools", { every: 10_000 });
  const models = useResource("/api/models");
  const [seconds, setSeconds] = useState(300);
  useLive("health", (health) =>
    status.edit((old) => ({ ...old, channels: old.channels.map((/** @type {any} */ row) => (row.id === health.channel_id ? { ...row, health } : row)) })),
  );
  const first = useFirstRun(status.data);
  if (first) return html`<${FirstRun} counts=${status.data.counts} />`;
  const lead = status.data && `Running for ${span(status.data.uptime_seconds * 1000)} · configuration ${status.data.snapshot_version}`;
  return html`
    <${Head} title="Overview" lead=${lead}>
      <div class="segments" role="group" aria-label="Time range">
        ${RANGES.map(([value, label]) => html`<button type="button" aria-pressed=${value === seconds ? "true" : "false"} onClick=${() => setSeconds(value)}>${label}</button>`)}
      </div>
    <//>
    <div class="stack">
      <${Shown} of=${status}>${(/** @type {any} */ data) => html`<${Attention} items=${attention(data, models.data, pools.data)} />`}<//>
      <${Figures} seconds=${seconds} />
      <div class="grid-2">
        <section class="card">
          <header><h2>Channels</h2><a href=${to("channels")}>All channels</a></header>
          <${Shown} of=${status}>${(/** @type {any} */ data) => html`<${ChannelList} channels=${data.channels} pools=${pools.data} />`}<//>
        </section>
        <${Latest} />
      </div>
    </div>
  `;
}

/** @param {{ items: import("./attention.js").Item[] }} props */
function Attention({ items }) {
  if (items.length === 0) {
    return html`<section class="card all-well" aria-label="Needs attention"><${Icon} name="circle-check" /><div><h2>All is well</h2><span class="quiet">Nothing needs attention.</span></div></section>`;
  }
  return html`
    <section class="card attention">
      <header><h2>Needs attention</h2><span class="tag ${items.some(({ kind }) => kind === "bad") ? "bad" : "warn"}">${items.length}</span></header>
      <ul>
        ${items.map(
          ({ kind, title, text, href }) => html`
            <li class=${kind}>
              <${Icon} name=${kind === "bad" ? "circle-x" : "triangle-alert"} />
              <div><a href=${href}>${title}</a><div class="quiet small break">${text}</div></div>
              <${Icon} name="chevron-right" />
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** @param {{ seconds: number }} props */
function Figures({ seconds }) {
  const history = useHistory(seconds);
  if (!history) return html`<section class="card"><${Loading} /></section>`;
  const { total, from, step } = history;
  const line = (/** @type {string} */ name) => total[name] ?? [];
  const per = step / 1000;
  const each = (/** @type {string} */ name) => line(name).map((value) => (value === null ? null : value / per));
  const minute = Math.max(1, Math.round(60 / per));
  const mean = (/** @type {string} */ name) => {
    const recent = line(name).slice(-minute);
    const added = sum(recent);
    return added === null ? null : added / (recent.length * per);
  };
  const asked = sum(line("requests")) ?? 0;
  const failed = sum(line("errors")) ?? 0;
  const tiles = [
    { label: "Requests", value: rate(mean("requests")), unit: "/s", more: `${count(asked)} in this time`, line: each("requests") },
    { label: "Errors", value: asked ? percent(failed / asked) : NONE, unit: "", more: `${count(failed)} of ${count(asked)}`, line: line("errors"), color: "var(--bad-mark)" },
    { label: "Latency", value: ms(last(line("p50_ms"), minute)), unit: "p50", more: `p95 ${ms(last(line("p95_ms"), minute))}`, line: line("p50_ms"), color: "var(--series-2)" },
    { label: "First token", value: ms(last(line("first_token_p50_ms"), minute)), unit: "p50", more: `p95 ${ms(last(line("first_token_p95_ms"), minute))}`, line: line("first_token_p50_ms"), color: "var(--series-2)" },
    { label: "Tokens out", value: rate(mean("completion_tokens")), unit: "/s", more: `${rate(mean("prompt_tokens"))} in /s`, line: each("completion_tokens"), color: "var(--series-4)" },
    { label: "Streams", value: count(last(line("active_streams"))), unit: "active", more: `${count(last(line("in_flight")))} calls under way`, line: line("active_streams"), color: "var(--series-3)" },
  ];
  return html`
    <section class="tiles" aria-label="Figures">
      ${tiles.map(
        (tile) => html`
          <div class="card tile">
            <div class="quiet small">${tile.label}</div>
            <div class="figure">${tile.value}${tile.unit && html`<span>${tile.unit}</span>`}</div>
            <div class="quiet small">${tile.more}</div>
            <${Sparkline} line=${tile.line} color=${tile.color} label=${`${tile.label} over time`} />
          </div>
        `,
      )}
    </section>
    <div class="grid-2">
      <section class="card">
        <header class="bare"><h2>Requests per second</h2></header>
        <div class="body">
          <${Chart} title="Requests per second" from=${from} step=${step} show=${rate}
            series=${[
              { label: "All", color: "--series-1", line: each("requests"), area: true },
              { label: "Errors", color: "--bad-mark", line: each("errors"), dash: true },
            ]} />
        </div>
      </section>
      <section class="card">
        <header class="bare"><h2>Latency</h2></header>
        <div class="body">
          <${Chart} title="Latency" from=${from} step=${step} show=${ms}
            series=${[
              { label: "p50", color: "--series-2", line: line("p50_ms") },
              { label: "p95", color: "--series-3", line: line("p95_ms"), dash: true },
            ]} />
        </div>
      </section>
      <section class="card">
        <header class="bare"><h2>Time to the first token</h2></header>
        <div class="body">
          <${Chart} title="Time to the first token" from=${from} step=${step} show=${ms}
            series=${[
              { label: "p50", color: "--series-2", line: line("first_token_p50_ms") },
              { label: "p95", color: "--series-3", line: line("first_token_p95_ms"), dash: true },
            ]} />
        </div>
      </section>
      <section class="card">
        <header class="bare"><h2>Tokens per second</h2></header>
        <div class="body">
          <${Chart} title="Tokens per second" from=${from} step=${step} show=${rate}
            series=${[
              { label: "Prompt", color: "--series-1", line: each("prompt_tokens") },
              { label: "Completion", color: "--series-4", line: each("completion_tokens"), area: true },
            ]} />
        </div>
      </section>
    </div>
  `;
}

/** @param {{ channels: any[], pools: any[] | null }} props */
function ChannelList({ channels, pools }) {
  const flying = (/** @type {number} */ id) =>
    (pools ?? []).flatMap((pool) => pool.channels).filter((row) => row.channel_id === id).reduce((all, row) => all + row.inflight, 0);
  return html`
    <ul class="lines">
      ${channels.map(
        (channel) => html`
          <li>
            <a class="name cut grow" href=${to("channels", channel.id)}>${channel.name}</a>
            <span class="quiet small nowrap">${flying(channel.id)} under way</span>
            <${Standing} channel=${channel} />
          </li>
        `,
      )}
    </ul>
  `;
}

const LATEST = 8;

function Latest() {
  const calls = useResource(`/api/exchanges?limit=${LATEST}`, { on: [] });
  useLive("exchange", (exchange) => calls.edit((old) => [exchange, ...old.filter((/** @type {any} */ row) => row.request_id !== exchange.request_id)].slice(0, LATEST)));
  return html`
    <section class="card">
      <header><h2>Latest requests</h2><a href=${to("requests")}>All requests</a></header>
      <${Shown} of=${calls}>
        ${(/** @type {any[]} */ rows) =>
          rows.length === 0
            ? html`<${Empty} icon="list" title="No requests yet">They appear here as they finish.<//>`
            : html`
                <ul class="lines">
                  ${rows.map(
                    (row) => html`
                      <li key=${row.request_id}>
                        <span class="quiet small nowrap">${clock(row.started_at)}</span>
                        <a class="name cut grow" href=${to("requests", row.request_id)}>${row.model ?? row.endpoint}</a>
                        <span class="quiet small nowrap">${ms(row.total_ms)}</span>
                        <${Outcome} exchange=${row} />
                      </li>
                    `,
                  )}
                </ul>
              `}
      <//>
    </section>
  `;
}
