// How a channel is, in a word, a row of ticks and a line. Never by colour alone.

import { ago, clock, ms } from "../lib/format.js";
import { html } from "../lib/view.js";
import { Icon } from "./icon.js";

/** @typedef {{ status: string, usable: boolean, last_checked: string | null, last_error: string | null, consecutive_failures: number, troubled_models: any[] }} Health */

/** What a channel does now. @param {{ enabled: boolean, weight?: number, health: Health }} channel */
export function standing({ enabled, weight = 1, health }) {
  if (!enabled) return /** @type {const} */ ({ kind: "", icon: "ban", text: "Disabled" });
  if (!health.usable) return /** @type {const} */ ({ kind: "bad", icon: "circle-x", text: "Down" });
  if (weight === 0) return /** @type {const} */ ({ kind: "", icon: "pause", text: "Drained" });
  if (health.troubled_models.length) return /** @type {const} */ ({ kind: "warn", icon: "triangle-alert", text: "Trouble" });
  if (health.status === "unknown") return /** @type {const} */ ({ kind: "", icon: "circle-help", text: "Not checked" });
  return /** @type {const} */ ({ kind: "good", icon: "circle-check", text: "Healthy" });
}

/** @param {{ channel: { enabled: boolean, weight?: number, health: Health } }} props */
export function Standing({ channel }) {
  const { kind, icon, text } = standing(channel);
  return html`<span class=${`tag ${kind}`} title=${channel.health.last_error ?? undefined}><${Icon} name=${icon} />${text}</span>`;
}

const TICKS = 60;

/** The last 60 things that were told of a channel. @param {{ history: any[] }} props */
export function Ticks({ history }) {
  const recent = history.slice(-TICKS);
  const bad = recent.filter((tick) => !tick.ok);
  const worst = bad[bad.length - 1];
  const label = recent.length
    ? `Last ${recent.length} checks: ${recent.length - bad.length} good, ${bad.length} failed${worst ? `, the last failure ${ago(worst.at)}` : ""}`
    : "No checks yet";
  return html`
    <div class="ticks" role="img" aria-label=${label} title=${label}>
      ${Array.from({ length: TICKS - recent.length }, () => html`<i class="none"></i>`)}
      ${recent.map((tick) => {
        const kind = tick.ok ? (tick.status === "unknown" ? "unknown" : "") : "bad";
        const told = `${clock(tick.at)} · ${tick.ok ? "good" : "failed"} (${tick.witness})${tick.latency_ms === null ? "" : ` · ${ms(tick.latency_ms)}`}`;
        return html`<i class=${kind} title=${told}></i>`;
      })}
    </div>
  `;
}

/**
 * A small line over what was measured; where nothing was, it goes straight on.
 * @param {{ line: (number | null)[], label: string, color?: string }} props
 */
export function Sparkline({ line, label, color }) {
  const known = line.flatMap((value, index) => (value === null ? [] : [{ value, index }]));
  if (known.length < 2) return html`<span class="quiet small nowrap">no data yet</span>`;
  const top = Math.max(...known.map(({ value }) => value), 1e-9);
  const x = (/** @type {number} */ index) => ((index / Math.max(1, line.length - 1)) * 100).toFixed(2);
  const path = known.map(({ value, index }, at) => `${at ? "L" : "M"}${x(index)} ${(26 - (value / top) * 24).toFixed(2)}`).join("");
  const whole = known.length === line.length;
  return html`
    <svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label=${label} style=${color ? { "--spark": color } : undefined}>
      ${whole && html`<path class="area" d=${`${path}L100 28L0 28Z`} />`}
      <path d=${path} />
    </svg>
  `;
}
