// What a tab brings through a reload: that a call was on, and what the person had on in it.

const PLACE = 'conclave.in-call';
/** A tab that comes back later than this was closed, and not loaded anew. */
const FRESH_MS = 60_000;

export interface On {
  microphoneOn: boolean;
  cameraOn: boolean;
  soundOnly: boolean;
}

interface InCall extends On {
  path: string;
  /** When the page went; none: it is still there, or did not go in order. */
  wentMs?: number;
}

/** A call is on at this path. */
export function enter(path: string, on: On): void {
  write({ path, ...on });
  globalThis.addEventListener('pagehide', went);
}

/** The person, or somebody who may, has turned something on or off. */
export function keep(changed: Partial<On>): void {
  const kept = read();
  if (kept !== undefined) write({ ...kept, ...changed });
}

export function forget(): void {
  write(undefined);
}

/**
 * What was on in the call that a reload of this tab cut off at this path. Duplicates of a tab and closed tabs that come back bring
 * the same store with them, and are no reload.
 */
export function cutOff(path: string): On | undefined {
  const kept = read();
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (kept?.path !== path || kept.wentMs === undefined || navigation?.type !== 'reload') return undefined;
  const age = Date.now() - kept.wentMs;
  return age >= 0 && age < FRESH_MS ? kept : undefined;
}

function went(): void {
  const kept = read();
  if (kept !== undefined) write({ ...kept, wentMs: Date.now() });
}

function read(): InCall | undefined {
  try {
    return (JSON.parse(sessionStorage.getItem(PLACE) ?? 'null') as InCall | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(kept: InCall | undefined): void {
  try {
    if (kept === undefined) sessionStorage.removeItem(PLACE);
    else sessionStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {
    // Without it, a reload shows the door.
  }
}
