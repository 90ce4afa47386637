import { relative } from 'node:path'
import type { Reporter, TestCase } from 'vitest/node'

/**
 * Says what went wrong in tests that needed a second try: they count as passed, and each is either the test's own
 * weakness or a fault of ours that is seldom seen.
 */
export default class SecondTries implements Reporter {
  readonly #tests: TestCase[] = []

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky) this.#tests.push(test)
  }

  onTestRunEnd(): void {
    const lines = this.#tests.flatMap((test) => [
      `- ${relative('', test.module.moduleId)} > ${test.fullName}`,
      ...(test.result().errors ?? []).map(({ message, stacks: [at] = [] }) =>
        at ? `  ${message} (${relative('', at.file)}:${at.line})` : `  ${message}`,
      ),
    ])
    process.stdout.write(`tests that needed a second try: ${[this.#tests.length, ...lines].join('\n')}\n`)
  }
}
