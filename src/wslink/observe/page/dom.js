// The page's elements.

export const find = (selector) => document.querySelector(selector);

export function put(one, text) {
  if (one.textContent !== text) one.textContent = text;
}
