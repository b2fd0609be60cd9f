// What stands where there is nothing, nothing yet, or a failure.

import { words } from "../lib/api.js";
import { html } from "../lib/view.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/** @typedef {import("../lib/view.js").Children} Children */

/** @param {{ icon: import("./icon.js").IconName, title: string, children?: Children, actions?: Children }} props */
export function Empty({ icon, title, children, actions }) {
  return html`
    <div class="empty">
      <${Icon} name=${icon} />
      <h2>${title}</h2>
      ${children && html`<p>${children}</p>`}
      ${actions && html`<div class="actions">${actions}</div>`}
    </div>
  `;
}

const WIDTHS = ["70%", "55%", "80%", "45%"];

export function Loading() {
  return html`
    <div class="ghosts" role="status">
      <span class="unseen">Loading…</span>
      ${WIDTHS.map((width) => html`<div class="ghost" style=${{ width }}></div>`)}
    </div>
  `;
}

/** @param {{ error: unknown, retry?: () => void }} props */
export function Failure({ error, retry }) {
  return html`
    <div class="note bad" role="alert">
      <${Icon} name="circle-alert" />
      <div>${words(error)}</div>
      ${retry && html`<${Button} kind="small" icon="refresh-cw" onClick=${retry}>Try again<//>`}
    </div>
  `;
}

/** @param {{ kind?: "" | "warn" | "bad" | "good", icon?: import("./icon.js").IconName, children?: Children }} props */
export function Note({ kind = "", icon, children }) {
  const own = icon ?? (kind === "good" ? "circle-check" : kind === "" ? "circle-help" : "triangle-alert");
  return html`<div class=${`note ${kind}`}><${Icon} name=${own} /><div>${children}</div></div>`;
}

/** What a resource gave, or why it did not. @param {{ of: import("../lib/resource.js").Resource, children: (data: any) => Children }} props */
export function Shown({ of: resource, children }) {
  if (resource.data !== null) {
    return html`${resource.error ? html`<${Failure} error=${resource.error} retry=${resource.reload} />` : null}${children(resource.data)}`;
  }
  return resource.error ? html`<${Failure} error=${resource.error} retry=${resource.reload} />` : html`<${Loading} />`;
}

/** @param {{ title: string, lead?: Children, children?: Children }} props */
export function Head({ title, lead, children }) {
  return html`
    <div class="head">
      <div><h1>${title}</h1>${lead && html`<p>${lead}</p>`}</div>
      ${children && html`<div class="actions">${children}</div>`}
    </div>
  `;
}
