// How members are named.

import type { Member } from '../core/events';
import { name } from './names';

/** What a member is called: the certified name, or else the address. */
export function shownName(member: Member): string {
  return name(member.name) || name(member.address);
}
