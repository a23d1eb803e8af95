import { defineConfig } from 'vite'

/** The provider as a library: one ES module in `provider/lib/`, beside the declarations that `tsconfig.lib.json` emits. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: 'provider/lib',
    emptyOutDir: true,
    target: 'es2022',
    minify: false,
    sourcemap: true,
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'index' },
    rolldownOptions: {
      // Whoever imports two copies of Yjs gets two kinds of documents, so it stays outside, with all that imports it.
      external: /^(yjs|y-protocols|lib0|fflate|@msgpack\/msgpack)(\/|$)/,
    },
  },
})
