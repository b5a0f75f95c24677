// What went wrong, as a sentence's id and what stands in it.

import { CommandError } from '../core/driver';

/** Reasons that have a sentence of their own; for others the one that core gives is shown. */
const KNOWN = ['bad_credentials', 'rate_limited', 'unavailable', 'not_signed_in'];

export function problem(error: unknown): [id: string, variables: Record<string, string>] {
  if (error instanceof CommandError && KNOWN.includes(error.reason)) return [`error-${error.reason}`, {}];
  return ['error-other', { message: error instanceof Error ? error.message : '' }];
}
