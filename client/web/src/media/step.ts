// Whether somebody stays in another epoch: then one of the two does not hear of the changes that the other heard of.

/** A change that is on its way comes sooner. */
const OUT_OF_STEP_MS = 10_000;
/** Frames further apart than this are not of one time: in between, nothing was sent. */
const APART_MS = 5_000;

export class Step {
  private since: number | undefined;
  private last = 0;
  private told = false;

  /** A frame opened; true if it had been told that none did. */
  keeps(): boolean {
    const was = this.told;
    this.since = undefined;
    this.told = false;
    return was;
  }

  /** A frame came of an epoch that this device is not in; true, once, when that has lasted too long. */
  misses(now: number): boolean {
    if (this.since === undefined || now - this.last > APART_MS) this.since = now;
    this.last = now;
    if (this.told || now - this.since < OUT_OF_STEP_MS) return false;
    this.told = true;
    return true;
  }
}
