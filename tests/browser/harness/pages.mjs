// The pages, and how one gets there.

export const PAGES = ["overview", "requests", "routing", "sessions", "channels", "models", "users", "settings", "playground", "connect"];

/** Goes to a page and waits until it shows what it reads. @param {import("playwright-core").Page} page @param {string} [place] Behind `#/`. */
export async function visit(page, place = "overview") {
  const here = new URL(page.url());
  if (here.protocol === "about:") await page.goto(`/#/${place}`);
  else await page.evaluate(arrive, `#/${place}`);
  await settled(page);
}

/** Goes there, and waits until the page has heard of it: its own listener came before this one. @param {string} hash */
function arrive(hash) {
  return new Promise((done) => {
    const was = location.href;
    addEventListener("hashchange", () => setTimeout(done), { once: true });
    location.hash = hash;
    if (location.href === was) setTimeout(done);
  });
}

/** Waits until nothing is being loaded for the first time. @param {import("playwright-core").Page} page */
export async function settled(page) {
  await page.locator("main :is(h1, h2)").first().waitFor();
  await page.locator(".ghosts").first().waitFor({ state: "detached" });
}

/** @param {import("playwright-core").Page} page */
export const toast = (page, text) => page.locator(".toast", { hasText: text }).first().waitFor();

/** The row of a table that holds this text. */
export const row = (page, text) => page.locator("tbody tr", { hasText: text }).first();

export const button = (scope, name, exact = true) => scope.getByRole("button", { name, exact });

/** A dialog by its title. */
export const dialog = (page, title) => page.getByRole("dialog", { name: title });

/** A field of a form by the name that the API gives it. */
export const field = (scope, name) => scope.locator(`form [name="${name}"]`);
