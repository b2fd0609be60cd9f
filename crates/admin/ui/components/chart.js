// Lines over time, drawn by uPlot; the same figures stand in a table for whoever cannot see or point at them.

import { cell, useCell } from "../lib/cell.js";
import { html, useEffect, useRef, useState } from "../lib/view.js";

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {string} color The name of a custom property.
 * @property {(number | null)[]} line
 * @property {boolean} [area]
 * @property {boolean} [dash]
 */

/** Rows in the table beside a chart. */
const ROWS = 30;

/** Which theme is drawn; canvas does not follow the style sheet by itself. */
export const theme = cell(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme.set(theme.get() + 1));

/** How soon the library is asked for again. */
const TRY_AGAIN = 2000;

/**
 * @param {object} props
 * @param {string} props.title
 * @param {number} props.from Milliseconds since 1970.
 * @param {number} props.step Milliseconds.
 * @param {Series[]} props.series
 * @param {(value: number | null | undefined) => string} props.show
 */
export function Chart({ title, from, step, series, show }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const [cursor, setCursor] = useState(/** @type {number | null} */ (null));
  const drawn = useCell(theme);
  const length = series[0]?.line.length ?? 0;
  const data = [Array.from({ length }, (_, index) => (from + index * step) / 1000), ...series.map(({ line }) => line)];
  const shape = series.map(({ label }) => label).join("|");
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    let left = false;
    /** @type {ResizeObserver | undefined} */
    let observer;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let later;
    const draw = async () => {
      // The gateway may be away at this moment; the table below does without the library.
      const { default: UPlot } = await import("../vendor/uplot.js").catch(() => ({ default: null }));
      const parent = box.current;
      if (left || !parent) return;
      if (!UPlot) {
        later = setTimeout(() => void draw(), TRY_AGAIN);
        return;
      }
      plot.current = new UPlot(options(parent, series, show, setCursor), latest.current, parent);
      observer = new ResizeObserver(() => plot.current?.setSize({ width: parent.clientWidth, height: parent.clientHeight }));
      observer.observe(parent);
    };
    void draw();
    return () => {
      left = true;
      clearTimeout(later);
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, drawn]);
  useEffect(() => plot.current?.setData(data), [from, length, step, series[0]?.line]);
  const at = cursor ?? length - 1;
  const [tabled, setTabled] = useState(false);
  return html`
    <div class="chart stack tight">
      <div class="legend">
        ${series.map(
          ({ label, color, line }) => html`<span><i style=${{ "--c": `var(${color})` }}></i>${label} <b>${show(line[at])}</b></span>`,
        )}
        <span class="quiet">${length ? new Date(from + at * step).toLocaleTimeString("en-GB") : ""}</span>
      </div>
      <div class="plot" ref=${box} role="img" aria-label=${`${title}; the figures are in the table below`}></div>
      <details class="more small" onToggle=${(/** @type {any} */ event) => setTabled(event.target.open)}>
        <summary>As a table</summary>
        ${tabled && html`<${Figures} title=${title} from=${from} step=${step} series=${series} show=${show} />`}
      </details>
    </div>
  `;
}

/** @param {{ title: string, from: number, step: number, series: Series[], show: (value: number | null | undefined) => string }} props */
function Figures({ title, from, step, series, show }) {
  const length = series[0]?.line.length ?? 0;
  const every = Math.max(1, Math.ceil(length / ROWS));
  const indices = Array.from({ length: Math.ceil(length / every) }, (_, row) => length - 1 - row * every);
  return html`
    <div class="table-wrap" tabindex="0" role="region" aria-label=${title}>
      <table class="data">
        <thead><tr><th scope="col">Time</th>${series.map(({ label }) => html`<th scope="col" class="num">${label}</th>`)}</tr></thead>
        <tbody>
          ${indices.map(
            (index) => html`
              <tr><td>${new Date(from + index * step).toLocaleTimeString("en-GB")}</td>${series.map(({ line }) => html`<td class="num">${show(line[index])}</td>`)}</tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {HTMLElement} parent @param {Series[]} series @param {(value: number | null | undefined) => string} show @param {(index: number | null) => void} setCursor */
function options(parent, series, show, setCursor) {
  const style = getComputedStyle(document.documentElement);
  const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const font = `11px ${style.getPropertyValue("--font")}`;
  const axis = { stroke: color("--ink-3"), font, grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  return {
    width: parent.clientWidth,
    height: parent.clientHeight,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    padding: [8, 8, 0, 0],
    scales: { x: { time: true }, y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, space: 70, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
      { ...axis, size: 58, space: 36, values: (/** @type {any} */ _, /** @type {number[]} */ marks) => marks.map((mark) => show(mark)) },
    ],
    series: [
      {},
      ...series.map((one) => ({
        label: one.label,
        stroke: color(one.color),
        width: 1.75,
        spanGaps: false,
        ...(one.area ? { fill: `color-mix(in srgb, ${color(one.color)} 12%, transparent)` } : {}),
        ...(one.dash ? { dash: [5, 4] } : {}),
        points: { size: 4 },
      })),
    ],
    hooks: { setCursor: [(/** @type {any} */ plot) => setCursor(plot.cursor.idx ?? null)] },
  };
}
