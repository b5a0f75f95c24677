// Seals every frame that leaves and opens every frame that comes. What cannot be sealed is not sent; what does not open is not shown.

import { Frames, load } from '../core/frames';
import type { OpenedFrame } from '../core/frames';
import type { TrackKind } from '../core/events';
import type { Counts, FromWorker, Place, ToWorker } from './messages';
import { Arrivals, Patience } from './patience';
import { Step } from './step';

/** A frame of an epoch whose keys are not here yet waits so long for them. */
const KEYS_WITHIN_MS = 2_000;
/** A sender is asked for a key frame at most this often. */
const ASK_EVERY_MS = 1_000;
const COUNT_EVERY_MS = 1_000;

type Frame = RTCEncodedVideoFrame | RTCEncodedAudioFrame;

interface Transformer {
  readonly readable: ReadableStream<Frame>;
  readonly writable: WritableStream<Frame>;
  readonly options: Place;
  sendKeyFrameRequest?(): Promise<void>;
}

interface WorkerScope {
  onrtctransform: ((event: { transformer: Transformer }) => void) | null;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = self as unknown as WorkerScope;
const counts: Counts = { sealed: 0, unsealed: 0, opened: 0, refused: 0 };
const numbers = new Map<TrackKind, number>();
let layers = new Map<number, number>();
const arrivals = new Arrivals();
let frames: Frames | undefined;
let order: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  // One after the other: keys must not overtake the start.
  order = order.then(() => obey(data)).catch((error: unknown) => {
    console.error('the frame worker', error);
    if (data.type === 'start') scope.postMessage({ type: 'failed' });
  });
};

async function obey(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'start':
      await load();
      frames = new Frames(message.key);
      scope.postMessage({ type: 'ready' });
      break;
    case 'keys':
      await frames?.enter(message.sealed);
      arrivals.arrive();
      break;
    case 'number':
      numbers.set(message.kind, message.number);
      break;
    case 'layers':
      layers = new Map(message.layers);
      break;
    case 'stop':
      frames?.forget();
      frames = undefined;
      break;
  }
}

scope.onrtctransform = ({ transformer }) => {
  const place = transformer.options;
  const transform = place.role === 'send' ? sealing(place.kind) : opening(place, transformer);
  void transformer.readable.pipeThrough(transform).pipeTo(transformer.writable).catch(() => undefined);
};

function sealing(kind: TrackKind): TransformStream<Frame, Frame> {
  return new TransformStream({
    transform(frame, controller) {
      const number = numbers.get(kind);
      const layer = layerOf(kind, frame);
      try {
        if (frames === undefined || number === undefined || layer === undefined || !isOurCodec(kind, frame)) throw new Error('not to be sealed');
        frame.data = bufferOf(frames.seal(number, kind, layer, new Uint8Array(frame.data)));
      } catch {
        counts.unsealed += 1;
        return;
      }
      counts.sealed += 1;
      controller.enqueue(frame);
    },
  });
}

/** Of other codecs it is not known which bytes must stay clear, so none of their frames is sent. */
function isOurCodec(kind: TrackKind, frame: Frame): boolean {
  const mimeType = frame.getMetadata().mimeType?.toLowerCase();
  return mimeType === undefined || mimeType === (kind === 'audio' || kind === 'screen_audio' ? 'audio/opus' : 'video/vp8');
}

/** Nothing in a frame names its layer but the stream that it leaves in; none that is not known is sent. */
function layerOf(kind: TrackKind, frame: Frame): number | undefined {
  const source = frame.getMetadata().synchronizationSource;
  return kind !== 'video' ? 0 : source === undefined ? undefined : layers.get(source);
}

function opening(place: Place & { role: 'receive' }, transformer: Transformer): TransformStream<Frame, Frame> {
  let last = '';
  let asked = 0;
  const step = new Step();
  const patience = new Patience(arrivals, KEYS_WITHIN_MS);
  return new TransformStream({
    async transform(frame, controller) {
      const opened = await open(place.audio, new Uint8Array(frame.data), patience);
      if (opened === 'other-epoch' && step.misses(Date.now())) scope.postMessage({ type: 'step', slot: place.slot, out: true });
      if (opened === undefined || opened === 'other-epoch') {
        counts.refused += 1;
        // What is missing cannot be decoded around.
        if (!place.audio && Date.now() - asked > ASK_EVERY_MS) {
          asked = Date.now();
          void transformer.sendKeyFrameRequest?.().catch(() => undefined);
        }
        return;
      }
      if (step.keeps()) scope.postMessage({ type: 'step', slot: place.slot, out: false });
      patience.renew();
      counts.opened += 1;
      const [device, track, kind] = [opened.device(), opened.track(), opened.kind() as TrackKind];
      frame.data = bufferOf(opened.data());
      opened.free();
      if (last !== `${device} ${track}`) {
        last = `${device} ${track}`;
        scope.postMessage({ type: 'proven', slot: place.slot, device, track, kind });
      }
      controller.enqueue(frame);
    },
  });
}

async function open(audio: boolean, data: Uint8Array, patience: Patience): Promise<OpenedFrame | 'other-epoch' | undefined> {
  try {
    const opened = frames?.open(audio, data);
    if (opened !== undefined) return opened;
    await patience.wait();
    return frames === undefined ? undefined : (frames.open(audio, data) ?? 'other-epoch');
  } catch {
    return undefined;
  }
}

/** The bytes with a buffer of exactly their length. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

setInterval(() => scope.postMessage({ type: 'counts', counts: { ...counts } }), COUNT_EVERY_MS);
