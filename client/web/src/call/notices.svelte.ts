// What is said in passing over the stage, and to screen readers.

export interface Notice {
  id: number;
  /** The id of its text. */
  text: string;
  variables: Record<string, string>;
  /** Something is wrong. */
  warns: boolean;
}

const SHOWN_MS = 5_000;
/** A warning is read more slowly. */
const WARNED_MS = 20_000;
/** More at once would cover the stage. */
const MOST = 4;

export class Notices {
  all = $state<Notice[]>([]);
  private next = 1;

  add(text: string, variables: Record<string, string> = {}): void {
    this.show({ id: this.next++, text, variables, warns: false }, SHOWN_MS);
  }

  /** Something that must not be missed. */
  alarm(text: string, variables: Record<string, string>): void {
    this.show({ id: this.next++, text, variables, warns: true }, WARNED_MS);
  }

  private show(notice: Notice, time: number): void {
    const others = this.all.length < MOST ? this.all : this.withoutOldest();
    this.all = [...others, notice];
    setTimeout(() => (this.all = this.all.filter((one) => one.id !== notice.id)), time);
  }

  /** Warnings go only for other warnings. */
  private withoutOldest(): Notice[] {
    const goes = this.all.find((one) => !one.warns) ?? this.all[0];
    return this.all.filter((one) => one !== goes);
  }

  /** What stands elsewhere before the person's eyes needs no notice. */
  drop(text: string): void {
    this.all = this.all.filter((one) => one.text !== text);
  }
}
