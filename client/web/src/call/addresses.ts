// Addresses as people type them: apart by spaces, commas or lines.

const ADDRESS = /^[^\s@<>,;]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::\d{1,5})?$/u;

/** Whose device it is, as in alice@north.example. */
export function ownerOf(device: string): string {
  const parts = /^conclave:\/\/([^/]+)\/[^/]+\/([^/]+)\//u.exec(device);
  return parts === null ? '' : `${decodeURIComponent(parts[2] ?? '')}@${parts[1] ?? ''}`;
}

/** What was typed, as addresses and what is none. */
export function addresses(typed: string): { good: string[]; bad: string[] } {
  const all = typed.split(/[\s,;]+/u).filter((part) => part !== '').map((part) => part.replace(/^<|>$/gu, '').toLowerCase());
  const distinct = [...new Set(all)];
  return { good: distinct.filter((part) => ADDRESS.test(part)), bad: distinct.filter((part) => !ADDRESS.test(part)) };
}
