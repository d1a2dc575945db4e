// Texts, and how many bytes they have in JSON.

// jsonBytes returns how many bytes value has in JSON. Go writes line separators as six bytes, not three.
export function jsonBytes(value) {
  const text = JSON.stringify(value)
  return Buffer.byteLength(text) + 3 * (text.match(/[\u2028\u2029]/g)?.length ?? 0)
}

// cut returns text as valid Unicode of at most so many bytes in JSON. A text that was cut ends in an ellipsis.
export function cut(text, limit) {
  text = text.slice(0, limit + 2).toWellFormed()
  if (jsonBytes(text) - 2 <= limit) return text
  let room = limit - Buffer.byteLength("…")
  let end = 0
  for (const char of text) {
    room -= jsonBytes(char) - 2
    if (room < 0) break
    end += char.length
  }
  return text.slice(0, end) + "…"
}
