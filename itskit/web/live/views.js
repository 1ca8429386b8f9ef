// Ways for a guide to look at the shared latent, as itskit/views.py has them. Each is its own inverse.

const moved = (place) => (latent, [channels, rows, columns]) => {
  const seen = new Float32Array(latent.length);
  for (let c = 0, k = 0; c < channels; c++) {
    for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) {
      const [from, to] = place(y, x, rows - 1, columns - 1);
      seen[k++] = latent[(c * rows + from) * columns + to];
    }
  }
  return seen;
};

/** Name -> function (latent, [channels, rows, columns]) -> latent. */
export const VIEWS = {
  identity: (latent) => latent,
  flip_time: moved((y, x, bottom, right) => [y, right - x]),
  flip_frequency: moved((y, x, bottom) => [bottom - y, x]),
  rotate_180: moved((y, x, bottom, right) => [bottom - y, right - x]),
  negate: (latent) => latent.map((value) => -value),
};
