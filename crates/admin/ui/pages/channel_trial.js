// Asks a channel now, and shows what it said as it said it.

import { get, post, words } from "../lib/api.js";
import { useAction } from "../lib/action.js";
import { ms, spaced } from "../lib/format.js";
import { useResource } from "../lib/resource.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Code } from "../components/code.js";
import { Dialog } from "../components/dialog.js";
import { Field } from "../components/fields.js";
import { Icon } from "../components/icon.js";
import { Note } from "../components/states.js";

const SHAPES = [
  { value: "", label: "What its health check asks" },
  { value: "chat", label: "Chat completion" },
  { value: "chat_stream", label: "Chat completion, streamed" },
  { value: "embeddings", label: "Embedding" },
  { value: "responses", label: "Response" },
];

/** @param {{ row: any, onClose: () => void }} props */
export function Trial({ row, onClose }) {
  const [shape, setShape] = useState("");
  const [model, setModel] = useState("");
  const [result, setResult] = useState(/** @type {any} */ (null));
  const [fault, setFault] = useState(/** @type {string | undefined} */ (undefined));
  const upstream = useResource(`/api/channels/${row.id}/models`, { on: [] });
  const work = useAction();
  const names = upstream.data?.models ?? [];
  const ask = () =>
    work.run(async (signal) => {
      setFault(undefined);
      setResult(null);
      try {
        setResult(await post(`/api/channels/${row.id}/test`, { ...(shape && { shape }), ...(shape && model && { model }) }, { signal }));
      } catch (error) {
        if (signal.aborted) return;
        setFault(words(error));
      }
    });
  return html`
    <${Dialog} title=${`Test ${row.name}`} kind="wide" onClose=${onClose}>
      <div class="content stack">
        <form class="stack" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void ask(); }}>
          <div class="pair">
            <${Field} spec=${{ name: "shape", label: "Ask for", kind: "choice", options: SHAPES }} value=${shape} onInput=${setShape} />
            ${shape && html`<${Field} spec=${{ name: "model", label: "Model", kind: "text", required: true, suggest: names, placeholder: names[0] ?? "as the upstream calls it", help: "Costs a token or so." }} value=${model} error=${fault} onInput=${setModel} />`}
          </div>
          ${fault && !shape && html`<${Note} kind="bad">${fault}<//>`}
          <div class="row">
            <${Button} kind="main" icon="play" type="submit" busy=${work.busy}>${work.busy ? `Asking, ${work.seconds} s` : "Ask now"}<//>
            ${work.busy && html`<${Button} onClick=${work.stop}>Stop<//>`}
            <span class="quiet small">Its health and its calls are left alone.</span>
          </div>
        </form>
        <div role="status" class="stack">${result && html`<${Result} result=${result} />`}</div>
      </div>
    <//>
  `;
}

/** @param {{ result: any }} props */
function Result({ result }) {
  return html`
    <div class="row wrap">
      <span class=${`tag ${result.ok ? "good" : "bad"}`}><${Icon} name=${result.ok ? "circle-check" : "circle-x"} />${result.ok ? "Well" : "Not well"}</span>
      <span class="tag">${result.status === null ? "no status" : `HTTP ${result.status}`}</span>
      <span class="tag">${ms(result.latency_ms)}</span>
      <span class="tag">${spaced(result.shape)}${result.model ? ` · ${result.model}` : ""}</span>
      <span class="tag">${spaced(result.outcome)}</span>
    </div>
    ${result.error && html`<${Note} kind="bad">${result.error}<//>`}
    ${result.reply !== null && result.reply !== "" && html`<h3>What it said</h3><${Code} text=${pretty(result.reply)} label="Raw reply" fold />`}
  `;
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The models that an upstream lists; its refusal is an error. @param {number} id @param {AbortSignal} signal @returns {Promise<string[]>} */
export async function upstreamModels(id, signal) {
  const { ok, models, error } = await get(`/api/channels/${id}/models`, { signal });
  if (!ok) throw new Error(`The upstream gave no list: ${error}`);
  return models;
}
