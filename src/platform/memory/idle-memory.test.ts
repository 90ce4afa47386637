import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

/**
 * Fills the young generation and collects what is in it, as V8 does anyway sooner or later; then waits, with or
 * without giving back. Prints how much is kept unused.
 */
const program = (giveBack: boolean) => `
  import { giveBackWhenIdle } from ${JSON.stringify(new URL('./idle-memory.ts', import.meta.url).href)}
  if (${giveBack}) giveBackWhenIdle(50)
  for (let round = 0; round < 40; round++) {
    globalThis.kept = Array.from({ length: 200_000 }, (_, i) => ({ i }))
    await new Promise(setImmediate)
  }
  globalThis.kept = undefined
  gc()
  const unused = () => { const { heapTotal, heapUsed } = process.memoryUsage(); return heapTotal - heapUsed }
  const end = Date.now() + (${giveBack} ? 20_000 : 500)
  while (Date.now() < end && unused() > 10 * 2 ** 20) await new Promise((resolve) => setTimeout(resolve, 100))
  console.log(unused())
  process.exit()
`
const unusedBytes = (giveBack: boolean) =>
  Number(
    execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program(giveBack)], {
      encoding: 'utf8',
    }),
  )

test('a process that has become idle keeps little that it does not use', () => {
  expect(unusedBytes(false)).toBeGreaterThan(10 * 2 ** 20)
  expect(unusedBytes(true)).toBeLessThan(10 * 2 ** 20)
})
