import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

/**
 * Puts a disk of so many bytes, in memory, at `folder`, empty and, with `readOnly`, to stay so; undefined, and said
 * so, where this user may not mount (needs root on Linux). It goes when it is disposed.
 */
export function mountSmallDisk(
  folder: string,
  bytes: number,
  { readOnly }: { readOnly: boolean } = { readOnly: false },
): Disposable | undefined {
  mkdirSync(folder, { recursive: true })
  const options = `size=${bytes},mode=700${readOnly ? ',ro' : ''}`
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : error
    process.stderr.write(`NOT COVERED: a disk that is really full, or read-only (${reason})\n`)
    return undefined
  }
  return { [Symbol.dispose]: () => void execFileSync('umount', [folder]) }
}
