import { expect, test } from 'vitest'
import { memoryCounter } from './memory-counter.ts'

const window = { points: 10, seconds: 60, keyPrefix: 'test' }

test('when too many keys are known, the longest known is forgotten', async () => {
  const counter = memoryCounter(window, 3)
  const used = async (key: string) => (await counter.get(key)).consumedPoints
  for (const key of ['a', 'b', 'c']) await counter.add(key, 2)
  await counter.add('a', 1)
  expect(await Promise.all(['a', 'b', 'c'].map(used))).toEqual([3, 2, 2])
  await counter.add('d', 2)
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(used))).toEqual([0, 2, 2, 2])
  for (let i = 0; i < 1000; i++) await counter.add(`key ${i}`, 1)
  expect(await Promise.all(['b', 'd', 'key 996', 'key 997', 'key 999'].map(used))).toEqual([0, 0, 0, 1, 1])
})

test('a key is as young as its window', async () => {
  const counter = memoryCounter({ ...window, seconds: 0.05 }, 2)
  await counter.add('a', 1)
  await counter.add('b', 1)
  await expect.poll(async () => (await counter.get('a')).consumedPoints).toBe(0)
  await counter.add('a', 1)
  await counter.add('c', 1)
  expect((await counter.get('a')).consumedPoints).toBe(1)
})
