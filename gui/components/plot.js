// Draws props.value with the page's own plotly.js; colours named var(--x) become real ones.
const place = () => element.querySelector(".plot");

function library() {
  if (window.Plotly) return Promise.resolve();
  if (!window.zscopePlotly) {
    window.zscopePlotly = new Promise((done, failed) => {
      const script = document.createElement("script");
      const root = (window.gradio_config && window.gradio_config.root) || "";
      script.src = root + "/gradio_api/file=" + props.plotly_path;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
  }
  return window.zscopePlotly;
}

function coloured(value, style) {
  if (typeof value === "string" && value.startsWith("var(")) {
    return style.getPropertyValue(value.slice(4, -1)).trim();
  }
  if (Array.isArray(value)) return value.map((v) => coloured(v, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, style)]));
  }
  return value;
}

function rows(traces) {
  const lines = [["series", "x", "y", "value"]];
  for (const t of traces) {
    if (t.type === "heatmap") {
      t.z.forEach((row, i) => row.forEach((v, j) => lines.push([t.name, t.x[j], t.y[i], v])));
    } else t.x.forEach((x, i) => lines.push([t.name, x, t.y[i], (t.text || [])[i] ?? ""]));
  }
  return lines.map((line) => line.map((v) => JSON.stringify(v ?? "")).join(",")).join("\n");
}

function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

const letters = (word) => ({
  width: 30, height: 16,
  svg: `<svg viewBox="0 0 30 16"><text x="0" y="13" font-size="12" font-family="sans-serif"
    fill="currentColor">${word}</text></svg>`,
});

// A method that takes longer than an act is asked for once the act's own drawing is there.
let method = null;
function wish() {
  const figure = props.value;
  const drawn = figure && figure.layout.meta && figure.layout.meta.method;
  if (!drawn) return;
  method = method || drawn;
  for (const button of element.querySelectorAll("button[data-method]")) {
    button.setAttribute("aria-pressed", button.dataset.method === method ? "true" : "false");
  }
  if (drawn !== method) {
    element.querySelector("h3 small").textContent = "computing…";
    trigger("method", { method: method });
  }
}
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-method]");
  if (!button || button.dataset.method === method) return;
  method = button.dataset.method;
  wish();
});

let queue = Promise.resolve();
let bound = false;
let listening = false;
let late = false;

async function draw() {
  const figure = props.value;
  const node = place();
  if (!node) return;
  element.classList.toggle("blank", !figure);
  if (!figure) return;
  if (!bound) {
    bound = true;
    new ResizeObserver(() => {
      if (!node.offsetWidth) return;
      if (late) redraw();
      else if (node.classList.contains("js-plotly-plot")) window.Plotly.Plots.resize(node);
    }).observe(node);
  }
  late = !node.offsetWidth; // not on the screen, in a tab behind: drawn once it is
  if (late) return;
  await library();
  const style = getComputedStyle(document.body);
  const drawn = coloured(figure, style);
  const name = props.plot_name;
  const note = element.querySelector("h3 small");
  const caption = figure.layout.meta && figure.layout.meta.caption;
  if (caption) note.textContent = caption;
  await window.Plotly.react(node, drawn.data, { ...drawn.layout, uirevision: name }, {
    displaylogo: false,
    responsive: true,
    displayModeBar: "hover",
    toImageButtonOptions: { format: "png", scale: 3, filename: `zscope ${name}` },
    modeBarButtonsToRemove: ["sendChartToCloud", "zoom2d", "pan2d", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    modeBarButtonsToAdd: [
      { name: "SVG", title: "Save as SVG", icon: letters("SVG"),
        click: (gd) => window.Plotly.downloadImage(gd, { format: "svg", filename: `zscope ${name}` }) },
      { name: "CSV", title: "Save the numbers as CSV", icon: letters("CSV"),
        click: () => save(rows(figure.data), `zscope ${name}.csv`) },
    ],
  });
  if (!listening) {
    listening = true;
    node.on("plotly_click", (event) => {
      const data = event.points[0] && event.points[0].customdata;
      if (data) trigger("point", { span: data[0], steps: [data[1]] });
    });
  }
}

const redraw = () => {
  queue = queue.then(draw).then(wish).catch((error) => console.error(error));
};
watch("value", redraw);
window.addEventListener("zscope-theme", redraw);
redraw();
