// What needs somebody, the worst first.

import { ago, plural, spaced } from "../lib/format.js";
import { to } from "../lib/router.js";

/** @typedef {{ kind: "bad" | "warn", title: string, text: string, href: string }} Item */

/**
 * @param {any} status
 * @param {any[] | null} models
 * @param {any[] | null} pools
 * @returns {Item[]}
 */
export function attention(status, models, pools) {
  const items = [...ofChannels(status.channels), ...ofModels(models ?? [], pools ?? []), ...ofGateway(status)];
  return items.sort((a, b) => Number(b.kind === "bad") - Number(a.kind === "bad"));
}

/** @param {any[]} channels @returns {Item[]} */
function ofChannels(channels) {
  return channels
    .filter((channel) => channel.enabled)
    .flatMap(({ id, name, health }) => {
      const href = to("channels", id);
      /** @type {Item[]} */
      const items = [];
      if (!health.usable) {
        const failures = plural(health.consecutive_failures, "failure");
        items.push({ kind: "bad", title: `${name} is down`, text: `${failures} in a row, last heard of ${ago(health.last_checked)}: ${health.last_error ?? "no reason told"}`, href });
      }
      for (const trouble of health.troubled_models) {
        items.push({ kind: "warn", title: `${name} fails at ${trouble.model}`, text: `${plural(trouble.failures, "failure")} since ${ago(trouble.since)}: ${trouble.last_error}`, href });
      }
      return items;
    });
}

/** Models that nobody can serve. @param {any[]} models @param {any[]} pools @returns {Item[]} */
function ofModels(models, pools) {
  return models.flatMap((model) => {
    const why = unserved(model, pools);
    return why ? [{ kind: /** @type {const} */ ("bad"), title: `Nobody can serve ${model.name}`, text: why, href: to("models", model.id) }] : [];
  });
}

/** Why no channel can serve a model now; null: one can. @param {any} model @param {any[]} pools */
export function unserved(model, pools) {
  const pool = pools.find((known) => known.name === model.name);
  const channels = pool?.channels ?? [];
  if (model.channels_count === 0) return "No channel is mapped to it.";
  if (pools.length === 0) return null;
  if (channels.length === 0) return "Every channel that is mapped to it is disabled.";
  if (channels.every((/** @type {any} */ row) => !row.weight)) return "Every channel that is mapped to it is drained: its weight is 0.";
  if (channels.every((/** @type {any} */ row) => !row.weight || !row.admitted)) return "Every channel that is mapped to it is down.";
  return null;
}

/** @param {any} status @returns {Item[]} */
function ofGateway({ storage, last_reload: reload, restart_needed: restart, counts }) {
  const href = to("settings");
  /** @type {Item[]} */
  const items = [];
  if (!storage.ok) items.push({ kind: "bad", title: "The database fails", text: "Calls go on; changes and records cannot be kept. The gateway's log says why.", href });
  if (storage.dropped) items.push({ kind: "warn", title: `${plural(storage.dropped, "record")} lost`, text: "The database could not keep up with recording calls since the start.", href });
  if (!reload.ok) {
    const [first] = reload.problems;
    items.push({ kind: "bad", title: "The last reload was refused", text: `${plural(reload.problems.length, "problem")} ${ago(reload.at)}, asked for by ${spaced(reload.cause)}. ${first ? `${first.param} ${first.message}` : ""}`, href });
  }
  if (restart.length) items.push({ kind: "warn", title: "A restart is needed", text: `Changed, and not in force yet: ${restart.join(", ")}`, href });
  if (counts.channels && !counts.enabled_channels) items.push({ kind: "bad", title: "All channels are disabled", text: "No call can be served.", href: to("channels") });
  return items;
}
