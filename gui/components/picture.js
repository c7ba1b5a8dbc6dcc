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

element.addEventListener("click", (event) => {
  if (event.target.closest("[data-act=choose]") || event.target.closest(".picture.empty")) {
    element.querySelector("input[type=file]").click();
    return;
  }
  const figure = event.target.closest(".picture.pointing");
  if (!figure) return;
  const box = figure.querySelector("img").getBoundingClientRect();
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
