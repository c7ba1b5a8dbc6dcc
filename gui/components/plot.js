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

function rows(traces, layout) {
  const columns = layout.meta && layout.meta.columns; // what a point's customdata says
  const lines = [["series", "x", "y", ...(columns || ["value"])]];
  for (const t of traces) {
    if (columns) {
      t.x.forEach((x, i) => t.customdata && lines.push([t.name, x, t.y[i], ...t.customdata[i]]));
    } else if (t.type === "heatmap") {
      const named = layout.meta && layout.meta.named; // the cells' customdata names row and column
      const name = (i, j) => (named ? [t.customdata[i][j][4], t.customdata[i][j][3]] : [t.x[j], t.y[i]]);
      t.z.forEach((row, i) => row.forEach((v, j) => lines.push([t.name, ...name(i, j), v])));
    } else {
      const said = (i) => (t.meta === "steps" ? t.customdata[i][2] : (t.text || [])[i]);
      t.x.forEach((x, i) => lines.push([t.name, x, t.y[i], said(i) ?? ""]));
    }
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
  const opens = event.target.closest("button[data-open]");
  if (opens) {
    const tab = document.getElementById(`${opens.dataset.open}-button`);
    if (tab) tab.click();
    return;
  }
  const button = event.target.closest("button[data-method]");
  if (!button || button.dataset.method === method) return;
  method = button.dataset.method;
  wish();
});

// Many points are drawn by WebGL where the browser has it, as SVG otherwise.
function webgl() {
  if (window.zscopeWebgl === undefined) {
    const canvas = document.createElement("canvas");
    window.zscopeWebgl = Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  }
  return window.zscopeWebgl;
}

// What is saved is on white paper in the colours of the light page, at the zoom on the screen.
function onPaper(gd, figure) {
  const paper = document.body.appendChild(document.createElement("div"));
  paper.className = "light";
  const { data, layout } = coloured(figure, getComputedStyle(paper));
  paper.remove();
  for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    if (gd.layout[axis] && gd.layout[axis].range) layout[axis].range = [...gd.layout[axis].range];
  }
  const size = { width: gd.offsetWidth, height: gd.offsetHeight };
  return { data: data, layout: { ...layout, ...size, paper_bgcolor: "#fff", plot_bgcolor: "#fff" } };
}

// A figure of square panels is as high as its panels are wide.
function shape(node, figure) {
  const layout = (figure && figure.layout) || {};
  if (!layout.meta || !layout.meta.inner || !node.offsetWidth) return;
  const { l, r, t, b } = layout.margin;
  node.style.height = `${Math.round((node.offsetWidth - l - r) * layout.meta.inner + t + b)}px`;
}

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
      else if (node.classList.contains("js-plotly-plot")) {
        shape(node, props.value);
        window.Plotly.Plots.resize(node);
      }
    }).observe(node);
  }
  shape(node, figure);
  late = !node.offsetWidth; // not on the screen, in a tab behind: drawn once it is
  if (late) return;
  await library();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); // words before figures
  const style = getComputedStyle(document.body);
  const drawn = coloured(figure, style);
  const name = props.plot_name;
  const note = element.querySelector("h3 small");
  const caption = figure.layout.meta && figure.layout.meta.caption;
  if (caption) note.textContent = caption;
  if (!webgl()) drawn.data.forEach((t) => (t.type = t.type === "scattergl" ? "scatter" : t.type));
  const meta = figure.layout.meta || {};
  const tools = ["zoom2d", "pan2d", "select2d", "lasso2d"].filter((tool) => !meta.marks || tool === "select2d");
  const saved = (format, scale) => (gd) =>
    window.Plotly.downloadImage(onPaper(gd, figure), { format: format, scale: scale, filename: `zscope ${name}` });
  const [soft, ink] = ["--soft", "--ink"].map((colour) => style.getPropertyValue(colour).trim());
  const bar = { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink };
  // zoom stays for as long as the same view is drawn again
  await window.Plotly.react(node, drawn.data, { ...drawn.layout, modebar: bar, uirevision: meta.view || name }, {
    displaylogo: false,
    responsive: true,
    displayModeBar: "hover",
    modeBarButtonsToRemove: ["sendChartToCloud", "toImage", "autoScale2d", "zoomIn2d", "zoomOut2d", ...tools],
    modeBarButtonsToAdd: [
      { name: "PNG", title: "Save as PNG", icon: letters("PNG"), click: saved("png", 3) },
      { name: "SVG", title: "Save as SVG", icon: letters("SVG"), click: saved("svg", 1) },
      { name: "CSV", title: "Save the numbers as CSV", icon: letters("CSV"),
        click: () => save(rows(figure.data, figure.layout), `zscope ${name}.csv`) },
    ],
  });
  if (!listening) {
    listening = true;
    const mark = (event) => {
      const all = ((event && event.points) || []).slice(0, 4000).map((p) => p.customdata);
      const cells = ((event && event.points) || []).filter((p) => p.data.meta && p.data.meta.step >= 0);
      const points = [...all.filter(Boolean), ...cells.map((p) => [-1, p.data.meta.step, "bank", p.y, "", ""])];
      const own = points.filter((p) => p[2] === "run" && p[1] >= 0);
      if (own.length) {
        const steps = [...new Set(own.filter((p) => p[0] === own[0][0]).map((p) => p[1]))];
        const detail = { span: own[0][0], step: steps[0], steps: steps.sort((a, b) => a - b) };
        window.dispatchEvent(new CustomEvent("zscope-choose", { detail: detail }));
      }
      trigger("mark", { order: window.zscopeAim().order, points: points });
    };
    if (meta.marks) {
      node.on("plotly_click", mark);
      node.on("plotly_selected", (event) => event && mark(event));
    } else node.on("plotly_click", (event) => {
      const data = event.points[0] && event.points[0].customdata;
      if (!data) return;
      if (props.linked) {
        const detail = { span: data[0], step: data[1] };
        window.dispatchEvent(new CustomEvent("zscope-choose", { detail: detail }));
      } else trigger("point", { span: data[0], steps: [data[1]] });
    });
  }
}

const redraw = () => {
  queue = queue.then(draw).then(wish).catch((error) => console.error(error));
};
// The selected latents' marks get a ring; the figure itself stays as it is.
let later = 0;
const ring = (event) => {
  if (!element.isConnected) {
    window.removeEventListener("zscope-pick", ring);
    return;
  }
  clearTimeout(later);
  later = setTimeout(() => circle(event.detail), 120); // first what was asked for, then this
};
function circle({ span, steps }) {
  const node = place();
  if (!props.value || !node || !node.data) return;
  const ink = getComputedStyle(document.body).getPropertyValue("--ink").trim();
  node.data.forEach((trace, i) => {
    if (trace.type !== "scatter" || !trace.customdata || trace.meta !== "steps") return;
    const edges = trace.customdata.map(([s, k]) => (s === span && steps.includes(k) ? ink : trace.marker.color));
    window.Plotly.restyle(node, { "marker.line.color": [edges] }, [i]);
  });
}
if (props.linked) window.addEventListener("zscope-pick", ring);
watch("value", redraw);
window.addEventListener("zscope-theme", redraw);
redraw();
