// Single keys in the room: hand, microphone, camera; and the space bar, held to talk.

import type { Call } from '../call/call.svelte';

/** What takes all keys for itself. */
const WRITES = 'input, textarea, select, [role=menu], dialog';
/** What the space bar presses. */
const PRESSED = 'button, summary, a[href]';

export class Shortcuts {
  private lastByPointer = false;
  /** What has the focus got it by mouse or touch; to such people the space bar presses nothing. */
  private focusByPointer = false;
  private talking = false;

  constructor(private readonly call: () => Call) {}

  pointed(): void {
    this.lastByPointer = true;
    this.focusByPointer = true;
  }

  focused(): void {
    this.focusByPointer = this.lastByPointer;
  }

  down(event: KeyboardEvent): void {
    this.lastByPointer = false;
    const { own } = this.call();
    if (event.key === ' ' && this.talking) return event.preventDefault(); // It is held, wherever the focus is by now.
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !own.choices.shortcuts) return;
    if (isOn(event, WRITES)) return;
    if (event.key === ' ') {
      if (isOn(event, PRESSED) && !this.focusByPointer) return;
      event.preventDefault();
      this.talking = true;
      void own.pushToTalk(true);
    }
    if (event.key === 'h') void this.call().toggleHand();
    if (event.key === 'm') void own.toggleMicrophone();
    if (event.key === 'v') void own.toggleCamera();
  }

  up(event: KeyboardEvent): void {
    if (event.key !== ' ' || !this.talking) return;
    event.preventDefault(); // Some browsers press a button only now.
    this.release();
  }

  /** The key is held no more, or nobody would be told. */
  release(): void {
    this.talking = false;
    void this.call().own.pushToTalk(false);
  }
}

function isOn({ target }: KeyboardEvent, what: string): boolean {
  return target instanceof Element && target.closest(what) !== null;
}
