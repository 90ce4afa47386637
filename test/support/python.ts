import { execFileSync } from 'node:child_process'

/** A Python that has pika, such as Debian's with python3-pika; undefined, and said so, where there is none. */
export const pythonWithPika = find()

function find(): string | undefined {
  for (const candidate of ['/usr/bin/python3', 'python3']) {
    try {
      execFileSync(candidate, ['-c', 'import pika'], { stdio: 'ignore' })
      return candidate
    } catch {
      // The next one may have it.
    }
  }
  const reason = 'NOT COVERED: producers in Python (no python3 with pika)'
  if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
  process.stderr.write(`${reason}\n`)
  return undefined
}
