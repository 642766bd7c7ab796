// What the page does: keep 64 pixels, and show what each network makes of them.

import { certify, fgsm, largest, leastLead, logits, network, pgd, read, softmax } from "./network.js";

const NETWORKS = {
  undefended: ["undefended", "trained as usual"],
  adversarial: ["adversarially trained", "on its own worst cases (lesson 03)"],
  interval: ["trained for its proof", "by intervals (lesson 07b)"],
  noise: ["trained on noise", "and asked once here (lesson 07)"],
};
const find = (id) => document.getElementById(id);
const pixels = new Float64Array(64);
let layers = {}, digits = null, sigma = 0, shown = 0, cursor = 0;

// The digit.

const cells = Array.from({ length: 64 }, (_, k) => {
  const row = k % 8 ? find("grid").lastChild : find("grid").appendChild(document.createElement("div"));
  row.setAttribute("role", "row");
  const cell = row.appendChild(document.createElement("div"));
  cell.setAttribute("role", "gridcell");
  cell.dataset.at = k;
  return cell;
});

function paint() {
  cells.forEach((cell, k) => {
    const light = Math.round(255 * (1 - pixels[k]));
    cell.style.background = `rgb(${light}, ${light}, ${light})`;
    cell.setAttribute("aria-label", `row ${(k >> 3) + 1}, column ${(k % 8) + 1}: ink ${Math.round(100 * pixels[k])} %`);
    cell.tabIndex = k === cursor ? 0 : -1;
  });
}

/** Ink on a pixel, and some on its neighbours, as a pen that is wider than a pixel leaves it. */
function ink(k, amount) {
  const near = [[k, amount], [k % 8 ? k - 1 : -1, amount / 4], [k % 8 < 7 ? k + 1 : -1, amount / 4], [k - 8, amount / 4], [k + 8, amount / 4]];
  for (const [at, more] of near) if (at >= 0 && at < 64) pixels[at] = Math.min(Math.max(pixels[at] + more, 0), 1);
  paint();
  answer();
}

let last = -1;
function draw(event) {
  const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-at]");
  if (!cell || (event.type === "pointermove" && (!event.buttons || +cell.dataset.at === last))) return;
  cursor = last = +cell.dataset.at;
  ink(last, 0.8);
}
find("grid").addEventListener("pointerdown", (event) => {
  event.preventDefault();
  draw(event);
  cells[cursor].focus({ preventScroll: true });
});
find("grid").addEventListener("pointermove", draw);
find("grid").addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: cursor % 8 ? -1 : 0, ArrowRight: cursor % 8 < 7 ? 1 : 0, ArrowUp: cursor > 7 ? -8 : 0, ArrowDown: cursor < 56 ? 8 : 0 };
  if (event.key in moves) {
    cursor += moves[event.key];
    paint();
    cells[cursor].focus();
  } else if (event.key === " ") ink(cursor, 0.8);
  else if (event.key === "Backspace") ink(cursor, -0.8);
  else return;
  event.preventDefault();
});

function take(k) {
  shown = k;
  for (let i = 0; i < 64; i++) pixels[i] = digits.data[64 * k + i] / 16;
  paint();
  answer();
}
find("another").addEventListener("click", () => take((shown + 1) % digits.shape[0]));
find("clear").addEventListener("click", () => { pixels.fill(0); paint(); answer(); });

// The answers.

const percent = (share) => `${Math.round(100 * share)} %`;

function picture(image, words) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 8;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  const data = new ImageData(8, 8);
  image.forEach((value, k) => data.data.set([...Array(3).fill(Math.round(255 * (1 - value))), 255], 4 * k));
  canvas.getContext("2d").putImageData(data, 0, 0);
  return canvas;
}

function certain(name, label, eps) {
  if (name === "noise") {
    const vote = certify(layers[name], pixels, sigma);
    return vote.label < 0 ? "answer withheld: the votes are too close" : `${vote.label} certified within ${vote.radius.toFixed(2)} in L2`;
  }
  return leastLead(layers[name], pixels, label, eps) > 0 ? `${label} proved within the budget` : "not proved";
}

function answer() {
  if (!digits) return;
  const eps = +find("eps").value, steps = +document.querySelector("[name=steps]:checked").value;
  find("eps-shown").value = `${Math.round(100 * eps)} % of the ink`;
  const blank = pixels.every((value) => value === 0), rows = [], fell = [];
  for (const [name, [title, how]] of Object.entries(NETWORKS)) {
    const says = softmax(logits(layers[name], pixels)), label = largest(says);
    const image = steps === 1 ? fgsm(layers[name], pixels, label, eps) : pgd(layers[name], pixels, label, eps, steps);
    const then = softmax(logits(layers[name], image)), after = largest(then);
    if (after !== label) fell.push(title);
    const row = document.createElement("tr");
    row.innerHTML = `<th scope="row">${title}<small>${how}</small></th><td></td><td></td><td></td><td></td>`;
    const [one, two, three, four] = row.querySelectorAll("td");
    if (blank) one.textContent = "nothing to read";
    else {
      one.textContent = `${label} (${percent(says[label])})`;
      if (steps) {
        two.append(picture(image, `the attacked image of the network ${title}`));
        three.textContent = `${after} (${percent(then[after])})`;
        three.className = after === label ? "same" : "changed";
        three.append(after === label ? ", as before" : ", changed");
      } else two.textContent = three.textContent = "–";
      four.textContent = certain(name, label, eps);
    }
    rows.push(row);
  }
  find("rows").replaceChildren(...rows);
  find("said").textContent = blank ? "The page is blank." : !steps ? "No attack yet: choose its steps."
    : fell.length ? `The attack changed the answer of: ${fell.join(", ")}.` : "The attack changed no answer. A stronger one may.";
}
find("eps").addEventListener("input", answer);
document.querySelectorAll("[name=steps]").forEach((choice) => choice.addEventListener("change", answer));

const { tensors, notes } = await read(new URL("networks.safetensors", import.meta.url));
for (const name of Object.keys(NETWORKS)) layers[name] = network(tensors, name);
digits = tensors.digits;
sigma = +notes.sigma;
find("eps").value = notes.eps;
take(0);
