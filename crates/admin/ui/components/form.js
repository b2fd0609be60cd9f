// A form for one thing of the API. What was typed survives every failed save; what the server says stands at the field
// it concerns; and when somebody else changed the thing meanwhile, there is a choice.

import { ApiError, call, get, words } from "../lib/api.js";
import { html, useRef, useState } from "../lib/view.js";
import { useAction } from "../lib/action.js";
import { mayDiscard, useUnsaved } from "../lib/unsaved.js";
import { Button } from "./button.js";
import { Dialog } from "./dialog.js";
import { Field } from "./fields.js";
import { Note } from "./states.js";

/** @typedef {import("./fields.js").Spec} Spec */
/** @typedef {import("./fields.js").Values} Values */
/** @typedef {{ title?: string, folded?: boolean, fields: Spec[] }} Group */

/**
 * @param {object} props
 * @param {string} props.title
 * @param {Group[]} props.groups
 * @param {Values} props.initial
 * @param {string} props.path
 * @param {"POST" | "PATCH"} props.method
 * @param {number} [props.version] What the change is made from.
 * @param {(row: any) => Values} [props.read] The values of what the server has, for the choice.
 * @param {(body: Record<string, any>, values: Values) => Record<string, any>} [props.wire] The last touch on what is sent.
 * @param {(data: any) => void} props.onSaved
 * @param {() => void} props.onClose
 * @param {string} [props.action]
 * @param {string} [props.locked] Why nothing can be changed.
 * @param {import("../lib/view.js").Children} [props.lead]
 * @param {boolean} [props.wide]
 */
