// The rows of a model's mapping. Changes are gathered, told, and saved together; a row that fails keeps its change and
// says why.

import { ApiError, call, words } from "../lib/api.js";
import { useAction } from "../lib/action.js";
import { percent, plural } from "../lib/format.js";
import { to } from "../lib/router.js";
import { useUnsaved } from "../lib/unsaved.js";
import { html, useEffect, useMemo, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Standing } from "../components/health.js";
import { Icon } from "../components/icon.js";
import { Empty, Note } from "../components/states.js";
import { toast } from "../components/toast.js";
import { upstreamModels } from "./channel_trial.js";

/** @typedef {{ channel: number, backend: string, weight: string, version: number | null, was: { backend: string, weight: string } | null, gone: boolean, fault: string | null }} Draft */

/** @param {any} row @returns {Draft} */
const drafted = (row) => {
  const was = { backend: row.backend_model_name, weight: String(row.weight) };
  return { channel: row.channel_id, ...was, version: row.version, was, gone: false, fault: null };
};

/**
 * @param {object} props
 * @param {any} props.model
 * @param {any[]} props.rows
 * @param {any[]} props.channels
 * @param {any} props.pool
 * @param {boolean} props.locked
 * @param {() => Promise<unknown>} props.onSaved
 */
export function MappingEditor({ model, rows, channels, pool, locked, onSaved }) {
  const [drafts, setDrafts] = useState(() => rows.map(drafted));
  useEffect(() => setDrafts((old) => joined(old, rows)), [rows]);
  const [offers, setOffers] = useState(/** @type {Record<number, string[]>} */ ({}));
  const saving = useAction();
  const channelOf = (/** @type {number} */ id) => channels.find((channel) => channel.id === id);
  const free = channels.filter((channel) => !drafts.some((draft) => draft.channel === channel.id));
  const shares = useMemo(() => sharesOf(drafts, channels), [drafts, channels]);
  const changes = drafts.filter(isChanged);
  useUnsaved(changes.length > 0);
  const edit = (/** @type {number} */ channel, /** @type {Partial<Draft>} */ part) =>
    setDrafts((old) => old.map((draft) => (draft.channel === channel ? { ...draft, fault: null, ...part } : draft)));
  const offer = async (/** @type {number} */ channel) => {
    if (offers[channel]) return;
    setOffers((old) => ({ ...old, [channel]: [] }));
    // Suggestions only: without them one types.
    const names = await upstreamModels(channel, new AbortController().signal).catch(() => []);
    setOffers((old) => ({ ...old, [channel]: names }));
  };
  const add = (/** @type {any} */ channel) => {
    const backend = drafts.find((draft) => !draft.gone)?.backend ?? model.name;
    setDrafts([...drafts, { channel: channel.id, backend, weight: "10", version: null, was: null, gone: false, fault: null }]);
    void offer(channel.id);
  };
  const save = () =>
    saving.run(async (signal) => {
      let failed = 0;
      for (const draft of changes) {
        try {
          await keep(model.id, draft, signal);
        } catch (error) {
          failed += 1;
          const outdated = error instanceof ApiError && error.outdated;
          edit(draft.channel, { fault: outdated ? "Somebody else changed this mapping meanwhile. Discard your changes to see it as it is now." : words(error) });
        }
      }
      // Also where some failed: those that were saved must not be saved again.
      await onSaved();
      if (failed) {
        toast("bad", `${plural(failed, "change")} could not be saved; see the rows.`);
      } else {
        toast("good", `${plural(changes.length, "change")} saved`);
      }
    });
  return html`
    <section class="card">
      <header>
        <h2>Channels that serve it</h2>
        ${!locked && free.length > 0 && html`
          <select class="input small auto" aria-label="Map a channel" value="" onChange=${(/** @type {any} */ event) => { const channel = channelOf(Number(event.target.value)); event.target.value = ""; if (channel) add(channel); }}>
            <option value="">Map a channel…</option>
            ${free.map((channel) => html`<option value=${channel.id}>${channel.name}</option>`)}
          </select>
        `}
      </header>
      ${drafts.length === 0
        ? html`<${Empty} icon="network" title="No channel serves it yet" actions=${channels.length === 0 ? html`<a class="button main" href=${to("channels", null, { new: 1 })}>Add a channel</a>` : null}>${channels.length ? "Map a channel with the list above." : "There is no channel to map."}<//>`
        : html`
            <div class="table-wrap">
              <table class="data cards">
                <caption class="unseen">Mappings of ${model.name}</caption>
                <thead><tr><th scope="col">Channel</th><th scope="col">State</th><th scope="col">Called there</th><th scope="col" class="num">Weight</th><th scope="col">Share, as it will be</th><th scope="col" class="num">Share now</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
                <tbody>
                  ${drafts.map((draft) => {
                    const channel = channelOf(draft.channel);
                    const now = pool?.channels.find((/** @type {any} */ one) => one.channel_id === draft.channel);
                    const share = shares.get(draft.channel) ?? 0;
                    const name = channel?.name ?? `channel ${draft.channel}`;
                    return html`
                      <tr key=${draft.channel} class=${draft.gone ? "gone" : isChanged(draft) ? "changed" : ""}>
                        <td class="lead"><div class="grow two-lines"><a class="name break" href=${to("channels", draft.channel)}>${name}</a><div class="quiet small">weight ${channel?.weight ?? "?"}${channel?.tier ? `, tier ${channel.tier}` : ""}${draft.was ? "" : " · new"}</div></div></td>
                        <td data-label="State">${channel && html`<${Standing} channel=${channel} />`}</td>
                        <td data-label="Called there">
                          <div class="grow">
                            <input class="input small" aria-label=${`What ${name} calls it`} aria-invalid=${draft.fault ? "true" : undefined} list=${`offer-${draft.channel}`} value=${draft.backend} disabled=${locked || draft.gone || saving.busy} onFocus=${() => void offer(draft.channel)} onInput=${(/** @type {any} */ event) => edit(draft.channel, { backend: event.target.value })} />
                            <datalist id=${`offer-${draft.channel}`}>${(offers[draft.channel] ?? []).map((offered) => html`<option value=${offered}></option>`)}</datalist>
                            ${draft.fault && html`<div class="field"><div class="error" role="alert"><${Icon} name="circle-alert" /><span>${draft.fault}</span></div></div>`}
                          </div>
                        </td>
                        <td class="num" data-label="Weight"><input class="input small weight" inputmode="numeric" aria-label=${`Weight of ${name}`} value=${draft.weight} disabled=${locked || draft.gone || saving.busy} onInput=${(/** @type {any} */ event) => edit(draft.channel, { weight: event.target.value })} /></td>
                        <td data-label="Will be"><div class="share"><div class="meter"><i style=${{ width: `${share * 100}%` }}></i></div><span>${percent(share)}</span></div></td>
                        <td class="num" data-label="Now">${percent(now?.share)}</td>
                        <td class="actions"><div>
                          ${!locked && html`<${Button} kind="plain small" disabled=${saving.busy} icon=${draft.gone ? "plus" : "x"} label=${draft.gone ? `Keep ${name}` : `Unmap ${name}`} onClick=${() => (draft.was ? edit(draft.channel, { gone: !draft.gone }) : setDrafts(drafts.filter((other) => other !== draft)))} />`}
                        </div></td>
                      </tr>
                    `;
                  })}
                </tbody>
              </table>
            </div>
          `}
      ${drafts.length > 0 && [...shares.values()].every((share) => !share) && html`<div class="body"><${Note} kind="warn">As it stands here, nobody would serve this model: every channel is disabled, unmapped or of weight 0.<//></div>`}
      ${changes.length > 0 && html`
        <div class="pager save-bar">
          <div class="small"><b>${plural(changes.length, "change")}</b>: ${changes.map((draft) => told(draft, channelOf(draft.channel)?.name)).join("; ")}</div>
          <div class="row"><${Button} onClick=${onSavedOr(() => setDrafts(rows.map(drafted)), onSaved)}>Discard<//><${Button} kind="main" busy=${saving.busy} onClick=${save}>Save<//></div>
        </div>
      `}
    </section>
  `;
}

/** Discarding also reads anew: what somebody else changed shall be seen. @param {() => void} undo @param {() => Promise<unknown>} read */
const onSavedOr = (undo, read) => () => {
  undo();
  void read();
};

/**
 * What was read anew takes the place of what nobody has touched. What was typed stays, with the version that it was typed
 * over: saving it is refused where somebody else was faster.
 * @param {Draft[]} drafts @param {any[]} rows @returns {Draft[]}
 */
function joined(drafts, rows) {
  const kept = drafts.flatMap((draft) => {
    const row = rows.find((one) => one.channel_id === draft.channel);
    if (!row) return draft.gone || !isChanged(draft) ? [] : [draft];
    const saved = !draft.gone && row.backend_model_name === draft.backend && String(row.weight) === draft.weight;
    return saved || !isChanged(draft) ? [drafted(row)] : [draft];
  });
  return [...kept, ...rows.filter((row) => !kept.some((draft) => draft.channel === row.channel_id)).map(drafted)];
}

/** @param {Draft} draft */
const isChanged = (draft) => draft.gone || !draft.was || draft.was.backend !== draft.backend || draft.was.weight !== draft.weight;

/** @param {Draft} draft @param {string} [name] */
function told(draft, name = "a channel") {
  if (draft.gone) return `unmap ${name}`;
  if (!draft.was) return `map ${name} as ${draft.backend}`;
  const parts = [];
  if (draft.was.backend !== draft.backend) parts.push(`called ${draft.backend} at ${name} (was ${draft.was.backend})`);
  if (draft.was.weight !== draft.weight) parts.push(`weight of ${name} ${draft.was.weight} → ${draft.weight}`);
  return parts.join(", ");
}

/** The shares by weight alone, in the first tier that has any: what routing goes by while all are equally well. @param {Draft[]} drafts @param {any[]} channels */
function sharesOf(drafts, channels) {
  const live = drafts.flatMap((draft) => {
    const channel = channels.find((known) => known.id === draft.channel);
    const weight = Number(draft.weight) * (channel?.weight ?? 0);
    return channel?.enabled && !draft.gone && weight > 0 ? [{ id: draft.channel, tier: channel.tier, weight }] : [];
  });
  const tier = Math.min(...live.map((one) => one.tier));
  const first = live.filter((one) => one.tier === tier);
  const all = first.reduce((total, one) => total + one.weight, 0);
  return new Map(drafts.map(({ channel }) => [channel, (first.find((one) => one.id === channel)?.weight ?? 0) / (all || 1)]));
}

/** @param {number} model @param {Draft} draft @param {AbortSignal} signal */
async function keep(model, draft, signal) {
  const path = `/api/models/${model}/channels`;
  const weight = /^\d+$/.test(draft.weight.trim()) ? Number(draft.weight) : draft.weight;
  const body = { backend_model_name: draft.backend, weight };
  if (draft.gone) await call("DELETE", `${path}/${draft.channel}`, { version: draft.version, signal });
  else if (!draft.was) await call("POST", path, { body: { channel_id: draft.channel, ...body }, signal });
  else await call("PATCH", `${path}/${draft.channel}`, { body, version: draft.version, signal });
}
