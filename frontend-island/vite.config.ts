import { defineConfig } from "vitest/config";

// One file with a fixed name: Django's staticfiles storage puts the hash into it, and finds it by this name.
export default defineConfig({
  build: {
    outDir: "../static/island",
    emptyOutDir: true,
    modulePreload: false,
    target: "es2022",
    rolldownOptions: { input: "src/main.tsx", output: { entryFileNames: "island.js", codeSplitting: false } },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true, testTimeout: 60_000 },
});
