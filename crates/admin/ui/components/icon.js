import { icons } from "../vendor/icons.js";
import { h } from "../lib/view.js";

/** @typedef {keyof typeof icons} IconName */

/** A picture beside a word; screen readers pass over it. @param {{ name: IconName, spin?: boolean }} props */
export function Icon({ name, spin = false }) {
  const shapes = /** @type {[string, Record<string, string>][]} */ (icons[name]);
  return h(
    "svg",
    { class: spin ? "icon spin" : "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    shapes.map(([tag, attributes]) => h(tag, attributes)),
  );
}
