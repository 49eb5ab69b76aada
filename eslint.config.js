/** The rules of `npm run lint`. */
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["build/", "dist/", "**/node_modules/", "assembly/", "scripts/*.d.ts", "examples/next/", "examples/typescript/"] },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", name: ["test", "describe", "it"], package: "node:test" }] }],
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/require-await": "off",
      // Interfaces here are written with method syntax; none of their implementations uses `this`.
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "eqeqeq": "error",
      "no-console": "error",
    },
  },
  { files: ["ts-api/src/cli/**", "bench/**", "tests/**"], rules: { "no-console": "off" } },
);
