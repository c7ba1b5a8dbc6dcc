// Shows props.value = {title, text, note} in a dialog, selected and copied.
const make = (name, more) => Object.assign(document.createElement(name), more);

function open(value) {
  const dialog = make("dialog", { className: "sheet" });
  dialog.setAttribute("aria-label", value.title);
  const isLink = value.text.startsWith("?");
  const text = isLink ? location.origin + location.pathname + value.text : value.text;
  const field = make("textarea", { value: text, readOnly: true, rows: isLink ? 2 : 20 });
  field.setAttribute("aria-label", value.title);
  field.spellcheck = false;
  const note = make("p", { textContent: value.note });
  const said = make("span", { className: "copied" });
  said.setAttribute("role", "status");
  const copy = make("button", { type: "button", textContent: "Copy" });
  const close = make("button", { type: "button", textContent: "Close" });
  const row = make("div", { className: "row" });
  row.append(said, copy, close);
  dialog.append(make("h2", { textContent: value.title }), note, field, row);
  const take = async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      document.execCommand("copy");
    }
    said.textContent = "Copied.";
  };
  copy.addEventListener("click", take);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.querySelector(".gradio-container").append(dialog);
  dialog.showModal();
  take();
}

watch("value", () => {
  if (props.value && props.value.text) open(props.value);
});
