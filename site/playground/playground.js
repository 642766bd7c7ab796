// The page: a drawing, controls, a card for each network. All that is computed stands in network.js.
import { CLASSES, PIXELS, best, certificate, fgsm, load, logits, pgd, proved, softmax, vote } from "./network.js";

const NAMES = {
  undefended: ["Undefended", "trained on the digits as they are"],
  adversarial: ["Adversarially trained", "on digits that PGD attacked (lesson 03)"],
  noise: ["Trained on noise", "for randomized smoothing (lesson 07)"],
  intervals: ["Trained by intervals", "so that intervals can prove it (lesson 07b)"],
};
const FIRST = 100, VOTES = 1000; // as utils.smoothing.certify: votes that choose a class, and votes that count it
const $ = (id) => document.getElementById(id);
const percent = (p) => (p > 0.995 && p < 1 ? "over 99 %" : `${Math.round(100 * p)} %`);
const pause = () => new Promise((go) => setTimeout(go)); // the page stays alive between two pieces of work

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const course = await load(new URL(".", import.meta.url));
const drawing = new Float32Array(PIXELS);
let attack = "none", round = 0; // a round of votes ends when the drawing has changed

// ---- The drawing

const pixels = [];
for (let r = 0; r < 8; r++) {
  const row = element("div", { role: "row" });
  for (let c = 0; c < 8; c++) {
    pixels.push(element("div", { role: "gridcell", class: "pixel", tabindex: r || c ? -1 : 0 }));
    row.append(pixels.at(-1));
  }
  $("paper").append(row);
}

function shown(i) {
  pixels[i].style.setProperty("--dark", drawing[i]);
  pixels[i].setAttribute("aria-label", `row ${(i >> 3) + 1}, column ${(i & 7) + 1}: ${Math.round(100 * drawing[i])} % ink`);
}

function set(i, ink) {
  drawing[i] = ink;
  shown(i);
  update();
}

function place(x, label) {
  drawing.set(x);
  for (let i = 0; i < PIXELS; i++) shown(i);
  if (label !== undefined) $("label").value = label;
  update();
}

function cursor(i) {
  for (const pixel of pixels) pixel.tabIndex = -1;
  pixels[i].tabIndex = 0;
  pixels[i].focus();
}

