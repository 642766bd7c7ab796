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
  const picture = made("div", { className: "drawing", ariaHidden: "true" }) // the words say what it shows
  const words = made("p", { className: "words", role: "status" })
  let locked = !grid.guess, said = ""

  function show() {
    const at = grid.controls.reduce((sum, control, i) => sum * control.options.length + Number(inputs[i].value), 0)
    const state = grid.states[grid.at[at]]
    inputs.forEach((input, i) => {
      input.disabled = state.off.includes(i)
      values[i].textContent = state.labels[i]
      input.setAttribute("aria-valuetext", state.labels[i])
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

addEventListener("DOMContentLoaded", async () => {
  const places = [...document.querySelectorAll(".widget[data-grids]")]
  if (!places.length) return
  const { cells } = await (await fetch(places[0].dataset.grids)).json()
  for (const place of places) widget(place, cells[place.dataset.cell])
})
