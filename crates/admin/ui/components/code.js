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

/** A secret that is shown this once. @param {{ secret: string, what: string }} props */
export function Secret({ secret, what }) {
  return html`
    <div class="stack tight">
      <div class="secret"><code data-secret>${secret}</code><${CopyButton} text=${secret} kind="main small" label=${`Copy the ${what}`}>Copy<//></div>
      <p class="note warn small"><${Icon} name="triangle-alert" /><span>This is the only time the ${what} is shown. The gateway keeps no copy of it.</span></p>
    </div>
  `;
}
