// A command's refusal, as the page throws it.

import type { CoreError } from './events';

/** A command was refused; the reason is for programs, the problem for people. */
export class CommandError extends Error {
  readonly reason: string;

  constructor(readonly problem: CoreError) {
    super(problem.id);
    this.reason = problem.reason;
  }
}
