/** How many columns show the pictures of a kiosk largest? */

const MOST = 12;
const RATIO = 16 / 9; // width to height, as of most cameras

/** Best number of columns for ``count`` pictures with a ``caption`` each; sizes in pixels. */
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

/** Keeps the number of columns right when the window or the number of cameras changes. */
export function keepLargest(wall) {
  const fit = () => {
    const caption = 2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    wall.dataset.columns = columnsFor(wall.childElementCount, innerWidth, innerHeight, caption);
  };
  addEventListener("resize", fit);
  new MutationObserver(fit).observe(wall, { childList: true });
  fit();
}
