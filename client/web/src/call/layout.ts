// How many columns make the largest tiles.

/** Width over height of a tile. */
const SHAPE = 16 / 10;

/** Columns for so many tiles on a stage of this size. */
export function columns(tiles: number, width: number, height: number): number {
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
