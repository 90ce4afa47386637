import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { descendants, kill } from '../../../../test/support/processes.ts'

/**
 * The browser that tests use; undefined, and said so, where there is none. With `REQUIRE_SERVICES=1` that
 * is an error.
 */
export const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
)
if (!chromium) {
  const reason = 'NOT COVERED: a browser (chromium is not on the PATH)'
  if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
  process.stderr.write(`${reason}\n`)
}

/** Opens a page in a browser of its own, without a window. */
export function openPage(url: string): AsyncDisposable {
  const profile = mkdtempSync(join(tmpdir(), 'taskwire-chromium-'))
  // Without sandbox: it cannot be had as root, and the page is ours.
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
  ]
  const browser = spawn(chromium!, [...flags, `--user-data-dir=${profile}`, url], { stdio: 'ignore' })
  return {
    async [Symbol.asyncDispose]() {
      const below = descendants(browser.pid!)
      const exited = once(browser, 'exit')
      browser.kill('SIGKILL')
      await exited
      for (const pid of below) kill(pid, 'SIGKILL')
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    },
  }
}
