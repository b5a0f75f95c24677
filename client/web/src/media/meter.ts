// How well a connection does: the browser's counters, as rates.

/** How well packets come, of one receiving place. */
export interface Quality {
  slot: string;
  audioLevel: number;
  /** Of the packets since the last look, the part that was lost, 0 to 1. */
  loss: number;
  /** Bits a second since the last look. */
  rate: number;
  /** Pixels across and down, frames a second; 0 for sound. */
  width: number;
  height: number;
  frames: number;
  freezes: number;
}

/** How the connection itself does. */
export interface Path {
  /** udp or tcp. */
  protocol: string;
  /** Milliseconds there and back. */
  roundTrip: number;
  /** Bits a second that leave. */
  sent: number;
}

interface Counters {
  at: number;
  bytes: number;
  lost: number;
  received: number;
}

type Inbound = RTCInboundRtpStreamStats & { type: 'inbound-rtp' };

export class Meter {
  private readonly before = new Map<string, Counters>();

  /** Rates since the last call. */
  read(report: RTCStatsReport, slotOf: (mid: string) => string | undefined): { slots: Quality[]; path: Path | undefined } {
    const slots: Quality[] = [];
    let path: Path | undefined;
    report.forEach((stats: Inbound | RTCTransportStats) => {
      if (stats.type === 'inbound-rtp') {
        const slot = slotOf((stats as Inbound).mid ?? '');
        if (slot !== undefined) slots.push(this.inbound(slot, stats as Inbound));
      } else if (stats.type === 'transport') {
        path = this.path(report, stats as RTCTransportStats);
      }
    });
    return { slots, path };
  }

  private inbound(slot: string, stats: Inbound): Quality {
    const now = { at: stats.timestamp, bytes: stats.bytesReceived ?? 0, lost: stats.packetsLost ?? 0, received: stats.packetsReceived ?? 0 };
    const { seconds, bytes, lost, received } = this.since(stats.id, now);
    return {
      slot,
      audioLevel: stats.audioLevel ?? 0,
      loss: lost + received > 0 ? Math.max(0, lost) / (Math.max(0, lost) + received) : 0,
      rate: seconds > 0 ? (bytes * 8) / seconds : 0,
      width: stats.frameWidth ?? 0,
      height: stats.frameHeight ?? 0,
      frames: stats.framesPerSecond ?? 0,
      freezes: stats.freezeCount ?? 0,
    };
  }

  private path(report: RTCStatsReport, stats: RTCTransportStats): Path | undefined {
    const pair = report.get(stats.selectedCandidatePairId ?? '') as RTCIceCandidatePairStats | undefined;
    if (pair === undefined) return undefined;
    const local = report.get(pair.localCandidateId) as { protocol?: string } | undefined;
    const now = { at: stats.timestamp, bytes: stats.bytesSent ?? 0, lost: 0, received: 0 };
    const { seconds, bytes } = this.since(stats.id, now);
    return {
      protocol: local?.protocol ?? '',
      roundTrip: Math.round((pair.currentRoundTripTime ?? 0) * 1_000),
      sent: seconds > 0 ? (bytes * 8) / seconds : 0,
    };
  }

  private since(id: string, now: Counters): { seconds: number; bytes: number; lost: number; received: number } {
    const before = this.before.get(id) ?? now;
    this.before.set(id, now);
    return {
      seconds: (now.at - before.at) / 1_000,
      bytes: now.bytes - before.bytes,
      lost: now.lost - before.lost,
      received: now.received - before.received,
    };
  }
}
