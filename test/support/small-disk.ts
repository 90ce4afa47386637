import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

/**
 * Puts a disk of so many bytes, in memory, at `folder`; undefined, and said so, where this user may not mount (needs
 * root on Linux). It goes when it is disposed.
 */
export function mountSmallDisk(folder: string, bytes: number): Disposable | undefined {
  mkdirSync(folder, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : error
    process.stderr.write(`NOT COVERED: a disk that is really full (${reason})\n`)
    return undefined
  }
  return { [Symbol.dispose]: () => void execFileSync('umount', [folder]) }
}
