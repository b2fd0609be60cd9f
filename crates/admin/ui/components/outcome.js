import { html } from "../lib/view.js";
import { Icon } from "./icon.js";

/** @type {Record<string, { kind: string, icon: import("./icon.js").IconName, text: string }>} */
const OUTCOMES = {
  ok: { kind: "good", icon: "check", text: "OK" },
  client_error: { kind: "warn", icon: "circle-alert", text: "Client error" },
  upstream_error: { kind: "bad", icon: "circle-x", text: "Upstream error" },
  gateway_error: { kind: "bad", icon: "circle-x", text: "Gateway error" },
  interrupted: { kind: "bad", icon: "triangle-alert", text: "Interrupted" },
  client_gone: { kind: "", icon: "log-out", text: "Client left" },
};

export const OUTCOME_WORDS = Object.entries(OUTCOMES).map(([value, { text }]) => ({ value, label: text }));

/** How an exchange ended. @param {{ exchange: { outcome: string, status: number } }} props */
export function Outcome({ exchange }) {
  const { kind, icon, text } = OUTCOMES[exchange.outcome] ?? { kind: "", icon: /** @type {const} */ ("circle-help"), text: exchange.outcome };
  return html`<span class=${`tag ${kind}`}><${Icon} name=${icon} />${exchange.outcome === "ok" ? exchange.status : `${exchange.status} ${text}`}</span>`;
}
