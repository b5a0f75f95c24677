// The own devices before one is in: tried, chosen, and handed on to the call.

import * as capture from '../media/capture';
import type { Choices } from '../media/capture';
import { Source } from './source.svelte';
import type { Sources } from './source.svelte';

export class Door {
  choices = $state.raw<Choices>(capture.remembered());
  private handedOn = false;

  constructor(private readonly sources: Sources = { camera: new Source('camera'), microphone: new Source('microphone') }) {
    sources.camera.gone = () => void (this.choices.cameraOn && sources.camera.replace(this.choices));
    sources.microphone.gone = () => void sources.microphone.replace(this.choices);
  }

  get camera(): Source {
    return this.sources.camera;
  }

  get microphone(): Source {
    return this.sources.microphone;
  }

  /** On, as far as it can be. */
  get cameraOn(): boolean {
    return this.choices.cameraOn && this.camera.problem === undefined;
  }

  get microphoneOn(): boolean {
    return this.choices.microphoneOn && this.microphone.problem === undefined;
  }

  /** The microphone is tried even if it will be off: its level shows whether it works. */
  begin(): void {
    if (this.choices.cameraOn) void this.camera.open(this.choices);
    void this.microphone.open(this.choices);
  }

  toggleCamera(): void {
    const on = !this.cameraOn;
    this.remember({ ...this.choices, cameraOn: on });
    if (on) void this.camera.open(this.choices);
    else this.camera.close();
  }

  toggleMicrophone(): void {
    const on = !this.microphoneOn;
    this.remember({ ...this.choices, microphoneOn: on });
    if (on && this.microphone.track === undefined) void this.microphone.open(this.choices);
  }

  choose(chosen: Choices): void {
    const before = this.choices;
    this.remember(chosen);
    if (chosen.camera !== before.camera && chosen.cameraOn) void this.camera.open(chosen);
    if (chosen.microphone !== before.microphone) void this.microphone.open(chosen);
  }

  /** The person has done something about what kept a device from them. */
  tryAgain(kind: keyof Sources): void {
    void this.sources[kind].open(this.choices);
  }

  /** The devices are the call's from here on. What the person is still asked for comes into it when they have answered. */
  handOn(): Sources {
    this.handedOn = true;
    return this.sources;
  }

  end(): void {
    if (this.handedOn) return;
    this.camera.end();
    this.microphone.end();
  }

  private remember(choices: Choices): void {
    this.choices = choices;
    capture.remember(choices);
  }
}
