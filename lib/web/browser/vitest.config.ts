import { defineConfig } from 'vitest/config'

// The tests in real browsers. One at a time: they share the machine's cores, and some measure time.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    globalSetup: 'setup.ts',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
