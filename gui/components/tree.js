// Clicks on the branch list; a name is edited in place.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button || !element.contains(button)) return;
  if (button.dataset.act !== "rename") {
    trigger("act", { act: button.dataset.act, id: button.dataset.id, text: "" });
    return;
  }
  const title = button.closest(".leaf").querySelector(".title");
  const row = title.closest(".go");
  const field = document.createElement("input");
  field.value = title.dataset.title;
  field.className = "rename";
  field.setAttribute("aria-label", "new name");
  field.maxLength = 80;
  row.style.display = "none";
  row.after(field);
  field.focus();
  field.select();
  let done = false;
  const finish = (keep) => {
    if (done) return;
    done = true;
    row.style.display = "";
    const text = field.value.trim();
    field.remove();
    if (keep && text) trigger("act", { act: "rename", id: button.dataset.id, text: text });
  };
  field.addEventListener("keydown", (key) => {
    key.stopPropagation();
    if (key.key === "Enter") finish(true);
    if (key.key === "Escape") finish(false);
  });
  field.addEventListener("blur", () => finish(true));
});
