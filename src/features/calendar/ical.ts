/** A property of iCalendar (RFC 5545): its name with parameters, and its value as it is written. */
export type Property = readonly [name: string, value: string]

const encoder = new TextEncoder()
/** Octets of a line without its break (section 3.1). */
const LINE_OCTETS = 75

/** A component with these properties, of which those without a value are left out; every line ends with CRLF. */
export function component(name: string, properties: readonly (Property | undefined)[]): string {
  const lines = properties.flatMap((property) => (property ? contentLine(property) : []))
  return `BEGIN:${name}\r\n${lines.join('')}END:${name}\r\n`
}

export function contentLine([name, value]: Property): string {
  return `${folded(`${name}:${value}`)}\r\n`
}

/** TEXT (section 3.3.11). It has no way to say control characters, so those are left out. */
export function text(value: string): string {
  return value
    .replace(/[\\;,]/g, (char) => `\\${char}`)
    .replace(/\r\n?|\n/g, '\\n')
    .replace(/(?!\t)\p{Cc}/gu, '')
}

/** DATE-TIME in UTC, to the second, of ISO 8601 with `Z`. */
export function utc(time: string): string {
  return `${time.slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** Cuts a line where it has 75 octets, never within a character; a blank begins what follows. */
function folded(line: string): string {
  // No UTF-16 unit makes more than three octets.
  if (line.length * 3 <= LINE_OCTETS) return line
  if (encoder.encode(line).length <= LINE_OCTETS) return line
  const parts: string[] = []
  let part = ''
  let octets = 0
  for (const char of line) {
    const size = encoder.encode(char).length
    if (octets + size > LINE_OCTETS) {
      parts.push(part)
      part = ''
      octets = 1
    }
    part += char
    octets += size
  }
  return [...parts, part].join('\r\n ')
}
