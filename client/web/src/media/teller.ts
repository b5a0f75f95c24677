// Tells somebody the newest state of something: one call at a time, the newest in place of those that waited, and again until it is heard.

const AGAIN_MS = 1_000;

export class Teller<State> {
  private next: { state: State } | undefined;
  private telling = false;
  private closed = false;

  constructor(
    private readonly tell: (state: State) => Promise<void>,
    private readonly againMs = AGAIN_MS,
  ) {}

  say(state: State): void {
    this.next = { state };
    if (!this.telling) void this.run();
  }

  /** What is not heard by now never is. */
  close(): void {
    this.closed = true;
  }

  private async run(): Promise<void> {
    this.telling = true;
    for (let said = this.take(); said !== undefined; said = this.take()) {
      try {
        await this.tell(said.state);
      } catch {
        this.next ??= said;
        await new Promise((resolve) => setTimeout(resolve, this.againMs));
      }
    }
    this.telling = false;
  }

  private take(): { state: State } | undefined {
    const said = this.closed ? undefined : this.next;
    this.next = undefined;
    return said;
  }
}
