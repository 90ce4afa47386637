import { expect, test } from 'vitest'
import { buffersPassed } from './garbage.ts'

const CHUNK = 64 * 1024

/** The most that lay in buffers while so many were made and done with, above what lay there before, in MiB. */
function mostHeld(passed: (bytes: number) => void): number {
  const held = () => process.memoryUsage().arrayBuffers
  const before = held()
  let most = 0
  for (let i = 0; i < 4000; i++) {
    passed(Buffer.allocUnsafeSlow(CHUNK).length)
    most = Math.max(most, held() - before)
  }
  return most / 2 ** 20
}

test('buffers that are done with are freed before they are many', () => {
  expect(mostHeld(() => {})).toBeGreaterThan(50)
  buffersPassed(64 * 2 ** 20)
  expect(mostHeld(buffersPassed)).toBeLessThan(40)
})
