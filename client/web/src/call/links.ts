// Links: https://SERVER/m/ID@HUB#SECRET. The secret stays in the fragment, which browsers never send.

/** In the address of whoever was handed to their own server: they have an account here. */
export const OWN_SERVER = '?account';

/** What the page's own address names: a meeting with its secret, or none. */
export function meetingOf(place: { pathname: string; hash: string }, domain: string): string | undefined {
  if (!place.pathname.startsWith('/m/')) return undefined;
  const address = decoded(place.pathname.slice('/m/'.length));
  return place.hash.length > 1 ? `https://${domain}/m/${address}${place.hash}` : address;
}

/** A link as it opens at this very origin. */
export function here(link: string): string {
  const at = link.indexOf('/m/');
  return at < 0 ? link : `${location.origin}${link.slice(at)}`;
}

/** The path within this page of a link or address that somebody pasted. */
export function pathOf(text: string): string {
  const link = text.trim();
  const at = link.indexOf('/m/');
  return at < 0 ? `/m/${link}` : link.slice(at);
}

/** What is escaped wrongly stays as it is, and is refused later with its reason. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A link's place at another server. On one machine, a page without TLS leads to one without TLS (spec/12-operating.md). */
export function elsewhere(domain: string, place: { protocol: string; pathname: string; hash: string }): string {
  const isHere = /^(?:[a-z0-9.-]+\.)?localhost(?::\d+)?$/u.test(domain);
  return `${isHere ? place.protocol : 'https:'}//${domain}${place.pathname}${OWN_SERVER}${place.hash}`;
}
