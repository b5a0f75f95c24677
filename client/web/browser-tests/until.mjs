// Waiting for something that can be looked at.

/** How long anything may take that is not measured. */
export const PATIENCE_MS = 30_000;

/** Waits until `look` gives something true. */
export async function until(what, look, within = PATIENCE_MS) {
  const end = Date.now() + within;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${within / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
