import { html } from "../lib/view.js";

/** A choice among a few views. @param {{ label: string, names: string[], chosen: string, onChoose: (name: string) => void }} props */
export function Tabs({ label, names, chosen, onChoose }) {
  return html`
    <div class="segments" role="group" aria-label=${label}>
      ${names.map((name) => html`<button type="button" aria-pressed=${name === chosen ? "true" : "false"} onClick=${() => onChoose(name)}>${name}</button>`)}
    </div>
  `;
}
