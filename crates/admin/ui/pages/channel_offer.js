// What an upstream offers, and which of it the gateway shall offer under the same names.

import { get, isAbort, post, words } from "../lib/api.js";
import { plural } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/view.js";
import { useAction } from "../lib/action.js";
import { Button } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Failure, Note } from "../components/states.js";
import { Search } from "../components/table.js";
import { upstreamModels } from "./channel_trial.js";

/** @param {{ row: any, onClose: () => void, onDone: (added: number) => void }} props */
export function Offer({ row, onClose, onDone }) {
  const [names, setNames] = useState(/** @type {string[] | null} */ (null));
  const [failure, setFailure] = useState(/** @type {unknown} */ (null));
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [wanted, setWanted] = useState("");
  const [done, setDone] = useState(/** @type {Told | null} */ (null));
  const [mapped, setMapped] = useState(/** @type {Set<string>} */ (new Set()));
  const asking = useAction();
  const adding = useAction();
  const ask = () =>
    asking.run(async (signal) => {
      setFailure(null);
      try {
        setNames(await upstreamModels(row.id, signal));
      } catch (error) {
        if (!isAbort(error)) setFailure(error);
      }
    });
  useEffect(() => void ask(), []);
  const has = (/** @type {string} */ name) => row.models.includes(name) || mapped.has(name);
  const fresh = (names ?? []).filter((name) => !has(name));
  const found = (names ?? []).filter((name) => name.toLowerCase().includes(wanted.toLowerCase()));
  const add = () =>
    adding.run(async (signal) => {
      const { failed, mapped: now } = await mapAll(row.id, [...chosen], signal, setDone);
      const all = new Set([...mapped, ...now]);
      if (failed.length === 0) {
        onDone(all.size);
        return;
      }
      // Only what failed is tried again.
      setMapped(all);
      setChosen(new Set([...chosen].filter((name) => !all.has(name))));
    });
  const close = () => (mapped.size ? onDone(mapped.size) : onClose());
  return html`
    <${Dialog}
      title=${`Models of ${row.name}`}
      onClose=${close}
      footer=${html`
        <${Button} onClick=${close}>${mapped.size ? "Close" : "Cancel"}<//>
        <${Button} kind="main" busy=${adding.busy} disabled=${chosen.size === 0} onClick=${add}>
          ${adding.busy ? `Mapping ${done?.at ?? 0} of ${chosen.size}` : chosen.size ? `Map ${plural(chosen.size, "model")}` : "Map models"}
        <//>
      `}
    >
      <div class="content stack" aria-busy=${asking.busy ? "true" : "false"}>
        ${asking.busy && html`<div class="spread"><span role="status">Asking the upstream for its models, ${asking.seconds} s …</span><${Button} kind="small" onClick=${asking.stop}>Stop<//></div>`}
        ${failure !== null && html`<${Failure} error=${failure} retry=${ask} />`}
        ${done && done.failed.length > 0 && html`<${Note} kind="bad">${done.failed.map((text) => html`<div>${text}</div>`)}<//>`}
        ${names &&
        html`
          <div class="row">
            <${Search} label="Find a model" value=${wanted} onInput=${setWanted} />
            <${Button} kind="small" disabled=${fresh.length === 0} onClick=${() => setChosen(new Set(chosen.size === fresh.length ? [] : fresh))}>${chosen.size === fresh.length && fresh.length ? "None" : "All"}<//>
          </div>
          <ul class="picks">
            ${found.slice(0, 500).map((name) => {
              const there = has(name);
              return html`
                <li key=${name}>
                  <label><input type="checkbox" checked=${there || chosen.has(name)} disabled=${there} onChange=${() => setChosen(toggled(chosen, name))} /><span class="break">${name}</span>${there && html`<span class="tag">mapped</span>`}</label>
                </li>
              `;
            })}
            ${found.length === 0 && html`<li class="quiet">${names.length ? "None of them is called so." : "Its upstream lists no models."}</li>`}
          </ul>
        `}
      </div>
    <//>
  `;
}

/** @param {Set<string>} set @param {string} name */
function toggled(set, name) {
  const next = new Set(set);
  if (!next.delete(name)) next.add(name);
  return next;
}

/** @typedef {{ at: number, failed: string[], mapped: string[] }} Told How far it is, what failed and why, and what is mapped. */

/**
 * Maps models to a channel under their own names; they are made where they do not exist. What an earlier try has done is
 * not done again.
 * @param {number} channel @param {string[]} names @param {AbortSignal} signal @param {(told: Told) => void} tell
 * @returns {Promise<Told>}
 */
export async function mapAll(channel, names, signal, tell) {
  /** @type {Told} */
  const told = { at: 0, failed: [], mapped: [] };
  const [models, { models: there }] = await Promise.all([get("/api/models", { signal }), get(`/api/channels/${channel}`, { signal })]);
  for (const name of names) {
    told.at += 1;
    tell({ ...told });
    try {
      if (!there.includes(name)) {
        const known = models.find((/** @type {any} */ model) => model.name === name);
        const { id } = known ?? (await post("/api/models", { name }, { signal }));
        await post(`/api/models/${id}/channels`, { channel_id: channel, backend_model_name: name }, { signal });
      }
      told.mapped.push(name);
    } catch (error) {
      if (isAbort(error)) throw error;
      told.failed.push(`${name}: ${words(error)}`);
      tell({ ...told });
    }
  }
  return told;
}
