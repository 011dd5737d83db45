/** How many columns show the pictures of a kiosk largest? */

const MOST = 12;
const RATIO = 16 / 9; // of width to height, as most cameras have it

/** For ``count`` pictures, each with a ``caption`` below it, on a screen; all sizes in pixels. */
export function columnsFor(count, width, height, caption) {
  let best = Math.min(count, MOST);
  let widest = 0;
  for (let columns = best; columns >= 1; columns -= 1) {
    const tall = height / Math.ceil(count / columns) - caption;
    const wide = Math.min(width / columns, tall * RATIO);
    if (wide > widest) [best, widest] = [columns, wide];
  }
  return best;
}

/** Gives the ``wall`` so many, whatever becomes of the window and of the number of cameras. */
export function keepLargest(wall) {
  const fit = () => {
    const caption = 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    wall.dataset.columns = columnsFor(wall.childElementCount, innerWidth, innerHeight, caption);
  };
  addEventListener("resize", fit);
  new MutationObserver(fit).observe(wall, { childList: true });
  fit();
}
