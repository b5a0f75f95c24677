// What is said in passing over the stage, and to screen readers.

export interface Notice {
  id: number;
  /** The id of its text. */
  text: string;
  variables: Record<string, string>;
}

const SHOWN_MS = 5_000;
/** More at once would cover the stage. */
const MOST = 4;

export class Notices {
  all = $state<Notice[]>([]);
  private next = 1;

  add(text: string, variables: Record<string, string> = {}): void {
    const notice = { id: this.next++, text, variables };
    this.all = [...this.all, notice].slice(-MOST);
    setTimeout(() => (this.all = this.all.filter((one) => one.id !== notice.id)), SHOWN_MS);
  }

  /** What stands elsewhere before the person's eyes needs no notice. */
  drop(text: string): void {
    this.all = this.all.filter((one) => one.text !== text);
  }
}
