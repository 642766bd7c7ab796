// The course's small networks in plain JavaScript: 57,110 weights need no library.
//
// Each layer becomes a matrix, a convolution too, so that forward, gradient and bounds are three short loops.
// Numbers are float64 where the course's PyTorch has float32: logits agree to 1e-4 (tests/test_playground.py).

/** The tensors of a safetensors file, {name: {shape, data}}, and its notes. */
export async function read(address) {
  const bytes = await (await fetch(address)).arrayBuffer();
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  const notes = header.__metadata__ ?? {};
  delete header.__metadata__;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    const piece = bytes.slice(8 + length + begin, 8 + length + end);
    tensors[name] = { shape, data: dtype === "U8" ? new Uint8Array(piece) : new Float32Array(piece) };
  }
  return { tensors, notes };
}

/** A convolution of 3 x 3 with a border of one 0, for `size` x `size` inputs, as a matrix. */
function unrolled(weight, bias, size, stride) {
  const [outs, ins] = weight.shape;
  const side = Math.floor((size - 1) / stride) + 1;
  const matrix = { rows: outs * side * side, columns: ins * size * size };
  matrix.w = new Float64Array(matrix.rows * matrix.columns);
  matrix.b = new Float64Array(matrix.rows);
  for (let o = 0; o < outs; o++)
    for (let r = 0; r < side; r++)
      for (let c = 0; c < side; c++) {
        const row = (o * side + r) * side + c;
        matrix.b[row] = bias.data[o];
        for (let i = 0; i < ins; i++)
          for (let u = 0; u < 3; u++)
            for (let v = 0; v < 3; v++) {
              const y = stride * r + u - 1, x = stride * c + v - 1;
              if (y < 0 || y >= size || x < 0 || x >= size) continue;
              matrix.w[row * matrix.columns + (i * size + y) * size + x] = weight.data[((o * ins + i) * 3 + u) * 3 + v];
            }
      }
  return matrix;
}

/** A network of the file: four matrices, with ReLU between them. */
export function network(tensors, name) {
  const of = (key) => tensors[`${name}.${key}`];
  const linear = (key) => ({
    rows: of(`${key}.weight`).shape[0], columns: of(`${key}.weight`).shape[1],
    w: Float64Array.from(of(`${key}.weight`).data), b: Float64Array.from(of(`${key}.bias`).data),
  });
  const first = unrolled(of("1.weight"), of("1.bias"), 8, 2);
  const mean = of("0.mean").data[0], std = of("0.std").data[0];
  for (let row = 0; row < first.rows; row++)  // the first layer of the network subtracts the mean and divides
    for (let k = row * first.columns; k < (row + 1) * first.columns; k++) {
      first.w[k] /= std;
      first.b[row] -= first.w[k] * mean;
    }
  return [first, unrolled(of("3.weight"), of("3.bias"), 4, 1), linear("6"), linear("8")];
}

function times({ w, b, rows, columns }, x) {
  const y = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = b[r];
    for (let c = 0, k = r * columns; c < columns; c++, k++) sum += w[k] * x[c];
    y[r] = sum;
  }
  return y;
}

const relu = (x) => x.map((value) => Math.max(value, 0));

/** What enters each layer, and the ten logits at the end. */
function pass(layers, x) {
  const values = [x];
  layers.forEach((layer, i) => values.push(times(layer, i ? relu(values[i]) : x)));
  return values;
}

export const logits = (layers, x) => pass(layers, x)[layers.length];
export const largest = (row) => row.indexOf(Math.max(...row));

