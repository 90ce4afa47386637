import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { externalDatabase } from './test/support/external-database.ts'

const globalSetup = './test/support/global-setup.ts'
const external = await externalDatabase()

const projects: TestProjectConfiguration[] = [
  {
    extends: true,
    test: { name: 'embedded', globalSetup, include: ['{src,test,packages}/**/*.test.ts'] },
  },
]
if (external.url) {
  projects.push({
    extends: true,
    test: {
      name: 'postgres',
      globalSetup,
      // All that touches a database, but for what is about the embedded one or starts its own server.
      include: [
        'src/{platform/{database,messaging,queue},events,features}/**/*.test.ts',
        'test/{http,contracts}/**/*.test.ts',
      ],
      exclude: ['src/platform/database/embedded*'],
      env: { TEST_DATABASE_URL: external.url },
    },
  })
}

export default defineConfig({
  test: {
    projects,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // More than a small machine has cores: tests wait for servers, and for time to pass, more than they work.
    maxWorkers: 3,
    // A machine that does other work too may be late once; what fails twice is wrong.
    retry: process.env.CI ? 1 : 0,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'packages/client/src/**/*.ts'],
      // Migrations run in every global setup, which is not measured; the watchdog is a process of its own.
      exclude: ['src/**/*.test.ts', 'src/platform/database/migrations/**'],
      reporter: ['text', 'json-summary'],
      thresholds: { lines: 90 },
    },
  },
})
