// Draws props.value over the picture: what is not looked at grows dark. Texts go in as text only.
const make = (name, more) => Object.assign(document.createElement(name), more || {});
const SPACE = "http://www.w3.org/2000/svg";
let dark = 0.55;
let shown = null; // "z3" whose controls stand there

function overlay() {
  const figure = document.querySelector("#picture figure.picture:not(.empty)");
  if (!figure) return;
  const old = figure.querySelector("svg.heat");
  const value = props.value;
  if (!value || !dark) {
    if (old) old.remove();
    return;
  }
  const image = figure.querySelector("img");
  const height = 400 * ((image.naturalHeight || 1) / (image.naturalWidth || 1));
  const key = JSON.stringify([value.heat, height]);
  let svg = old;
  if (!svg || svg.dataset.key !== key) {
    const canvas = make("canvas", { width: value.columns, height: value.rows });
    const brush = canvas.getContext("2d");
    const pixels = brush.createImageData(value.columns, value.rows);
    const most = Math.max(...value.heat) || 1;
    value.heat.forEach((v, i) => { pixels.data[4 * i + 3] = Math.round(255 * (1 - v / most)); });
    brush.putImageData(pixels, 0, 0);
    svg = document.createElementNS(SPACE, "svg");
    svg.setAttribute("class", "heat");
    svg.setAttribute("viewBox", `0 0 400 ${height}`);
    svg.setAttribute("aria-hidden", "true");
    svg.dataset.key = key;
    const sheet = document.createElementNS(SPACE, "image");
    sheet.setAttribute("width", 400);
    sheet.setAttribute("height", height);
    sheet.setAttribute("preserveAspectRatio", "none");
    sheet.setAttribute("href", canvas.toDataURL());
    svg.append(sheet);
    if (old) old.replaceWith(svg);
    else image.after(svg);
  }
  svg.style.opacity = dark;
}

function choice(name, count, chosen) {
  const label = make("label", { textContent: name });
  const select = make("select");
  select.setAttribute("aria-label", name);
  select.append(make("option", { value: "", textContent: "mean" }));
  for (let i = 0; i < count; i++) {
    select.append(make("option", { value: String(i), textContent: String(i + 1) }));
  }
  select.value = chosen === null ? "" : String(chosen);
  select.dataset.name = name;
  select.addEventListener("change", () => {
    const [layer, head] = [...element.querySelectorAll("select")].map((s) => s.value);
    trigger("look", { layer: layer === "" ? null : Number(layer), head: head === "" ? null : Number(head) });
  });
  label.append(select);
  return label;
}

function draw() {
  const box = element.querySelector(".look");
  const value = props.value;
  element.classList.toggle("blank", !value);
  if (!value) {
    box.replaceChildren();
    shown = null;
  } else {
    const kind = JSON.stringify([value.name, value.layers, value.heads, value.shares]);
    if (shown !== kind) {
      shown = kind;
      const title = make("h3", { textContent: `Where ${value.name} looks` });
      const row = make("div", { className: "choices" });
      if (value.layers) row.append(choice("Layer", value.layers, value.layer), choice("Head", value.heads, value.head));
      const range = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: dark });
      range.title = "how dark what is not looked at grows";
      range.setAttribute("aria-label", "shade over what is not looked at");
      range.addEventListener("input", () => { dark = Number(range.value); overlay(); });
      row.append(range);
      const bar = make("div", { className: "shares" });
      bar.setAttribute("role", "img");
      bar.setAttribute("aria-label", value.shares.map(([n, v]) => `${n} ${Math.round(100 * v)} %`).join(", "));
      const said = make("p", { className: "plain" });
      value.shares.forEach(([name, v], i) => {
        const part = make("i", { title: `${name} ${(100 * v).toFixed(1)} %`, className: `g${i}` });
        part.style.flexGrow = v;
        bar.append(part);
        const word = make("span", { className: `g${i}`, textContent: `${name} ${Math.round(100 * v)} %` });
        said.append(word);
      });
      box.replaceChildren(title, row, bar, said);
    }
  }
  overlay();
}

if (window.zscopeLook) window.zscopeLook.disconnect();
window.zscopeLook = new MutationObserver(overlay);
const where = document.querySelector("#picture");
if (where) {
  window.zscopeLook.observe(where, { childList: true, subtree: true });
  where.addEventListener("load", overlay, true); // a picture's size is known once it is decoded
}
watch("value", draw);
draw();
