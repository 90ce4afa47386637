/** Where a command writes: results to `out`, everything else to `err`. */
export interface Console {
  out(line: string): void
  err(line: string): void
}

export const processConsole: Console = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
}
