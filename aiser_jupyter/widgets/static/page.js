// What every part needs of the page: elements with text in them, and the clipboard.

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function part(parent, tag, className, text) {
  const node = element(tag, className, text);
  parent.append(node);
  return node;
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = part(document.body, "textarea", "aiser-clipboard"); // pages served without TLS
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
