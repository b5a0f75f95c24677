// Whether what others say can be heard: some browsers play no sound before the person has touched the page.

export class Hearing {
  /** The browser waits for a click or a key. */
  isBlocked = $state(false);
  private readonly silent = new Set<HTMLMediaElement>();

  async play(element: HTMLMediaElement): Promise<void> {
    try {
      await element.play();
      this.silent.delete(element);
    } catch (error) {
      // Anything else is the stream's change while it began; it plays by itself then.
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.silent.add(element);
    }
    this.isBlocked = this.silent.size > 0;
  }

  /** The person did something, so that the browser may allow it now. */
  retry(): void {
    for (const element of this.silent) void this.play(element);
  }

  forget(element: HTMLMediaElement): void {
    this.silent.delete(element);
    this.isBlocked = this.silent.size > 0;
  }
}