export function softmax(row) {
  const top = Math.max(...row), powers = Array.from(row, (value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / sum);
}

/** The gradient of the cross-entropy of label y with respect to the image. */
export function gradient(layers, x, y) {
  const values = pass(layers, x);
  let back = softmax(values[layers.length]);
  back[y] -= 1;
  for (let i = layers.length - 1; i >= 0; i--) {
    const { w, rows, columns } = layers[i], before = new Float64Array(columns);
    for (let r = 0; r < rows; r++)
      if (back[r] !== 0) for (let c = 0, k = r * columns; c < columns; c++, k++) before[c] += w[k] * back[r];
    back = i ? before.map((value, c) => (values[i][c] > 0 ? value : 0)) : before;
  }
  return back;
}

/** Projected gradient ascent (lesson 02), from x itself: away from label y, at most eps in every pixel. */
export function pgd(layers, x, y, eps, steps, step = (2.5 * eps) / steps) {
  let now = Float64Array.from(x);
  for (let i = 0; i < steps && largest(logits(layers, now)) === y; i++) {
    const g = gradient(layers, now, y);
    now = now.map((value, k) => {
      const moved = Math.min(Math.max(value + step * Math.sign(g[k]), x[k] - eps), x[k] + eps);
      return Math.min(Math.max(moved, 0), 1);
    });
  }
  return now;
}

/** One step with the sign of the gradient (lesson 01). */
export const fgsm = (layers, x, y, eps) => pgd(layers, x, y, eps, 1, eps);

/** By how much label y leads the next class at least, anywhere within eps (intervals, lesson 07b). Above 0: proved. */
export function leastLead(layers, x, y, eps) {
  let low = x.map((value) => Math.max(value - eps, 0)), high = x.map((value) => Math.min(value + eps, 1));
  layers.forEach(({ w, b, rows, columns }, i) => {
    if (i) [low, high] = [relu(low), relu(high)];
    if (i === layers.length - 1) return;
    const [from, to] = [new Float64Array(rows), new Float64Array(rows)];
    for (let r = 0; r < rows; r++) {
      from[r] = to[r] = b[r];
      for (let c = 0, k = r * columns; c < columns; c++, k++) {
        from[r] += w[k] * (w[k] > 0 ? low[c] : high[c]);
        to[r] += w[k] * (w[k] > 0 ? high[c] : low[c]);
      }
    }
    [low, high] = [from, to];
  });
  const { w, b, rows, columns } = layers[layers.length - 1];
  let least = Infinity;
  for (let other = 0; other < rows; other++) {
    if (other === y) continue;
    let lead = b[y] - b[other];
    for (let c = 0; c < columns; c++) {
      const apart = w[y * columns + c] - w[other * columns + c];
      lead += apart * (apart > 0 ? low[c] : high[c]);
    }
    least = Math.min(least, lead);
  }
  return least;
}

// Randomized smoothing (lesson 07).

function normal() {  // Box and Muller
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** How often each class is named for n noisy copies of x. */
export function votes(layers, x, sigma, n) {
  const counts = new Array(10).fill(0);
  for (let i = 0; i < n; i++) counts[largest(logits(layers, x.map((value) => value + sigma * normal())))]++;
  return counts;
}

/** A bound that the share lies above, but for a chance of `failure`, after k hits in n (Clopper and Pearson). */
export function shareAbove(k, n, failure) {
  if (k === 0) return 0;
  let low = 0, high = k / n;
  for (let i = 0; i < 60; i++) {
    const p = (low + high) / 2;
    let term = 0, tail = 0;  // the logarithm of n choose j, and P(at least k hits)
    for (let j = 0; j <= n; j++) {
      if (j >= k) tail += Math.exp(term + j * Math.log(p) + (n - j) * Math.log1p(-p));
      term += Math.log(n - j) - Math.log(j + 1);
    }
    if (tail > failure) high = p; else low = p;
  }
  return low;
}

/** The normal quantile of p in [0.5, 1), by Newton's method on the series of the distribution function. */
export function quantile(p) {
  let z = 0;
  for (let i = 0; i < 50; i++) {
    let term = z, sum = z;
    for (let k = 1; Math.abs(term) > 1e-17; k++) sum += term *= (z * z) / (2 * k + 1);
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    z -= (0.5 + density * sum - p) / density;
  }
  return z;
}

/** The class that most noisy copies get, and the length in L2 within which it is certain; label -1: withheld. */
export function certify(layers, x, sigma, n = 400, failure = 0.001) {
  const label = largest(votes(layers, x, sigma, 50)), hits = votes(layers, x, sigma, n)[label];
  const share = shareAbove(hits, n, failure);
  return share > 0.5 ? { label, radius: sigma * quantile(share) } : { label: -1, radius: 0 };
}
