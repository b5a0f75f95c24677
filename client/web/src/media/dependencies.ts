// Which frames depend on which: a header extension says it, so that servers can leave some out of what they cannot read (MED-26, MED-27).

export const DEPENDENCIES = 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';

interface HeaderExtension {
  uri: string;
  direction: string;
}

/** Young, and not in every browser: without it a server sends all frames, or none. */
interface Extensible {
  getHeaderExtensionsToNegotiate?(): HeaderExtension[];
  setHeaderExtensionsToNegotiate?(extensions: HeaderExtension[]): void;
}

const canDescribe = 'RTCRtpTransceiver' in globalThis && 'setHeaderExtensionsToNegotiate' in RTCRtpTransceiver.prototype;

/** Half of the frames can be left out, and of the others half again, where it can be said which. */
export const SCALABILITY = canDescribe ? { scalabilityMode: 'L1T3' } : {};

/** Offers the extension, which browsers do not do by themselves. */
export function describe(transceiver: RTCRtpTransceiver & Extensible): void {
  const offered = transceiver.getHeaderExtensionsToNegotiate?.() ?? [];
  if (!offered.some((one) => one.uri === DEPENDENCIES)) return;
  const wanted = offered.map((one) => (one.uri === DEPENDENCIES ? { ...one, direction: 'sendrecv' } : one));
  transceiver.setHeaderExtensionsToNegotiate?.(wanted);
}
