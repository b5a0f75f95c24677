// Something a person asked for: whether it runs, and what it failed of.

import { problem } from './problem';
import type { Sentence } from './problem';

export class Attempt {
  busy = $state(false);
  problem = $state.raw<Sentence | undefined>(undefined);

  /** Says whether it went well. */
  async run(action: () => Promise<unknown>): Promise<boolean> {
    this.busy = true;
    this.problem = undefined;
    try {
      await action();
      return true;
    } catch (error) {
      this.problem = problem(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** It was not even tried. */
  refuse(...sentence: Sentence): void {
    this.problem = sentence;
  }

  forget(): void {
    this.problem = undefined;
  }
}
