// What went wrong, as a sentence's id and what stands in it.

import { CommandError } from '../core/command_error';
import type { Problem } from '../core/events';
import { harmless } from './names';

export type Sentence = [id: string, variables: Record<string, string>];

/** What core tells; what stands in it may come from a server. */
export function sentenceOf({ id, arguments: given }: Problem): Sentence {
  return [`problem-${id}`, Object.fromEntries(Object.entries(given).map(([key, value]) => [key, harmless(value)]))];
}

/** What an effort failed of; for a fault of the page itself there is one sentence. */
export function problem(error: unknown): Sentence {
  return sentenceOf(error instanceof CommandError ? error.problem : { id: 'bug', arguments: {} });
}
