// The course's small network in plain JavaScript: its answer, its input gradient, attacks, votes under noise, intervals.
// Nothing here knows of the page. Images are rows of 64 numbers from 0 (paper) to 1 (ink). Numbers of JavaScript are
// float64; what a layer hands on is kept in float32, as PyTorch keeps it.

export const PIXELS = 64, CLASSES = 10;

// ---- Loading

// A convolution is a linear map with most weights zero. Written out once as a matrix, it needs no code of its own
// afterwards: forward, gradient and intervals know only "weight times x plus bias".
function convolution(weight, bias, { from, to, size, stride }) {
  const out = Math.ceil(size / stride);
  const matrix = new Float32Array(to * out * out * from * size * size), all = new Float32Array(to * out * out);
  for (let o = 0; o < to; o++)
    for (let row = 0; row < out; row++)
      for (let column = 0; column < out; column++) {
        const line = (o * out + row) * out + column;
        all[line] = bias[o];
        for (let i = 0; i < from; i++)
          for (let a = 0; a < 3; a++)
            for (let b = 0; b < 3; b++) {
              const y = row * stride + a - 1, x = column * stride + b - 1; // one pixel of padding around the image
              if (y < 0 || x < 0 || y >= size || x >= size) continue;
              matrix[line * from * size * size + (i * size + y) * size + x] = weight[((o * from + i) * 3 + a) * 3 + b];
            }
      }
  return affine(matrix, all);
}

// `terms`: the most products in one sum, for the rounding margin of the intervals.
function affine(weight, bias) {
  const inputs = weight.length / bias.length;
  let terms = 0;
  for (let o = 0; o < bias.length; o++) {
    let some = 0;
    for (let i = 0; i < inputs; i++) if (weight[o * inputs + i] !== 0) some++;
    terms = Math.max(terms, some);
  }
  return { weight, bias, inputs, outputs: bias.length, terms };
}

// One network from its row of numbers: {mean, std, layers}. Between two layers stands a ReLU.
export function network(row) {
  let at = 0;
  const take = (n) => row.subarray(at, (at += n));
  const [mean, std] = [take(1)[0], take(1)[0]];
  const layers = [
    convolution(take(16 * 9), take(16), { from: 1, to: 16, size: 8, stride: 2 }),
    convolution(take(32 * 16 * 9), take(32), { from: 16, to: 32, size: 4, stride: 1 }),
    affine(take(100 * 512), take(100)),
    affine(take(CLASSES * 100), take(CLASSES)),
  ];
  if (at !== row.length) throw new Error(`a network has ${at} numbers, the file gives ${row.length}`);
  return { mean, std, layers };
}

// What networks.json says, with `networks` as [name, network] pairs and digits as images in [0, 1].
export async function load(folder) {
  const [about, file] = await Promise.all([
    fetch(new URL("networks.json", folder)).then((answer) => answer.json()),
    fetch(new URL("networks.bin", folder)).then((answer) => answer.arrayBuffer()),
  ]);
  const view = new DataView(file), all = new Float32Array(file.byteLength / 4);
  for (let i = 0; i < all.length; i++) all[i] = view.getFloat32(4 * i, true); // little-endian on every machine
  const each = all.length / about.networks.length;
  const networks = about.networks.map((name, i) => [name, network(all.subarray(i * each, (i + 1) * each))]);
  const digits = about.digits.map((one) => Float32Array.from(one, (ink) => ink / about.inks));
  return { ...about, networks, digits };
}

// ---- Forward and back

function times({ weight, bias, inputs, outputs }, x) {
  const answer = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let sum = bias[o];
    for (let i = 0, w = o * inputs; i < inputs; i++, w++) sum += weight[w] * x[i];
    answer[o] = sum;
  }
  return answer;
}

