// Where tiles stand: pure, so that it can be tested.

/** Width over height of a tile: what is aimed at, and between what it stays, so that no camera is cut down to a stripe. */
const SHAPE = 16 / 10;
const WIDEST = 16 / 9;
const SQUAREST = 4 / 3;
/** Narrower tiles show nobody's face. */
const NARROWEST = 190;
const NARROWEST_ON_PHONES = 150;
const PHONE = 560;
/** As many pictures as a connection has places for. */
const MOST = 9;
/** The part of the stage's height that the small tiles of the speaker view take. */
const STRIP = 0.2;
const LOWEST_STRIP = 92;
/** So many small tiles fit even on phones. */
const FEWEST = 3;

export interface Size {
  width: number;
  height: number;
}

/** What stands where: the large tile, the small ones of this page, and how they are laid out. */
export interface Arrangement {
  large: string | undefined;
  small: string[];
  columns: number;
  rows: number;
  page: number;
  pages: number;
  /** In CSS pixels; 0 if there is none. */
  smallWidth: number;
  smallHeight: number;
  largeHeight: number;
}

/** Columns for so many tiles on a stage of this size that make the largest tiles. */
export function columns(tiles: number, { width, height }: Size): number {
  let best = 1;
  let largest = 0;
  for (let count = 1; count <= Math.max(1, tiles); count += 1) {
    const rows = Math.ceil(tiles / count);
    const across = Math.min(width / count, (height / rows) * SHAPE);
    if (across > largest + 1) {
      largest = across;
      best = count;
    }
  }
  return best;
}

/** All tiles alike, as many on a page as stay recognisable. */
export function grid(tiles: string[], size: Size, wantedPage: number): Arrangement {
  const narrowest = size.width < PHONE ? NARROWEST_ON_PHONES : NARROWEST;
  const across = Math.max(1, Math.floor(size.width / narrowest));
  const down = Math.max(1, Math.floor((size.height / narrowest) * SHAPE));
  const room = Math.min(MOST, Math.max(2, across * down));
  const { shown, page, pages } = cut(tiles, room, wantedPage);
  const count = columns(shown.length, size);
  const rows = Math.max(1, Math.ceil(shown.length / count));
  const [width, height] = [size.width / count, size.height / rows];
  // People on phones hold their cameras upright.
  const smallHeight = size.width < PHONE ? height : Math.min(height, width / SQUAREST);
  return { large: undefined, small: shown, columns: count, rows, page, pages, smallWidth: Math.min(width, height * WIDEST), smallHeight, largeHeight: 0 };
}

/** One tile large, the others in a strip. */
export function speaker(tiles: string[], large: string, size: Size, wantedPage: number): Arrangement {
  const others = tiles.filter((tile) => tile !== large);
  const strip = others.length === 0 ? 0 : Math.max(LOWEST_STRIP, size.height * STRIP);
  const room = Math.min(MOST - 1, Math.max(FEWEST, Math.floor(size.width / (strip * SHAPE))));
  const { shown, page, pages } = cut(others, room, wantedPage);
  const columns = Math.max(1, shown.length);
  return { large, small: shown, columns, rows: 1, page, pages, smallWidth: strip * SHAPE, smallHeight: strip, largeHeight: size.height - strip };
}

function cut(tiles: string[], room: number, wanted: number): { shown: string[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(tiles.length / room));
  const page = Math.min(Math.max(0, wanted), pages - 1);
  return { shown: tiles.slice(page * room, (page + 1) * room), page, pages };
}