$("paper").addEventListener("keydown", (event) => {
  const i = pixels.indexOf(event.target);
  if (i < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const [row, column] = [i >> 3, i & 7];
  if (event.key === "ArrowLeft") cursor(8 * row + Math.max(column - 1, 0));
  else if (event.key === "ArrowRight") cursor(8 * row + Math.min(column + 1, 7));
  else if (event.key === "ArrowUp") cursor(8 * Math.max(row - 1, 0) + column);
  else if (event.key === "ArrowDown") cursor(8 * Math.min(row + 1, 7) + column);
  else if (event.key === " ") set(i, drawing[i] > 0 ? 0 : 1);
  else if (/^[0-9]$/.test(event.key)) set(i, event.key / 9);
  else return;
  event.preventDefault(); // arrows and space would scroll the page
});

// A pen is wider than a pixel: the neighbours get some ink, as in the digits that the networks have seen.
function ink(event) {
  const { left, top, width, height } = $("paper").getBoundingClientRect();
  const [x, y] = [(8 * (event.clientX - left)) / width, (8 * (event.clientY - top)) / height];
  for (let i = 0; i < PIXELS; i++) {
    const far = Math.hypot((i & 7) + 0.5 - x, (i >> 3) + 0.5 - y);
    drawing[i] = Math.max(drawing[i], Math.min(Math.max(1.35 - far, 0), 1));
    shown(i);
  }
  update();
}

$("paper").addEventListener("pointerdown", (event) => {
  $("paper").setPointerCapture(event.pointerId);
  ink(event);
});
$("paper").addEventListener("pointermove", (event) => event.buttons && ink(event));

// ---- Controls

const next = Array(CLASSES).fill(0); // which test digit of each class comes next
for (let c = 0; c < CLASSES; c++) {
  const button = element("button", { type: "button", "aria-label": `a test digit ${c}` }, String(c));
  button.addEventListener("click", () => {
    const all = course.digits.filter((_, i) => course.labels[i] === c);
    place(all[next[c]++ % all.length], c);
  });
  $("samples").append(button);
  $("label").append(element("option", { value: c }, String(c)));
}
$("clear").addEventListener("click", () => place(new Float32Array(PIXELS)));
for (const id of ["eps", "steps", "start", "label"]) $(id).addEventListener("input", update);
const attacks = document.querySelectorAll("[data-attack]");
for (const button of attacks)
  button.addEventListener("click", () => {
    attack = button.dataset.attack;
    for (const other of attacks) other.setAttribute("aria-pressed", other === button);
    update();
  });

// ---- Cards

const cards = new Map();
for (const [name, net] of course.networks) {
  const [title, how] = NAMES[name];
  const card = { net, title };
  const part = (key, tag, attributes) => (card[key] = element(tag, attributes));
  const picture = part("picture", "div", { class: "picture", role: "img" });
  for (let i = 0; i < PIXELS; i++) picture.append(element("span", { class: "pixel" }));
  $("cards").append(
    element("article", { class: "card", "data-network": name, "aria-label": title },
      element("h3", {}, title), element("p", { class: "small" }, how),
      part("before", "p", { class: "answer" }), picture, part("after", "p", { class: "answer" }),
      element("dl", {},
        element("dt", {}, "By intervals"), part("interval", "dd", {}),
        element("dt", {}, "By votes under noise"), part("votes", "dd", {}))),
  );
  cards.set(name, card);
}

function attacked(net, x, label, eps) {
  if (attack === "fgsm") return fgsm(net, x, label, eps);
  if (attack === "pgd") return pgd(net, x, label, eps, { steps: +$("steps").value, start: $("start").checked });
  return x;
}

function answer(place, words, scores, right) {
  const c = best(scores), good = c === right;
  place.replaceChildren(`${words} `, element("b", {}, String(c)), ` ${percent(softmax(scores)[c])} `);
  place.append(element("span", { class: good ? "good" : "bad" }, good ? "✓ right" : "✗ wrong")); // not by colour alone
  return c;
}

function update() {
  const eps = +$("eps").value, label = +$("label").value, said = [];
  $("eps-value").value = eps.toFixed(2);
  $("steps-value").value = $("steps").value;
  for (const card of cards.values()) {
    const x = attacked(card.net, drawing, label, eps);
    const before = answer(card.before, "Before:", logits(card.net, drawing), label);
    const scores = logits(card.net, x);
    card.picture.childNodes.forEach((pixel, i) => pixel.style.setProperty("--dark", x[i]));
    const moved = x.filter((v, i) => v !== drawing[i]).length;
    card.picture.setAttribute("aria-label", attack === "none" ? "the digit as drawn" : `the attacked digit: ${moved} of 64 pixels moved`);
    card.after.hidden = attack === "none";
    const after = answer(card.after, "After:", scores, label);
    const changed = attack !== "none" && after !== before ? `, now ${after}` : "";
    said.push(`${card.title}: ${before}${changed}, ${percent(softmax(scores)[after])}.`);
    const sure = proved(card.net, drawing, before, eps);
    card.interval.textContent = sure ? `${before} is proved within ε = ${eps.toFixed(2)}` : `not proved within ε = ${eps.toFixed(2)}`;
  }
  $("status").textContent = said.join(" ");
  certify(++round, eps);
}

// Votes are taken in small pieces; whoever draws on begins a new round, and this one ends.
async function certify(mine, eps) {
  const x = drawing.slice();
  for (const card of cards.values()) card.votes.textContent = "votes are being counted …";
  await new Promise((go) => setTimeout(go, 250)); // not for each point of a line that is being drawn
  for (const { net, votes } of cards.values()) {
    const counts = [Array(CLASSES).fill(0), Array(CLASSES).fill(0)];
    for (const [which, n] of [[0, FIRST], [1, VOTES]])
      for (let cast = 0; cast < n; cast += 20) {
        vote(net, x, course.sigma, 20, counts[which]);
        await pause();
        if (mine !== round) return;
      }
    const chosen = best(counts[0]), { label, radius } = certificate(chosen, counts[1], course.sigma);
    const share = `${counts[1][chosen]} of ${VOTES} votes for ${chosen}`;
    votes.textContent = label < 0 ? `abstains: ${share}`
      : `${label} is certified within ${radius.toFixed(2)} in L2: ${share}; that ${radius > 8 * eps ? "covers" : "does not cover"} all changes of ε`;
  }
}

// ---- A hundred digits

$("count").textContent = course.digits.length;
$("sigma").textContent = course.sigma;
$("measure").addEventListener("click", async () => {
  const eps = +$("eps").value, steps = +$("steps").value, total = course.digits.length;
  $("measure").disabled = true;
  $("table").hidden = true;
  $("table").caption.textContent = `Right answers of ${total}, ε = ${eps.toFixed(2)}, ${steps} steps of PGD`;
  $("table").tBodies[0].replaceChildren();
  for (const { net, title } of cards.values()) {
    const right = [0, 0, 0, 0];
    for (let i = 0; i < total; i++) {
      const [x, y] = [course.digits[i], course.labels[i]];
      right[0] += best(logits(net, x)) === y;
      right[1] += best(logits(net, fgsm(net, x, y, eps))) === y;
      right[2] += best(logits(net, pgd(net, x, y, eps, { steps }))) === y;
      right[3] += proved(net, x, y, eps);
      if (i % 5 === 0) {
        $("progress").textContent = `${title} …`;
        await pause();
      }
    }
    $("table").tBodies[0].append(
      element("tr", {}, element("th", { scope: "row" }, title), ...right.map((n) => element("td", {}, String(n)))));
  }
  $("table").hidden = false;
  $("measure").disabled = false;
  $("progress").textContent = "Counted.";
});

$("eps").value = course.eps;
place(course.digits[0], course.labels[0]);
document.body.dataset.ready = "yes";