// What enters each layer; the last entry is the logits. The way back needs to know which ReLUs were open.
function trace({ mean, std, layers }, x) {
  const values = [x.map((pixel) => (pixel - mean) / std)];
  layers.forEach((layer, i) => {
    const answer = times(layer, values[i]);
    values.push(i < layers.length - 1 ? answer.map((v) => Math.max(v, 0)) : answer);
  });
  return values;
}

export const logits = (net, x) => trace(net, x)[net.layers.length];

export function softmax(scores) {
  const most = Math.max(...scores), powers = Array.from(scores, (score) => Math.exp(score - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

export const best = (scores) => scores.indexOf(Math.max(...scores));

// The gradient of the cross-entropy at `label` with respect to the pixels, and the logits on the way. The softmax is taken
// in float64: in float32 an answer that is all but certain leaves a gradient of mere rounding.
export function gradient(net, x, label) {
  const values = trace(net, x), scores = values[net.layers.length];
  let back = Float32Array.from(softmax(scores), (p, c) => p - (c === label)); // of cross-entropy, at the logits
  for (let l = net.layers.length - 1; l >= 0; l--) {
    const { weight, inputs, outputs } = net.layers[l], before = new Float32Array(inputs);
    for (let o = 0; o < outputs; o++) {
      if (back[o] === 0) continue; // a closed ReLU lets nothing through
      for (let i = 0, w = o * inputs; i < inputs; i++, w++) before[i] += weight[w] * back[o];
    }
    if (l > 0) for (let i = 0; i < inputs; i++) if (values[l][i] <= 0) before[i] = 0;
    back = before;
  }
  return { scores, gradient: back.map((g) => g / net.std) };
}

// ---- Attacks, L-infinity

// Each pixel at most eps from x, and within [0, 1].
const inside = (moved, x, eps) =>
  moved.map((v, i) => Math.min(Math.max(Math.min(Math.max(v, x[i] - eps), x[i] + eps), 0), 1));

// One step of `length` along the sign of the gradient: for a linear loss, no other move within eps gains more.
const climb = (from, slope, length) => from.map((v, i) => v + length * Math.sign(slope[i]));

export const fgsm = (net, x, label, eps) => inside(climb(x, gradient(net, x, label).gradient, eps), x, eps);

// Returns the first image on the way that gets another answer than `label`, else the last one: as utils.attacks.pgd.
export function pgd(net, x, label, eps, { steps = 20, start = false } = {}) {
  let moved = start ? inside(x.map((v) => v + eps * (2 * uniform() - 1)), x, eps) : x;
  for (let step = 0; step < steps; step++) {
    const { scores, gradient: slope } = gradient(net, moved, label);
    if (best(scores) !== label) return moved;
    moved = inside(climb(moved, slope, (2.5 * eps) / steps), x, eps); // together enough to cross the ball
  }
  return moved;
}

// ---- Chance

const pool = new Uint32Array(4096);
let used = pool.length;

export function uniform() {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  return (pool[used++] + 0.5) / 2 ** 32; // never 0, whose logarithm is infinite
}

// Box and Muller 1958.
export const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());

// ---- Randomized smoothing (Cohen et al. 2019)

// Votes of the network on `n` noisy copies are added to `counts`.
export function vote(net, x, sigma, n, counts, noise = normal) {
  for (let copy = 0; copy < n; copy++) counts[best(logits(net, x.map((v) => v + sigma * noise())))]++;
  return counts;
}

// The share p of which k or more hits in n are as rare as `failure`: Clopper and Pearson 1934, from below.
export function shareBelow(k, n, failure) {
  if (k === 0) return 0;
  const logs = [0];
  for (let i = 1; i <= n; i++) logs.push(logs[i - 1] + Math.log(i)); // of factorials
  const tail = (p) => {
    let sum = 0;
    for (let i = k; i <= n; i++)
      sum += Math.exp(logs[n] - logs[i] - logs[n - i] + i * Math.log(p) + (n - i) * Math.log1p(-p));
    return sum;
  };
  return crossing(tail, failure, 0, 1);
}

// The share of a normal distribution below z: Marsaglia 2004.
function below(z) {
  let [sum, term] = [z, z];
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) sum += term *= (z * z) / i;
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

const quantile = (p) => crossing(below, p, 0, 6);

// Where a rising function crosses a level, from below: 50 halvings.
function crossing(rising, level, low, high) {
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) > level) high = middle;
    else low = middle;
  }
  return low;
}

