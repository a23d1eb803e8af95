import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    // A scenario awaits events, never the clock: one that hangs should say so soon.
    testTimeout: 10_000,
  },
})
