// Where the result of a job is.

import { isIPv6 } from "node:net"
import { jsonBytes } from "./text.js"

// The limits of lib/message/limits.go, in bytes: of JSON for a URL.
const MAX_URL = 4096
const MAX_KEY = 1024

const CHARACTER = String.raw`[^\x00-\x20\x7f\\%#]|%[0-9A-Fa-f]{2}`
const SCHEME = "[Hh][Tt][Tt][Pp][Ss]"
const HOST = String.raw`(?:\[(?<ipv6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9._~!$&'()*+,;=\u{80}-\u{10ffff}\-]+)(?::[0-9]*)?`
const PATH = String.raw`(?:\/(?:(?!\?)(?:${CHARACTER}))*)?`
const QUERY = String.raw`(?:\?[^\x00-\x20\x7f\\#]*)?`
const FRAGMENT = `(?:#(?:#|${CHARACTER})*)?`
const URL_PATTERN = new RegExp(`^${SCHEME}://${HOST}${PATH}${QUERY}${FRAGMENT}$`, "u")
const FORBIDDEN = /[\x00-\x1f\x7f-\x9f\ufffd]/ // in a key

// resultPrefix returns the prefix of the keys of a user's results in S3.
export const resultPrefix = (userId) => `results/${Buffer.from(userId).toString("base64url")}/`

// isResult reports whether result is an https URL, or a key of S3 under the user's own results.
export function isResult(userId, result) {
  if (typeof result !== "string" || !result.isWellFormed()) return false
  if (!result.startsWith("results/")) return jsonBytes(result) - 2 <= MAX_URL && isURL(result)
  const own = result.startsWith(resultPrefix(userId)) && Buffer.byteLength(result) <= MAX_KEY
  return own && !FORBIDDEN.test(result) && !result.split("/").some((segment) => ["", ".", ".."].includes(segment))
}

// isURL reports whether the notifier accepts a URL. A URL that it refused would prevent the end of the job. isURL also refuses some
// hosts that no server can have.
function isURL(result) {
  const url = URL_PATTERN.exec(result)
  return Boolean(url) && (url.groups.ipv6 === undefined || isIPv6(url.groups.ipv6))
}
