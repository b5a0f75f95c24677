// A link that is to be copied: whether it was, and else the link itself, to be copied by hand.

const SAID_MS = 2_000;

export class Copying {
  /** What was copied a moment ago. */
  copied = $state<string | undefined>(undefined);
  /** The link that the browser did not let the page copy. */
  refused = $state<string | undefined>(undefined);

  /** `what` tells apart several that can be copied; says whether it was. A link that is still fetched may fail by itself. */
  async copy(link: string | Promise<string>, what = ''): Promise<boolean> {
    this.copied = undefined;
    this.refused = undefined;
    const written = write(link).then(() => true, () => false);
    const text = await link;
    const isCopied = await written;
    if (!isCopied) {
      this.refused = text;
      return false;
    }
    this.copied = what;
    setTimeout(() => (this.copied = undefined), SAID_MS);
    return true;
  }

  close(): void {
    this.refused = undefined;
  }
}

/** Begins at once: Safari takes only what is written while it handles the click, though what is written may come later. */
async function write(link: string | Promise<string>): Promise<void> {
  if (typeof link === 'string') return navigator.clipboard.writeText(link);
  const text = link.then((text) => new Blob([text], { type: 'text/plain' }));
  return navigator.clipboard.write([new ClipboardItem({ 'text/plain': text })]);
}
