// The configuration in force, where each value comes from, and how the last reload went.

import { ApiError, post, words } from "../lib/api.js";
import { useAction } from "../lib/action.js";
import { ago, day, plural, spaced } from "../lib/format.js";
import { useResource } from "../lib/resource.js";
import { useUnsaved } from "../lib/unsaved.js";
import { html, useState } from "../lib/view.js";
import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { Head, Note, Shown } from "../components/states.js";
import { Search, Table } from "../components/table.js";
import { toast } from "../components/toast.js";

export function Settings() {
  const config = useResource("/api/config", { every: 15_000 });
  const work = useAction();
  const reload = () =>
    work.run(async (signal) => {
      try {
        const done = await post("/api/config/reload", undefined, { signal });
        toast("good", `The file was read; configuration ${done.version} is in force`);
      } catch (error) {
        // What is wrong with the file is told with the last reload, whoever asked for it, until the next one.
        if (!(error instanceof ApiError) || error.problems.length === 0) throw error;
      }
      await config.reload();
    });
  return html`
    <${Head} title="Settings" lead="The configuration in force. It is changed in its file or the environment, and takes effect by a reload.">
      <${Button} kind="main" icon="refresh-cw" busy=${work.busy} onClick=${reload}>${work.busy ? `Reading, ${work.seconds} s` : "Reload the file"}<//>
    <//>
    <${Shown} of=${config}>
      ${(/** @type {any} */ data) => html`
        <div class="stack">
          <div class="grid-2">
            <${LastReload} data=${data} />
            <${Check} />
          </div>
          <${Values} settings=${data.settings} restart=${data.restart_needed} />
        </div>
      `}
    <//>
  `;
}

/** @param {{ data: any }} props */
function LastReload({ data }) {
  const { last_reload: last, restart_needed: restart } = data;
  const { ok, problems } = last;
  return html`
    <section class="card">
      <header><h2>Last reload</h2><span class=${`tag ${ok ? "good" : "bad"}`}><${Icon} name=${ok ? "check" : "circle-x"} />${ok ? "In force" : "Refused"}</span></header>
      <div class="body stack">
        <dl class="facts">
          <dt>File</dt><dd class="mono">${data.file ?? html`<span class="quiet">none: built-in values and the environment</span>`}</dd>
          <dt>When</dt><dd title=${day(last.at)}>${ago(last.at)}, ${spaced(last.cause)}</dd>
          <dt>Configuration</dt><dd>${data.version}</dd>
        </dl>
        ${!ok && html`<${Note} kind="bad">What was in force before stays in force.<//>`}
        <${Problems} problems=${problems} kind="bad" />
        <${Problems} problems=${last.warnings} kind="warn" />
        ${restart.length > 0 && html`<${Note} kind="warn">Only a restart applies: ${restart.join(", ")}<//>`}
      </div>
    </section>
  `;
}

/** @param {{ problems: any[], kind: "bad" | "warn" }} props */
function Problems({ problems, kind }) {
  if (problems.length === 0) return null;
  return html`
    <ul class="stack tight" aria-label=${kind === "bad" ? "Problems" : "Warnings"}>
      ${problems.map(
        (problem) => html`
          <li class=${`note ${kind}`}>
            <${Icon} name=${kind === "bad" ? "circle-x" : "triangle-alert"} />
            <div><b>${problem.param || "The file"}</b> ${problem.message}${problem.advice ? `; ${problem.advice}` : ""}<div class="small">${where(problem)}</div></div>
          </li>
        `,
      )}
    </ul>
  `;
}

/** @param {any} problem */
function where(problem) {
  if (problem.variable) return `in the environment: ${problem.variable}`;
  if (!problem.line) return "";
  return `line ${problem.line}${problem.column ? `, column ${problem.column}` : ""}`;
}

/** Tries a file without putting it in force. */
function Check() {
  const [text, setText] = useState("");
  const [tried, setTried] = useState("");
  const [verdict, setVerdict] = useState(/** @type {any} */ (null));
  const work = useAction();
  useUnsaved(text !== tried && text.trim() !== "");
  const ask = (/** @type {Event} */ event) => {
    event.preventDefault();
    void work.run(async (signal) => {
      try {
        setVerdict(await post("/api/config/check", { toml: text }, { signal }));
        setTried(text);
      } catch (error) {
        throw new Error(words(error));
      }
    });
  };
  return html`
    <section class="card">
      <header><h2>Try a file</h2><span class="quiet small">nothing is put in force</span></header>
      <form class="body stack tight" onSubmit=${ask}>
        <textarea class="input mono" rows="5" aria-label="Text of a configuration file" placeholder=${'[server]\nport = 8080'} spellcheck=${false} value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea>
        <div><${Button} type="submit" busy=${work.busy} disabled=${!text.trim()}>Check<//></div>
        <div role="status" class="stack tight">
          ${verdict && !verdict.ok && html`<${Problems} problems=${verdict.problems} kind="bad" />`}
          ${verdict?.ok && html`<${Note} kind="good">A reload would accept it. ${changesOf(verdict.changes)}<//><${Problems} problems=${verdict.warnings} kind="warn" />`}
        </div>
      </form>
    </section>
  `;
}

/** @param {any} changes */
function changesOf(changes) {
  const settings = changes.settings.map((/** @type {any} */ one) => (one.from === null ? `${one.key} (a secret)` : `${one.key} ${one.from} → ${one.to}`));
  const entries = ["channels", "models", "users"].flatMap((kind) => changes[kind].map((/** @type {any} */ one) => `${kind.slice(0, -1)} ${one.name} ${spaced(one.change)}`));
  const all = [...settings, ...entries];
  return all.length ? `It would change: ${all.join("; ")}.` : "It would change nothing.";
}

/** @param {{ settings: any[], restart: string[] }} props */
function Values({ settings, restart }) {
  const [wanted, setWanted] = useState("");
  const [changed, setChanged] = useState(false);
  const found = settings.filter((one) => (!changed || one.origin !== "default") && `${one.key} ${one.value}`.toLowerCase().includes(wanted.toLowerCase()));
  return html`
    <section class="card">
      <div class="filters">
        <${Search} label="Find a setting" value=${wanted} onInput=${setWanted} />
        <label class="switch"><input type="checkbox" checked=${changed} onChange=${(/** @type {any} */ event) => setChanged(event.target.checked)} /><span>Only those that are set</span></label>
        <span class="quiet small">${plural(found.length, "setting")}</span>
      </div>
      <${Table}
        caption="Settings"
        noun="setting"
        rows=${found}
        id=${(/** @type {any} */ one) => one.key}
        columns=${[
          { key: "key", label: "Key", kind: "lead", by: (/** @type {any} */ one) => one.key, show: (/** @type {any} */ one) => html`<code class="break name">${one.key}</code>` },
          { key: "value", label: "Value", show: (/** @type {any} */ one) => html`<code class="break">${one.value}</code>${restart.includes(one.key) ? html` <span class="tag warn">after a restart</span>` : ""}` },
          { key: "origin", label: "From", by: (/** @type {any} */ one) => one.origin, show: (/** @type {any} */ one) => html`<span class=${`tag ${one.origin === "default" ? "" : "accent"}`}>${one.origin === "file" ? `file, line ${one.line}` : one.origin === "environment" ? one.variable : "default"}</span>` },
        ]}
      />
    </section>
  `;
}
