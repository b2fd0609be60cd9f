// Figures and moments as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: "compact" });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** @typedef {number | null | undefined} Maybe */

export const NONE = "–";

/** @param {Maybe} number */
export const count = (number) => (isNone(number) ? NONE : number < 10_000 ? whole.format(number) : short.format(number));

/** @param {Maybe} number */
export const rate = (number) => (isNone(number) ? NONE : number < 10 ? one.format(number) : count(number));

/** @param {Maybe} share From 0 to 1. */
export const percent = (share) => (isNone(share) ? NONE : `${share > 0 && share < 0.1 ? one.format(share * 100) : whole.format(share * 100)} %`);

/** @param {Maybe} millis */
export function ms(millis) {
  if (isNone(millis)) return NONE;
  if (millis < 1000) return `${Math.round(millis)} ms`;
  if (millis < 60_000) return `${(millis / 1000).toFixed(millis < 10_000 ? 2 : 1)} s`;
  return span(millis);
}

/** @param {Maybe} bytes */
export function size(bytes) {
  if (isNone(bytes)) return NONE;
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  let left = bytes;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit ? one.format(left) : left} ${units[unit]}`;
}

/** How long, in its two largest units at most. @param {number} millis */
export function span(millis) {
  const seconds = Math.max(0, Math.round(millis / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 && minutes < 10 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** How long ago, or how far ahead. @param {string | null | undefined} moment */
export function ago(moment) {
  if (!moment) return NONE;
  const passed = Date.now() - Date.parse(moment);
  if (Number.isNaN(passed)) return NONE;
  if (Math.abs(passed) < 1500) return "now";
  const text = rounded(Math.abs(passed));
  return passed > 0 ? `${text} ago` : `in ${text}`;
}

/** @param {number} millis */
function rounded(millis) {
  const seconds = Math.round(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** @param {string | null | undefined} moment */
export const clock = (moment) => (moment ? new Date(moment).toLocaleTimeString("en-GB") : NONE);

/** @param {string | null | undefined} moment */
export const day = (moment) => (moment ? new Date(moment).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }) : NONE);

/** "1 model", "3 models". @param {number} number @param {string} noun @param {string} [many] */
export const plural = (number, noun, many = `${noun}s`) => `${count(number)} ${number === 1 ? noun : many}`;

/** @param {string} word */
export const spaced = (word) => word.replaceAll("_", " ");

/** @param {Maybe} number @returns {number is null | undefined} */
function isNone(number) {
  return number === null || number === undefined || Number.isNaN(number);
}
