/**
 * The same items, once the first is there: what goes wrong before that is thrown here, where there is still time to
 * answer with an error.
 */
export async function startIteration<T>(items: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
  const first = await items.next()
  return (async function* () {
    if (first.done) return
    yield first.value
    yield* items
  })()
}
