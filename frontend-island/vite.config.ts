import { defineConfig } from "vitest/config";

// One file with a fixed name: Django's staticfiles storage puts the hash into it, and finds it by this name.
const BROWSER = new URL("node_modules/tus-js-client/lib.esm/browser/index.js", import.meta.url).pathname;

export default defineConfig({
  build: {
    outDir: "../static/island",
    emptyOutDir: true,
    modulePreload: false,
    target: "es2022",
    rolldownOptions: { input: "src/main.tsx", output: { entryFileNames: "island.js", codeSplitting: false } },
  },
  // vitest loads packages the way Node does, and this one brings Node another program.
  resolve: { alias: { "tus-js-client": BROWSER } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true, testTimeout: 60_000 },
});
