// The lessons' widgets on a page without a kernel: the lesson's run drew every setting, and controls look it up.
// What a grid holds is said in utils/widgets/grid.py.

function made(kind, given = {}, ...inside) {
  const element = Object.assign(document.createElement(kind), given)
  element.append(...inside)
  return element
}

function list(control) {
  const options = control.options.map((label, i) => made("option", { value: i, textContent: label }))
  const select = made("select", {}, ...options)
  select.value = control.start
  return select
}

function slider(control) {
  return made("input", { type: "range", min: 0, max: control.options.length - 1, step: 1, value: control.start })
}

function widget(place, grid) {
  const inputs = grid.controls.map((control) => (control.kind === "slider" ? slider(control) : list(control)))
  const values = grid.controls.map((control) => made("span", { className: "value" }))
  const rows = grid.controls.map((control, i) =>
    made("label", {}, made("span", { textContent: control.label }), inputs[i], ...(control.kind === "slider" ? [values[i]] : [])))
  rows.forEach((row, i) => { // what never applies is left out
    row.hidden = grid.controls[i].options.length < 2 || grid.states.every((state) => state.off.includes(i))
  })
  const picture = made("div", { className: "drawing", ariaHidden: "true" }) // the words say what it shows
  const words = made("p", { className: "words", role: "status" })
  let locked = !grid.guess, said = ""

  function show() {
    const at = grid.controls.reduce((sum, control, i) => sum * control.options.length + Number(inputs[i].value), 0)
    const state = grid.states[grid.at[at]]
    inputs.forEach((input, i) => {
      input.disabled = state.off.includes(i)
      values[i].textContent = state.labels[i]
      if (input.type === "range") input.setAttribute("aria-valuetext", state.labels[i])
    })
    if (!locked) return
    const [width, height] = grid.size
    picture.innerHTML = `<svg viewBox="0 0 ${width} ${height}">${grid.shared}${state.parts.map((i) => grid.parts[i]).join("")}</svg>`
    words.textContent = said + state.words
  }

  const guess = []
  if (grid.guess) {
    const pick = list(grid.guess), button = made("button", { type: "button", textContent: "Lock" })
    button.onclick = () => {
      locked = pick.disabled = button.disabled = true
      said = `You said “${grid.guess.options[pick.value]}”.\n`
      show()
      said = ""
    }
    guess.push(made("label", {}, made("span", { textContent: grid.guess.label }), pick), button)
    words.textContent = "Choose above, say what you expect, and lock it."
  }
  inputs.forEach((input) => (input.oninput = show))
  const note = grid.thinned ? [made("p", { textContent: "In a running notebook the sliders have more steps." })] : []
  place.replaceChildren(made("div", { className: "controls" }, ...rows, ...guess), picture, words, ...note)
  show()
  place.dataset.ready = "yes"
}

// A question, to be answered before the folded outputs below it are opened; `answers` are the places that compare.
function question(place, { question, guess }, answers) {
  const input = slider(guess), value = made("span", { className: "value" })
  const lock = made("button", { type: "button", textContent: "Lock" })
  const skip = made("button", { type: "button", textContent: "Show without a guess" })
  const words = made("p", { className: "words", role: "status" })
  const show = () => {
    value.textContent = guess.options[input.value]
    input.setAttribute("aria-valuetext", value.textContent)
  }
  const open = (at) => {
    skip.disabled = true
    for (const fold of document.querySelectorAll("details.hide")) {
      const below = place.compareDocumentPosition(fold) & Node.DOCUMENT_POSITION_FOLLOWING
      const last = answers.at(-1).place
      if (below && (fold.contains(last) || fold.compareDocumentPosition(last) & Node.DOCUMENT_POSITION_FOLLOWING)) fold.open = true
    }
    const told = answers.map(({ grid }) => (at === undefined ? grid.unsaid : grid.said[at]))
    answers.forEach(({ place, picture }, i) => place.replaceChildren(made("p", { className: "words", textContent: told[i] }), picture))
    words.textContent = told.join("\n")
  }
  input.oninput = show
  lock.onclick = () => {
    input.disabled = lock.disabled = true
    open(input.value)
  }
  skip.onclick = () => open()
  const label = made("label", {}, made("span", { textContent: guess.label }), input, value)
  place.replaceChildren(made("p", {}, made("b", { textContent: question })), made("div", { className: "controls" }, label, lock, skip), words)
  for (const answer of answers) {
    answer.picture = answer.place.firstElementChild
    answer.place.replaceChildren(made("p", { textContent: "Lock a prediction above to compare." }))
  }
  show()
  place.dataset.ready = "yes"
}

// Large grids come when the reader is near them: a page stays light.
const near = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting) continue
    near.unobserve(target)
    load(target).then((grid) => widget(target, grid))
  }
}, { rootMargin: "600px" })
const load = async (place) => (await fetch(place.dataset.grid)).json()

addEventListener("DOMContentLoaded", async () => {
  document.querySelectorAll(".widget[data-kind=states]").forEach((place) => near.observe(place))
  const places = [...document.querySelectorAll(".widget:not([data-kind=states])")]
  const all = await Promise.all(places.map(async (place) => ({ place, grid: await load(place) })))
  all.forEach(({ place, grid }, i) => {
    if (!grid.question) return
    const next = all.findIndex((one, j) => j > i && one.grid.question)
    question(place, grid, all.slice(i + 1, next < 0 ? undefined : next))
  })
})
addEventListener("beforeprint", () => document.querySelectorAll("details.hide").forEach((fold) => (fold.open = true)))
