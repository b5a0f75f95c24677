// Whose frames stay in another epoch than this device's: one of the two does not hear of the changes that the other heard of.

import type { DeviceUri } from '../core/events';

export class OutOfStep {
  /** Whose frames came through which slot. */
  private readonly slots = new Map<string, DeviceUri>();

  get devices(): ReadonlySet<DeviceUri> {
    return new Set(this.slots.values());
  }

  /** Frames of somebody do not open any more; true if that is news. */
  lose(slot: string, device: DeviceUri): boolean {
    const isNews = !this.devices.has(device);
    this.slots.set(slot, device);
    return isNews;
  }

  /** Frames of somebody open through this slot: nothing more is wrong with theirs, nor with whose came here before. */
  regain(slot: string, device: DeviceUri | undefined): void {
    for (const [other, whose] of this.slots) if (other === slot || whose === device) this.slots.delete(other);
  }

  /** Who is gone is in no step. */
  keepOnly(present: ReadonlySet<DeviceUri>): void {
    for (const [slot, device] of this.slots) if (!present.has(device)) this.slots.delete(slot);
  }

  clear(): void {
    this.slots.clear();
  }
}
