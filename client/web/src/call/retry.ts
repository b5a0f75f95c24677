// Trying again: soon at first, then less and less often, and not at the same time as everybody else.

const FIRST_MS = 500;
const MOST_MS = 8_000;

export class Retry {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;

  constructor(private readonly act: () => void) {}

  /** Whether another try is to come; there is only ever one. */
  get isPlanned(): boolean {
    return this.timer !== undefined;
  }

  later(): void {
    if (this.timer !== undefined) return;
    const wait = Math.min(FIRST_MS * 2 ** this.failures, MOST_MS) * (1 + Math.random());
    this.failures += 1;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.act();
    }, wait);
  }

  /** There is reason to think that it works now. */
  now(): void {
    this.stop();
    this.act();
  }

  /** It worked. */
  succeeded(): void {
    this.failures = 0;
    this.stop();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
