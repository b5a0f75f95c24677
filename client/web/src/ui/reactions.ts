// The reactions as items of a menu.

import type { Call } from '../call/call.svelte';
import { REACTIONS } from '../call/signals.svelte';
import type { Reaction } from '../core/events';
import { t } from '../text';

export function reactions(call: Call): { text: string; picture: string; act: () => void }[] {
  return (Object.entries(REACTIONS) as [Reaction, string][]).map(([reaction, picture]) => ({
    text: t(`reaction-${reaction}`),
    picture,
    act: () => void call.react(reaction),
  }));
}
