// The simulcast layers of a camera: how many, how large, how many bits. A rid is its layer's number, the smallest first (MED-17).

import type { TrackKind } from '../core/events';

export const RIDS = ['0', '1', '2'];
/** Browsers send no more layers than these for so many pixels; of more they would leave out the largest. */
const THREE_LAYERS = 960 * 540;
const TWO_LAYERS = 480 * 270;
/** What a layer may take: so many bits a second, and some for each pixel. */
const BASE_RATE = 60_000;
const RATE_OF_PIXEL = 1.8;
/** Of a camera that does not say. */
const WIDTH = 640;
const HEIGHT = 360;

export interface Encoding {
  active: boolean;
  scaleResolutionDownBy: number;
  maxBitrate: number;
}

/** How many layers a track of this kind is sent in. */
export function layersOf(kind: TrackKind, track: MediaStreamTrack): number {
  return kind === 'video' ? layersFor(pixels(track)) : 1;
}

/** One encoding for each rid; each layer has half the width and height of the next. */
export function encodings(track: MediaStreamTrack): Encoding[] {
  const whole = pixels(track);
  const count = layersFor(whole);
  return RIDS.map((_, layer) => {
    const active = layer < count;
    const scaleResolutionDownBy = active ? 2 ** (count - 1 - layer) : 1;
    return { active, scaleResolutionDownBy, maxBitrate: Math.round(BASE_RATE + (RATE_OF_PIXEL * whole) / scaleResolutionDownBy ** 2) };
  });
}

function pixels(track: MediaStreamTrack): number {
  const { width = WIDTH, height = HEIGHT } = track.getSettings();
  return width * height;
}

function layersFor(whole: number): number {
  if (whole >= THREE_LAYERS) return 3;
  return whole >= TWO_LAYERS ? 2 : 1;
}
