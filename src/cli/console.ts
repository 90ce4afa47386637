/** The output of a command: results go to `out`, everything else to `err`. */
export interface Console {
  out(line: string): void
  err(line: string): void
  /** How far it is, where somebody watches: on a terminal, in one line that the next one takes the place of. */
  progress(text: string): void
}

const CLEAR_LINE = '\r\x1b[K'
let isShown = false

/** Writes a line where no progress is left standing. */
function write(stream: NodeJS.WriteStream, line: string): void {
  if (isShown) process.stderr.write(CLEAR_LINE)
  isShown = false
  stream.write(`${line}\n`)
}

export const processConsole: Console = {
  out: (line) => write(process.stdout, line),
  err: (line) => write(process.stderr, line),
  progress(text) {
    if (!process.stderr.isTTY) return
    isShown = true
    process.stderr.write(CLEAR_LINE + text)
  },
}
