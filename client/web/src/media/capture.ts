// Camera, microphone, speaker: what there is, what was chosen, what is captured.

export interface Choices {
  camera: string | undefined;
  microphone: string | undefined;
  speaker: string | undefined;
  cameraOn: boolean;
  microphoneOn: boolean;
  /** Whether what is written is told letter by letter. */
  typing: boolean;
  /** Whether single keys do something in the room. */
  shortcuts: boolean;
  width: number;
  height: number;
  frameRate: number;
}

export interface Devices {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

/** Why nothing is captured. */
export type Denied = 'denied' | 'missing' | 'busy';

const PLACE = 'conclave.choices';
const DEFAULTS: Choices = {
  camera: undefined,
  microphone: undefined,
  speaker: undefined,
  cameraOn: true,
  microphoneOn: true,
  typing: false,
  shortcuts: true,
  width: 960,
  height: 540,
  frameRate: 24,
};

/** The choices of last time. */
export function remembered(): Choices {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(PLACE) ?? '{}') as Partial<Choices>) };
  } catch {
    return { ...DEFAULTS };
  }
}

export function remember(choices: Choices): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify(choices));
  } catch {
    // A full disk costs the choices, not the call.
  }
}

export function camera(choices: Choices): Promise<MediaStreamTrack> {
  const { width, height, frameRate } = choices;
  const size = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate, max: 30 } };
  return chosen(choices.camera, (device) => ({ video: { ...size, ...device } }));
}

export function microphone(choices: Choices): Promise<MediaStreamTrack> {
  const cleaned = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return chosen(choices.microphone, (device) => ({ audio: { ...cleaned, ...device } }));
}

/** A screen, with its sound if the browser and the person give it. */
export interface Screen {
  picture: MediaStreamTrack;
  sound: MediaStreamTrack | undefined;
}

export async function screen(): Promise<Screen | undefined> {
  // The sound of this page itself would come back to those whose voices it is.
  const sound: MediaTrackConstraints & { restrictOwnAudio: boolean } = {
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
    restrictOwnAudio: true,
  };
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: sound });
    const picture = stream.getVideoTracks()[0];
    return picture === undefined ? undefined : { picture, sound: stream.getAudioTracks()[0] };
  } catch {
    return undefined; // The person thought better of it.
  }
}

export async function devices(): Promise<Devices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== '');
  return { cameras: of('videoinput'), microphones: of('audioinput'), speakers: of('audiooutput') };
}

export function deniedBy(error: unknown): Denied {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  return name === 'NotReadableError' || name === 'AbortError' ? 'busy' : 'missing';
}

async function first(constraints: MediaStreamConstraints): Promise<MediaStreamTrack> {
  const stream = await navigator.mediaDevices.getUserMedia(constraints);
  const track = stream.getTracks()[0];
  if (track === undefined) throw new DOMException('nothing was captured', 'NotFoundError');
  return track;
}

/** This device if it is there, or else whichever is: browsers do not take one that is only called ideal. */
async function chosen(id: string | undefined, wanted: (device: MediaTrackConstraints) => MediaStreamConstraints): Promise<MediaStreamTrack> {
  if (id === undefined) return first(wanted({}));
  try {
    return await first(wanted({ deviceId: { exact: id } }));
  } catch (error) {
    if (deniedBy(error) !== 'missing') throw error;
    return first(wanted({}));
  }
}
