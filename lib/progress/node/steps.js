// The list of what a job went through.

import { jsonBytes } from "./text.js"

// The limits of lib/message/limits.go. Bytes are those of JSON.
const MAX_LISTED = 32
const MAX_NAME = 320
const STATUSES = [undefined, "running", "succeeded", "failed"]

// listed returns the fields of the newest steps, or undefined if one of these steps is invalid.
export function listed(steps) {
  const fields = [...steps].slice(-MAX_LISTED).map(({ name, at, status, title }) => ({
    name, at: at ? timeOf(at) : undefined, status: status ?? undefined, title: title ?? undefined,
  }))
  return fields.every(isValid) ? fields : undefined
}

// newest returns as many of the newest steps as have at most so many bytes in JSON.
export function newest(steps, limit) {
  while (steps.length && jsonBytes(steps) > limit) steps = steps.slice(1)
  return steps
}

// timeOf returns a date as RFC 3339, or an empty text if the year has not four digits.
function timeOf(date) {
  const text = Number.isNaN(date.getTime()) ? "" : date.toISOString()
  return /^\d{4}-/.test(text) ? text : ""
}

function isValid({ name, at, status, title }) {
  return isName(name) && (title === undefined || isName(title)) && at !== "" && STATUSES.includes(status)
}

function isName(name) {
  return typeof name === "string" && name !== "" && name.isWellFormed() && jsonBytes(name) - 2 <= MAX_NAME
}
