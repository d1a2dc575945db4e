type Attributes = Record<string, string | boolean | EventListener>

function fill<E extends Element>(element: E, attributes: Attributes, children: (Node | string)[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else setAttribute(element, name, value)
  }
  element.append(...children)
  return element
}

/** Returns a new HTML element. A function among the attributes is a listener for the event of that name. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children)
}

/** Returns a new SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

/** Sets the text of an element, if it differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Sets an attribute, if it differs; true sets it without a value, false removes it. */
export function setAttribute(element: Element, name: string, value: string | boolean): void {
  if (value === false) element.removeAttribute(name)
  else if (element.getAttribute(name) !== (value === true ? '' : value)) element.setAttribute(name, value === true ? '' : value)
}

/** Returns a button. Its label says what it acts on, where its text alone does not. */
export function button(text: string, label: string, run: () => void, kind = ''): HTMLButtonElement {
  return el('button', { type: 'button', class: kind, 'aria-label': label || false, click: run }, text)
}