// What votes certify of a class that other votes have chosen. No radius where the share may be one half or less.
export function certificate(chosen, counts, sigma, failure = 0.001) {
  const n = counts.reduce((a, b) => a + b);
  const share = shareBelow(counts[chosen], n, failure);
  return share > 0.5 ? { label: chosen, radius: sigma * quantile(share) } : { label: -1, radius: 0 };
}

// ---- Intervals (Gowal et al. 2018)

const UNIT = 2 ** -24, TINY = 2 ** -126; // the rounding of one operation in float32, and its smallest normal number

// By how much the logit of `label` leads each other one, at least, at every image within eps; and, in `off`, how far
// rounding in float32 can move a logit. Bounds are computed in float64, as in utils.bounds.
export function leads(net, x, label, eps) {
  let middle = [], radius = [], off = [];
  for (let i = 0; i < PIXELS; i++) {
    const [low, high] = [Math.max(beside(x[i] - Math.fround(eps), -1), 0), Math.min(beside(x[i] + Math.fround(eps), 1), 1)];
    middle.push(((low + high) / 2 - net.mean) / net.std);
    radius.push((high - low) / 2 / net.std);
    off.push(rounding(1) * (high / net.std + net.mean / net.std) + TINY);
  }
  net.layers.forEach((layer, l) => {
    const { weight, bias, inputs, outputs, terms } = layer, last = l === net.layers.length - 1;
    const next = { middle: [], radius: [], off: [] };
    for (let o = 0; o < outputs; o++) {
      let [m, r, carried, size] = [bias[o], 0, 0, Math.abs(bias[o])];
      if (last) m -= bias[label];
      for (let i = 0; i < inputs; i++) {
        const w = weight[o * inputs + i], line = last ? w - weight[label * inputs + i] : w;
        if (w === 0 && line === 0) continue;
        m += line * middle[i]; // of the last layer, the difference of two logits has bounds of its own
        r += Math.abs(line) * radius[i];
        carried += Math.abs(w) * off[i];
        size += Math.abs(w) * (Math.abs(middle[i]) + radius[i] + off[i]);
      }
      next.off.push(carried + rounding(terms) * size + terms * TINY);
      if (last) [next.middle[o], next.radius[o]] = [m, r];
      else {
        const [low, high] = [Math.max(m - r, 0), Math.max(m + r, 0)]; // the ReLU only rises
        [next.middle[o], next.radius[o]] = [(low + high) / 2, (high - low) / 2];
      }
    }
    ({ middle, radius, off } = next);
  });
  return { least: middle.map((m, c) => (c === label ? Infinity : -m - radius[c])), off };
}

// The float32 before (-1) or after (1) a number: an attack that adds eps in float32 may round away from x.
const bits = new DataView(new ArrayBuffer(4));
function beside(number, way) {
  if (Math.fround(number) <= 0) return way * TINY;
  bits.setFloat32(0, number);
  bits.setInt32(0, bits.getInt32(0) + way); // positive floats are in the order of their bits
  return bits.getFloat32(0);
}

const rounding = (terms) => (1.001 * (terms + 4) * UNIT) / (1 - 1.001 * (terms + 4) * UNIT);

// Whether no image within eps gets another answer than `label`. No proof does not mean that there is such an image.
export function proved(net, x, label, eps) {
  const { least, off } = leads(net, x, label, eps);
  return least.every((lead, c) => c === label || lead > off[c] + off[label]);
}
