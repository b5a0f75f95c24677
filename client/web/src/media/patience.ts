// Waiting for keys: a frame of an epoch that is not here yet waits a little, but those behind it not as long again each.

/** Keys as they come. */
export class Arrivals {
  private readonly waiting = new Set<() => void>();
  private count = 0;

  /** How often keys have come. */
  get came(): number {
    return this.count;
  }

  arrive(): void {
    this.count += 1;
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  /** Waits for the next, no longer than this. */
  next(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, withinMs);
      this.waiting.add(wake);
    });
  }
}

/** One stream's patience: once keys were waited for in vain, only others are worth another wait. */
export class Patience {
  private vain: number | undefined;

  constructor(
    private readonly arrivals: Arrivals,
    private readonly withinMs: number,
  ) {}

  async wait(): Promise<void> {
    const before = this.arrivals.came;
    if (this.vain === before) return;
    await this.arrivals.next(this.withinMs);
    if (this.arrivals.came === before) this.vain = before;
  }

  /** A frame opened: who sends is in step again, and its next change is worth waiting for. */
  renew(): void {
    this.vain = undefined;
  }
}
