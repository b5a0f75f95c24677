// Links: https://SERVER/m/ID@HUB#SECRET. The secret stays in the fragment, which browsers never send.

/** What the page's own address names: a meeting with its secret, or none. */
export function meetingOf(place: { pathname: string; hash: string }, domain: string): string | undefined {
  if (!place.pathname.startsWith('/m/')) return undefined;
  const address = decodeURIComponent(place.pathname.slice('/m/'.length));
  return place.hash.length > 1 ? `https://${domain}/m/${address}${place.hash}` : address;
}

/** A link as it opens at this very origin. */
export function here(link: string): string {
  const at = link.indexOf('/m/');
  return at < 0 ? link : `${location.origin}${link.slice(at)}`;
}

/** The path within this page of a link or address that somebody pasted. */
export function pathOf(text: string): string {
  const at = text.indexOf('/m/');
  return at < 0 ? `/m/${text.trim()}` : text.trim().slice(at);
}
