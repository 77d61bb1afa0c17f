// Stretches: from pixels to what is seen. Asinh and its limits are those of
// lensnet/exploration/stretching.py; MTF is the midtones transfer function with PixInsight's
// automatic screen stretch.

// The brightness and contrast that keys change go by steps of half a power of two.
const HALF_STEPS = 2;
const LOW = 1, SKY_MINUS_SIGMA = 15.87, SKY = 50, HIGH = 99.7;
const SOFTENING_SIGMAS = 3, LEAST_WHITE_SIGMAS = 20;
const LEAST_SOFTENING = 1e-4, MOST_SOFTENING = 1, SOFTENING_WITHOUT_SKY = 0.1;
const MTF_SHADOWS = -2.8, MTF_BACKGROUND = 0.25, SIGMA_OF_MAD = 1.4826;

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const sortedOf = (values) => Float64Array.from(values).sort();

// A percentile of sorted values, interpolated linearly as NumPy does.
function percentile(sorted, percent) {
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place), above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

function limitsOf(sorted) {
  const [low, belowSky, sky, most] = [LOW, SKY_MINUS_SIGMA, SKY, HIGH].map((p) => percentile(sorted, p));
  const sigma = sky - belowSky;
  let from = low, to = most;
  if (!(to > from)) [from, to] = [sorted[0], sorted[sorted.length - 1]];
  if (!(to > from) || !(sigma > 0)) return { low: from, high: to, softening: SOFTENING_WITHOUT_SKY };
  to = Math.max(to, sky + LEAST_WHITE_SIGMAS * sigma);
  const softening = clip((SOFTENING_SIGMAS * sigma) / (to - from), LEAST_SOFTENING, MOST_SOFTENING);
  return { low: from, high: to, softening };
}

const mtf = (midtones, x) =>
  x <= 0 ? 0 : x >= 1 ? 1 : ((midtones - 1) * x) / ((2 * midtones - 1) * x - midtones);

// Each takes sorted values and the settings, and returns {low, shade}: what is black, and the
// function from a value to [0, 1]; null where all values are equal.
const STRETCHES = {
  asinh(sorted, { brightness, contrast }) {
    const { low, high, softening } = limitsOf(sorted);
    if (!(high > low)) return null;
    const range = (high - low) * 2 ** (-brightness / HALF_STEPS);
    const soft = clip(softening * 2 ** (-contrast / HALF_STEPS), LEAST_SOFTENING, 10);
    const most = Math.asinh(1 / soft);
    return { low, shade: (v) => Math.asinh(clip((v - low) / range, 0, 1) / soft) / most };
  },
  mtf(sorted, { brightness, contrast }) {
    const low = sorted[0], range = sorted[sorted.length - 1] - low;
    if (!(range > 0)) return null;
    const median = percentile(sorted, 50);
    const deviations = sortedOf(sorted.map((v) => Math.abs(v - median)));
    const mad = percentile(deviations, 50);
    const sigma = SIGMA_OF_MAD * mad;
    const usual = Math.max(median + MTF_SHADOWS * sigma - low, 0);
    const black = clip((usual + 0.4 * contrast * sigma) / range, -1, 0.99);
    const background = clip(MTF_BACKGROUND * 2 ** (brightness / HALF_STEPS), 0.01, 0.95);
    let middle = ((median - low) / range - black) / (1 - black);
    // Without noise the median is black itself: the mean is what is to be seen then.
    if (!(middle > 1e-6)) middle = (sorted.reduce((a, b) => a + b) / sorted.length - low) / range - black;
    const midtones = middle > 1e-6 ? mtf(background, Math.min(middle, 0.999)) : 0.5;
    const shade = (v) => mtf(midtones, ((v - low) / range - black) / (1 - black));
    return { low: low + black * range, shade };
  },
  linear(sorted, { brightness, contrast }) {
    const { low, high } = limitsOf(sorted);
    if (!(high > low)) return null;
    const black = low + 0.03 * contrast * (high - low);
    const range = (high - low) * 2 ** (-brightness / HALF_STEPS);
    return { low: black, shade: (v) => clip((v - black) / range, 0, 1) };
  },
};

// One band: RGBA bytes.
function greyPicture(plane, settings) {
  const made = STRETCHES[settings.stretch](sortedOf(plane), settings);
  const bytes = new Uint8ClampedArray(4 * plane.length);
  for (let i = 0; i < plane.length; i++) {
    const value = made ? 255 * made.shade(plane[i]) : 0;
    bytes.set([value, value, value, 255], 4 * i);
  }
  return bytes;
}

// Three bands as red, green and blue, each from its own sky and in units of its brightness; their
// mean is stretched, and each band by the same factor (Lupton et al. 2004, PASP 116, 133).
function colourPicture(planes, brightness, settings) {
  const size = planes[0].length;
  const bands = planes.map((plane, c) => {
    const scaled = Float64Array.from(plane, (v) => v / brightness[c]);
    const sky = percentile(sortedOf(scaled), 50);
    return scaled.map((v) => v - sky);
  });
  const mean = bands[0].map((v, i) => (v + bands[1][i] + bands[2][i]) / 3);
  const made = STRETCHES[settings.stretch](sortedOf(mean), settings);
  const bytes = new Uint8ClampedArray(4 * size);
  for (let i = 0; i < size; i++) {
    bytes[4 * i + 3] = 255;
    if (!made) continue;
    const above = mean[i] - made.low;
    const factor = above > 0 ? made.shade(mean[i]) / above : 0;
    const shown = bands.map((band) => Math.max((band[i] - made.low) * factor, 0));
    const most = Math.max(...shown, 1);
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = (255 * shown[c]) / most;
  }
  return bytes;
}