export function Form({ title, groups, initial, path, method, version, read, wire, onSaved, onClose, action = "Save", locked, lead, wide = false }) {
  const [values, setValues] = useState(initial);
  const [base, setBase] = useState(initial);
  const [tag, setTag] = useState(version ?? null);
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const [theirs, setTheirs] = useState(/** @type {{ values: Values, version: number } | null} */ (null));
  const saving = useAction();
  const box = useRef(/** @type {HTMLFormElement | null} */ (null));
  const specs = groups.flatMap((group) => group.fields);
  const dirty = specs.filter((spec) => !same(values[spec.name], base[spec.name]));

  const changed = dirty.length > 0 && !locked;
  useUnsaved(changed);
  const leave = async () => {
    if (!changed || (await mayDiscard())) onClose();
  };
  const take = (/** @type {ApiError} */ error) => {
    const { at, rest } = sorted(error, specs);
    setErrors(at);
    setFailure(rest);
    requestAnimationFrame(() => {
      const first = box.current?.querySelector("[aria-invalid=true], .note.bad");
      first?.closest("details")?.setAttribute("open", "");
      if (first instanceof HTMLElement) first.matches("input, select, textarea") ? first.focus() : first.scrollIntoView({ block: "nearest" });
    });
  };
  const save = (/** @type {number | null} */ from) =>
    saving.run(async (signal) => {
      setErrors({});
      setFailure(null);
      const sent = method === "PATCH" ? dirty : specs.filter((spec) => !spec.when || spec.when(values));
      const body = Object.fromEntries(sent.map((spec) => [spec.name, onWire(spec, values[spec.name])]).filter(([, value]) => value !== undefined));
      try {
        const { data } = await call(method, path, { body: wire ? wire(body, values) : body, version: from, signal });
        onSaved(data);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.outdated && read) {
          const row = error.current ?? (await get(path, { signal }));
          setTheirs({ values: read(row), version: row.version });
        } else {
          take(error);
        }
      }
    });
  return html`
    <${Dialog} title=${title} kind=${wide ? "drawer wide" : "drawer"} onClose=${leave}>
      <form
        ref=${box}
        novalidate
        onSubmit=${(/** @type {Event} */ event) => {
          event.preventDefault();
          void save(tag);
        }}
      >
        <div class="content form">
          ${lead}
          ${locked && html`<${Note}>${locked}<//>`}
          ${failure && html`<${Note} kind="bad"><span role="alert">${failure}</span><//>`}
          ${groups.map((group) => html`<${Section} group=${group} values=${values} errors=${errors} disabled=${Boolean(locked) || saving.busy} set=${(/** @type {string} */ name, /** @type {any} */ value) => setValues((old) => ({ ...old, [name]: value }))} />`)}
        </div>
        <footer>
          <${Button} onClick=${leave}>${locked ? "Close" : "Cancel"}<//>
          ${!locked && html`<${Button} kind="main" type="submit" busy=${saving.busy} disabled=${method === "PATCH" && dirty.length === 0}>${action}<//>`}
        </footer>
      </form>
    <//>
    ${theirs &&
    html`
      <${Conflict}
        specs=${specs}
        mine=${values}
        base=${base}
        theirs=${theirs.values}
        onMine=${() => {
          setTheirs(null);
          setTag(theirs.version);
          void save(theirs.version);
        }}
        onTheirs=${() => {
          setTheirs(null);
          setTag(theirs.version);
          setBase(theirs.values);
          setValues(theirs.values);
        }}
        onBack=${() => setTheirs(null)}
      />
    `}
  `;
}

/** @param {{ group: Group, values: Values, errors: Record<string, string>, disabled: boolean, set: (name: string, value: any) => void }} props */
function Section({ group, values, errors, disabled, set }) {
  const shown = group.fields.filter((spec) => !spec.when || spec.when(values));
  const field = (/** @type {Spec} */ spec) =>
    html`<${Field} key=${spec.name} spec=${spec} value=${values[spec.name]} error=${errors[spec.name]} disabled=${disabled} onInput=${(/** @type {any} */ value) => set(spec.name, value)} />`;
  /** @type {import("../lib/view.js").VNode[]} */
  const lines = [];
  for (let index = 0; index < shown.length; index += 1) {
    const [one, two] = [shown[index], shown[index + 1]];
    if (one?.half && two?.half) {
      lines.push(/** @type {any} */ (html`<div class="pair" key=${one.name}>${field(one)}${field(two)}</div>`));
      index += 1;
    } else if (one) {
      lines.push(/** @type {any} */ (field(one)));
    }
  }
  if (!group.title) return lines;
  return html`
    <details class="more" open=${!group.folded || shown.some((spec) => errors[spec.name])}>
      <summary>${group.title}</summary>
      <div class="form">${lines}</div>
    </details>
  `;
}

/** Two people changed one thing. @param {{ specs: Spec[], mine: Values, base: Values, theirs: Values, onMine: () => void, onTheirs: () => void, onBack: () => void }} props */
function Conflict({ specs, mine, base, theirs, onMine, onTheirs, onBack }) {
  const differing = specs.filter((spec) => !same(mine[spec.name], theirs[spec.name]));
  return html`
    <${Dialog}
      title="Somebody else changed this meanwhile"
      kind="wide"
      onClose=${onBack}
      footer=${html`
        <${Button} onClick=${onBack}>Back to editing<//>
        <${Button} onClick=${onTheirs}>Take theirs<//>
        <${Button} kind="main" onClick=${onMine}>Save mine<//>
      `}
    >
      <div class="content stack">
        <p>Nothing was saved yet. <b>Save mine</b> puts your changes over theirs; fields that you did not touch stay as they left them.</p>
        <div class="table-wrap">
          <table class="data">
            <thead><tr><th scope="col">Field</th><th scope="col">Yours</th><th scope="col">Theirs</th></tr></thead>
            <tbody>
              ${differing.map((spec) => {
                const touched = !same(mine[spec.name], base[spec.name]);
                return html`<tr><td>${spec.label}</td><td class="break">${touched ? html`<b>${shown(spec, mine[spec.name])}</b>` : html`<span class="quiet">not changed</span>`}</td><td class="break">${shown(spec, theirs[spec.name])}</td></tr>`;
              })}
              ${differing.length === 0 && html`<tr><td colspan="3">The fields of this form are the same in both.</td></tr>`}
            </tbody>
          </table>
        </div>
      </div>
    <//>
  `;
}

/** @param {Spec} spec @param {any} value */
function shown(spec, value) {
  if (spec.kind === "secret") return "(not shown)";
  if (Array.isArray(value)) return value.join(", ") || "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === "" || value === null ? "empty" : String(value);
}

/** @param {Spec} spec @param {any} value */
function onWire(spec, value) {
  if (spec.wire) return spec.wire(value);
  if (spec.kind === "number") {
    const text = String(value).trim();
    if (text === "") return null;
    // What is no number goes as it is: the server says what it wants.
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  }
  if (spec.kind === "secret") return value;
  if (typeof value === "string") return value.trim() === "" && !spec.required ? null : value.trim();
  return value;
}

/** The server's words, at the fields they concern; the rest above the form. @param {ApiError} error @param {Spec[]} specs */
export function sorted(error, specs) {
  /** @type {Record<string, string>} */
  const at = {};
  const left = [];
  const told = error.problems.length ? error.problems : error.param ? [{ param: error.param, message: error.message }] : [];
  for (const { param, message } of told) {
    const spec = specs.find(({ name, aliases }) => name === param || aliases?.includes(param) || param.startsWith(`${name}.`));
    if (spec) at[spec.name] = capital(message);
    else left.push(`${param} ${message}`);
  }
  return { at, rest: told.length ? left.join("; ") || null : words(error) };
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {unknown} a @param {unknown} b */
export const same = (a, b) => Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b);
