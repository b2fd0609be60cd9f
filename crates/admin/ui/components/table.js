// A table: sorted in the page, paged in the page or by the server's cursor, walked through with the arrow keys.

import { plural } from "../lib/format.js";
import { html, useMemo, useState } from "../lib/view.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/** Rows at a time; more would make the page slow, and nobody reads them. */
const PAGE = 50;

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {(row: any) => import("../lib/view.js").Children} show
 * @property {(row: any) => string | number | null | undefined} [by] What it is sorted by; absent: it is not.
 * @property {string} [kind] num, lead, actions, bare (left out where it is narrow).
 * @property {string} [width]
 */

/**
 * @typedef {object} More How the server goes on.
 * @property {boolean} any
 * @property {boolean} busy
 * @property {() => void} next
 */

/**
 * @param {object} props
 * @param {string} props.caption What it lists, for screen readers.
 * @param {Column[]} props.columns
 * @param {any[]} props.rows
 * @param {(row: any) => string | number} props.id
 * @param {string} [props.noun]
 * @param {More} [props.more]
 * @param {{ key: string, down: boolean }} [props.sorted] How it is sorted at first.
 */
export function Table({ caption, columns, rows, id, noun = "row", more, sorted }) {
  const [order, setOrder] = useState(sorted ?? null);
  const [page, setPage] = useState(0);
  const by = columns.find((column) => column.key === order?.key)?.by;
  const inOrder = useMemo(() => (by ? [...rows].sort((a, b) => compare(by(a), by(b)) * (order?.down ? -1 : 1)) : rows), [rows, order]);
  const pages = Math.max(1, Math.ceil(inOrder.length / PAGE));
  const at = Math.min(page, pages - 1);
  const shown = inOrder.slice(at * PAGE, (at + 1) * PAGE);
  const turn = (/** @type {number} */ to) => setPage(Math.max(0, Math.min(pages - 1, to)));
  return html`
    <div class="table-wrap" tabindex="-1">
      <table class="data cards" role="table" onKeyDown=${walk}>
        <caption class="unseen">${caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            ${columns.map((column) => {
              const mine = order?.key === column.key ? order : null;
              return html`
                <th
                  scope="col"
                  role="columnheader"
                  class=${column.kind}
                  style=${column.width ? { width: column.width } : undefined}
                  aria-sort=${mine ? (mine.down ? "descending" : "ascending") : undefined}
                >
                  ${column.by
                    ? html`<button type="button" onClick=${() => setOrder({ key: column.key, down: mine ? !mine.down : column.kind === "num" })}>
                        ${column.label}${mine && html`<span>${mine.down ? "↓" : "↑"}</span>`}
                      </button>`
                    : column.label || html`<span class="unseen">Actions</span>`}
                </th>
              `;
            })}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${shown.map(
            (row) => html`
              <tr role="row" key=${id(row)}>
                ${columns.map((column) => html`<td role="cell" class=${column.kind} data-label=${column.label}>${column.show(row)}</td>`)}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${(pages > 1 || more?.any) &&
    html`
      <div class="pager">
        <span>${pages > 1 ? `${at * PAGE + 1}–${at * PAGE + shown.length} of ${plural(rows.length, noun)}` : plural(rows.length, noun)}</span>
        <span class="row">
          ${pages > 1 &&
          html`
            <${Button} kind="small" icon="chevron-left" label="Previous page" disabled=${at === 0} onClick=${() => turn(at - 1)} />
            <${Button} kind="small" icon="chevron-right" label="Next page" disabled=${at === pages - 1} onClick=${() => turn(at + 1)} />
          `}
          ${more?.any && html`<${Button} kind="small" icon="chevron-down" busy=${more.busy} onClick=${more.next}>Load more<//>`}
        </span>
      </div>
    `}
  `;
}

/** @param {string | number | null | undefined} a @param {string | number | null | undefined} b */
function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true, sensitivity: "base" });
}

/** Up and down go to the same control of the next row. @param {KeyboardEvent} event */
function walk(event) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const from = event.target instanceof HTMLElement ? event.target : null;
  // In a field the arrows belong to the field.
  if (!step || !from || from.matches("input, select, textarea")) return;
  const row = from.closest("tbody tr");
  const next = step > 0 ? row?.nextElementSibling : row?.previousElementSibling;
  if (!row || !next) return;
  const controls = "a[href], button, input, select";
  const index = [...row.querySelectorAll(controls)].indexOf(from);
  const target = [...next.querySelectorAll(controls)][Math.max(0, index)];
  if (target instanceof HTMLElement) {
    event.preventDefault();
    target.focus();
  }
}

/** A field that narrows a table down. @param {{ value: string, onInput: (text: string) => void, label: string }} props */
export function Search({ value, onInput, label }) {
  return html`
    <div class="search">
      <${Icon} name="search" />
      <input class="input" type="search" aria-label=${label} placeholder=${label} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.target.value)} />
    </div>
  `;
}
