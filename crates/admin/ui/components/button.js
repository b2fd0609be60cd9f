import { toast } from "./toast.js";
import { html, useState } from "../lib/view.js";
import { Icon } from "./icon.js";

/**
 * @typedef {object} ButtonProps
 * @property {import("../lib/view.js").Children} [children]
 * @property {import("./icon.js").IconName} [icon]
 * @property {string} [kind] main, danger, plain, small, in any combination.
 * @property {string} [label] What it does, when the icon is all that is seen; also its tooltip.
 * @property {boolean} [busy] Its work is under way.
 * @property {boolean} [disabled]
 * @property {"button" | "submit"} [type]
 * @property {(event: MouseEvent) => void} [onClick]
 * @property {boolean} [autofocus]
 */

/** @param {ButtonProps} props */
export function Button({ children, icon, kind = "", label, busy = false, disabled = false, type = "button", onClick, autofocus }) {
  const only = children === undefined || children === null;
  return html`
    <button
      type=${type}
      class=${`button ${kind} ${only ? "only" : ""}`}
      aria-label=${only ? label : undefined}
      title=${only ? label : undefined}
      aria-busy=${busy ? "true" : undefined}
      disabled=${disabled || busy}
      autofocus=${autofocus}
      onClick=${onClick}
    >
      ${busy ? html`<${Icon} name="refresh-cw" spin />` : icon && html`<${Icon} name=${icon} />`}${children}
    </button>
  `;
}

/** A link that looks like a button. @param {{ href: string, children?: import("../lib/view.js").Children, icon?: import("./icon.js").IconName, kind?: string, label?: string }} props */
export function LinkButton({ href, children, icon, kind = "", label }) {
  const only = children === undefined || children === null;
  return html`
    <a class=${`button ${kind} ${only ? "only" : ""}`} href=${href} aria-label=${only ? label : undefined} title=${only ? label : undefined}>
      ${icon && html`<${Icon} name=${icon} />`}${children}
    </a>
  `;
}

/** Puts a text on the clipboard, also where the page is not served over TLS. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    // Inside an open dialog nothing outside it can be selected.
    (document.querySelector("dialog[open]:last-of-type") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** @param {{ text: string | (() => string), label?: string, kind?: string, children?: import("../lib/view.js").Children }} props */
export function CopyButton({ text, label = "Copy", kind = "small", children }) {
  const [done, setDone] = useState(false);
  const act = async () => {
    if (await copy(typeof text === "function" ? text() : text)) {
      setDone(true);
      setTimeout(() => setDone(false), 1600);
    } else {
      toast("bad", "The browser does not let this page copy. Select the text and copy it by hand.");
    }
  };
  return html`
    <${Button} kind=${kind} icon=${done ? "check" : "copy"} label=${done ? "Copied" : label} onClick=${act}>${children}<//>
    <span class="unseen" role="status">${done ? "Copied" : ""}</span>
  `;
}
