// The fields of forms, with what the server said about them.

import { html, useId, useState } from "../lib/view.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/**
 * @typedef {object} Spec One field.
 * @property {string} name As the API calls it.
 * @property {string} label
 * @property {"text" | "secret" | "number" | "flag" | "choice" | "texts" | "area"} kind
 * @property {string} [help]
 * @property {boolean} [required]
 * @property {string} [placeholder]
 * @property {{ value: string, label: string }[]} [options] Of a choice.
 * @property {string[]} [suggest]
 * @property {boolean} [half] Shares its line with the next one.
 * @property {string[]} [aliases] Other names under which the server speaks of it.
 * @property {(values: Values) => boolean} [when] Absent: always shown.
 * @property {(value: any) => unknown} [wire] What is sent for it, when it is not the value.
 */

/** @typedef {Record<string, any>} Values */

/**
 * @param {object} props
 * @param {Spec} props.spec
 * @param {any} props.value
 * @param {string} [props.error]
 * @param {boolean} [props.disabled]
 * @param {(value: any) => void} props.onInput
 */
export function Field({ spec, value, error, disabled = false, onInput }) {
  const id = useId();
  const told = [spec.help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const input = {
    id,
    name: spec.name,
    disabled,
    required: spec.required,
    "aria-invalid": error ? "true" : undefined,
    "aria-describedby": told,
  };
  const below = html`
    ${error && html`<div class="error" id=${`${id}-error`} data-error=${spec.name}><${Icon} name="circle-alert" /><span>${error}</span></div>`}
    ${spec.help && html`<div class="help" id=${`${id}-help`}>${spec.help}</div>`}
  `;
  if (spec.kind === "flag") {
    return html`
      <div class="field">
        <label class="switch"><input type="checkbox" ...${input} required=${false} checked=${Boolean(value)} onChange=${(/** @type {any} */ event) => onInput(event.target.checked)} /><span>${spec.label}</span></label>
        ${below}
      </div>
    `;
  }
  return html`
    <div class="field">
      <label for=${id}>${spec.label}${!spec.required && spec.kind !== "choice" ? html` <span class="quiet small">optional</span>` : null}</label>
      <${Control} spec=${spec} value=${value} input=${input} onInput=${onInput} />
      ${below}
    </div>
  `;
}

/** @param {{ spec: Spec, value: any, input: Record<string, any>, onInput: (value: any) => void }} props */
function Control({ spec, value, input, onInput }) {
  const [seen, setSeen] = useState(false);
  const typed = (/** @type {any} */ event) => onInput(event.target.value);
  const list = spec.suggest?.length ? `${input.id}-list` : undefined;
  const suggestions = list && html`<datalist id=${list}>${spec.suggest?.map((text) => html`<option value=${text}></option>`)}</datalist>`;
  switch (spec.kind) {
    case "choice":
      return html`
        <select class="input" ...${input} value=${value} onChange=${typed}>
          ${spec.options?.map((option) => html`<option value=${option.value} selected=${option.value === value}>${option.label}</option>`)}
        </select>
      `;
    case "area":
      return html`<textarea class="input" ...${input} placeholder=${spec.placeholder} value=${value} onInput=${typed}></textarea>`;
    case "secret":
      return html`
        <div class="affix">
          <input class="input mono" type=${seen ? "text" : "password"} autocomplete="off" spellcheck=${false} data-1p-ignore ...${input} placeholder=${spec.placeholder} value=${value} onInput=${typed} />
          <${Button} icon="eye" label=${seen ? "Hide" : "Show"} onClick=${() => setSeen(!seen)} />
        </div>
      `;
    case "texts":
      return html`<${Chips} spec=${spec} value=${value} input=${input} list=${list} onInput=${onInput} />${suggestions}`;
    case "number":
      return html`<input class="input" type="text" inputmode="numeric" autocomplete="off" ...${input} placeholder=${spec.placeholder} value=${value} onInput=${typed} />`;
    default:
      return html`
        <input class="input" type="text" autocomplete="off" spellcheck=${false} list=${list} ...${input} placeholder=${spec.placeholder} value=${value} onInput=${typed} />
        ${suggestions}
      `;
  }
}

/** A list of texts. @param {{ spec: Spec, value: string[], input: Record<string, any>, list: string | undefined, onInput: (value: string[]) => void }} props */
function Chips({ spec, value, input, list, onInput }) {
  const [text, setText] = useState("");
  const add = (/** @type {string} */ given) => {
    const added = given.split(/[\s,]+/).filter((word) => word && !value.includes(word));
    if (added.length) onInput([...value, ...added]);
    setText("");
  };
  return html`
    <div class="chips">
      ${value.map(
        (item) => html`
          <span class="chip" key=${item}>${item}<button type="button" aria-label=${`Remove ${item}`} disabled=${input["disabled"]} onClick=${() => onInput(value.filter((other) => other !== item))}><${Icon} name="x" /></button></span>
        `,
      )}
      <input
        ...${input}
        required=${false}
        type="text"
        autocomplete="off"
        list=${list}
        placeholder=${value.length ? "" : spec.placeholder}
        value=${text}
        onInput=${(/** @type {any} */ event) => {
          const typed = event.target.value;
          // A suggestion was taken, or a separator typed.
          if (/[\s,]$/.test(typed) || (spec.suggest?.includes(typed) && event.inputType !== "insertText" && event.inputType !== "deleteContentBackward")) add(typed);
          else setText(typed);
        }}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key === "Enter" && text) {
            event.preventDefault();
            add(text);
          } else if (event.key === "Backspace" && !text && value.length) {
            onInput(value.slice(0, -1));
          }
        }}
        onBlur=${() => text && add(text)}
      />
    </div>
  `;
}
