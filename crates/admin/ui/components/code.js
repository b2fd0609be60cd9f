import { html } from "../lib/view.js";
import { CopyButton } from "./button.js";
import { Icon } from "./icon.js";

/** A text to copy. @param {{ text: string, label: string, fold?: boolean }} props */
export function Code({ text, label, fold = false }) {
  return html`
    <div class=${fold ? "code fold" : "code"}>
      <pre tabindex="0" role="region" aria-label=${label}>${text}</pre>
      <${CopyButton} text=${text} label=${`Copy: ${label}`} />
    </div>
  `;
}

/** A secret that is shown this once, or for as long as the page holds it. @param {{ secret: string, what: string, held?: boolean }} props */
export function Secret({ secret, what, held = false }) {
  const told = held ? `This page holds the ${what} until it is closed or loaded anew; then nobody can show it again.` : `This is the only time the ${what} is shown.`;
  return html`
    <div class="stack tight">
      <div class="secret"><code data-secret>${secret}</code><${CopyButton} text=${secret} kind="main small" label=${`Copy the ${what}`}>Copy<//></div>
      <p class="note warn small"><${Icon} name="triangle-alert" /><span>${told} The gateway keeps no copy of it.</span></p>
    </div>
  `;
}
