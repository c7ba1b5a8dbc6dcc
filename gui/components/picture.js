// Choosing, dropping and pasting a picture; a click on a patch when the page asks for one.
async function take(file) {
  if (!file) return;
  if (!file.type.startsWith("image/")) {
    trigger("refused", { name: file.name });
    return;
  }
  element.classList.add("busy");
  try {
    const sent = await upload(file);
    trigger("picture", { path: sent.path });
  } catch (error) {
    trigger("refused", { name: file.name });
  } finally {
    element.classList.remove("busy");
  }
}

// Where the picture itself is: a tall one leaves room at its sides.
function seen(image) {
  const box = image.getBoundingClientRect();
  const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  const width = image.naturalWidth * scale;
  const height = image.naturalHeight * scale;
  return {
    left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2,
    width: width, height: height,
  };
}

// Other latents were selected: the trail and the hint say so at once, nothing is drawn anew.
const onPick = (event) => {
  if (!element.isConnected) {
    window.removeEventListener("zscope-pick", onPick);
    return;
  }
  const figure = element.querySelector("figure[data-point]");
  if (!figure) return;
  const here = event.detail.span === Number(figure.dataset.span);
  const steps = here ? event.detail.steps : [];
  for (const pin of figure.querySelectorAll("g.pinned")) {
    const own = pin.dataset.steps.split(",").map(Number);
    pin.classList.toggle("on", own.some((k) => steps.includes(k)));
  }
  figure.classList.toggle("pointing", steps.length > 0);
  const hint = element.querySelector(".hint");
  if (hint && steps.length) {
    hint.textContent = `Click a place to ${figure.dataset.point.replace("{}", `z${window.zscopeSteps(steps)}`)}.`;
  }
};
window.addEventListener("zscope-pick", onPick);

element.addEventListener("click", (event) => {
  if (event.target.closest("[data-act=choose]") || event.target.closest(".picture.empty")) {
    element.querySelector("input[type=file]").click();
    return;
  }
  const figure = event.target.closest(".picture.pointing");
  if (!figure) return;
  const box = seen(figure.querySelector("img"));
  const rows = Number(figure.dataset.rows);
  const columns = Number(figure.dataset.columns);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
  if (row >= 0 && row < rows && column >= 0 && column < columns) {
    trigger("point", { row: row, column: column });
  }
});
element.addEventListener("change", (event) => {
  if (event.target.matches("input[type=file]")) {
    take(event.target.files[0]);
    event.target.value = "";
  }
});
for (const name of ["dragenter", "dragover"]) {
  element.addEventListener(name, (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
}
element.addEventListener("dragleave", () => element.classList.remove("over"));
element.addEventListener("drop", (event) => {
  event.preventDefault();
  element.classList.remove("over");
  take(event.dataTransfer.files[0]);
});

// One listener for the page, however often the picture is mounted.
if (window.zscopePaste) document.removeEventListener("paste", window.zscopePaste);
window.zscopePaste = (event) => {
  const files = [...((event.clipboardData && event.clipboardData.files) || [])];
  const picture = files.find((file) => file.type.startsWith("image/"));
  if (picture) {
    event.preventDefault();
    take(picture);
  }
};
document.addEventListener("paste", window.zscopePaste);
