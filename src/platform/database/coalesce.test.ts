import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DomainError } from '../../core/errors.ts'
import { coalesced } from './coalesce.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Creates statements that the test ends, and records what each was called with. */
function statements() {
  const runs: { items: readonly number[]; end: () => void; fail: (error: Error) => void }[] = []
  const run = (items: readonly number[]) =>
    new Promise<number[]>((resolve, reject) => {
      runs.push({ items, end: () => resolve(items.map((item) => item * 10)), fail: reject })
    })
  return { runs, one: coalesced(run), asked: () => runs.map(({ items }) => items) }
}

test('what comes in one turn goes together, and each gets its own result', async () => {
  const { runs, one, asked } = statements()
  const results = Promise.all([1, 2, 3].map(one))
  await turn()
  expect(asked()).toEqual([[1, 2, 3]])
  runs[0]!.end()
  expect(await results).toEqual([10, 20, 30])
})

test('what comes alone goes at once, and by itself', async () => {
  const { runs, one, asked } = statements()
  const first = one(1)
  await turn()
  const second = one(2)
  await turn()
  expect(asked()).toEqual([[1], [2]])
  for (const { end } of runs) end()
  expect(await Promise.all([first, second])).toEqual([10, 20])
})

test('while two are on their way, the others gather, and no statement takes more than a hundred', async () => {
  const { runs, one, asked } = statements()
  for (const item of [1, 2]) {
    void one(item)
    await turn()
  }
  const others = Array.from({ length: 150 }, (_, i) => i)
  const results = Promise.all(others.map(one))
  await turn()
  expect(asked()).toEqual([[1], [2]])
  runs[1]!.end()
  await turn()
  expect(asked().slice(2)).toEqual([others.slice(0, 100)])
  runs[2]!.end()
  await turn()
  expect(asked().slice(3)).toEqual([others.slice(100)])
  runs[3]!.end()
  expect(await results).toEqual(others.map((item) => item * 10))
})

test('nobody meets the error of another: of those that were refused together each is done by itself', async () => {
  const { runs, one, asked } = statements()
  const results = Promise.allSettled([1, 2, 3].map(one))
  await turn()
  runs[0]!.fail(new Error('of 2'))
  for (const [i, end] of [
    () => runs[1]!.end(),
    () => runs[2]!.fail(new Error('2')),
    () => runs[3]!.end(),
  ].entries()) {
    await turn()
    expect(asked()[i + 1]).toEqual([i + 1])
    end()
  }
  expect(await results).toEqual([
    { status: 'fulfilled', value: 10 },
    { status: 'rejected', reason: new Error('2') },
    { status: 'fulfilled', value: 30 },
  ])
})

test('what may have been done is not done again', async () => {
  const { runs, one, asked } = statements()
  const results = Promise.allSettled([1, 2].map(one))
  await turn()
  const away = new DomainError('unavailable', 'The database is not available')
  runs[0]!.fail(away)
  expect(await results).toEqual([1, 2].map(() => ({ status: 'rejected', reason: away })))
  expect(asked()).toHaveLength(1)
})

test('whatever comes whenever, and fails or not, each item is answered for itself, and done once at most', async () => {
  const items = fc.array(fc.record({ pause: fc.nat(3), refused: fc.boolean() }), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(items, fc.infiniteStream(fc.nat(3)), async (items, pauses) => {
      const done: number[] = []
      let running = 0
      const wait = async (turns: number) => {
        for (let i = 0; i < turns; i++) await turn()
      }
      const one = coalesced(async (together: readonly number[]) => {
        expect(++running).toBeLessThanOrEqual(2)
        await wait(pauses.next().value!)
        running--
        const refused = together.find((item) => items[item]!.refused)
        if (refused !== undefined) throw new Error(`${refused} is refused`)
        done.push(...together)
        return together.map((item) => -item)
      })
      const results = items.map(async ({ pause }, item) => {
        await wait(pause)
        return one(item)
      })
      const settled = await Promise.allSettled(results)
      for (const [item, { refused }] of items.entries()) {
        expect(settled[item]).toEqual(
          refused
            ? { status: 'rejected', reason: new Error(`${item} is refused`) }
            : { status: 'fulfilled', value: -item },
        )
      }
      expect(done.toSorted((a, b) => a - b)).toEqual(items.flatMap(({ refused }, i) => (refused ? [] : [i])))
    }),
  )
})
