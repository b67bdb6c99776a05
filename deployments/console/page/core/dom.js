// Elements from values. Text is only ever set as text, so nothing that the service tells can become HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. `properties`: `class`, `on…` listeners, `data`, attributes; false and undefined are left out. */
export function h(tag, properties = {}, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** Return an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "indeterminate") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  put(element, ...children);
  return element;
}

/** Append `children` to `parent`: nodes, text, lists of them; empty ones are left out. */
export function put(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) parent.append(child);
  }
  return parent;
}

/** Make `children` all that is in `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  return put(parent, ...children);
}

let ids = 0;

/** Return an id that no other element of the page has. */
export function newId(word) {
  ids += 1;
  return `${word}-${ids}`;
}
