// What hosts and co-hosts do; who may do what, core decides.

import type { Driver } from '../core/driver';
import type { DeviceUri, Done, MeetingAddress } from '../core/events';

export class Hosting {
  constructor(
    private readonly driver: Driver,
    private readonly meeting: MeetingAddress,
  ) {}

  admit(device: DeviceUri, admitted: boolean): Promise<Done> {
    return this.driver.command({ type: 'admit', meeting: this.meeting, device, admitted });
  }

  remove(address: string): Promise<Done> {
    return this.driver.command({ type: 'remove', meeting: this.meeting, address });
  }

  setCoHost(address: string, on: boolean): Promise<Done> {
    return this.driver.command({ type: 'set_co_host', meeting: this.meeting, address, on });
  }

  /** Asks for silence; only the person themselves can unmute. */
  askMute(device: DeviceUri): Promise<Done> {
    return this.driver.command({ type: 'ask_mute', meeting: this.meeting, device });
  }

  lowerHand(device: DeviceUri): Promise<Done> {
    return this.driver.command({ type: 'lower_hand', meeting: this.meeting, device });
  }

  lock(locked: boolean): Promise<Done> {
    return this.driver.command({ type: 'lock', meeting: this.meeting, locked });
  }

  lobby(on: boolean): Promise<Done> {
    return this.driver.command({ type: 'lobby', meeting: this.meeting, on });
  }

  endForAll(): Promise<Done> {
    return this.driver.command({ type: 'end', meeting: this.meeting });
  }
}
