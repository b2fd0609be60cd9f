// Waiting for what becomes true, never for time to pass.

/** How long anything may take on a machine that does other things too, in milliseconds. */
export const PATIENCE = Number(process.env.GATEWAY_TEST_PATIENCE_MS ?? 15_000);

/** The first value of `look` that is neither empty nor an error; the last error says what was missing. */
export async function eventually(what, look, patience = PATIENCE) {
  const end = performance.now() + patience;
  let missing;
  do {
    try {
      const value = await look();
      if (value) return value;
      missing = undefined;
    } catch (error) {
      missing = error;
    }
    await new Promise((done) => setTimeout(done, 25));
  } while (performance.now() < end);
  throw new Error(`never: ${what}`, { cause: missing });
}
